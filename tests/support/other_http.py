"""The REST side of the other exchange: the standard library's own server, with tokens checked and faults on demand."""

from __future__ import annotations

import json
import socket
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt

from tests.support.other_books import ENDED, OtherBooks, OtherOrder
from tests.support.other_wire import Manners, dump, product, rest_fills, rest_order

API = "/api/v3/brokerage"
USER = "c6a8f0f4-0000-4000-8000-00000000beef"
PORTFOLIO = "0d3f7c5a-0000-4000-8000-00000000cafe"


@dataclass
class Fault:
    """What happens to the next requests whose line begins like this."""

    line: str  # "POST /orders", "GET /orders/historical"
    kind: str  # cut_before, cut_after, status_before, status_after, hang_after, garbage_after
    count: int = 1
    status: int = 500
    body: str = "go/sg/5f2a"
    seconds: float = 30.0


class OtherState:
    """What the threads of the server share."""

    def __init__(self, manners: Manners, key_name: str, public_key: Any) -> None:
        self.manners = manners
        self.books = OtherBooks()
        self.key_name = key_name
        self.public_key = public_key
        self.faults: list[Fault] = []
        self.refusal: dict[str, Any] | None = None
        self.portfolio = PORTFOLIO
        self.scopes = {"can_view": True, "can_trade": True}
        self.outage: str | None = None  # cut, 503
        self.lines: list[str] = []
        self.complaints: list[str] = []  # what the client did against the documents
        self.tokens: set[str] = set()
        self.stopped = threading.Event()

    def fault(self, line: str) -> Fault | None:
        """Take the fault that is meant for this request."""
        with self.books.lock:
            for fault in self.faults:
                if fault.count > 0 and line.startswith(fault.line):
                    fault.count -= 1
                    return fault
        return None


