"""Reads single values of Coinbase's JSON exactly: numbers, times, booleans, words."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

Json = Any  # what json.loads gives, with Decimal where JSON has a fraction
Row = Mapping[str, Json]

# Plain ASCII numbers of a sane size: Decimal itself would take "1_0", "NaN" and 10^999999999.
_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,60}(?:\.[0-9]{0,60})?|\.[0-9]{1,60})(?:[eE][+-]?[0-9]{1,2})?")
_MOMENT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,12}))?"
    r" ?(Z|z|[+-][0-9]{2}:?[0-9]{2})?(?: UTC)?(?: m=[+-][0-9.]+)?"
)
_MOST_DIGITS = 17  # of a count
# JSON can say them, but UTF-8 has no lone surrogates and Postgres takes no NUL: one such text
# anywhere on the account would end every commit that carries it.
_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")
# What marks such a character in an id; cannot be shown either, so that no id of ours holds one.
_MARK = "\ue000"
_MARKED = re.compile(r"[\x00\ud800-\udfff\ue000]")


class WireError(ValueError):
    """Something on the wire is not what the venue documents; says where, never what secret."""


def parse_json(text: str | bytes) -> Json:
    """Parse JSON without a number ever passing through binary floating point."""
    try:
        return json.loads(text, parse_float=_fraction, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise WireError(f"not JSON: {shorten(str(error))}") from None


def _fraction(text: str) -> Decimal:
    if _NUMBER.fullmatch(text) is None:
        raise ValueError(f"a number out of range: {shorten(text, 40)}")
    return Decimal(text)


def _no_constant(text: str) -> Decimal:
    raise ValueError(f"not a number: {text}")


def shorten(text: str, limit: int = 120) -> str:
    """Cut a text to one line that fits into a message."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def as_row(value: Json, where: str) -> Row:
    """Take an object, or say that it is none."""
    if not isinstance(value, Mapping):
        raise WireError(f"{where} is not an object but {type(value).__name__}")
    return value


def as_rows(container: Row, key: str) -> list[Json]:
    """Take a list that must be there; null is the empty list that some encoders write."""
    if key not in container:
        raise WireError(f"{key} is missing")
    value = container[key]
    if value is None:
        return []
    if not isinstance(value, list):
        raise WireError(f"{key} is not a list but {type(value).__name__}")
    return value


def text(row: Row, key: str) -> str | None:
    """Read a word; absent, null and empty are None. A number is taken as its digits."""
    value = row.get(key)
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return str(value)
    raise WireError(f"{key} is not a text but {type(value).__name__}")


def storable(value: str) -> str:
    """Give a text with U+FFFD for each character that no store holds."""
    return _UNSTORABLE.sub("\ufffd", value)


def venue_id(row: Row, key: str) -> str | None:
    """Read an id that the venue gave; one that cannot be kept as it is would name something else."""
    value = text(row, key)
    if value is not None and isinstance(row[key], str) and value != row[key]:
        raise WireError(f"{key} holds a character that no id has")
    return value


def need_id(row: Row, key: str) -> str:
    """Read an id of the venue that must be there."""
    value = venue_id(row, key)
    if value is None or not value.strip():
        raise WireError(f"{key} is missing")
    return value


def chosen_id(row: Row, key: str) -> str | None:
    """Read an id that some program chose: whatever it holds, its order is real, and it is no other id."""
    value = row.get(key)
    if not isinstance(value, str):
        return text(row, key)
    return _MARKED.sub(lambda found: f"{_MARK}{ord(found[0]):04x}", value) or None


def need_text(row: Row, key: str) -> str:
    """Read a word that must be there."""
    value = text(row, key)
    if value is None or not value.strip():
        raise WireError(f"{key} is missing")
    return value


def number(row: Row, key: str) -> Decimal | None:
    """Read a decimal, whether the venue wrote a string or a number; absent, null, "" are None."""
    value = row.get(key)
    if value is None or isinstance(value, bool):
        if value is None:
            return None
        raise WireError(f"{key} is not a number but a boolean")
    if isinstance(value, int):
        value = _digits(value, key)
    if isinstance(value, Decimal):
        return _unsigned_zero(value)
    if not isinstance(value, str):
        raise WireError(f"{key} is not a number but {type(value).__name__}")
    if not value.strip():
        return None
    if _NUMBER.fullmatch(value.strip()) is None:
        raise WireError(f"{key} is not a number: {shorten(value, 40)!r}")
    return _unsigned_zero(Decimal(value.strip()))


def _digits(value: int, key: str) -> str:
    if abs(value) >= 10**60:
        raise WireError(f"{key} is a number out of range")
    return str(value)


def _unsigned_zero(value: Decimal) -> Decimal:
    return value.copy_abs() if value.is_zero() else value


def need_number(row: Row, key: str) -> Decimal:
    """Read a decimal that must be there."""
    value = number(row, key)
    if value is None:
        raise WireError(f"{key} is missing")
    return value


def positive(row: Row, key: str) -> Decimal | None:
    """Read a price or size that the channel writes as "0" where there is none."""
    value = number(row, key)
    return None if value is None or value <= 0 else value


def count(row: Row, key: str) -> int | None:
    """Read a whole number; the venue writes counts as strings."""
    value = number(row, key)
    if value is None:
        return None
    if value != value.to_integral_value() or value.adjusted() > _MOST_DIGITS:
        raise WireError(f"{key} is not a whole number")
    return int(value)


def flag(row: Row, key: str, *, default: bool = False) -> bool:
    """Read a boolean; the user channel writes it as a string."""
    value = row.get(key)
    if value is None or value == "":
        return default
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in {"true", "false"}:
        return value.strip().lower() == "true"
    raise WireError(f"{key} is not true or false")


def moment(row: Row, key: str) -> datetime | None:
    """Read a time of 0 to 9 fraction digits as aware UTC, cut to microseconds.

    Absent, null, "" and Go's zero time "0001-01-01T00:00:00Z" are None. Go's own format
    ("2024-10-04 07:04:40.82 +0000 UTC m=+66987.6"), which heartbeats carry, is read too.
    """
    value = row.get(key)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise WireError(f"{key} is not a time but {type(value).__name__}")
    return parse_moment(value, key)


def parse_moment(value: str, where: str) -> datetime | None:
    """Parse one time text; see ``moment``."""
    found = _MOMENT.fullmatch(value.strip())
    if found is None:
        raise WireError(f"{where} is not a time: {shorten(value, 40)!r}")
    day, clock, fraction, zone = found.groups()
    if day.startswith("0001-"):
        return None
    try:
        naive = datetime.fromisoformat(f"{day}T{clock}.{(fraction or '0')[:6]:0<6}")
        return naive.replace(tzinfo=_zone(zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise WireError(f"{where} is not a time: {shorten(value, 40)!r}") from None


def _zone(name: str | None) -> timezone:
    if name is None or name in "Zz":
        return UTC
    sign = -1 if name[0] == "-" else 1
    hours, minutes = int(name[1:3]), int(name[-2:])
    return timezone(sign * timedelta(hours=hours, minutes=minutes))


def plain(value: Decimal) -> str:
    """Write a decimal in plain notation, every digit kept, no trailing zeros added or cut."""
    return format(value, "f")


def rfc3339(value: datetime) -> str:
    """Write a time as the venue reads it: UTC, microseconds only where there are some."""
    shown = value.astimezone(UTC).replace(tzinfo=None)
    return shown.isoformat(timespec="microseconds" if shown.microsecond else "seconds") + "Z"
