"""Several processes on one store: nothing is lost, nothing is doubled, nobody waits for ever."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

import psycopg
import pytest

from ordersync_cli.clock import SystemClock
from ordersync_cli.services.ports import TradeFilter
from tests.support.patience import in_time
from tests.support.store_worker import TRADES
from tests.support.stores import plain_url
from tests.support.trade_samples import add, intent

ROOT = Path(__file__).parents[2]


class Workers:
    """Processes that begin together; `results` waits for all of them."""

    def __init__(self, job: str, url: str, number: int, count: int) -> None:
        command = [sys.executable, "-m", "tests.support.store_worker", job, url]
        self.processes = [
            subprocess.Popen(
                [*command, str(n), str(count)],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for n in range(number)
        ]
        for process in self.processes:
            assert process.stdout.readline() == "ready\n", process.stderr.read()
        for process in self.processes:
            process.stdin.write("go\n")
            process.stdin.flush()

    def results(self, timeout: float = 90) -> list[object]:
        told = [process.communicate(timeout=timeout) for process in self.processes]
        for process, (_, errors) in zip(self.processes, told, strict=True):
            assert process.returncode == 0, errors
        return [json.loads(out.splitlines()[-1])["result"] for out, _ in told]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.communicate()


def test_T34_observations_of_four_processes_are_all_joined(place) -> None:
    store = place.open()
    trade_id = add(store, intent())
    with Workers("joined", place.url, 4, 25) as workers:
        workers.results()

    with store.read() as transaction:
        trade = transaction.trades.load([trade_id])[trade_id]
        (view,) = transaction.trades.views(TradeFilter())
        events = [event for event in transaction.trades.events(trade_id) if event.kind == "figures"]
    assert len(trade.orders[0].fills) == 100
    assert view.filled_size == 100
    sizes = [event.filled_size for event in events]
    assert sizes == sorted(sizes), "a committed figure went backwards"
    assert sizes[-1] == 100


def test_T34_batches_that_cross_do_not_deadlock(place) -> None:
    store = place.open()
    for number in range(TRADES):
        add(store, intent(f"c-{number}"))
    with Workers("crossing", place.url, 4, 25) as workers:
        workers.results()

    with store.read() as transaction:
        views = transaction.trades.views(TradeFilter())
    assert {view.filled_size for view in views} == {25}


def test_T34_orders_that_are_claimed_while_others_see_them_do_not_deadlock(place) -> None:
    place.open()
    with Workers("claiming", place.url, 4, 10) as workers:
        workers.results()

    with place.open().read() as transaction:
        views = transaction.trades.views(TradeFilter())
        left = transaction.external.list()
    assert len({view.order_id for view in views}) == 10 * 4 * TRADES
    assert left == []


def test_eight_processes_start_on_a_store_that_is_not_there_yet(empty_url) -> None:
    job = "opening" if empty_url.startswith("sqlite") else "upgrading"
    with Workers(job, empty_url, 8, 0) as workers:
        tags = workers.results()

    assert len(set(tags)) == 1


def test_a_process_killed_at_any_moment_leaves_whole_transactions(place) -> None:
    told: list[str] = []
    for moment in (0.05, 0.11, 0.17):
        with Workers("adding", place.url, 1, 100_000) as workers:
            (process,) = workers.processes
            first = process.stdout.readline()
            time.sleep(moment)
            process.send_signal(signal.SIGKILL)
            rest, _ = process.communicate()
        told = [line.split()[1] for line in (first + rest).splitlines() if line.startswith("committed ")]
        _check_whole(place, told)
        _clear(place)
    assert told


def _check_whole(place, told: list[str]) -> None:
    """What was told committed is there; every row has its events, and ended rows their registers."""
    store = place.open(SystemClock())
    with store.read() as transaction:
        views = {view.client_order_id: view for view in transaction.trades.views(TradeFilter())}
        assert {f"c-{name}" for name in told} <= set(views)
        for view in views.values():
            kinds = [event.kind for event in transaction.trades.events(view.trade_id)]
            assert kinds == (["intent", "status"] if view.status == "completed" else ["intent"])
            trade = transaction.trades.load([view.trade_id])[view.trade_id]
            assert bool(trade.orders) == (view.status == "completed")
    store.close()


def _clear(place) -> None:
    if place.postgres:
        with psycopg.connect(plain_url(place.url), autocommit=True) as connection:
            connection.execute("TRUNCATE trades, venue_orders, trade_events")
        return
    with sqlite3.connect(place.path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        connection.execute("INSERT INTO notes VALUES ('pruning', 'now')")
        for table in ("trades", "venue_orders", "trade_events", "notes"):
            connection.execute(f"DELETE FROM {table}")
    connection.close()


def test_the_budget_is_exact_over_four_processes(place) -> None:
    """20 a second and a burst of 10: in 1.5 s four processes get 40 between them, and what rounding gives."""
    place.open()
    began = time.monotonic()
    with Workers("taking", place.url, 4, 1500) as workers:
        taken = sum(workers.results())
    lasted = time.monotonic() - began

    assert taken >= (10 + 20 * 1.5) / 2, "a busy machine may start some late"
    assert taken <= 10 + 20 * lasted + 1


def test_what_another_process_commits_is_noticed_at_once(place) -> None:
    store = place.open(SystemClock())
    store.wait_for_change(0)
    with Workers("adding", place.url, 1, 1) as workers:
        process = workers.processes[0]
        assert process.stdout.readline().startswith("committed")
        committed = time.monotonic()
        assert store.wait_for_change(5)
        in_time(committed, 1.0, "to notice (100 ms, and what a busy machine adds)")
        workers.results()


def test_own_writes_wake_nobody_here(place) -> None:
    store = place.open(SystemClock())
    store.wait_for_change(0)
    add(store, intent())

    assert not store.wait_for_change(0.1)


@pytest.mark.parametrize("empty_url", ["postgres"], indirect=True)
def test_notify_carries_the_status_update(empty_url, tmp_path) -> None:
    from ordersync_cli.clock import SystemChance
    from ordersync_cli.domain.orders import Source
    from ordersync_cli.store import open_store
    from ordersync_cli.store.maintenance import upgrade
    from tests.support.trade_samples import recorder, seen

    upgrade(empty_url, SystemClock())
    store = open_store(empty_url, clock=SystemClock(), chance=SystemChance())
    with psycopg.connect(plain_url(empty_url), autocommit=True) as listening:
        listening.execute("LISTEN ordersync")
        add(store, intent())
        long_reason = "x" * 9000
        recorder(store).seen([seen("o-1", "FILLED", "1.50", quote_size=25)], source=Source.WEBSOCKET)
        heard = [json.loads(n.payload) for n in listening.notifies(timeout=5, stop_after=2)]
        add(store, intent(f"c-{long_reason}"))
        (too_long,) = listening.notifies(timeout=5, stop_after=1)
    with store.read() as transaction:
        last = transaction.trades.events_after(0, 10)[-1][1]
    store.close()

    update = heard[1]
    assert (update["type"], update["old_status"], update["status"]) == ("trade_status_update", "pending", "completed")
    assert (update["filled_size"], update["source"], update["order_id"]) == ("1.5", "websocket", "o-1")
    assert update["filled_at"].endswith("Z")
    assert too_long.payload == last.event_id
