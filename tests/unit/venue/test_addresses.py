"""Plain text is spoken on loopback only."""

from __future__ import annotations

import pytest

from ordersync_cli.errors import SettingsError
from ordersync_cli.venue.addresses import feed_address, rest_address


@pytest.mark.parametrize(
    ("url", "netloc", "loopback"),
    [
        ("https://api.coinbase.com", "api.coinbase.com", False),
        ("https://api.coinbase.com:443/", "api.coinbase.com", False),
        ("http://127.0.0.1:8080", "127.0.0.1:8080", True),
        ("http://localhost:8080/", "localhost:8080", True),
        ("http://[::1]:8080", "[::1]:8080", True),
        ("https://127.0.0.1:8443", "127.0.0.1:8443", True),
    ],
)
def test_rest_addresses(url: str, netloc: str, loopback: bool) -> None:
    address = rest_address(url)
    assert (address.netloc, address.is_loopback) == (netloc, loopback)


@pytest.mark.parametrize(
    "url",
    [
        "http://api.coinbase.com",
        "http://10.0.0.1:80",
        "http://127.0.0.1.evil.example",
        "http://localhost.evil.example",
        "ftp://127.0.0.1",
        "ws://127.0.0.1:1",
        "127.0.0.1:8080",
        "https://",
        "",
        "https://user:secret@api.coinbase.com",
        "https://api.coinbase.com/other",
        "https://api.coinbase.com?x=1",
        "https://api.coinbase.com:99999",
    ],
)
def test_a_rest_address_that_will_not_do(url: str) -> None:
    with pytest.raises(SettingsError) as refused:
        rest_address(url)
    assert refused.value.exit_code == 3
    assert "secret" not in refused.value.message


def test_feed_addresses() -> None:
    assert feed_address("wss://advanced-trade-ws-user.coinbase.com").secure
    assert feed_address("ws://127.0.0.1:9/stream").url == "ws://127.0.0.1:9/stream"
    for bad in ("ws://advanced-trade-ws-user.coinbase.com", "https://127.0.0.1", "http://127.0.0.1:1"):
        with pytest.raises(SettingsError):
            feed_address(bad)
