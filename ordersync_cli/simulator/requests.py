"""What a REST request and its answer are to the routes, apart from any server."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from ordersync_cli.simulator.faults import Fault


@dataclass(slots=True)
class Call:
    """One request; `arguments` is the path's last part where a route has one."""

    method: str
    path: str
    query_text: str
    headers: dict[str, str]
    raw_body: bytes
    argument: str = ""
    faults: list[Fault] = field(default_factory=list)

    @property
    def query(self) -> dict[str, list[str]]:
        """Return the parameters; a repeated key has several values."""
        return parse_qs(self.query_text, keep_blank_values=False) if self.query_text else {}

    def body(self) -> dict[str, Any]:
        """Return the JSON body, {} when there is none; raises ValueError when it is not an object."""
        if not self.raw_body:
            return {}
        found = json.loads(self.raw_body)
        if not isinstance(found, dict):
            raise ValueError("the body is not an object")  # noqa: TRY004 - what cannot be read is a 400 like the rest
        return found

    def fault(self, kind: str) -> Fault | None:
        """Return the fault of this kind that strikes this request."""
        return next((fault for fault in self.faults if fault.kind == kind), None)


@dataclass(slots=True)
class Answer:
    """One answer; bytes are sent as they are."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


_write = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


def json_answer(body: Any, status: int = 200) -> Answer:
    """Return a JSON answer."""
    return Answer(status, _write(body).encode())


def error_answer(status: int, error: str, message: str) -> Answer:
    """Return an error in the shape the exchange gives (recorded by OctoBot and by live probes)."""
    return json_answer({"error": error, "error_details": message, "message": message}, status)


def text_answer(status: int, content: str, content_type: str = "text/plain; charset=utf-8") -> Answer:
    """Return an answer that is not JSON."""
    return Answer(status, content.encode(), content_type)


NOT_FOUND = error_answer(404, "unknown", "Not Found")
UNAUTHORIZED = text_answer(401, "Unauthorized")
FORBIDDEN = error_answer(403, "PERMISSION_DENIED", "Missing required scopes")
ORDER_NOT_FOUND = error_answer(404, "NOT_FOUND", "order with this orderID was not found")


def too_many(retry_after: float | None = None) -> Answer:
    """Return the 429 of the Coinbase App documentation."""
    answer = json_answer({"errors": [{"id": "rate_limit_exceeded", "message": "Too many requests"}]}, 429)
    if retry_after is not None:
        answer.headers["Retry-After"] = f"{retry_after:g}"
    return answer
