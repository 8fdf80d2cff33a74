"""The user channel without a socket: what the exchange sends, and what becomes of it on the way."""

from __future__ import annotations

import json
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from websockets.exceptions import ConnectionClosedError
from websockets.frames import Close

from ordersync_cli.simulator.orders import Order, load_order
from ordersync_cli.simulator.times import go_text, nano_text
from ordersync_cli.simulator.tokens import NotAuthorized
from ordersync_cli.simulator.wire import frame_order
from ordersync_cli.venue.feed import UserFeed
from tests.simulation.exchange import Exchange
from tests.simulation.kernel import Actor, Kernel, Process
from tests.simulation.network import Network

CODES = (1000, 1001, 1006, 1008, 1011, 1013)
MUTES = ("silence", "no_user", "no_heartbeats")
SNAPSHOT = 50


@dataclass(slots=True)
class Air:
    """What may happen to frames; probabilities of each frame, and of each second for the whole connection."""

    drop: float = 0.0
    double: float = 0.0
    swap: float = 0.0
    delay: float = 0.0
    spoil: float = 0.0
    close: float = 0.0
    mute: float = 0.0
    refuse: float = 0.0


@dataclass(slots=True)
class Weather:
    """The weather of the channel now."""

    air: Air = field(default_factory=Air)


class Socket:
    """One connection, as the feed's session uses it: send, recv, close."""

    def __init__(self, kernel: Kernel, process: Process) -> None:
        self._kernel = kernel
        self.process = process
        self.on_text: Callable[[str], None] = lambda _: None
        self.on_close: Callable[[], None] = lambda: None
        self.open = True
        self._frames: deque[str] = deque()
        self._closed: Close | None = None
        self._reader: Actor | None = None

    # the client's side

    def send(self, text: str) -> None:
        self.process.check()
        self._raise_if_closed()
        self._kernel.after(0.02, lambda: self.on_text(text))

    def recv(self, timeout: float | None = None) -> str:
        self.process.check()
        if not self._frames:
            self._raise_if_closed()
            self._reader = self._kernel.me()
            self._kernel.park(timeout)
            self._reader = None
        if self._frames:
            return self._frames.popleft()
        self._raise_if_closed()
        raise TimeoutError

    def close(self) -> None:
        self.hang_up(None)

    def _raise_if_closed(self) -> None:
        if not self.open:
            raise ConnectionClosedError(self._closed, None)

    # the network's side

    def deliver(self, text: str) -> None:
        if self.open and self.process.alive:
            self._frames.append(text)
            self._wake()

    def hang_up(self, code: int | None) -> None:
        if self.open:
            self.open = False
            self._closed = None if code in (None, 1006) else Close(code or 1000, "")
            self.on_close()
            self._wake()

    def _wake(self) -> None:
        if self._reader is not None:
            self._kernel.wake(self._reader)

    @property
    def unread(self) -> int:
        return len(self._frames)


