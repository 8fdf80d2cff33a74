"""A watcher in virtual time: real store, scripted venue and feed, no threads, no waiting."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from ordersync_cli.clock import Chance
from ordersync_cli.domain.observations import AnswerKind, Channel, OrderSeen, PlaceAnswer
from ordersync_cli.domain.orders import OrderRequest, OrderType, Side, Source, TimeInForce
from ordersync_cli.domain.trade import Trade
from ordersync_cli.domain.view import TradeView
from ordersync_cli.services.alerts.alert import Alerts, IncidentBook
from ordersync_cli.services.alerts.announce import Announcer
from ordersync_cli.services.ports import ClockOffset, Lane, Store, TradeFilter
from ordersync_cli.services.ports.messages import (
    FeedChanged,
    FeedState,
    FrameSeen,
    HeartbeatSeen,
    Inbox,
    Message,
    SnapshotEnded,
    StoreTouched,
)
from ordersync_cli.services.reconcile.looks import Looker
from ordersync_cli.services.record import Recorder
from ordersync_cli.services.watch.board import Board
from ordersync_cli.services.watch.poll import Ask, answer
from ordersync_cli.services.watch.track import Tracker
from ordersync_cli.services.watch.watch_state import Identity, WatchPlan, WatchState
from ordersync_cli.store import open_store
from tests.support.fake_venue import FakeOrder, FakeVenue
from tests.support.virtual_clock import SeededChance, VirtualClock

ROUND_TRIP = 0.08


class Timeline:
    """Everything that is going to happen, in virtual time; sleeping runs what falls due."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    def at(self, mono: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._events, (mono, next(self._numbers), action))

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        self.at(self.clock.monotonic() + seconds, action)

    def every(self, seconds: float, action: Callable[[], None], until: float = float("inf")) -> None:
        def turn() -> None:
            action()
            if self.clock.monotonic() + seconds <= until:
                self.after(seconds, turn)

        self.after(seconds, turn)

    def run_due(self) -> None:
        while self._events and self._events[0][0] <= self.clock.monotonic() + 1e-9:
            heapq.heappop(self._events)[2]()

    def advance_to(self, mono: float) -> None:
        """Let time pass, with everything that happens meanwhile."""
        while self._events and self._events[0][0] <= mono:
            self._jump(self._events[0][0])
            self.run_due()
        self._jump(mono)

    def next_at(self) -> float:
        return self._events[0][0] if self._events else float("inf")

    def _jump(self, mono: float) -> None:
        if mono > self.clock.monotonic():
            self.clock.advance(mono - self.clock.monotonic())


