"""A watcher beside other processes on one store, SQLite and Postgres alike."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from statistics import median
from time import monotonic

import psutil
import pytest

from ordersync_cli.domain.orders import Source
from ordersync_cli.errors import LeaseHeld
from ordersync_cli.services.ports import Lane, Venue
from ordersync_cli.services.reconcile.running import Passes
from ordersync_cli.simulator.server import SimulatorServer
from ordersync_cli.venue import key_source, open_venue
from tests.support.live_watch import Books, LiveWatch
from tests.support.patience import fast_enough, within
from tests.support.stores import StorePlace

PICKED_UP = 0.1  # seconds


@pytest.fixture
def books(server: SimulatorServer, place: StorePlace) -> Iterator[Books]:
    made = Books(server, place.url)
    yield made
    made.close()


def test_trades_placed_elsewhere_are_picked_up_within_100_ms(books: Books, watch: LiveWatch) -> None:
    took = []
    for _ in range(7):
        (order_id,) = books.place()
        began = monotonic()
        within(2.0, lambda o=order_id: watch.state.roster.of_order(o) is not None)  # type: ignore[misc]
        took.append(monotonic() - began)
    fast_enough(median(took), PICKED_UP, "to pick a trade up")


class Beside:
    """What other processes do at the same time, each in a thread with a connection of its own."""

    def __init__(self, books: Books) -> None:
        self.books = books
        self.failures: list[BaseException] = []

    def venue(self) -> Venue:
        return open_venue(
            rest_url=self.books.server.rest_url,
            source=key_source(key_file=self.books.server.key_file),
            budget=self.books.store.budget,
            clock=self.books.clock,
            chance=self.books.chance,
        )

    def passes(self) -> None:
        books = self.books
        run = Passes(
            store=books.store, venue=self.venue(), recorder=books.recorder, clock=books.clock, chance=books.chance
        )
        for _ in range(3):
            run.light()
        run.deep()

    def sync(self, order_ids: list[str]) -> None:
        venue = self.venue()
        for order_id in order_ids:
            seen = venue.order(order_id, Lane.SYNC)
            assert seen is not None
            self.books.recorder.seen([seen], source=Source.SYNC)

    def thread(self, work: Callable[[], None]) -> threading.Thread:
        def guarded() -> None:
            try:
                work()
            except LeaseHeld:
                return
            except BaseException as failure:  # noqa: BLE001
                self.failures.append(failure)

        made = threading.Thread(target=guarded)
        made.start()
        return made


def test_T34_place_sync_and_passes_beside_a_watcher_lose_nothing(books: Books, watch: LiveWatch) -> None:
    order_ids = books.place(30)
    for number, order_id in enumerate(order_ids):
        books.fill(order_id, after=0.05 * number)
    beside = Beside(books)
    threads = [beside.thread(work) for work in (beside.passes, beside.passes, lambda: beside.sync(order_ids))]
    books.place(5)
    for thread in threads:
        thread.join(60)
    within(10.0, lambda: books.done(*order_ids), "every fill")
    assert beside.failures == []
    views = books.views()
    assert {str(views[o].filled_size) for o in order_ids} == {"1"}
    assert len(views) == 35


def test_nothing_leaks_over_many_connections(server: SimulatorServer, books: Books, watch: LiveWatch) -> None:
    def lost_and_found() -> None:
        connects = watch.state.health.connects
        server.close_feeds(1006)
        within(5.0, lambda: watch.state.health.connects > connects and watch.feed_is("live"), "a new connection")

    lost_and_found()
    process = psutil.Process()
    before = process.num_fds(), threading.active_count()
    for _ in range(8):
        lost_and_found()
    within(3.0, lambda: process.num_fds() <= before[0] + 2 and threading.active_count() <= before[1] + 1, "the end")
