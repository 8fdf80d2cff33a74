"""Draws the pending trades: one line each, what needs an eye first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from rich.text import Text

from ordersync_cli.cli.cells import age, bar, fit, number
from ordersync_cli.services.watch.board import Board, Row

FRESH = 5.0  # seconds a snapshot may be old and still be green
SOON = 0.05  # seconds that read as now
WIDE = 110  # columns from which there is room for prices and ids


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How to draw: the size of the terminal, who the venue is, plain characters or not."""

    width: int
    height: int
    venue: str
    simulated: bool
    requests_per_second: float
    plain: bool = False


def pending_lines(board: Board, look: Look, room: int, passed: float) -> list[Text]:
    """Draw the pending trades in at most ``room`` lines, what needs an eye first."""
    rows = sorted(board.pending, key=lambda r: _trouble(r, passed))
    heading = Text(f"PENDING {len(rows)}", style="bold")
    if not rows:
        return [heading]
    columns = _columns(look)
    titles = Text(_titles(columns), style="reverse")
    titles.pad_right(max(0, look.width - titles.cell_len))
    room -= 1
    shown = rows if len(rows) <= room - 1 else rows[: max(0, room - 2)]
    lines = [heading, titles, *(_row(row, columns, look, passed) for row in shown)]
    if len(shown) < len(rows):
        rest = rows[len(shown) :]
        ages = [r.snapshot_age for r in rest if r.snapshot_age is not None]
        oldest = f", snapshots at most {age(max(ages) + passed)} old" if ages else ""
        lines.append(Text(f"… and {len(rest)} more{oldest}", style="dim"))
    return lines


def _trouble(row: Row, passed: float) -> tuple[int, float]:
    """Sort what needs an eye first: unknown, stale, market orders, then the youngest."""
    stale = row.snapshot_age is not None and row.snapshot_age + passed > row.stale_after
    first = 0 if row.view.order_status == "submitting" else 1 if stale else 2 if row.view.order_type == "MARKET" else 3
    return first, -row.view.created_at.timestamp()


def _columns(look: Look) -> list[tuple[str, int, bool]]:
    """Choose title, width and alignment of each column for the width there is."""
    if look.width < WIDE:
        return [
            ("AGE", 5, True),
            ("SIDE", 4, False),
            ("PRODUCT", 9, False),
            ("TYPE", 6, False),
            ("SIZE", 11, True),
            ("FILLED", 12, False),
            ("STATUS", 11, False),
            ("SEEN", 6, True),
            ("NEXT", 5, True),
        ]
    spare = look.width - WIDE
    return [
        ("AGE", 5, True),
        ("TRADE", 6, True),
        ("SIDE", 4, False),
        ("PRODUCT", 11, False),
        ("TYPE", 10, False),
        ("SIZE", 14, True),
        ("FILLED", min(24, 12 + spare // 6), False),
        ("AVERAGE", 13, True),
        ("STATUS", 13, False),
        ("SEEN", 6, True),
        ("NEXT", 5, True),
        ("ORDER", min(36, max(0, spare - 6)), False),
    ]


def _titles(columns: Sequence[tuple[str, int, bool]]) -> str:
    return " ".join(fit(title, width, right=right) for title, width, right in columns)


@dataclass(frozen=True, slots=True)
class _Drawn:
    """One row under way; ``passed`` seconds since its picture was taken."""

    row: Row
    width: int
    plain: bool
    passed: float


def _row(row: Row, columns: Sequence[tuple[str, int, bool]], look: Look, passed: float) -> Text:
    line = Text()
    for position, (title, width, right) in enumerate(columns):
        text, style = _CELLS[title](_Drawn(row, width, look.plain, passed))
        line.append(" " if position else "")
        line.append(fit(text, width, right=right), style=style)
    return line


def _next(drawn: _Drawn) -> tuple[str, str]:
    if drawn.row.next_look_in is None:
        return "", ""
    left = drawn.row.next_look_in - drawn.passed
    return "now" if left <= SOON else age(left), "dim"


# What stands in a column, and its colour.
_CELLS: Mapping[str, Callable[[_Drawn], tuple[str, str]]] = {
    "AGE": lambda d: (age(d.row.age + d.passed), ""),
    "TRADE": lambda d: (str(d.row.view.trade_id), "dim"),
    "SIDE": lambda d: (d.row.view.side, "green" if d.row.view.side == "BUY" else "magenta"),
    "PRODUCT": lambda d: (d.row.view.product_id, "bold"),
    "TYPE": lambda d: ((d.row.view.order_type or "").replace("_", "-").lower(), ""),
    "SIZE": lambda d: (_size(d.row, d.width), ""),
    "FILLED": lambda d: (bar(filled_part(d.row), d.width, plain=d.plain), "green"),
    "AVERAGE": lambda d: (number(d.row.view.average_filled_price or None, d.width), ""),
    "STATUS": lambda d: (_status(d.row), "yellow" if d.row.view.order_status == "submitting" else ""),
    "SEEN": lambda d: _seen(d.row, d.passed),
    "NEXT": _next,
    "ORDER": lambda d: (d.row.view.order_id or d.row.view.client_order_id or "", "dim"),
}


def _size(row: Row, width: int) -> str:
    if row.asked_base is None and row.asked_quote is not None:
        return number(row.asked_quote, width - 4) + " " + row.view.product_id.rpartition("-")[2][:3]
    return number(row.asked_base if row.asked_base is not None else row.view.size, width)


def filled_part(row: Row) -> float | None:
    """Tell how much of what was asked for is filled; only drawn, never a ground for a status."""
    asked, done = (row.asked_base, row.view.filled_size)
    if asked is None:
        asked, done = row.asked_quote, row.view.filled_value
    if not asked:
        return None
    return float((done or Decimal(0)) / asked)


def _status(row: Row) -> str:
    view = row.view
    if view.order_status == "submitting":
        return "unknown" if view.submitted_at is not None else "not sent"
    if view.closed_at is not None or view.venue_status in {"CANCELLED", "EXPIRED", "FAILED"}:
        return f"{(view.venue_status or '').lower()}?"  # ended without a fill: the second look is due
    return (view.venue_status or view.order_status).lower().replace("_", " ")


def _seen(row: Row, passed: float) -> tuple[str, str]:
    if row.snapshot_age is None:
        return "never", "yellow"
    seconds = row.snapshot_age + passed
    if seconds > row.stale_after:
        return f"{age(seconds)}!", "bold red"
    return age(seconds), "green" if seconds <= FRESH else "yellow"
