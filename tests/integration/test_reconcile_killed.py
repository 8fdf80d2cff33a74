"""A deep pass that dies by kill -9 at each request and at each commit, on SQLite and on a real Postgres."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ordersync_cli.clock import SystemClock
from ordersync_cli.services.alerts.announce import Announcer
from ordersync_cli.services.alerts.incidents import IncidentBook
from ordersync_cli.services.ports import Lease
from ordersync_cli.services.reconcile.deep import FILLS, ORDERS
from ordersync_cli.services.record import Recorder, is_news
from ordersync_cli.store.maintenance import upgrade
from ordersync_cli.store.postgres import PostgresDatabase
from ordersync_cli.store.sqlite import SqliteDatabase
from tests.support.fake_venue import FakeVenue
from tests.support.pass_world import World
from tests.support.postgres import PostgresServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
FATES = ("FILLED", "CANCELLED", "PARTLY", "EXPIRED", "OPEN", "FILLED")


@dataclass
class Ground:
    """Where the store of each attempt comes from: the same rows every time, and the same venue."""

    fresh: Callable[[int], str]
    venue: FakeVenue
    mark: int  # the last event before any deep pass
    step: int = 1  # moments from one death to the next

    def world(self, url: str, venue: FakeVenue, seed: int) -> World:
        world = World(url=url, venue=venue, seed=seed)
        book = IncidentBook(chance=world.chance, sinks=("ear",))
        world.recorder = Recorder(
            store=world.store, clock=world.clock, announce=Announcer(clock=world.clock, book=book, notify=True)
        )
        world.passes = world.another()
        return world


def disagree(url: str) -> tuple[FakeVenue, int]:
    """Fill a store and a venue that know different things."""
    world = World(url=url)
    world.venue.page_size, world.venue.fills_page_size = 4, 3
    for number, fate in enumerate(FATES):
        order_id = f"o{number:02}"
        world.placed(order_id)
        if fate in {"FILLED", "PARTLY"}:
            world.venue.fill(order_id, "0.5", "10", "0.1")
            world.venue.fill(order_id, "0.25", "11", "0.1")
        if fate != "OPEN":
            world.venue.end(order_id, "CANCELLED" if fate == "PARTLY" else fate)
    lost = world.intent()
    world.venue.accept(lost.request, "found")
    world.known("fee")
    world.venue.fill("fee", "1", "10", "0.1")
    world.venue.end("fee", "FILLED")
    world.sync("fee")
    world.known("late")
    world.venue.end("late", "CANCELLED")
    world.sync("late")
    world.venue.fill("late", "1", "10")
    figures = world.venue.orders["fee"].figures
    world.venue.orders["fee"].figures = replace(figures, total_fees=Decimal(3))
    world.venue.add("app", word="FILLED", client_order_id="another-program")
    world.venue.fill("app", "1", "10")
    world.clock.advance(60)
    world.venue.calls.clear()
    with world.store.read() as transaction:
        mark = transaction.trades.last_event()
    world.close()
    return world.venue, mark


@pytest.fixture(params=["sqlite", "postgres"])
def ground(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ground]:
    if request.param == "sqlite":
        first = tmp_path / "first.db"
        venue, mark = disagree(f"sqlite:///{first}")

        def copied(number: int) -> str:
            shutil.copyfile(first, tmp_path / f"{number}.db")
            return f"sqlite:///{tmp_path / f'{number}.db'}"

        yield Ground(copied, venue, mark)
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    disagreed: list[tuple[FakeVenue, int]] = []

    def prepare(url: str) -> None:
        upgrade(url, SystemClock())
        disagreed.append(disagree(url))

    template = server.template(f"killed_{os.urandom(3).hex()}", prepare)
    made: list[str] = []

    def created(_: int) -> str:
        for url in made:
            server.drop(url)
        made[:] = [server.database(template)]
        return made[0]

    yield Ground(created, *disagreed[0], step=5)
    for url in made:
        server.drop(url)


def dying_at(moment: int) -> Callable[[], None]:
    """Make what is called at every moment of a pass, and kills the process at one of them."""
    passed = [0]

    def tick() -> None:
        passed[0] += 1
        if passed[0] == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    return tick


def ticking(commit: Callable[..., Any], tick: Callable[[], None]) -> Callable[..., Any]:
    """Make each commit two moments: all is written and nothing is committed; all is, and nobody knows."""

    @contextmanager
    def writing(self: Any) -> Iterator[Any]:
        with commit(self) as sql:
            yield sql
            tick()
        tick()

    return writing


def pass_in_a_child(ground: Ground, url: str, lease: Lease, moment: int) -> bool:
    """Run a deep pass in a process of its own that dies at that moment; tells whether it lived to its end."""
    pid = os.fork()
    if pid == 0:
        try:
            tick = dying_at(moment)
            venue = deepcopy(ground.venue)
            world = ground.world(url, venue, seed=1000 + moment)
            venue.before_call = lambda _: tick()
            for kind in (SqliteDatabase, PostgresDatabase):
                kind.writing = ticking(kind.writing, tick)  # type: ignore[method-assign]
            world.clock.advance(1)
            world.passes.deep(lease)
        except BaseException:  # noqa: BLE001 - told by the exit code
            os._exit(1)
        os._exit(0)
    _, ended = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(ended) or os.WEXITSTATUS(ended) == 0, "the pass failed by itself"
    return not os.WIFSIGNALED(ended)


def everything(world: World, mark: int) -> dict[str, Any]:
    """All that must be the same whatever died on the way."""
    at = world.clock.now()
    with world.store.read() as transaction:
        trades = transaction.trades.load([v.trade_id for v in world.views()], lock=False)
        runs = transaction.runs.between(at - timedelta(days=1), at + timedelta(days=1))
        breaks = transaction.breaks.between(at - timedelta(days=1), at + timedelta(days=1))
        incidents = transaction.incidents.between(at - timedelta(days=1), at + timedelta(days=1))
        external = transaction.external.list(limit=100)
        events = [event for _, event in transaction.trades.events_after(mark, 10_000)]
        marks = {name: transaction.runs.watermark(name) for name in (ORDERS, FILLS)}
    assert all(run.finished_at is not None for run in runs)
    with world.store.transaction() as sql:  # type: ignore[attr-defined]
        told = [row[0] for row in sql.rows("SELECT event_id FROM outbox WHERE sink = 'notification'")]
    assert sorted(told) == sorted(e.event_id for e in events if is_news(e)), "each change is told once"
    return {
        "rows": {
            v.trade_id: (
                v.status,
                v.order_status,
                v.order_id,
                v.filled_size,
                v.total_fees,
                v.filled_at,
                v.fills_verified,
            )
            for v in world.views()
        },
        "fills": sorted((f.entry_id, f.order_id, f.size) for t in trades.values() for o in t.orders for f in o.fills),
        "external": sorted(o.order_id for o in external),
        "breaks": sorted({(b.kind, b.key, b.severity) for b in breaks}),
        "incidents": sorted((i.rule, i.key) for i in incidents if i.rule != "run_died"),
        "moved": all(mark is not None for mark in marks.values()),
    }


def test_a_deep_pass_that_is_killed_anywhere_loses_nothing_and_doubles_nothing(ground: Ground) -> None:
    undisturbed = ground.world(ground.fresh(0), deepcopy(ground.venue), seed=7)
    undisturbed.deep()
    undisturbed.deep()
    wanted = everything(undisturbed, ground.mark)
    undisturbed.close()
    assert {w[0] for w in wanted["rows"].values()} == {"completed", "failed", "pending"}
    moment, lived = 0, False
    while not lived:
        moment += ground.step
        url = ground.fresh(moment)
        world = ground.world(url, deepcopy(ground.venue), seed=7)
        lease = world.store.leases.acquire("deep", "the killed one", 0)
        assert lease is not None
        world.close()
        lived = pass_in_a_child(ground, url, lease, moment)
        world = ground.world(url, deepcopy(ground.venue), seed=8)
        world.clock.advance(2)
        world.passes.deep(lease)
        world.clock.advance(1)
        again = world.passes.deep(lease)
        assert again.details == (), moment
        assert everything(world, ground.mark) == wanted, moment
        world.close()
    assert moment > 50, "every request, and every commit twice"
