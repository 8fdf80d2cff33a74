"""Instants as whole microseconds since 1970 (UTC), and the shapes in which the exchange prints them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

MILLISECOND = 1_000
SECOND = 1_000_000
NEVER_TEXT = "0001-01-01T00:00:00Z"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def as_datetime(at: int) -> datetime:
    """Return the instant as an aware datetime."""
    return _EPOCH + timedelta(microseconds=at)


def micro_text(at: int) -> str:
    """Print like created_time: 2023-11-26T10:19:47.423220Z."""
    return as_datetime(at).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def nano_text(at: int, nanos: int = 0) -> str:
    """Print with nine fractional digits, as frames do; trailing zeros are cut as Go's RFC3339Nano cuts them."""
    whole = as_datetime(at).strftime("%Y-%m-%dT%H:%M:%S.%f")
    digits = f"{whole}{nanos % 1000:03d}".rstrip("0").rstrip(".")
    return f"{digits}Z"


def milli_text(at: int) -> str:
    """Print with three fractional digits: 2023-11-26T10:19:47.504Z."""
    return as_datetime(at).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def second_text(at: int) -> str:
    """Print without a fraction, as the time route does."""
    return as_datetime(at).strftime("%Y-%m-%dT%H:%M:%SZ")


def go_text(at: int, since_start: int, nanos: int = 0) -> str:
    """Print like Go's time.Time.String(), the shape of a heartbeat's current_time."""
    moment = as_datetime(at).strftime("%Y-%m-%d %H:%M:%S.%f")
    return (
        f"{moment}{nanos % 1000:03d} +0000 UTC m=+{since_start // SECOND}.{since_start % SECOND:06d}{nanos % 1000:03d}"
    )


def parse_time(value: object) -> int | None:
    """Read an RFC 3339 time with 0 to 9 fractional digits; None when it is not one or has no zone."""
    if not isinstance(value, str) or not value:
        return None
    body = value.strip().replace(" ", "+")  # a "+00:00" that was not percent-encoded arrives as a blank
    try:
        moment = datetime.fromisoformat(_cut_nanos(body))
    except ValueError:
        return None
    if moment.tzinfo is None:
        return None
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _cut_nanos(body: str) -> str:
    head, dot, tail = body.partition(".")
    if not dot:
        return body
    digits = len(tail) - len(tail.lstrip("0123456789"))
    return f"{head}.{tail[: min(digits, 6)]:0<6}{tail[digits:]}"
