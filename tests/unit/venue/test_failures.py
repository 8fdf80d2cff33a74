"""What a person reads when a request got no answer."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Iterator

import pytest

from ordersync_cli.clock import SystemClock
from ordersync_cli.venue.addresses import rest_address
from ordersync_cli.venue.failures import in_words
from ordersync_cli.venue.transport import Lost, NotSent, Timeouts, Transport


@contextlib.contextmanager
def listening(*, answers: bool) -> Iterator[int]:
    """Take one connection and close it at once, or never answer."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken: list[socket.socket] = []

        def take() -> None:
            with contextlib.suppress(OSError):
                taken.append(server.accept()[0])
                if answers:
                    taken[0].recv(65536)
                    taken[0].close()

        thread = threading.Thread(target=take)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            thread.join(5)
            for one in taken:
                one.close()


def said(port: int) -> str:
    transport = Transport(rest_address(f"http://127.0.0.1:{port}"), SystemClock(), Timeouts(connect=0.5, read=0.3))
    with contextlib.closing(transport), pytest.raises((NotSent, Lost)) as caught:
        transport.get("/api/v3/brokerage/time")
    return str(caught.value)


def test_a_port_that_nobody_listens_on() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert said(port) == f"127.0.0.1:{port}: connection refused"


def test_a_connection_that_is_closed() -> None:
    with listening(answers=True) as port:
        assert said(port) == f"127.0.0.1:{port}: the connection was closed without an answer"


def test_a_venue_that_keeps_silent() -> None:
    with listening(answers=False) as port:
        assert said(port) == f"127.0.0.1:{port}: no answer in time"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (socket.gaierror(-2, "Name or service not known"), "x: no such host, or no name service"),
        (OSError(101, "Network is unreachable"), "x: network is unreachable"),
        (http.client.IncompleteRead(b"{", 9), "x: the answer broke off"),
        (ValueError("odd"), "x: ValueError: odd"),
        (ssl.SSLError(1, "wrong version number"), "x: TLS failed (wrong version number)"),
    ],
)
def test_other_causes(error: Exception, words: str) -> None:
    assert in_words(error, "x").startswith(words)