class ScriptedInbox:
    """An inbox whose waiting is virtual."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._messages: list[Message] = []

    def put(self, message: Message) -> None:
        self._messages.append(message)

    def receive(self, timeout: float) -> list[Message]:
        clock = self._timeline.clock
        self._timeline.run_due()
        deadline = clock.monotonic() + timeout
        while not self._messages and clock.monotonic() < deadline:
            self._timeline.advance_to(min(deadline, self._timeline.next_at()))
        taken, self._messages = self._messages, []
        return taken


@dataclass
class InlineCrew:
    """Answers questions in virtual time, a round trip later; counts what it was told."""

    timeline: Timeline
    venue: FakeVenue
    inbox: Inbox
    round_trip: float = ROUND_TRIP
    take: Callable[[Lane], None] | None = None
    on_reconnect: Callable[[], None] | None = None
    on_drive: Callable[[], None] | None = None
    asked: list[tuple[float, Ask]] = field(default_factory=list)
    driving: bool = False
    drives: int = 0
    reconnects: int = 0

    def drive(self, inbox: Inbox) -> None:
        self.driving = True
        self.drives += 1
        self.looker = Looker(self.venue, self.timeline.clock)
        if self.on_drive is not None:
            self.on_drive()

    def stand_by(self) -> None:
        self.driving = False

    def ask(self, ask: Ask) -> None:
        self.asked.append((self.timeline.clock.monotonic(), ask))
        if self.take is not None:
            self.take(Lane.POLL)
        started = self.timeline.clock.monotonic()
        done = answer(ask, self.looker, self.venue, self.timeline.clock)
        done = replace(done, started_mono=started, finished_mono=started + self.round_trip)
        self.timeline.after(self.round_trip, lambda: self.inbox.put(done))

    def reconnect(self) -> None:
        self.reconnects += 1
        if self.on_reconnect is not None:
            self.on_reconnect()

    @property
    def requests(self) -> int:
        return self.venue.requests_made

    @property
    def offset(self) -> ClockOffset | None:
        return self.venue.offset()


@dataclass
class Recording:
    """An audience that keeps what it hears."""

    wants_board: bool = True
    said: list[Mapping[str, Any]] = field(default_factory=list)
    boards: list[Board] = field(default_factory=list)
    commits: int = 0

    def committed(self) -> None:
        self.commits += 1

    def say(self, document: Mapping[str, Any]) -> None:
        self.said.append(document)

    def show(self, board: Board) -> None:
        self.boards = [board]

    def feed_states(self) -> list[str]:
        return [str(d["state"]) for d in self.said if d["type"] == "feed"]

    def alerts(self) -> list[str]:
        return [str(d["rule"]) for d in self.said if d["type"] == "alert" and d["state"] == "opened"]


class FakeFeed:
    """The user channel as messages in the inbox: `connect`, heartbeats each second, frames, drops."""

    def __init__(self, world: WatchWorld, inbox: Inbox) -> None:
        self._world = world
        self._inbox = inbox
        self.beating = True
        self.delivering = True
        self.up = False
        self._life = 0
        self._position = 0

    def connect(self, orders: int = 0) -> None:
        self._life += 1
        life = self._life
        self.up = True
        now = self._world.clock.now()
        self._say(FeedState.CONNECTING, "connecting")
        self.frame(*[o for o in self._world.venue.orders.values() if o.word in {"OPEN", "PENDING"}], snapshot=True)
        self._inbox.put(SnapshotEnded(orders=orders, at=now))
        self._say(FeedState.LIVE, "")
        self._world.timeline.after(1.0, lambda: self._beat(life))

    def drop(self, reason: str = "closed with code 1006") -> None:
        self._life += 1
        self.up = False
        self._say(FeedState.DOWN, reason)

    def try_in_vain(self) -> None:
        self._say(FeedState.CONNECTING, "connecting")

    def frame(self, *orders: FakeOrder, snapshot: bool = False) -> None:
        """Deliver a message of the user channel, if the channel speaks."""
        if not self.delivering or not self.up:
            return
        clock = self._world.clock
        self._position += 1
        self._inbox.put(
            FrameSeen(
                observations=tuple(self.seen(o) for o in orders),
                snapshot=snapshot,
                sequence=self._position,
                timestamp=self._world.venue.now(),
                received_at=clock.now(),
                received_mono=clock.monotonic(),
            )
        )

    def seen(self, order: FakeOrder) -> OrderSeen:
        return replace(order.seen(self._world.venue.now()), channel=Channel.WEBSOCKET, position=self._position)

    def _say(self, state: FeedState, reason: str) -> None:
        self._inbox.put(FeedChanged(state=state, reason=reason, at=self._world.clock.now()))

    def _beat(self, life: int) -> None:
        if life != self._life:
            return
        if self.beating:
            clock = self._world.clock
            self._inbox.put(HeartbeatSeen(counter=None, received_at=clock.now(), received_mono=clock.monotonic()))
        self._world.timeline.after(1.0, lambda: self._beat(life))


class WatchWorld:
    """One store, one venue, any number of watchers, and a clock that all of them share."""

    def __init__(self, path: Path, seed: int = 1) -> None:
        self.clock = VirtualClock()
        self.timeline = Timeline(self.clock)
        self.chance: Chance = SeededChance(seed)
        self.venue = FakeVenue(self.clock)
        self.path = path
        self.store: Store = self.open()
        self.recorder = self.make_recorder(self.store)
        self.watchers: list[One] = []
        self._placed = 0

    def open(self) -> Store:
        """Open the store once more, as another process would."""
        return open_store(f"sqlite:///{self.path}", clock=self.clock, chance=self.chance)

    def make_recorder(self, store: Store) -> Recorder:
        announce = Announcer(clock=self.clock, book=IncidentBook(chance=self.chance))
        return Recorder(store=store, clock=self.clock, announce=announce)

    def watcher(self, **plan: Any) -> One:
        """Make a watcher; the first step lets it drive, unless another does."""
        one = One(self, WatchPlan(**{"light_every": 0.0, "deep_every": 0.0, **plan}))
        self.watchers.append(one)
        return one

    # ------------------------------------------------------------------ what other processes do

    def intent(self, *, limit: str | None = None, size: str = "1", age: float = 0.0) -> Trade:
        """Commit an intent that was sent and has no answer."""
        self._placed += 1
        request = OrderRequest(
            product_id="BTC-USD",
            side=Side.BUY,
            order_type=OrderType.MARKET if limit is None else OrderType.LIMIT,
            time_in_force=TimeInForce.IOC if limit is None else TimeInForce.GTC,
            client_order_id=f"client-{self._placed}",
            base_size=Decimal(size),
            limit_price=None if limit is None else Decimal(limit),
        )
        now = self.clock.now()
        trade = Trade(request=request, created_at=now, attempts=1, attempt_at=now, submitted_at=now)
        with self.store.write() as transaction:
            return transaction.trades.add(trade)

    def place_many(self, count: int, *, limit: str = "90") -> list[str]:
        """Place resting orders in one transaction."""
        now = self.clock.now()
        order_ids = []
        with self.store.write() as transaction:
            for _ in range(count):
                self._placed += 1
                request = OrderRequest(
                    product_id="BTC-USD",
                    side=Side.BUY,
                    order_type=OrderType.LIMIT,
                    time_in_force=TimeInForce.GTC,
                    client_order_id=f"client-{self._placed}",
                    base_size=Decimal(1),
                    limit_price=Decimal(limit),
                )
                trade = transaction.trades.add(
                    Trade(request=request, created_at=now, attempts=1, attempt_at=now, submitted_at=now)
                )
                assert trade.trade_id is not None
                order_id = f"order-{trade.trade_id}"
                self.venue.accept(request, order_id)
                said = PlaceAnswer(kind=AnswerKind.ACCEPTED, attempt=1, at=now, order_id=order_id)
                self.recorder.about_in(transaction, {trade.trade_id: [said]}, source=Source.PLACE)
                order_ids.append(order_id)
        self.touch()
        return order_ids

    def place(self, *, limit: str | None = None, size: str = "1", word: str = "OPEN") -> str:
        """Place an order as `place` does: intent, order at the venue, answer in the store."""
        trade = self.intent(limit=limit, size=size)
        assert trade.trade_id is not None
        order_id = f"order-{trade.trade_id}"
        self.venue.accept(trade.request, order_id, word=word)
        said = PlaceAnswer(kind=AnswerKind.ACCEPTED, attempt=1, at=self.venue.now(), order_id=order_id)
        self.recorder.about(trade.trade_id, [said], source=Source.PLACE)
        self.touch()
        return order_id

    def fill(self, order_id: str, size: str = "1", price: str = "100", *, whole: bool = True) -> FakeOrder:
        """Fill an order at the venue; nobody is told."""
        self.venue.fill(order_id, size, price)
        if whole:
            self.venue.end(order_id, "FILLED")
        return self.venue.orders[order_id]

    def touch(self) -> None:
        for one in self.watchers:
            one.inbox.put(StoreTouched(at_mono=self.clock.monotonic()))

    # ------------------------------------------------------------------ what is there

    def view(self, order_id: str) -> TradeView:
        with self.store.read() as transaction:
            trade_id = transaction.trades.ids_of([order_id])[order_id]
            return transaction.trades.views(TradeFilter(trade_ids=[trade_id]))[0]

    def statuses(self) -> set[str]:
        with self.store.read() as transaction:
            return {v.status for v in transaction.trades.views(TradeFilter())}

    def status(self, order_id: str) -> str:
        return self.view(order_id).status

    def run(self, seconds: float, each: Callable[[], None] | None = None) -> None:
        """Let every live watcher work for that long, in turn."""
        ends = self.clock.monotonic() + seconds
        while self.clock.monotonic() < ends:
            alive = [one for one in self.watchers if one.alive]
            if not alive:
                self.timeline.advance_to(ends)
                return
            first = min(alive, key=lambda one: one.tracker.wait() if not one.inbox._messages else 0.0)
            before = self.clock.monotonic()
            first.step(max(0.0, ends - before))
            if each is not None:
                each()

    def until(self, check: Callable[[], bool], within: float) -> float:
        """Run until it is true; returns the virtual seconds that took."""
        began = self.clock.monotonic()
        while not check():
            passed = self.clock.monotonic() - began
            assert passed < within, f"not within {within} s"
            self.run(min(0.05, within - passed + 1e-6))
        return self.clock.monotonic() - began

    def close(self) -> None:
        for one in self.watchers:
            if one.alive:
                one.tracker.close()
            if one.store is not self.store:
                one.store.close()  # type: ignore[attr-defined]
        self.store.close()


class One:
    """One watcher of the world."""

    def __init__(self, world: WatchWorld, plan: WatchPlan) -> None:
        self.world = world
        self.alive = True
        self.store = world.open() if world.watchers else world.store
        self.inbox = ScriptedInbox(world.timeline)
        self.audience = Recording()
        self.crew = InlineCrew(world.timeline, world.venue, self.inbox)
        self.feed = FakeFeed(world, self.inbox)
        recorder = world.make_recorder(self.store)
        self.state = WatchState(
            store=self.store,
            recorder=recorder,
            clock=world.clock,
            chance=world.chance,
            crew=self.crew,
            audience=self.audience,
            plan=plan,
            me=Identity(watcher_id=world.chance.uuid(), host="host", pid=1000 + len(world.watchers)),
        )
        book = recorder.announce.book  # type: ignore[attr-defined]
        self.tracker = Tracker(self.state, self.inbox, Alerts(self.store, world.clock, book))

    def step(self, at_most: float = 1.0) -> int | None:
        """Take one step, waiting no longer than that."""
        wait = self.tracker.wait
        self.tracker.wait = lambda: min(at_most, wait())  # type: ignore[method-assign]
        try:
            return self.tracker.step()
        finally:
            self.tracker.wait = wait  # type: ignore[method-assign]

    def kill(self) -> None:
        """Die as by kill -9: no last words."""
        self.alive = False
        self.feed._life += 1


@contextmanager
def watch_world(path: Path, seed: int = 1) -> Iterator[WatchWorld]:
    world = WatchWorld(path, seed)
    try:
        yield world
    finally:
        world.close()