class OtherRequest(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    state: OtherState

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._serve("GET")

    def do_POST(self) -> None:
        self._serve("POST")

    def _serve(self, method: str) -> None:
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        line = f"{method} {parts.path.removeprefix(API)}"
        self.state.lines.append(f"{method} {self.path.removeprefix(API)}")
        fault = self.state.fault(line)
        if self.state.outage == "cut" or (fault and fault.kind == "cut_before"):
            return self._cut()
        if self.state.outage == "503":
            return self._text(503, "upstream connect error")
        if fault and fault.kind == "status_before":
            return self._text(fault.status, fault.body)
        if line != "GET /time" and not self._known(method, parts.path):
            return self._text(401, "Unauthorized")
        status, body = self._answer(method, line, parse_qs(parts.query), sent)
        return self._after(fault, status, body)

    def _after(self, fault: Fault | None, status: int, body: Any) -> None:
        if fault is None:
            return self._json(status, body)
        if fault.kind == "hang_after":
            self.state.stopped.wait(fault.seconds)
        if fault.kind in {"cut_after", "hang_after"}:
            return self._cut()
        if fault.kind == "garbage_after":
            return self._text(200, "<html>welcome", "text/html")
        return self._text(fault.status, fault.body)

    def _known(self, method: str, path: str) -> bool:
        """Check the token as the documents say: signature, key, life, the line it is for, and that it is new."""
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if not self.state.manners.check_jwt:
            return bool(token)
        try:
            read = jwt.decode(token, self.state.public_key, algorithms=["ES256"], issuer="cdp")
            named = jwt.get_unverified_header(token)
        except jwt.PyJWTError as wrong:
            self.state.complaints.append(f"{method} {path}: {wrong}")
            return False
        uri = read.get("uri") or (read.get("uris") or [""])[0]
        hosts = {"api.coinbase.com", self.headers.get("Host")}
        good = uri in {f"{method} {host}{path}" for host in hosts}
        good = good and read["sub"] == named["kid"] == self.state.key_name and bool(named.get("nonce"))
        good = good and token not in self.state.tokens and read["exp"] - read["nbf"] <= 120
        self.state.tokens.add(token)
        if not good:
            self.state.complaints.append(f"{method} {path}: token {uri!r} {read['sub']} {named}")
        return good

    def _answer(self, method: str, line: str, query: dict[str, list[str]], sent: bytes) -> tuple[int, Any]:
        books, manners = self.state.books, self.state.manners
        if line == "POST /orders":
            return self._create(json.loads(sent))
        if line == "POST /orders/batch_cancel":
            return 200, {"results": [self._cancel(i) for i in reversed(json.loads(sent)["order_ids"])]}
        if line == "POST /orders/preview":
            return 200, {"order_total": "1", "commission_total": "0.01", "errs": [], "warning": [], "preview_id": "p"}
        if line == "GET /orders/historical/batch":
            return 200, self._orders(query)
        if line == "GET /orders/historical/fills":
            return 200, self._fills(query)
        if line.startswith("GET /orders/historical/"):
            found = books.find(line.rpartition("/")[2])
            if found is None:
                said = "order with this orderID was not found"
                return 404, {"error": "NOT_FOUND", "error_details": said, "message": said}
            return 200, {"order": rest_order(found, manners, USER)}
        return self._beside(line)

    def _beside(self, line: str) -> tuple[int, Any]:
        manners = self.state.manners
        if line.startswith("GET /products/"):
            return 200, product(line.rpartition("/")[2], manners)
        if line == "GET /key_permissions" and manners.key_permissions:
            return 200, {
                **self.state.scopes,
                "can_transfer": False,
                "portfolio_uuid": self.state.portfolio,
                "portfolio_type": "DEFAULT",
            }
        if line == "GET /time":
            now = time.time()
            told = {"iso": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"}
            seconds, millis = int(now), int(now * 1000)
            if manners.numbers:
                return 200, {**told, "epochSeconds": seconds, "epochMillis": millis}
            return 200, {**told, "epochSeconds": str(seconds), "epochMillis": str(millis)}
        if line == "GET /accounts":
            return 200, {"accounts": [], "has_next": False, "cursor": "", "size": 0}
        if line != "GET /key_permissions":
            self.state.complaints.append(f"unknown path: {line}")
        return 404, {"error": "unknown", "error_details": "Not Found", "message": "Not Found"}

    def _create(self, request: dict[str, Any]) -> tuple[int, Any]:
        books, manners = self.state.books, self.state.manners
        books.posts += 1
        if not self.state.scopes["can_trade"]:
            said = "Missing required scopes"
            return 403, {"error": "PERMISSION_DENIED", "error_details": said, "message": said}
        if self.state.refusal is not None:
            return 200, {"success": False, "error_response": self.state.refusal}
        order = books.accept(request)
        told = {"order_id": order.order_id, "client_order_id": request["client_order_id"]}
        told |= {"product_id": request["product_id"], "side": request["side"]}
        answer: dict[str, Any] = {"success": True, "success_response": told}
        if manners.create == "null":
            return 200, {**answer, "failure_reason": "UNKNOWN_FAILURE_REASON", "order_configuration": None}
        echoed = {k: dict(v) for k, v in request["order_configuration"].items()}
        if manners.create == "extra":
            told["attached_order_id"] = ""
            echoed[order.kind] |= {"rfq_disabled": False, "reduce_only": False, "currency_size": None, "oco_ref": ""}
        return 200, {**answer, "order_configuration": echoed}

    def _cancel(self, order_id: str) -> dict[str, Any]:
        found = self.state.books.find(order_id)
        why = "UNKNOWN_CANCEL_FAILURE_REASON"
        if found is None:
            return {"success": False, "failure_reason": "UNKNOWN_CANCEL_ORDER", "order_id": order_id}
        if found.look().word in ENDED:
            return {"success": False, "failure_reason": "ORDER_IS_FULLY_FILLED", "order_id": order_id}
        found.cancel(0.3)
        return {"success": True, "failure_reason": why, "order_id": order_id}

    def _orders(self, query: dict[str, list[str]]) -> dict[str, Any]:
        known: list[OtherOrder] = [o for o in self.state.books.visible() if _asked(o, query)]
        if self.state.manners.newest_first:
            known.reverse()
        rows, has_next, cursor = self._page(known, query)
        told = [rest_order(order, self.state.manners, USER) for order in rows]
        sequence: Any = 0 if self.state.manners.numbers else "0"
        return {"orders": told, "sequence": sequence, "has_next": has_next, "cursor": cursor}

    def _fills(self, query: dict[str, list[str]]) -> dict[str, Any]:
        told: list[dict[str, Any]] = []
        for order in self.state.books.visible():
            if "order_ids" in query and order.order_id not in query["order_ids"]:
                continue
            told += [f for f in rest_fills(order, self.state.manners, USER) if _within(f, query)]
        rows, _, cursor = self._page(told[::-1], query)
        return {"fills": rows, "cursor": cursor}

    def _page(self, rows: list[Any], query: dict[str, list[str]]) -> tuple[list[Any], bool, Any]:
        """Cut a page; a cursor is the number of rows before it."""
        manners = self.state.manners
        begin = int((query.get("cursor") or ["0"])[0] or 0)
        end = begin + min(manners.page, int((query.get("limit") or ["100"])[0]))
        if end >= len(rows):
            return rows[begin:end], manners.lying_has_next, ""
        return rows[begin:end], True, end if manners.number_cursors else str(end)

    def _json(self, status: int, body: Any) -> None:
        self._text(status, dump(body), "application/json")

    def _text(self, status: int, text: str, kind: str = "text/plain") -> None:
        raw = text.encode()
        self.send_response_only(status)
        if self.state.manners.date_header:
            self.send_header("Date", self.date_time_string())
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def _cut(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


def _asked(order: OtherOrder, query: dict[str, list[str]]) -> bool:
    """Tell whether List Orders asks for this order; singular keys are ignored, as there."""
    born = order.born.timestamp()
    if "order_ids" in query and order.order_id not in query["order_ids"]:
        return False
    if "product_ids" in query and order.request["product_id"] not in query["product_ids"]:
        return False
    if "order_status" in query and order.look().word not in query["order_status"]:
        return False
    if "start_date" in query and born < datetime.fromisoformat(query["start_date"][0]).timestamp():
        return False
    return not ("end_date" in query and born >= datetime.fromisoformat(query["end_date"][0]).timestamp())


def _within(fill: dict[str, Any], query: dict[str, list[str]]) -> bool:
    at = datetime.fromisoformat(str(fill["sequence_timestamp"])[:23] + "Z")
    if "start_sequence_timestamp" in query and at < datetime.fromisoformat(query["start_sequence_timestamp"][0]):
        return False
    last = query.get("end_sequence_timestamp")
    return not (last and at >= datetime.fromisoformat(last[0]))


class OtherServer(ThreadingHTTPServer):
    """Its threads end with it; what a client does to a socket is not worth a traceback."""

    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing."""
