"""Checks the venue's addresses: TLS everywhere, plain text on this machine's own loopback only."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from ordersync_cli.errors import SettingsError

_DEFAULT_PORTS = {"https": 443, "wss": 443, "http": 80, "ws": 80}


@dataclass(frozen=True, slots=True)
class Address:
    """A server of the venue; ``netloc`` is host and port as they stand in a token's uri claim."""

    scheme: str
    host: str
    port: int
    netloc: str
    path: str

    @property
    def secure(self) -> bool:
        """Tell whether TLS is spoken there."""
        return self.scheme in {"https", "wss"}

    @property
    def is_loopback(self) -> bool:
        """Tell whether this is our own machine."""
        return _is_loopback(self.host)

    @property
    def url(self) -> str:
        """Write the address out again."""
        return f"{self.scheme}://{self.netloc}{self.path}"


def rest_address(url: str) -> Address:
    """Check the REST address. Raises SettingsError (exit 3)."""
    address = _address(url, "https", "http", "ORDERSYNC_REST_URL")
    if address.path not in ("", "/"):
        raise SettingsError(
            f"The REST address {url} must end after host and port.", "For example https://api.coinbase.com"
        )
    return address


def feed_address(url: str) -> Address:
    """Check the WebSocket address. Raises SettingsError (exit 3)."""
    return _address(url, "wss", "ws", "ORDERSYNC_WS_URL")


def _address(url: str, secure: str, plain: str, setting: str) -> Address:
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        raise SettingsError(f"{setting} is not an address.", f"For example {secure}://host:port") from None
    if parts.username is not None or parts.password is not None:
        raise SettingsError(f"{setting} must not carry a user or password.", "Credentials belong into the key file.")
    scheme, host = parts.scheme.lower(), (parts.hostname or "").lower()
    if scheme not in (secure, plain) or not host or parts.query or parts.fragment:
        raise SettingsError(f"{setting} is {url!r}, not an address.", f"For example {secure}://host:port")
    if scheme == plain and not _is_loopback(host):
        raise SettingsError(
            f"{setting} is {url!r}: plain {plain} is accepted for loopback addresses only.", f"Use {secure}://"
        )
    shown = f"[{host}]" if ":" in host else host
    number = port or _DEFAULT_PORTS[scheme]
    netloc = shown if number == _DEFAULT_PORTS[scheme] else f"{shown}:{number}"
    return Address(scheme, host, number, netloc, parts.path)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
