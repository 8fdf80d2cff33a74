"""Reads what a person writes for a setting or an option: durations, times, URLs, sizes.

Every function here raises ValueError with a message that can be shown; none quotes a secret.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from urllib.parse import urlsplit

_UNIT_MILLISECONDS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")
_LONGEST = timedelta(days=36525)
_SQLITE = re.compile(r"sqlite(?:\+pysqlite)?:///(?P<path>.+)", re.DOTALL)
_POSTGRES = re.compile(r"(?:postgres|postgresql|postgresql\+psycopg)://(?P<rest>.+)", re.DOTALL)


def duration(text: str) -> timedelta:
    """Read `30s`, `5m`, `24h`, `7d`, `1h30m`, or a plain number of seconds; never negative."""
    written = text.strip().lower()
    try:
        if re.fullmatch(r"\d+(?:\.\d+)?", written):
            milliseconds = Decimal(written) * 1000
        else:
            parts = _PART.findall(written)
            if not parts or "".join(number + unit for number, unit in parts) != written:
                raise ValueError
            milliseconds = sum((Decimal(number) * _UNIT_MILLISECONDS[unit] for number, unit in parts), Decimal(0))
        span = timedelta(microseconds=int(milliseconds * 1000))
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is not a duration; write for instance 30s, 5m, 24h or 7d") from None
    if span > _LONGEST:
        raise ValueError(f"{text!r} is longer than a hundred years")
    return span


def moment(text: str, *, now: datetime, ahead: bool = False) -> datetime:
    """Read an ISO date or time (UTC where no zone is given), or a duration counted from ``now``.

    A duration means that long ago, or that far in the future when ``ahead`` is set.
    """
    try:
        read = datetime.fromisoformat(text.strip())
    except ValueError:
        pass
    else:
        return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
    try:
        span = duration(text)
        return now + span if ahead else now - span
    except (ValueError, OverflowError):
        raise ValueError(
            f"{text!r} is neither a time (2026-01-31, 2026-01-31T12:00:00Z) nor a duration (30s, 5m, 24h, 7d)"
        ) from None


def amount(text: str) -> Decimal:
    """Read a positive decimal number; no NaN, no infinity, no exponent tricks."""
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        raise ValueError(f"{text!r} is not a decimal number") from None
    if not number.is_finite() or number <= 0:
        raise ValueError(f"{text!r} is not a number above zero")
    return number


def ratio(text: str) -> Decimal:
    """Read a decimal between 0 and 1."""
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        raise ValueError(f"{text!r} is not a decimal number") from None
    if not number.is_finite() or not 0 <= number <= 1:
        raise ValueError(f"{text!r} is not between 0 and 1")
    return number


def count(text: str) -> int:
    """Read a whole number, zero or more."""
    if not re.fullmatch(r"\d{1,12}", text.strip()):
        raise ValueError(f"{text!r} is not a whole number of zero or more")
    return int(text)


def page_size(text: str) -> int:
    """Read a page size from 1 to 1000."""
    size = count(text)
    if not 1 <= size <= 1000:  # noqa: PLR2004  (Coinbase docs, List Orders: larger pages are refused)
        raise ValueError(f"{text!r} is not a page size between 1 and 1000")
    return size


def word_of(*words: str) -> Callable[[str], str]:
    """Make a reader that accepts these words only."""

    def read(text: str) -> str:
        if text.strip() not in words:
            raise ValueError(f"{text!r} is not one of {', '.join(words)}")
        return text.strip()

    return read


def path(text: str) -> Path:
    """Read a file path; `~` is the home directory."""
    return Path(text).expanduser()


def quiet_hours(text: str) -> tuple[time, time]:
    """Read `22:00-07:00` (UTC); the end may lie on the next day."""
    found = re.fullmatch(r"\s*(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})\s*", text)
    try:
        if found is None:
            raise ValueError
        start_hour, start_minute, end_hour, end_minute = map(int, found.groups())
        return time(start_hour, start_minute, tzinfo=UTC), time(end_hour, end_minute, tzinfo=UTC)
    except ValueError:
        raise ValueError(f"{text!r} is not a span of hours; write for instance 22:00-07:00 (UTC)") from None


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address never leaves this machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _endpoint(text: str, *, secure: str, plain: str) -> str:
    url = text.strip().rstrip("/")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
        parts = urlsplit("")
    if parts.scheme not in {secure, plain} or not host:
        raise ValueError(f"it must look like {secure}://HOST")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("it must not hold a user name, a query or a fragment")
    if parts.scheme == plain and not is_loopback(host):
        raise ValueError(f"plain {plain}:// is accepted for loopback addresses only; use {secure}://")
    return url


def rest_endpoint(text: str) -> str:
    """Read the address of a REST service; plain http for loopback only."""
    return _endpoint(text, secure="https", plain="http")


def ws_endpoint(text: str) -> str:
    """Read the address of a WebSocket service; plain ws for loopback only."""
    return _endpoint(text, secure="wss", plain="ws")


def webhook_url(text: str) -> str:
    """Read an http(s) address that may hold a secret: it is never quoted."""
    parts = urlsplit(text.strip())
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("it must look like https://HOST/PATH")
    return text.strip()


def database_url(text: str) -> str:
    """Read a store's URL: `sqlite:///FILE` (made absolute) or Postgres (by psycopg); never quotes the password."""
    written = text.strip()
    if found := _SQLITE.fullmatch(written):
        file = found["path"].partition("?")[0]
        if file == ":memory:":
            raise ValueError("a store in memory would forget its intents; name a file")
        return f"sqlite:///{Path(file).expanduser().absolute()}"
    if found := _POSTGRES.fullmatch(written):
        return f"postgresql+psycopg://{found['rest']}"
    scheme = written.partition("://")[0] if "://" in written else ""
    known = f"{scheme}:// is not a store ordersync knows" if re.fullmatch(r"[a-z0-9+]{1,30}", scheme) else "not a URL"
    raise ValueError(f"{known}; write sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME")


def url_list(text: str) -> tuple[str, ...]:
    """Read comma-separated URLs; apprise's own may hold commas, so a part without `://` belongs to the one before."""
    urls: list[str] = []
    for part in text.split(","):
        if "://" in part or not urls:
            urls.append(part.strip())
        else:
            urls[-1] += f",{part.strip()}"
    found = tuple(url for url in urls if url)
    if any("://" not in url for url in found):
        raise ValueError("each must be a URL, separated by commas")
    return found
