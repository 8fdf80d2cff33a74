"""A watcher over loopback: real threads, real sockets, the simulator on the other side."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from ordersync_cli.clock import SystemChance, SystemClock
from ordersync_cli.domain.observations import AnswerKind, PlaceAnswer
from ordersync_cli.domain.orders import OrderRequest, OrderType, Side, Source, TimeInForce
from ordersync_cli.domain.trade import Trade
from ordersync_cli.domain.view import TradeView
from ordersync_cli.services.alerts.alert import Alerts, IncidentBook
from ordersync_cli.services.alerts.announce import Announcer
from ordersync_cli.services.ports import Feed, Store, TradeFilter, Venue
from ordersync_cli.services.ports.messages import StopAsked
from ordersync_cli.services.record import Recorder
from ordersync_cli.services.watch.crew import DrivingCrew
from ordersync_cli.services.watch.inbox import BoundedInbox
from ordersync_cli.services.watch.poll import PollThreads
from ordersync_cli.services.watch.touching import StoreWatch
from ordersync_cli.services.watch.track import Tracker
from ordersync_cli.services.watch.watch_state import Identity, WatchPlan, WatchState
from ordersync_cli.simulator.server import SimulatorServer
from ordersync_cli.store import open_store
from ordersync_cli.venue import key_source, open_feed, open_venue
from tests.support.watch_world import Recording


class Books:
    """The store as other processes use it: orders placed at the simulator and written as `place` does."""

    def __init__(self, server: SimulatorServer, path: Path | str, *, requests_per_second: float = 50.0) -> None:
        self.clock = SystemClock()
        self.chance = SystemChance(1)
        self.server = server
        self.url = path if isinstance(path, str) else f"sqlite:///{path}"
        self._rate = requests_per_second
        self.store = self.open()
        self.recorder = Recorder(store=self.store, clock=self.clock)
        self._placed = 0

    def open(self) -> Store:
        """Open the store once more, as another process would."""
        return open_store(self.url, clock=self.clock, chance=self.chance, requests_per_second=self._rate)

    def place(self, count: int = 1, *, product_id: str = "BTC-USD") -> list[str]:
        """Place resting orders that fill only when told to."""
        order_ids = []
        now = self.clock.now()
        for _ in range(count):
            self._placed += 1
            client_order_id = f"watched-{self._placed}"
            terms = {"limit_limit_gtc": {"base_size": "1", "limit_price": "100", "post_only": False}}
            body = {
                "client_order_id": client_order_id,
                "product_id": product_id,
                "side": "BUY",
                "order_configuration": terms,
            }
            answer = self.server.control.place_elsewhere(body, script=[{"after_seconds": 0, "status": "OPEN"}])
            order_ids.append(str(answer["success_response"]["order_id"]))
        with self.store.write() as transaction:
            for number, order_id in enumerate(order_ids):
                request = OrderRequest(
                    product_id=product_id,
                    side=Side.BUY,
                    order_type=OrderType.LIMIT,
                    time_in_force=TimeInForce.GTC,
                    client_order_id=f"watched-{self._placed - count + 1 + number}",
                    base_size=Decimal(1),
                    limit_price=Decimal(100),
                )
                trade = transaction.trades.add(
                    Trade(request=request, created_at=now, attempts=1, attempt_at=now, submitted_at=now)
                )
                assert trade.trade_id is not None
                said = PlaceAnswer(kind=AnswerKind.ACCEPTED, attempt=1, at=now, order_id=order_id)
                self.recorder.about_in(transaction, {trade.trade_id: [said]}, source=Source.PLACE)
        return order_ids

    def fill(self, *order_ids: str, after: float = 0.0, **more: Any) -> None:
        """Let orders fill whole."""
        for order_id in order_ids:
            self.server.control.continue_order(
                order_id, [{"after_seconds": after, "filled_fraction": "1", "price": "100", "status": "FILLED", **more}]
            )

    def end(self, order_id: str, word: str) -> None:
        self.server.control.continue_order(order_id, [{"after_seconds": 0, "status": word}])

    def views(self) -> dict[str, TradeView]:
        with self.store.read() as transaction:
            return {v.order_id: v for v in transaction.trades.views(TradeFilter()) if v.order_id is not None}

    def done(self, *order_ids: str) -> bool:
        views = self.views()
        return all(views[o].status == "completed" for o in order_ids)

    def close(self) -> None:
        self.store.close()


class LiveWatch:
    """A tracker in a thread of its own, as `watch` runs it."""

    def __init__(self, books: Books, **plan: Any) -> None:
        self.books = books
        self.inbox = BoundedInbox()
        self.audience = Recording()
        self.failure: BaseException | None = None
        self.ws_url = books.server.ws_url
        clock, chance, store = books.clock, books.chance, books.open()
        self._store = store
        book = IncidentBook(chance=chance)
        announce = Announcer(clock=clock, book=book)
        crew = DrivingCrew(
            poller=PollThreads(self._venue, clock),
            make_feed=self._feed if plan.get("feed_wanted", True) else None,
            clock=clock,
        )
        self.state = WatchState(
            store=store,
            recorder=Recorder(store=store, clock=clock, announce=announce),
            clock=clock,
            chance=chance,
            crew=crew,
            audience=self.audience,
            plan=WatchPlan(**{"light_every": 0.0, "deep_every": 0.0, **plan}),
            me=Identity(watcher_id=chance.uuid(), host="here", pid=1),
        )
        self._touching = StoreWatch(store, clock)
        self._tracker = Tracker(self.state, self.inbox, Alerts(store, clock, book))
        self._thread = threading.Thread(target=self._run, name="watch-loop", daemon=True)

    def _venue(self) -> Venue:
        server = self.books.server
        return open_venue(
            rest_url=server.rest_url,
            source=key_source(key_file=server.key_file),
            budget=self._store.budget,
            clock=self.books.clock,
            chance=self.books.chance,
        )

    def _feed(self) -> Feed:
        return open_feed(
            self._venue(),  # type: ignore[arg-type]
            ws_url=self.ws_url,
            clock=self.books.clock,
            chance=self.books.chance,
        )

    def _run(self) -> None:
        try:
            self._tracker.run()
        except BaseException as failure:  # noqa: BLE001
            self.failure = failure

    def start(self) -> None:
        self._touching.start(self.inbox)
        self._thread.start()

    def stop(self) -> None:
        self.inbox.put(StopAsked(exit_code=0))
        self._thread.join(10)
        self.inbox.close()
        self._touching.stop()
        self._store.close()
        assert not self._thread.is_alive()
        if self.failure is not None:
            raise self.failure

    def feed_is(self, state: str) -> bool:
        return self.state.health.state.value == state


@contextmanager
def live_watch(books: Books, **plan: Any) -> Iterator[LiveWatch]:
    watch = LiveWatch(books, **plan)
    watch.start()
    try:
        yield watch
    finally:
        watch.stop()
