"""Where a store lies: reads its URL, and shows it without secrets."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from ordersync_cli.errors import SettingsError

_REMEDY = "Give --database sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME."
_SECRET_IN_TEXT = re.compile(r"(?i)(password|passwd|sslpassword)\s*=\s*('[^']*'|[^\s&;]+)")
_SECRET_IN_URL = re.compile(r"(?<=://)([^/\s@]*?):([^/\s]*)@")
_POSTGRES = {"postgres", "postgresql", "postgresql+psycopg"}


@dataclass(frozen=True, slots=True)
class Location:
    """A SQLite file (``path``) or a Postgres database (``conninfo``, which may hold a password)."""

    path: Path | None = None
    conninfo: str = field(default="", repr=False)
    shown: str = ""

    @property
    def postgres(self) -> bool:
        """Tell whether this is a Postgres database."""
        return self.path is None

    def masked(self, text: str) -> str:
        """Take this location's secrets out of somebody else's message."""
        for secret in _secrets_of(self.conninfo):
            text = text.replace(secret, "***")
        return masked(text)


def locate(url: str) -> Location:
    """Read a store's URL. Raises SettingsError (exit 3) for one that cannot be meant."""
    scheme, separator, rest = url.partition("://")
    name = scheme.lower()
    if not separator:
        raise SettingsError(f"{masked(url)!r} is not a database URL.", _REMEDY)
    if name == "sqlite":
        return _file(rest.partition("?")[0])
    if name in _POSTGRES:
        return _server(f"postgresql://{rest}")
    raise SettingsError(f"ordersync keeps no store in {masked(url)!r}.", _REMEDY)


def masked(text: str) -> str:
    """Hide passwords in URLs and in connection strings."""
    return _SECRET_IN_TEXT.sub(r"\1=***", _SECRET_IN_URL.sub(r"\1:***@", text))


def _file(rest: str) -> Location:
    if not rest.startswith("/") or rest == "/" or rest.endswith("/"):
        raise SettingsError(f"sqlite://{rest} names no file; a store in memory could not be shared.", _REMEDY)
    path = Path(rest[1:]).expanduser()
    return Location(path=path, shown=f"sqlite:///{path}")


def _server(url: str) -> Location:
    try:
        _ = urlsplit(url).port
    except ValueError:
        raise SettingsError(f"{masked(url)!r} has no readable port.", _REMEDY) from None
    return Location(conninfo=url, shown=masked(url))


def _secrets_of(conninfo: str) -> list[str]:
    if not conninfo:
        return []
    parts = urlsplit(conninfo)
    raw = parts.netloc.rpartition("@")[0].partition(":")[2]
    asked = [value for key, value in parse_qsl(parts.query) if "password" in key]
    found = {raw, unquote(raw), *asked}
    return sorted((s for s in found if len(s) > 1), key=len, reverse=True)
