"""How decimals and times stand in each database, exactly."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol

from ordersync_cli.domain.decimals import parse, plain

_WIDTH = 26  # of a time of ours as text
_USUAL = 40  # digits before or after the point, of any amount that a venue prints
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECONDS_FROM = 1e11  # as seconds that would be the year 5138


def digits(number: Decimal) -> str:
    """Write a decimal canonically, as `plain` does and ten times as fast; ValueError for what is no amount."""
    if not number.is_finite() or abs(number.adjusted()) >= _USUAL:
        return plain(number)  # which refuses it, or knows better
    text = format(number, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def utc(moment: datetime) -> datetime:
    """Turn an aware time into UTC; refuses a naive one."""
    if moment.utcoffset() is None:
        raise ValueError(f"{moment!r} has no time zone")
    return moment.astimezone(UTC)


def lenient_time(value: Any) -> datetime | None:
    """Read a time however another program wrote it; without a zone it is UTC; None if unreadable."""
    try:
        if isinstance(value, datetime):
            return value.replace(tzinfo=UTC) if value.utcoffset() is None else value.astimezone(UTC)
        if isinstance(value, int | float):
            seconds = value / 1000 if abs(value) > _MILLISECONDS_FROM else value
            return _EPOCH + timedelta(seconds=seconds)
        if isinstance(value, str):
            read = datetime.fromisoformat(value.strip())
            return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return None


def lenient_number(value: Any) -> Decimal | None:
    """Read a number however another program wrote it; a float as its shortest decimal; None if unreadable."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    try:
        return parse(str(value))
    except ValueError:
        return None


def whole(value: Any) -> int | None:
    """Read a whole number however another program wrote it; None if it is none."""
    if isinstance(value, int) or (isinstance(value, str) and value.strip().isdecimal()):
        return int(value)
    return None


def order_named(order_id: Any) -> str | None:
    """Tell which order a row names; None for an id that is absent, empty or blank: nothing can be asked by it."""
    return order_id if order_id and str(order_id).strip() else None


class Values(Protocol):
    """The two directions of every typed value."""

    def time(self, moment: datetime | None) -> Any:
        """Write a time; ValueError for a naive one."""
        ...

    def moment(self, stored: Any) -> datetime | None:
        """Read a time."""
        ...

    def decimal(self, number: Decimal | None) -> Any:
        """Write an exact decimal."""
        ...

    def number(self, stored: Any) -> Decimal | None:
        """Read an exact decimal."""
        ...

    def several(self, items: Iterable[Any]) -> Any:
        """Write a list as one parameter, for `Sql.among`."""
        ...


class SqliteValues:
    """Fixed-width UTC text with microseconds, so that text order is time order; decimals as canonical text."""

    def time(self, moment: datetime | None) -> str | None:
        """Write ``YYYY-MM-DD HH:MM:SS.ffffff``, which is also what SQLAlchemy's DateTime reads."""
        if moment is None:
            return None
        return (moment if moment.tzinfo is UTC else utc(moment)).isoformat(" ", "microseconds")[:26]

    def moment(self, stored: Any) -> datetime | None:
        """Read a time of ours, or one that another program wrote."""
        if stored is None:
            return None
        if isinstance(stored, str) and len(stored) == _WIDTH and stored[_WIDTH - 7] == ".":
            with suppress(ValueError):  # as `time` writes it, read in a fifth of the time
                return datetime.fromisoformat(f"{stored}+00:00")
        return lenient_time(stored)

    def decimal(self, number: Decimal | None) -> str | None:
        """Write canonical text."""
        return None if number is None else digits(number)

    def number(self, stored: Any) -> Decimal | None:
        """Read canonical text."""
        return None if stored is None else Decimal(stored)

    def several(self, items: Iterable[Any]) -> str:
        """Write a JSON array: one parameter whatever its length (SQLite limits their number)."""
        return json.dumps(list(items))


class PostgresValues:
    """timestamptz and plain NUMERIC, as psycopg reads and writes them."""

    def time(self, moment: datetime | None) -> datetime | None:
        """Write an aware time."""
        return None if moment is None else utc(moment)

    def moment(self, stored: Any) -> datetime | None:
        """Read a time; an adopted column may have no zone."""
        return None if stored is None else lenient_time(stored)

    def decimal(self, number: Decimal | None) -> Decimal | None:
        """Write the canonical form, so that both databases hold the same digits."""
        return None if number is None else Decimal(digits(number))

    def number(self, stored: Any) -> Decimal | None:
        """Read a NUMERIC."""
        return None if stored is None else Decimal(stored)

    def several(self, items: Iterable[Any]) -> list[Any]:
        """Write a Postgres array."""
        return list(items)
