"""A raw HTTP server on loopback that answers, cuts, hangs or babbles as a test tells it to."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Got:
    """A request as it came; ``connection`` counts the connections."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes
    connection: int

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """Bytes of an answer; ``then`` is keep, close, or reset."""

    content: bytes
    then: str = "keep"


CUT = Answer(b"", then="reset")
CLOSE = Answer(b"", then="close")
HANG = Answer(b"", then="hang")


def reply(
    status: int = 200,
    body: Any = None,
    *,
    headers: dict[str, str] | None = None,
    then: str = "keep",
    length: int | None = None,
) -> Answer:
    """Write an answer; a str body is sent as it is, anything else as JSON."""
    content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    kind = "text/plain" if isinstance(body, str) else "application/json"
    fields = {"Content-Type": kind, "Date": formatdate(usegmt=True), **(headers or {})}
    fields["Content-Length"] = str(len(content) if length is None else length)
    head = f"HTTP/1.1 {status} Whatever\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return Answer(head.encode() + b"\r\n" + content, then)


@dataclass
class RawServer:
    """``behave`` decides each answer; GET /time is answered by itself unless ``tells_time`` is False."""

    behave: Callable[[Got], Answer]
    tells_time: bool = True
    got: list[Got] = field(default_factory=list)
    open: set[int] = field(default_factory=set)  # the connections that their other end has not closed
    closed: int = 0  # connections that this end has closed
    port: int = 0
    scheme: str = "http"
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _connections: int = 0

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def of(self, method: str, ending: str) -> list[Got]:
        return [one for one in list(self.got) if one.method == method and one.path.endswith(ending)]

    def talk(self, stream: socket.socket) -> None:
        with self._lock:
            self._connections += 1
            number = self._connections
            self.open.add(number)
        try:
            self._talk(stream, number)
        finally:
            self.open.discard(number)

    def _talk(self, stream: socket.socket, number: int) -> None:
        buffer = b""
        while True:
            while b"\r\n\r\n" not in buffer:
                more = stream.recv(65536)
                if not more:
                    return
                buffer += more
            head, _, buffer = buffer.partition(b"\r\n\r\n")
            lines = head.decode().split("\r\n")
            method, target, _ = lines[0].split(" ", 2)
            headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}
            length = int(headers.get("content-length", "0"))
            while len(buffer) < length:
                buffer += stream.recv(65536)
            body, buffer = buffer[:length], buffer[length:]
            parts = urlsplit(target)
            request = Got(method, parts.path, parse_qs(parts.query), headers, body, number)
            self.got.append(request)
            if not self._answer(stream, request):
                return

    def _answer(self, stream: socket.socket, request: Got) -> bool:
        answer = time_answer() if self.tells_time and request.path.endswith("/time") else self.behave(request)
        if answer.content:
            stream.sendall(answer.content)
        if answer.then == "reset":
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        if answer.then == "hang":
            with suppress(OSError):
                stream.recv(1)
            return False
        return answer.then == "keep"


def time_answer() -> Answer:
    import time

    millis = int(time.time() * 1000)
    return reply(200, {"epochSeconds": str(millis // 1000), "epochMillis": str(millis)})


def _listening() -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", 0))
    listening.listen(32)
    return listening


@contextmanager
def raw_server(
    behave: Callable[[Got], Answer], *, tls: ssl.SSLContext | None = None, tells_time: bool = True
) -> Iterator[RawServer]:
    server = RawServer(behave, tells_time=tells_time, scheme="https" if tls else "http")
    listening = _listening()
    server.port = listening.getsockname()[1]
    threads: list[threading.Thread] = []
    streams: list[socket.socket] = []

    def serve(raw: socket.socket) -> None:
        try:
            with tls.wrap_socket(raw, server_side=True) if tls else raw as stream:
                streams.append(stream)
                server.talk(stream)
        except OSError:
            pass
        finally:
            raw.close()
            server.closed += 1

    def accept() -> None:
        while True:
            try:
                raw, _ = listening.accept()
            except OSError:
                return
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            raw.settimeout(10)
            thread = threading.Thread(target=serve, args=(raw,), daemon=True)
            threads.append(thread)
            thread.start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield server
    finally:
        with suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        accepting.join(5)
        for stream in streams:
            with suppress(OSError):
                stream.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(5)


def free_port() -> int:
    """Find a loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
