"""The ASGI application: the gate in front of the routes (token, scope, rate) and the faults around them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

from ordersync_cli.simulator.faults import Fault, Faults
from ordersync_cli.simulator.feed import Feed
from ordersync_cli.simulator.limits import take
from ordersync_cli.simulator.listings import BadArgument
from ordersync_cli.simulator.requests import (
    FORBIDDEN,
    NOT_FOUND,
    UNAUTHORIZED,
    Answer,
    Call,
    error_answer,
    json_answer,
    text_answer,
    too_many,
)
from ordersync_cli.simulator.routes import KEY_PERMISSIONS, Exchange, Route, find, label, permissions
from ordersync_cli.simulator.server_edge import pause
from ordersync_cli.simulator.tally import Tally
from ordersync_cli.simulator.times import SECOND
from ordersync_cli.simulator.tokens import NotAuthorized, Tokens

log = logging.getLogger(__name__)
CONTROL = "/_control/"
_HTML = "<html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>"


class TooMany(Exception):
    """The bucket of this user is empty."""

    def __init__(self, headers: dict[str, str]) -> None:
        super().__init__("too many requests")
        self.headers = headers


class Application:
    """Serves one exchange over HTTP and WebSocket; `abort` cuts the connection of an ASGI scope."""

    def __init__(
        self,
        exchange: Exchange,
        faults: Faults,
        control: Callable[[Call], Answer],
        tally: Tally,
        rate_limit: float | None,
        abort: Callable[[Any], None],
    ) -> None:
        self.exchange = exchange
        self.faults = faults
        self.rate_limit = rate_limit
        self.tally = tally
        self.tokens = Tokens(exchange.state)
        self.feed = Feed(exchange, self.tokens, faults, abort)
        self._control = control
        self._dated = (0, b"")
        self._abort = abort

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Serve one request or one connection."""
        if scope["type"] == "websocket":
            await self.feed.serve(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)

    async def _http(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            event = await receive()
            if event["type"] == "http.disconnect":
                return
            body += event.get("body", b"")
            more = event.get("more_body", False)
        call = Call(
            method=scope["method"],
            path=scope["path"],
            query_text=scope["query_string"].decode("latin-1"),
            headers={name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
            raw_body=body,
        )
        if call.path.startswith(CONTROL):
            await self._send(send, await asyncio.to_thread(self._control, call))
            self.feed.wake()
            return
        answer = await self._faulty(call)
        self.tally.count(call.method, label(call.path), answer.status if answer else 0)
        if answer is None:
            self._abort(scope)
        else:
            await self._send(send, answer)

    async def _faulty(self, call: Call) -> Answer | None:
        """Answer with the plan's faults around it; None cuts the connection."""
        call.faults = self.faults.rest(call.method, call.path, *_order_named(call)) if self.faults else []
        for fault in call.faults:
            struck, answer = await _before(fault)
            if struck:
                return answer
        answer = self.answer(call)
        self.feed.wake()
        for fault in call.faults:
            struck, changed = await _after(fault)
            if struck:
                return changed
        return answer

    def answer(self, call: Call) -> Answer:
        """Answer one request: token, rate, scope, route."""
        try:
            return self._answer(call)
        except NotAuthorized as error:
            log.debug("401: %s", error)
            return UNAUTHORIZED
        except TooMany as error:
            return _with(too_many(), error.headers)
        except (BadArgument, ValueError) as error:
            return error_answer(400, "INVALID_ARGUMENT", str(error))
        except Exception:
            log.exception("the simulator failed on %s %s", call.method, call.path)
            return text_answer(500, "Internal Server Error")

    def _answer(self, call: Call) -> Answer:
        if call.path == KEY_PERMISSIONS and call.method == "GET":
            headers, scopes = self._admitted(call)
            return _with(json_answer(permissions(self.exchange, scopes)), headers)
        found = find(call.method, call.path)
        if found is None:
            return NOT_FOUND
        route, scope, call.argument = found
        if scope is None:
            headers = self._taken("public", self.exchange.state.now())
        else:
            headers, scopes = self._admitted(call)
            if scope not in scopes:
                return _with(FORBIDDEN, headers)
        return _with(self._run(route, call), headers)

    def _run(self, route: Route, call: Call) -> Answer:
        result = route(self.exchange, call)
        return result if isinstance(result, Answer) else json_answer(result)

    def _admitted(self, call: Call) -> tuple[dict[str, str], frozenset[str]]:
        """Return the rate headers and the key's scopes; raises NotAuthorized or TooMany."""
        kind, _, token = call.headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or not token:
            raise NotAuthorized("no token")
        now = self.exchange.state.now()
        scopes = self.tokens.scopes(
            token.strip(), now, method=call.method, host=call.headers.get("host", ""), path=call.path
        )
        return self._taken("bucket", now), scopes

    def _taken(self, bucket: str, now: int) -> dict[str, str]:
        """Take one request out of a bucket (one is the user's, one is what needs no key); raises TooMany."""
        if self.rate_limit is None:
            return {}
        allowance = take(self.exchange.state, bucket, self.rate_limit, now)
        if not allowance.allowed:
            raise TooMany(allowance.headers())
        return allowance.headers()

    def _date(self) -> bytes:
        """Return the Date header by the exchange's clock."""
        second = self.exchange.state.lately() // SECOND
        if second != self._dated[0]:
            self._dated = (second, formatdate(second, usegmt=True).encode())
        return self._dated[1]

    async def _send(self, send: Any, answer: Answer) -> None:
        headers = [
            (b"content-type", answer.content_type.encode()),
            (b"content-length", str(len(answer.body)).encode()),
            (b"date", self._date()),
        ]
        headers += [(name.encode(), value.encode()) for name, value in answer.headers.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})


def _order_named(call: Call) -> tuple[str, str]:
    if call.method != "POST" or not call.raw_body:
        return "", ""
    try:
        body = call.body()
    except ValueError:
        return "", ""
    return str(body.get("client_order_id") or ""), str(body.get("product_id") or "")


def _with(answer: Answer, headers: dict[str, str]) -> Answer:
    return Answer(answer.status, answer.body, answer.content_type, {**answer.headers, **headers}) if headers else answer


async def _before(fault: Fault) -> tuple[bool, Answer | None]:
    """Let a fault strike before the exchange sees the request; True when there is nothing more to do."""
    if fault.kind == "delay":
        await pause(fault.seconds)
        return False, None
    if fault.kind == "hang_before":
        await pause(fault.seconds or 3600)
        return True, None
    if fault.kind in ("rate_limit", "status", "html", "cut_before"):
        return True, _made_up(fault)
    return False, None


async def _after(fault: Fault) -> tuple[bool, Answer | None]:
    """Let a fault strike after the exchange has done its work; True when its answer is replaced or lost."""
    if fault.kind == "delay_after":
        await pause(fault.seconds)
        return False, None
    if fault.kind == "hang_after":
        await pause(fault.seconds or 3600)
        return True, None
    if fault.kind in ("rate_limit_after", "status_after", "html_after", "garbage_after", "cut_after"):
        return True, _made_up(fault)
    return False, None


def _made_up(fault: Fault) -> Answer | None:
    kind = fault.kind.removesuffix("_after").removesuffix("_before")
    if kind == "cut":
        return None
    if kind == "rate_limit":
        return too_many(fault.retry_after)
    if kind == "garbage":
        return text_answer(200, fault.body if fault.body is not None else '{"success": tru', "application/json")
    if kind == "html":
        return text_answer(fault.status, fault.body or _HTML.format(f"{fault.status} Error"), "text/html")
    answer = text_answer(
        fault.status, fault.body if fault.body is not None else "go/sg/5f9c1f4e-0000-4000-8000-000000000000"
    )
    if fault.retry_after is not None:
        answer.headers["Retry-After"] = f"{fault.retry_after:g}"
    return answer
