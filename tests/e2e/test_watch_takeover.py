"""Two watchers as processes: one is killed, or paused, and the store is true all the same."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from ordersync_cli.services.ports import Watcher
from ordersync_cli.simulator.server import SimulatorServer
from tests.support.live_watch import Books
from tests.support.patience import within
from tests.support.watch_process import WatchProcess, environment, watch_process

TAKE_OVER = 6.0
FINISHED = 7.0


@pytest.fixture
def pair(server: SimulatorServer, books: Books, tmp_path: Path) -> Iterator[tuple[WatchProcess, WatchProcess]]:
    """A driver and another that stands by."""
    env = environment(server, tmp_path / "store.db")
    with watch_process(env, "--light-every", "1s") as first:
        first.wait_for(15, type="feed", state="live")
        with watch_process(env, "--light-every", "1s") as second:
            second.wait_for(15, type="feed", state="live")  # as the driver's row says
            within(5, lambda: roles(books) == {first.process.pid: "driving", second.process.pid: "standing_by"})
            yield first, second


def roles(books: Books) -> dict[int, str]:
    return {w.pid: w.role for w in watchers(books)}


def watchers(books: Books) -> list[Watcher]:
    with books.store.read() as transaction:
        return transaction.watchers.list()


def test_T35_a_watcher_killed_while_50_orders_fill(
    server: SimulatorServer, books: Books, pair: tuple[WatchProcess, WatchProcess]
) -> None:
    first, second = pair
    order_ids = books.place(50)
    within(5, lambda: len([line for line in first.lines if line["type"] == "trade_status_update"]) >= 50)
    for number, order_id in enumerate(order_ids):
        steps = [
            {"after_seconds": 0.02 * number, "filled_fraction": "0.5", "price": "100"},
            {"after_seconds": 0.04 * number, "filled_fraction": "1", "price": "100", "status": "FILLED"},
        ]
        server.control.continue_order(order_id, steps)
    within(5, lambda: any(line.get("status") == "completed" for line in first.lines))
    assert not books.done(*order_ids)
    first.process.kill()
    within(FINISHED, lambda: books.done(*order_ids), "the end of the job")
    assert roles(books)[second.process.pid] == "driving"

    truth = {o["order_id"]: o for o in server.control.ledger()["orders"]}
    for order_id, view in books.views().items():
        assert view.filled_size == Decimal(truth[order_id]["filled_size"])
        assert view.total_fees == Decimal(truth[order_id]["total_fees"])
        assert view.venue_status == truth[order_id]["status"]
    with books.store.read() as transaction:
        events = [event for _, event in transaction.trades.events_after(0, 100_000)]
    told = Counter((e.trade_id, e.kind, e.status, e.order_status, e.venue_status, e.filled_size) for e in events)
    assert {k: n for k, n in told.items() if n > 1 and k[1] == "status"} == {}
    completions = Counter(e.trade_id for e in events if e.old_status == "pending" and e.status == "completed")
    assert set(completions.values()) == {1}
    within(3, lambda: len([x for x in second.lines if x.get("status") == "completed"]) >= 50, "the lines")


def test_T35_a_paused_driver_cannot_go_on_where_it_stood(
    server: SimulatorServer, books: Books, pair: tuple[WatchProcess, WatchProcess]
) -> None:
    first, second = pair
    (order_id,) = books.place()
    first.process.send_signal(signal.SIGSTOP)
    try:
        within(TAKE_OVER + 1.0, lambda: roles(books).get(second.process.pid) == "driving", "the take-over")
        books.fill(order_id)
        within(2.0, lambda: books.done(order_id))
        with books.store.read() as transaction:
            runs_before = {
                r.run_id for r in transaction.runs.between(books.clock.now().replace(year=2020), books.clock.now())
            }
    finally:
        first.process.send_signal(signal.SIGCONT)
    within(5.0, lambda: roles(books).get(first.process.pid) == "standing_by", "the step back")
    assert roles(books)[second.process.pid] == "driving"
    with books.store.read() as transaction:
        runs = transaction.runs.between(books.clock.now().replace(year=2020), books.clock.now())
    late = [r for r in runs if r.run_id not in runs_before and r.pid == first.process.pid]
    # One that it had just begun (a pass has a lease of its own) may say that it was asked to stop, and nothing else.
    assert {(r.result, r.checked, r.updated_count) for r in late} <= {(None, 0, 0), ("died", 0, 0), ("failed", 0, 0)}
    (again,) = books.place()
    books.fill(again)
    within(2.0, lambda: books.done(again))
