"""The WebSocket side: user and heartbeats channels for any number of connections, fed from the event log."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from typing import Any

from ordersync_cli.simulator.faults import Faults
from ordersync_cli.simulator.orders import Order, load_order
from ordersync_cli.simulator.routes import Exchange
from ordersync_cli.simulator.session import catch_up, reading
from ordersync_cli.simulator.subscriber import Subscriber
from ordersync_cli.simulator.times import SECOND
from ordersync_cli.simulator.tokens import NotAuthorized, Tokens

_TICK_SECONDS = 0.02
_SHORTEST_SECONDS = 0.001
_SUBSCRIBE_SECONDS = 5.0
_BATCH = 50
_CHANNELS = frozenset({"user", "heartbeats"})
_DONE = 1000
_POLICY = 1008


class Feed:
    """All connections of one server."""

    def __init__(self, exchange: Exchange, tokens: Tokens, faults: Faults, abort: Callable[[Any], None]) -> None:
        self.exchange = exchange
        self.faults = faults
        self._tokens = tokens
        self._abort = abort
        self._subscribers: set[Subscriber] = set()
        self._wake = asyncio.Event()
        self._last_event = exchange.state.last_event()
        self._version = -1

    def wake(self) -> None:
        """Look at the event log now: this process has just written to it."""
        if self._subscribers:
            self._wake.set()

    def close_all(self, code: int) -> None:
        """Close every connection with this code; 1006 cuts them."""
        for subscriber in list(self._subscribers):
            subscriber.hang_up(code)

    @property
    def connections(self) -> int:
        """Return how many connections stand."""
        return len(self._subscribers)

    async def pump(self) -> None:
        """Bring due steps to pass and hand new events to the connections, until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._patience() if self._subscribers else None)
            woken = self._wake.is_set()
            self._wake.clear()
            if not self._subscribers:
                continue
            state = self.exchange.state
            moved = catch_up(state)
            version = state.data_version()
            if woken or moved or version != self._version:
                self._version = version
                self._publish()

    def _patience(self) -> float:
        """Return how long to wait: until the next step is due, and never longer than other processes may be missed."""
        state = self.exchange.state
        due = state.next_due()
        until = _TICK_SECONDS if due is None else (due - state.lately()) / SECOND
        return min(max(until, _SHORTEST_SECONDS), _TICK_SECONDS)

    def _publish(self) -> None:
        rows = self.exchange.state.sql.execute(
            "SELECT id, show, doc FROM events WHERE id > ? ORDER BY id", (self._last_event,)
        ).fetchall()
        if not rows:
            return
        self._last_event = rows[-1][0]
        events = [(number, load_order(doc)) for number, show, doc in rows if show]
        for subscriber in self._subscribers:
            for batch in _messages([order for number, order in events if number > subscriber.since]):
                subscriber.send_orders("update", batch)

    async def serve(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Serve one connection until it ends."""
        await receive()
        refusals = self.faults.ws({"refuse"})
        if refusals:
            await _refuse(scope, send, refusals[0].status)
            return
        await send({"type": "websocket.accept"})
        subscriber = Subscriber(self.exchange, self.faults, send, lambda: self._abort(scope))
        if not self._subscribers:
            self._last_event = self.exchange.state.last_event()  # what happened unheard is nobody's news
        self._subscribers.add(subscriber)
        self._wake.set()
        try:
            async with asyncio.timeout(_SUBSCRIBE_SECONDS) as limit:
                while True:
                    event = await receive()
                    if event["type"] == "websocket.disconnect":
                        return
                    self._take(subscriber, event.get("text") or "")
                    if subscriber.channels:
                        limit.reschedule(None)
        except TimeoutError:
            subscriber.hang_up(_POLICY)
        finally:
            self._subscribers.discard(subscriber)
            await subscriber.finish()

    def _take(self, subscriber: Subscriber, text: str) -> None:
        """Do what one message of the client asks for."""
        try:
            message = json.loads(text)
            kind, channel = message["type"], message.get("channel")
        except (ValueError, KeyError, TypeError, AttributeError):
            subscriber.send_error("failed to parse message")
            return
        if channel not in _CHANNELS or kind not in ("subscribe", "unsubscribe"):
            subscriber.send_error("failure to subscribe")
            return
        token = message.get("jwt")
        if channel == "user" or token:
            try:
                self._tokens.check_view(str(token), self.exchange.state.now())
            except NotAuthorized:
                subscriber.send_error("authentication failure")
                return
        if kind == "unsubscribe":
            subscriber.channels.pop(channel, None)
            subscriber.send_ack()
        else:
            self._subscribe(subscriber, channel, message.get("product_ids") or [])

    def _subscribe(self, subscriber: Subscriber, channel: str, product_ids: list[str]) -> None:
        if channel == "user":
            with reading(self.exchange.state):
                subscriber.since = self.exchange.state.last_event()
                rows = self.exchange.state.sql.execute(
                    "SELECT doc FROM orders WHERE status = 'OPEN' ORDER BY seq"
                ).fetchall()
            subscriber.channels["user"] = list(product_ids)
            orders = [order for order in map(load_order, (row[0] for row in rows)) if subscriber.follows(order)]
            # "Look for the first message with less than 50 orders": a full last batch is followed by an empty one.
            for start in range(0, len(orders) + 1, _BATCH):
                subscriber.send_orders("snapshot", orders[start : start + _BATCH])
        else:
            subscriber.channels["heartbeats"] = []
        subscriber.send_ack()
        if channel == "heartbeats":
            subscriber.start_heartbeats()


def _messages(orders: list[Order]) -> list[list[Order]]:
    """Put events into messages: several orders may share one, two events of one order never do."""
    messages: list[list[Order]] = []
    current: dict[str, Order] = {}
    for order in orders:
        if order.order_id in current or len(current) == _BATCH:
            messages.append(list(current.values()))
            current = {}
        current[order.order_id] = order
    return [*messages, list(current.values())] if current else messages


async def _refuse(scope: dict[str, Any], send: Any, status: int) -> None:
    if "websocket.http.response" in scope.get("extensions", {}):
        await send({"type": "websocket.http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
        await send({"type": "websocket.http.response.body", "body": b""})
    else:
        await send({"type": "websocket.close", "code": _POLICY})
