"""Prints the parts of ARCHITECTURE.md that the code itself knows: layers, state table, corpus, mutations.

`python -m tests.support.architecture` writes them into the file; a test fails when they are stale.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from ordersync_cli.domain.lifecycle import observe
from ordersync_cli.domain.observations import Channel, OrderSeen
from ordersync_cli.domain.orders import Figures, OrderRequest, OrderType, Side, Source
from ordersync_cli.domain.standing import derive
from ordersync_cli.domain.trade import Trade
from ordersync_cli.domain.words import OPEN_WORDS, TERMINAL_WORDS
from tests.mutations.catalogue import MUTATIONS
from tests.support.corpus import holding_tests, scenarios

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "ordersync_cli" / "docs" / "ARCHITECTURE.md"
_AT = datetime(2026, 1, 1, tzinfo=UTC)
_LATER = datetime(2026, 1, 1, 0, 0, 5, tzinfo=UTC)


def layers() -> str:
    """Draw the layers as import-linter checks them."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = settings["tool"]["importlinter"]["contracts"]
    drawn = next(c for c in contracts if c["type"] == "layers")["layers"]
    return "```\n" + "\n   ↓\n".join(layer.strip("()") for layer in drawn) + "\n```"


def state_table() -> str:
    """Print what each word of the venue makes of a trade, as the code derives it."""
    rows = ["| venue says | fills | `order_status` | `status` at first sight | after a second look 2 s later |"]
    rows += ["|---|---|---|---|---|"]
    for word in (*OPEN_WORDS, *TERMINAL_WORDS, "UNKNOWN_ORDER_STATUS"):
        for size in ("0", "0.4"):
            if word == "FILLED" and size == "0":
                continue
            first = _seen(_trade(), word, size, _AT)
            second = _seen(first, word, size, _LATER)
            now, then = derive(first), derive(second)
            filled = "some" if size != "0" else "none"
            rows.append(f"| {word} | {filled} | `{now.order_status}` | `{now.status}` | `{then.status}` |")
    return "\n".join(rows)


def corpus() -> str:
    """Print which tests hold which number of the corpus."""
    held = holding_tests()
    rows = ["| # | scenario | held by |", "|---|---|---|"]
    for number, cell in scenarios().items():
        tests = [f"`{test}`" for test in held.get(number, [])]
        more = f" and {len(tests) - 2} more" if len(tests) > 3 else ""
        rows.append(f"| {number} | {cell} | {', '.join(tests[: 2 if more else 3])}{more} |")
    return "\n".join(rows)


def mutations() -> str:
    """Print what was broken on purpose, and the test that noticed."""
    rows = ["| broken on purpose | noticed by |", "|---|---|"]
    rows += [f"| {mutation.rule} | `{mutation.test.removeprefix('tests/')}` |" for mutation in MUTATIONS]
    return "\n".join(rows)


PARTS: dict[str, Callable[[], str]] = {
    "layers": layers,
    "state table": state_table,
    "corpus": corpus,
    "mutations": mutations,
}


def printed(text: str) -> str:
    """Give the document with every generated part as the code has it now."""
    for name, part in PARTS.items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        text, count = pattern.subn(lambda found, part=part: found.group(1) + part() + "\n" + found.group(2), text)
        assert count == 1, f"ARCHITECTURE.md has no place for {name}"
    return text


def _trade() -> Trade:
    request = OrderRequest(product_id="BTC-USD", side=Side.BUY, order_type=OrderType.MARKET, client_order_id="c")
    return Trade(request=request, created_at=_AT, attempts=1, attempt_at=_AT)


def _seen(trade: Trade, word: str, size: str, at: datetime) -> Trade:
    from decimal import Decimal

    filled = Decimal(size)
    figures = Figures(
        filled_size=filled,
        number_of_fills=int(bool(filled)),
        filled_value=filled,
        total_fees=filled,
        average_filled_price=filled and Decimal(1),
    )
    sight = OrderSeen(
        order_id="o", as_of=at, channel=Channel.REST, word=word, figures=figures, client_order_id="c",
        product_id="BTC-USD", side=Side.BUY, created_time=_AT,
    )  # fmt: skip
    return observe(trade, sight, source=Source.POLL, at=at).after


if __name__ == "__main__":
    DOCUMENT.write_text(printed(DOCUMENT.read_text()))
