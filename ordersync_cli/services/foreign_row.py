"""Reads one row of an existing bot's table, as it was meant: pure, and loud about what is odd."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from ordersync_cli.domain import decimals
from ordersync_cli.domain.orders import Side, Status

# The columns of the bot's table that ordersync reads; every other one is kept aside.
BOT_COLUMNS = (
    "id",
    "bot_id",
    "product_id",
    "side",
    "size",
    "price",
    "order_id",
    "status",
    "size_usd",
    "created_at",
    "filled_at",
)
# What a column may be mapped to beside these.
MAPPABLE = (*BOT_COLUMNS[1:], "id", "client_order_id")
NEEDED = ("order_id", "status", "product_id", "side")

_SIDES = {"buy": Side.BUY, "b": Side.BUY, "bid": Side.BUY, "sell": Side.SELL, "s": Side.SELL, "ask": Side.SELL}
# Words that bots write; `filled`, `done`, `settled`, `cancelled`, `rejected` are those of the flow
# that this project replaces (P17). A cancelled order may have been filled in part, so only the
# bot's own two final words, and words that say the same, are believed until the venue is asked.
_STATUSES = {
    "pending": Status.PENDING,
    "open": Status.PENDING,
    "new": Status.PENDING,
    "active": Status.PENDING,
    "submitted": Status.PENDING,
    "queued": Status.PENDING,
    "partially_filled": Status.PENDING,
    "completed": Status.COMPLETED,
    "complete": Status.COMPLETED,
    "filled": Status.COMPLETED,
    "done": Status.COMPLETED,
    "settled": Status.COMPLETED,
    "failed": Status.FAILED,
    "rejected": Status.FAILED,
    "error": Status.FAILED,
}
_MILLISECONDS_FROM = 100_000_000_000  # as seconds that would be the year 5138
_DIGITS_OF_A_DATE = 100_000_000  # 20260301 is a day, not a second of 1970
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignRow:
    """A bot's row, read: exact numbers, aware times, its status in our three words.

    ``side`` and ``status`` are as the bot wrote them where they cannot be read (``followable``
    is False without a readable side). ``problems`` say what was odd.
    """

    source_key: str
    source_id: str | None
    bot_id: int | None
    product_id: str
    side: str
    size: Decimal | None
    price: Decimal | None
    size_usd: Decimal | None
    order_id: str | None
    client_order_id: str | None
    status: str
    created_at: datetime | None
    filled_at: datetime | None
    followable: bool = True
    extra: Mapping[str, Any] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


class _Reader:
    """Reads the cells of one row and collects what was odd about them."""

    def __init__(self, cells: Mapping[str, Any]) -> None:
        self.cells = cells
        self.problems: list[str] = []

    def text(self, name: str) -> str | None:
        value = self.cells.get(name)
        if isinstance(value, bytes):
            value = value.decode(errors="replace")
        return (str(value).strip() or None) if value is not None else None

    def number(self, name: str) -> Decimal | None:
        value = self.cells.get(name)
        if value is None or value == "":
            return None
        number = read_number(value)
        if number is None:
            self.problems.append(f"{name} {_shown(value)} is no number: left empty")
        return number

    def time(self, name: str) -> datetime | None:
        value = self.cells.get(name)
        if value is None or value == "":
            return None
        moment = read_time(value)
        if moment is None:
            self.problems.append(f"{name} {_shown(value)} is no time: left empty")
        return moment

    def whole(self, name: str) -> int | None:
        number = self.number(name)
        if number is None:
            return None
        if number != number.to_integral_value():
            self.problems.append(f"{name} {number} is no whole number: left empty")
            return None
        return int(number)

    def side(self) -> tuple[str, bool]:
        word = self.text("side") or ""
        side = _SIDES.get(word.lower().rpartition(".")[2])
        if side is None:
            self.problems.append(f"side {_shown(word)} cannot be read: the row is kept and not followed")
            return word, False
        return side.value, True

    def status(self) -> str:
        word = (self.text("status") or "").lower().rpartition(".")[2]
        if word in _STATUSES:
            return _STATUSES[word].value
        if word not in _ENDED_SOMEHOW:
            self.problems.append(f"status {_shown(word)} is unknown: taken as pending, the venue will tell")
        return Status.PENDING.value


# These end an order without saying whether money moved: taken as pending, so that the venue is asked.
_ENDED_SOMEHOW = frozenset({"cancelled", "canceled", "expired"})


def read_row(cells: Mapping[str, Any], source: str, occurrence: int = 0) -> ForeignRow:
    """Read a row whose columns already have our names; ``source`` tells its table from others.

    ``occurrence`` tells rows apart that have neither an id nor anything else of their own.
    """
    reader = _Reader(cells)
    side, followable = reader.side()
    source_id = reader.text("id")
    own = source_id if source_id is not None else _fingerprint(cells, occurrence)
    return ForeignRow(
        source_key=hashlib.sha256(f"{source}\n{own}".encode()).hexdigest(),
        source_id=source_id,
        bot_id=reader.whole("bot_id"),
        product_id=reader.text("product_id") or "",
        side=side,
        size=reader.number("size"),
        price=reader.number("price"),
        size_usd=reader.number("size_usd"),
        order_id=reader.text("order_id"),
        client_order_id=reader.text("client_order_id"),
        status=reader.status(),
        created_at=reader.time("created_at"),
        filled_at=reader.time("filled_at"),
        followable=followable,
        extra={k: _kept(v) for k, v in cells.items() if k not in MAPPABLE},
        problems=tuple(reader.problems),
    )


def read_number(value: Any) -> Decimal | None:
    """Read a number as it was meant: a float is the shortest decimal that gives this float."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    try:
        return decimals.parse(repr(value) if isinstance(value, float) else str(value))
    except ValueError:
        return None


def read_time(value: Any) -> datetime | None:
    """Read a time however it was written: text, seconds or milliseconds; without a zone it is UTC."""
    try:
        match value:
            case bool():
                return None
            case datetime():
                return value.replace(tzinfo=UTC) if value.utcoffset() is None else value.astimezone(UTC)
            case date():
                return datetime(value.year, value.month, value.day, tzinfo=UTC)
            case int() | float() | Decimal():
                return _since_epoch(float(value))
            case str():
                text = value.strip()
                number = read_number(text)
                if number is not None and number > _DIGITS_OF_A_DATE:
                    return _since_epoch(float(number))
                return read_time(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        return None
    return None


def _since_epoch(seconds: float) -> datetime:
    return _EPOCH + timedelta(seconds=seconds / 1000 if abs(seconds) > _MILLISECONDS_FROM else seconds)


def _fingerprint(cells: Mapping[str, Any], occurrence: int) -> str:
    content = json.dumps({k: _kept(v) for k, v in cells.items()}, sort_keys=True)
    return f"{content}\n{occurrence}"


def _kept(value: Any) -> Any:
    """Keep a cell for JSON: what JSON has no word for becomes text."""
    if value is None or isinstance(value, bool | int | str):
        return value
    return value.isoformat() if isinstance(value, date) else str(value)


def _shown(value: Any) -> str:
    return repr(value if isinstance(value, str) else str(value))[:60]
