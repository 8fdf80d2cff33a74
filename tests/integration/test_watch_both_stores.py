"""A watcher beside other processes on one store, SQLite and Postgres alike."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from time import monotonic

import psutil
import pytest

from ordersync_cli.domain.orders import Source
from ordersync_cli.errors import LeaseHeld
from ordersync_cli.services.ports import Venue
from ordersync_cli.services.reconcile import Passes
from ordersync_cli.simulator.server import SimulatorServer
from ordersync_cli.venue import key_source, open_venue
from tests.support.live_watch import Books, LiveWatch, live_watch, within
from tests.support.stores import StorePlace

PICKED_UP = 0.1  # seconds


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SimulatorServer]:
    with SimulatorServer(tmp_path / "exchange.db", seed=7, rate_limit=None) as made:
        yield made


@pytest.fixture
def books(server: SimulatorServer, place: StorePlace) -> Iterator[Books]:
    made = Books(server, place.url)
    yield made
    made.close()


@pytest.fixture
def watch(books: Books) -> Iterator[LiveWatch]:
    with live_watch(books) as made:
        within(5.0, lambda: made.feed_is("live"), "a live feed")
        yield made


def test_trades_placed_elsewhere_are_picked_up_within_100_ms(books: Books, watch: LiveWatch) -> None:
    took = []
    for _ in range(7):
        (order_id,) = books.place()
        began = monotonic()
        within(2.0, lambda o=order_id: watch.state.roster.of_order(o) is not None)  # type: ignore[misc]
        took.append(monotonic() - began)
    assert median(took) < PICKED_UP


def test_T34_place_sync_and_passes_beside_a_watcher_lose_nothing(
    server: SimulatorServer, books: Books, watch: LiveWatch
) -> None:
    order_ids = books.place(30)
    for number, order_id in enumerate(order_ids):
        books.fill(order_id, after=0.05 * number)
    failures: list[BaseException] = []

    def venue() -> Venue:
        return open_venue(
            rest_url=server.rest_url,
            source=key_source(key_file=server.key_file),
            budget=books.store.budget,
            clock=books.clock,
            chance=books.chance,
        )

    def passes() -> None:
        run = Passes(store=books.store, venue=venue(), recorder=books.recorder, clock=books.clock, chance=books.chance)
        try:
            for _ in range(3):
                run.light()
            run.deep()
        except LeaseHeld:
            pass
        except BaseException as failure:  # noqa: BLE001
            failures.append(failure)

    def sync() -> None:
        from ordersync_cli.services.ports import Lane

        own = venue()
        try:
            for order_id in order_ids:
                seen = own.order(order_id, Lane.SYNC)
                assert seen is not None
                books.recorder.seen([seen], source=Source.SYNC)
        except BaseException as failure:  # noqa: BLE001
            failures.append(failure)

    beside = [threading.Thread(target=passes), threading.Thread(target=passes), threading.Thread(target=sync)]
    for thread in beside:
        thread.start()
    books.place(5)
    for thread in beside:
        thread.join(60)
    within(10.0, lambda: books.done(*order_ids), "every fill")
    assert failures == []
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
