"""A WebSocket server on loopback that plays the user channel as a test writes it."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve


def now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def order(order_id: str, **changes: Any) -> dict[str, Any]:
    return {
        "order_id": order_id,
        "client_order_id": f"c-{order_id}",
        "status": "OPEN",
        "cumulative_quantity": "0",
        "number_of_fills": "0",
        "filled_value": "0",
        "total_fees": "0",
        "avg_price": "0",
        "order_side": "BUY",
        "order_type": "Limit",
        **changes,
    }


class Line:
    """One connection as the server sees it."""

    def __init__(self, connection: ServerConnection, number: int) -> None:
        self.connection = connection
        self.number = number
        self.subscribed: list[dict[str, Any]] = []
        self._next = 0

    def expect_subscriptions(self) -> None:
        """Wait for `heartbeats` and `user`."""
        while {one.get("channel") for one in self.subscribed} < {"heartbeats", "user"}:
            self.subscribed.append(json.loads(self.connection.recv(timeout=5)))

    def say(self, channel: str, events: list[dict[str, Any]], *, skip: int = 0, **changes: Any) -> None:
        self._next += skip
        told = {"channel": channel, "timestamp": now(), "sequence_num": self._next, "events": events, **changes}
        self._next += 1
        self.raw(json.dumps(told))

    def raw(self, text: str | bytes) -> None:
        self.connection.send(text)

    def snapshot(self, *orders: dict[str, Any]) -> None:
        self.say("user", [{"type": "snapshot", "orders": list(orders)}])

    def update(self, *orders: dict[str, Any], **changes: Any) -> None:
        self.say("user", [{"type": "update", "orders": list(orders)}], **changes)

    def heartbeat(self) -> None:
        self.say("heartbeats", [{"current_time": "x", "heartbeat_counter": self._next}])

    def open(self, *orders: dict[str, Any]) -> None:
        """Do what a healthy venue does first."""
        self.expect_subscriptions()
        self.heartbeat()
        self.snapshot(*orders)

    def beat_until_closed(self, every: float = 0.1, until: threading.Event | None = None) -> None:
        """Keep the connection alive by heartbeats until somebody ends it."""
        while until is None or not until.is_set():
            with suppress(TimeoutError):
                self.connection.recv(timeout=every)
            self.heartbeat()


@dataclass
class FeedServer:
    """``script`` plays each connection; ``refuse`` may answer a handshake with a status instead."""

    script: Callable[[Line], None]
    refuse: Callable[[int], int | None] = lambda _: None
    lines: list[Line] = field(default_factory=list)
    handshakes: int = 0
    url: str = ""
    problems: list[BaseException] = field(default_factory=list)

    def handle(self, connection: ServerConnection) -> None:
        line = Line(connection, len(self.lines) + 1)
        self.lines.append(line)
        try:
            self.script(line)
        except (ConnectionClosed, OSError):
            return
        except Exception as problem:
            self.problems.append(problem)
            raise

    def screen(self, connection: ServerConnection, _: Request) -> Response | None:
        self.handshakes += 1
        status = self.refuse(self.handshakes)
        return None if status is None else connection.respond(status, "no")


@contextmanager
def feed_server(
    script: Callable[[Line], None],
    *,
    refuse: Callable[[int], int | None] = lambda _: None,
    tls: ssl.SSLContext | None = None,
    port: int = 0,
) -> Iterator[FeedServer]:
    told = FeedServer(script, refuse)
    with serve(
        told.handle, "127.0.0.1", port, ssl=tls, process_request=told.screen, close_timeout=0.3, compression=None
    ) as server:
        told.url = f"{'wss' if tls else 'ws'}://127.0.0.1:{server.socket.getsockname()[1]}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield told
        finally:
            server.shutdown()
            thread.join(5)
            for line in told.lines:
                with suppress(Exception):
                    line.connection.close_socket()
    assert not told.problems, told.problems


@contextmanager
def babbling(answer: bytes | None) -> Iterator[int]:
    """Serve on a loopback port what answers each handshake with these bytes and ends (None: by a reset)."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_babble, args=(listener, answer), daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def _babble(listener: socket.socket, answer: bytes | None) -> None:
    with suppress(OSError):
        while True:
            connection, _ = listener.accept()
            with connection, suppress(OSError):
                connection.settimeout(2)
                connection.recv(65_536)
                if answer is None:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                else:
                    connection.sendall(answer)
