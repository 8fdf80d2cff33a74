"""A real HTTP server on loopback that remembers what it was sent, and answers as it is told."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.support.patience import TooSlow


@dataclass
class Received:
    path: str
    headers: dict[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)


@dataclass
class Listener:
    """Answers are taken from ``answers`` first to last; then ``status`` for ever."""

    url: str = ""
    status: int = 200
    answers: list[int] = field(default_factory=list)
    answer_headers: dict[str, str] = field(default_factory=dict)
    got: list[Received] = field(default_factory=list)
    came: threading.Condition = field(default_factory=threading.Condition)

    def take(self, received: Received) -> int:
        with self.came:
            status = self.answers.pop(0) if self.answers else self.status
            self.got.append(received)
            self.came.notify_all()
            return status

    def wait_for(self, count: int, timeout: float = 10.0) -> list[Received]:
        with self.came:
            if not self.came.wait_for(lambda: len(self.got) >= count, timeout):
                raise TooSlow(f"{len(self.got)} of {count} came")
            return list(self.got)

    @property
    def bodies(self) -> list[Any]:
        return [r.json for r in self.got]


@contextmanager
def listening(**options: Any) -> Iterator[Listener]:
    listener = Listener(**options)

    class Answering(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status = listener.take(Received(self.path, dict(self.headers.items()), content))
            self.send_response(status)
            for name, value in listener.answer_headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    listener.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield listener
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
