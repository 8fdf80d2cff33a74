"""What may happen to a request between a process and the exchange, drawn from the seed."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter
from requests.models import PreparedRequest, Response
from requests.structures import CaseInsensitiveDict

from ordersync_cli.simulator.faults import Fault
from ordersync_cli.simulator.requests import Answer, Call, text_answer, too_many
from ordersync_cli.venue import connections, transport
from tests.simulation.exchange import Exchange
from tests.simulation.kernel import Actor, Kernel, Process

BEFORE = ("refused", "blackhole", "lost", "reset_before", "s503_before", "html_before", "s429", "late")
AFTER = ("lost_after", "reset_after", "s503_after", "html_after", "s429_after", "s408_after", "garbage_after", "slow")
LOOKS = (
    "stale",
    "hide_new",
    "ignore_ids",
    "omit_ids",
    "extra_ids",
    "repeat_cursor",
    "unreadable",
    "odd_fields",
    "late_fills",
)
OUTAGES = ("refused", "blackhole", "lost", "s503_before", "html_before", "s429", "reset_before")
ODD = (
    {"order_type": "Limit"},
    {"average_filled_price": ""},
    {"reject_Reason": "", "reject_reason": {"absent": True}},
    {"last_fill_time": None},
    {"completion_percentage": "99.99999"},
    {"fee": "", "outstanding_hold_amount": {"absent": True}},
)
HTML = "<html><body>502 Bad Gateway</body></html>"


@dataclass(slots=True)
class Weather:
    """How bad it is; probabilities of each request."""

    before: float = 0.0
    after: float = 0.0
    looks: float = 0.0
    posts: float = 0.0  # of orders, beside the others
    outages: list[tuple[float, float, str]] = field(default_factory=list)

    def outage(self, now: float) -> str | None:
        """Name the outage that reigns now."""
        return next((kind for start, end, kind in self.outages if start <= now < end), None)


@dataclass(slots=True)
class _Waiting:
    actor: Actor
    answer: Answer | None = None
    reset: bool = False


@dataclass(slots=True)
class Request:
    """One request as the network saw it leave."""

    at: float
    process: str
    method: str
    path: str
    fate: str
    charged: bool
    client_order_id: str = ""


class Network:
    """Carries requests to the exchange and answers back, or loses them."""

    def __init__(self, kernel: Kernel, exchange: Exchange, draws: random.Random) -> None:
        self.kernel = kernel
        self.exchange = exchange
        self.draws = draws
        self.weather = Weather()
        self.log: list[Request] = []
        self.forced: dict[str, str] = {}  # method and end of the path: what becomes of it, whatever the weather
        self.on_request: list[Any] = []  # told of each request that leaves and of each answer that comes

    def carry(self, process: Process, call: Call, read_timeout: float) -> Answer:
        """Send a request; returns the answer or raises as requests would."""
        me = self.kernel.me()
        fate = self._fate(call)
        sent = ordered(call)
        charged = "authorization" in call.headers and not (call.method == "POST" and call.path.endswith("/orders"))
        self.log.append(Request(self.kernel.now, process.name, call.method, call.path, fate, charged, sent))
        self.kernel.say("http", f"{process.name}/{me.name}", call.method, _label(call), fate)
        for told in self.on_request:
            told(process, "leaves", call)
        if fate in ("refused", "blackhole"):
            self.kernel.pause(0.001 if fate == "refused" else 3.0)
            connections._watch.progress = connections.Progress.CONNECTING
            raise requests.exceptions.ConnectionError(fate)
        waiting = _Waiting(me)
        self._send(call, fate, waiting)
        self.kernel.park(read_timeout)
        for told in self.on_request:
            told(process, "answered", call)
        if waiting.reset:
            raise requests.exceptions.ConnectionError("connection reset")
        if waiting.answer is None:
            raise requests.exceptions.ReadTimeout("no answer")
        return waiting.answer

    def _send(self, call: Call, fate: str, waiting: _Waiting) -> None:
        up = self._latency()
        if fate == "late":
            up = self.draws.uniform(1.0, 45.0)
        if fate == "lost":
            return
        if fate == "reset_before":
            self.kernel.after(up, lambda: self._reset(waiting))
            return
        self.kernel.after(up, lambda: self._arrive(call, fate, waiting))

    def _arrive(self, call: Call, fate: str, waiting: _Waiting) -> None:
        made_up = {
            "s503_before": text_answer(503, "upstream"),
            "html_before": text_answer(502, HTML, "text/html"),
            "s429": too_many(1.5),
        }.get(fate)
        if made_up is None:
            call.faults = [self._fault(fate)] if fate in LOOKS else []
            answer = self.exchange.answer(call)
            made_up = {
                "s503_after": text_answer(503, "upstream"),
                "html_after": text_answer(502, HTML, "text/html"),
                "s429_after": too_many(None),
                "s408_after": text_answer(408, "timeout"),
                "garbage_after": text_answer(200, '{"success": tru', "application/json"),
            }.get(fate, answer)
        back = self.draws.uniform(0.5, 4.4) if fate == "slow" else self._latency()
        if fate == "lost_after":
            return
        if fate == "reset_after":
            self.kernel.after(back, lambda: self._reset(waiting))
            return
        made_up.headers["Date"] = format_datetime(self.exchange.now().replace(microsecond=0), usegmt=True)
        self.kernel.after(back, lambda: self._deliver(waiting, made_up, call))

    def _deliver(self, waiting: _Waiting, answer: Answer, call: Call) -> None:
        if waiting.actor.process.alive:
            waiting.answer = answer
            self.kernel.say("answer", waiting.actor.process.name, _label(call), answer.status)
            self.kernel.wake(waiting.actor)

    def _reset(self, waiting: _Waiting) -> None:
        waiting.reset = True
        self.kernel.wake(waiting.actor)

    def _latency(self) -> float:
        return self.draws.uniform(0.004, 0.09)

    def _fate(self, call: Call) -> str:
        forced = self.forced.get(f"{call.method} {call.path.rpartition('/')[2]}")
        if forced is not None:
            return forced
        outage = self.weather.outage(self.kernel.now)
        if outage is not None:
            return outage
        draw = self.draws.random()
        weather = self.weather
        if call.method == "POST" and self.draws.random() < weather.posts:
            return self.draws.choice((*BEFORE, *AFTER, "late", "lost_after"))
        if draw < weather.before:
            return self.draws.choice(BEFORE)
        if draw < weather.before + weather.after:
            return self.draws.choice(AFTER)
        if call.method == "GET" and "/historical/" in call.path and draw > 1.0 - weather.looks:
            return self.draws.choice(LOOKS)
        return "fine"

    def _fault(self, kind: str) -> Fault:
        seconds = {"stale": 1.5, "hide_new": 3.0, "late_fills": 20.0}.get(kind, 0.0)
        return Fault(
            kind=kind,
            seconds=self.draws.uniform(0.0, seconds),
            number=self.draws.randint(1, 3),
            fields=self.draws.choice(ODD) if kind == "odd_fields" else {},
        )


def _label(call: Call) -> str:
    path = call.path.removeprefix("/api/v3/brokerage")
    wanted = call.query
    if "order_ids" in wanted:
        return f"{path} ids={len(wanted['order_ids'])}"
    return path + (f" {call.query_text}" if call.query_text and "cursor" in wanted else "")


def ordered(call: Call) -> str:
    """Name the client order id of a Create Order; empty for any other request."""
    if call.method != "POST" or not call.path.endswith("/orders"):
        return ""
    return str(json.loads(call.raw_body).get("client_order_id"))


class Wire(BaseAdapter):
    """The adapter of one process's sessions: the SDK's requests end here."""

    def __init__(self, network: Network, process: Process) -> None:
        super().__init__()
        self._network = network
        self._process = process

    def send(self, request: PreparedRequest, timeout: Any = None, **_: Any) -> Response:
        parts = urlsplit(request.url or "")
        body = request.body or b""
        headers = {name.lower(): value for name, value in request.headers.items()}
        call = Call(
            method=request.method or "GET",
            path=parts.path,
            query_text=parts.query,
            headers={**headers, "host": parts.netloc},
            raw_body=body.encode() if isinstance(body, str) else body,
        )
        answer = self._network.carry(self._process, call, timeout[1])
        response = Response()
        response.status_code = answer.status
        response.headers = CaseInsensitiveDict({"Content-Type": answer.content_type, **answer.headers})
        response._content = answer.body
        response.url, response.request = request.url or "", request
        return response

    def drop_connections(self) -> None:
        return

    def close(self) -> None:
        return


class Client(transport._Client):
    """The SDK's client of whichever process runs, on the simulated wire."""

    network: Network

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.adapter = Wire(self.network, self.network.kernel.me().process)
        self.session.mount("https://", self.adapter)
        self.session.mount("http://", self.adapter)