class Subscriber:
    """The exchange's end of one connection."""

    def __init__(self, channel: Channel, socket: Socket) -> None:
        self._channel = channel
        self._exchange = channel.exchange
        self._draws = channel.draws
        self.socket = socket
        self.subscribed: list[str] = []
        self.muted = ""
        self._since = 0
        self._sequence = 0
        self._beats = 0
        self._swapped: str | None = None
        socket.on_text = self._take
        socket.on_close = self._gone

    def _gone(self) -> None:
        self._channel.drop(self)

    def _take(self, text: str) -> None:
        if not self.socket.open:
            return
        asked = json.loads(text)
        try:
            self._exchange.app.tokens.check_view(asked["jwt"], self._exchange.state.now())
        except NotAuthorized:
            self._out(json.dumps({"type": "error", "message": "authentication failure"}))
            return
        channel = asked["channel"]
        self.subscribed.append(channel)
        if channel == "user":
            self._snapshot()
        names = {"user": "user-id", "heartbeats": "heartbeats"}
        self._send("subscriptions", {"subscriptions": {c: [names[c]] for c in self.subscribed}})
        if channel == "heartbeats":
            self._beat()

    def _snapshot(self) -> None:
        self._exchange.moved()
        state = self._exchange.state
        self._since = state.last_event()
        rows = state.sql.execute("SELECT doc FROM orders WHERE status = 'OPEN' ORDER BY seq").fetchall()
        orders = [load_order(row[0]) for row in rows]
        for start in range(0, len(orders) + 1, SNAPSHOT):
            self._orders("snapshot", orders[start : start + SNAPSHOT])

    def _beat(self) -> None:
        if not self.socket.open:
            return
        now = self._exchange.state.now()
        self._beats += 1
        told = {"current_time": go_text(now, self._beats * 1_000_000), "heartbeat_counter": self._beats}
        self._send("heartbeats", told)
        self._channel.strike(self)
        self._channel.kernel.after(1.0, self._beat)

    def events(self, last: int, orders: list[Order]) -> None:
        """Send what happened; two events of one order never share a message."""
        if "user" not in self.subscribed or last <= self._since:
            return
        batch: dict[str, Order] = {}
        for order in orders:
            if order.order_id in batch:
                self._orders("update", list(batch.values()))
                batch = {}
            batch[order.order_id] = order
        if batch:
            self._orders("update", list(batch.values()))

    def _orders(self, kind: str, orders: list[Order]) -> None:
        exchange = self._exchange
        usd = exchange.routed.behaviour.usdc_frames_as_usd
        bodies = [frame_order(order, exchange.state.portfolio_id, usdc_as_usd=usd) for order in orders]
        positions: dict[str, list[Any]] = {"perpetual_futures_positions": [], "expiring_futures_positions": []}
        self._send("user", {"type": kind, "orders": bodies, "positions": positions})

    def _send(self, channel: str, event: dict[str, Any]) -> None:
        if self.muted == "silence" or self.muted == {"user": "no_user", "heartbeats": "no_heartbeats"}.get(channel):
            return
        message = {
            "channel": channel,
            "client_id": "",
            "timestamp": nano_text(self._exchange.state.now(), 917),
            "sequence_num": self._sequence,
            "events": [event],
        }
        self._sequence += 1
        self._faulty(json.dumps(message), channel)

    def _faulty(self, text: str, channel: str) -> None:
        air, draw = self._channel.weather.air, self._draws.random()
        bounds = [("drop", air.drop), ("double", air.double), ("swap", air.swap), ("delay", air.delay)]
        for what, chance in [*bounds, ("spoil", air.spoil)]:
            draw -= chance
            if draw < 0:
                self._channel.kernel.say("frame", channel, what)
                getattr(self, f"_{what}")(text)
                return
        self._out(text)
        if self._swapped is not None:
            held, self._swapped = self._swapped, None
            self._out(held)

    def _drop(self, _text: str) -> None:
        return

    def _double(self, text: str) -> None:
        self._out(text)
        self._out(text)

    def _swap(self, text: str) -> None:
        if self._swapped is not None:
            self._out(self._swapped)
        self._swapped = text

    def _delay(self, text: str) -> None:
        self._channel.kernel.after(self._draws.uniform(0.1, 8.0), lambda: self.socket.deliver(text))

    def _spoil(self, text: str) -> None:
        self._out(text[: len(text) // 2])

    def _out(self, text: str) -> None:
        self._channel.kernel.after(self._channel.latency, lambda: self.socket.deliver(text))


class Channel:
    """All connections of the user channel."""

    latency = 0.03

    def __init__(self, kernel: Kernel, exchange: Exchange, network: Network, draws: random.Random) -> None:
        self.kernel = kernel
        self.exchange = exchange
        self.network = network
        self.draws = draws
        self.weather = Weather()
        self.subscribers: list[Subscriber] = []
        exchange.listeners.append(self._events)

    def connect(self, process: Process) -> Socket:
        """Open a connection; raises OSError as the network would."""
        self.kernel.pause(0.05)
        outage = self.network.weather.outage(self.kernel.now) is not None
        if outage or self.draws.random() < self.weather.air.refuse:
            raise OSError("connection refused")
        socket = Socket(self.kernel, process)
        self.subscribers.append(Subscriber(self, socket))
        process.on_death.append(lambda: socket.hang_up(None))
        self.kernel.say("connected", process.name)
        return socket

    def drop(self, subscriber: Subscriber) -> None:
        if subscriber in self.subscribers:
            self.subscribers.remove(subscriber)
            self.kernel.say("disconnected", subscriber.socket.process.name)

    def strike(self, subscriber: Subscriber) -> None:
        """Let something happen to a whole connection, once a second at most."""
        air = self.weather.air
        draw = self.draws.random()
        if self.network.weather.outage(self.kernel.now) is not None and draw < 0.3:
            subscriber.socket.hang_up(1006)
        elif draw < air.close:
            subscriber.socket.hang_up(self.draws.choice(CODES))
        elif draw < air.close + air.mute:
            subscriber.muted = self.draws.choice(MUTES)
            self.kernel.say("muted", subscriber.muted)

    def heal(self) -> None:
        """Let every connection speak again by closing those that are mute."""
        self.weather.air = Air()
        for subscriber in list(self.subscribers):
            if subscriber.muted:
                subscriber.socket.hang_up(1001)

    def _events(self, last: int, orders: list[Order]) -> None:
        for subscriber in list(self.subscribers):
            subscriber.events(last, orders)

    @property
    def owners(self) -> list[Process]:
        """List whose processes are connected."""
        return [s.socket.process for s in self.subscribers if s.socket.open]


class SimulatedFeed(UserFeed):
    """The real feed over a simulated connection."""

    channel: Channel

    def _connected(self) -> Any:
        socket = self.channel.connect(self.channel.kernel.me().process)
        if self._wanted_anew():
            socket.close()
            raise ConnectionAbortedError("stopped")
        with self._lock:
            self._connection = socket  # type: ignore[assignment]
        return socket
