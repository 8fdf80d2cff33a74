"""The passes on SQLite and Postgres alike: many breaks, many stuck trades, and several processes at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from ordersync_cli.clock import SystemClock
from ordersync_cli.domain.break_kinds import BreakKind
from ordersync_cli.domain.observations import AbsenceProven
from ordersync_cli.domain.orders import Side, Source
from ordersync_cli.errors import LeaseHeld
from ordersync_cli.services.ports import Lane
from ordersync_cli.services.reconcile.acceptance import accept_break
from ordersync_cli.services.reconcile.contradictions import contradicted
from ordersync_cli.services.reconcile.listing import look_up
from ordersync_cli.services.reconcile.preparing import Means, prepare
from ordersync_cli.services.reconcile.pulse import Pulse
from ordersync_cli.services.reconcile.running import Passes
from ordersync_cli.services.reconcile.work import Work
from ordersync_cli.services.record import Recorder
from ordersync_cli.services.sync import Syncing
from tests.support.pass_world import World
from tests.support.stores import StorePlace

WORDS = ("FILLED", "CANCELLED", "EXPIRED", "FAILED", "PARTLY")
STATUS = {"FILLED": "completed", "PARTLY": "completed", "CANCELLED": "failed", "EXPIRED": "failed", "FAILED": "failed"}


@pytest.fixture
def world(place: StorePlace) -> Iterator[World]:
    made = World(url=place.url)
    yield made
    made.close()


def ended_at_the_venue(world: World, count: int) -> list[str]:
    """Let the venue hold orders that ended in every way, three days ago."""
    ids = [f"{WORDS[n % 5]}-{n:06}" for n in range(count)]
    for order_id in ids:
        word = order_id.partition("-")[0]
        world.venue.add(order_id, created_time=world.clock.now() - timedelta(days=3), side=Side.BUY)
        if word in {"FILLED", "PARTLY"}:
            world.venue.fill(order_id, "0.123456789012345", "60000.01", "0.5")
        world.venue.end(order_id, "CANCELLED" if word == "PARTLY" else word)
    return ids


def test_stuck_trades_of_every_end_are_made_true_in_one_pass_with_few_requests(world: World) -> None:
    count = 1500
    ids = ended_at_the_venue(world, count)
    world.imported(ids)
    report = world.passes.light()
    views = {v.order_id: v for v in world.views()}
    assert {i: views[i].status for i in ids} == {i: STATUS[i.partition("-")[0]] for i in ids}
    assert all(v.fills_verified for v in views.values())
    exact = views[ids[0]]
    assert (exact.filled_size, exact.total_fees) == (Decimal("0.123456789012345"), Decimal("0.5"))
    assert exact.filled_value == Decimal("0.123456789012345") * Decimal("60000.01")
    assert report.updated_count == count
    assert world.venue.count("order") == 0
    without_fills = count * 3 // 5
    assert world.venue.count("orders_by_id") <= -(-count // 100) + -(-without_fills // 100)
    assert world.venue.count("fills_of") <= -(-count // 100)


def agree_on_a_thousand(world: World) -> None:
    """Bring a store and a venue to where they agree on nearly everything."""
    agreed = [f"ok-{n:04}" for n in range(960)]
    for order_id in agreed:
        world.venue.add(order_id)
        world.venue.fill(order_id, "1", "10", "0.1")
        world.venue.end(order_id, "FILLED")
    world.imported(agreed)
    for order_id in [f"fee-{n}" for n in range(10)] + [f"gone-{n}" for n in range(10)]:
        world.placed(order_id)
        world.venue.fill(order_id, "1", "10", "0.1")
        world.venue.end(order_id, "FILLED")
    world.placed("late")
    world.venue.end("late", "CANCELLED")
    world.placed("unlisted-fill")
    fill = world.venue.fill("unlisted-fill", "1", "10")
    world.venue.hidden_fills = {fill.entry_id}
    world.venue.end("unlisted-fill", "FILLED")
    world.passes.light()


def disagree(world: World) -> None:
    """Let the venue move on in each way that makes a break."""
    for n in range(10):
        fees = replace(world.venue.orders[f"fee-{n}"].figures, total_fees=Decimal(3))
        world.venue.orders[f"fee-{n}"].figures = fees
        del world.venue.orders[f"gone-{n}"]
        world.venue.add(f"app-{n}", word="OPEN")
        world.placed(f"status-{n}")
        world.venue.end(f"status-{n}", "EXPIRED")
        world.placed(f"size-{n}")
        world.venue.fill(f"size-{n}", "0.5", "10", "0.1")
    world.venue.fill("late", "1", "10")
    world.venue.accept(world.request(), "tagged")
    twice = world.placed("twice")
    world.venue.accept(twice.request, "twice-too")
    absent = world.intent()
    proven = AbsenceProven(attempt=1, at=world.venue.now(), looks=())
    world.recorder.about(absent.trade_id or 0, [proven], source=Source.RECONCILE)
    world.venue.accept(absent.request, "appeared")
    world.placed("odd")
    world.venue.unreadable = {"odd"}
    world.placed("extra")
    world.venue.fill("extra", "0.5", "10")
    world.venue.fill("extra", "0.5", "10")
    world.venue.orders["extra"].figures = replace(world.venue.orders["extra"].figures, number_of_fills=1)
    world.venue.end("extra", "FILLED")


@pytest.mark.timeout(300)
def test_a_thousand_trades_with_each_break_kind(world: World) -> None:
    """One deep pass names each correctly and repairs what can be repaired; the next finds nothing new."""
    agree_on_a_thousand(world)
    lost = world.intent()
    world.clock.advance(700)
    disagree(world)
    report = world.deep()
    found = {(b.kind, b.key): b.severity for b in report.breaks}
    expected = {
        **{("total_fees", f"fee-{n}"): "repaired" for n in range(10)},
        **{("missing_at_venue", f"gone-{n}"): "open" for n in range(10)},
        **{("external_order", f"app-{n}"): "info" for n in range(10)},
        **{("status", f"status-{n}"): "repaired" for n in range(10)},
        **{
            (kind, f"size-{n}"): "repaired"
            for n in range(10)
            for kind in ("filled_size", "average_filled_price", "total_fees")
        },
        ("failed_but_filled", "late"): "open",
        **{(kind, "late"): "repaired" for kind in ("filled_size", "average_filled_price")},
        ("unknown_tagged_order", "tagged"): "open",
        ("missing_fill", "unlisted-fill"): "open",
        ("unknown_outcome", lost.request.client_order_id): "open",
        ("duplicate", "twice"): "open",
        ("absent_order_appeared", "appeared"): "open",
        ("stale", "odd"): "open",
        ("extra_fill", "extra"): "open",
        **{(kind, "extra"): "repaired" for kind in ("status", "filled_size", "average_filled_price")},
    }
    assert {kind for kind, _ in expected} == {kind.value for kind in BreakKind}, "every kind of the contract"
    assert found == expected
    assert (report.result, report.exit_code) == ("breaks", 10)
    told = report.json()
    assert {(b["kind"], b["order_id"], b["severity"]) for b in told["breaks"]} == {
        (b.kind, b.order_id, b.severity) for b in report.breaks
    }
    assert all(
        {"kind", "severity", "order_id", "trade_id", "stored", "venue", "repaired", "age_seconds"} <= set(b)
        and b["repaired"] == (b["severity"] == "repaired")
        and b["age_seconds"] >= 0
        for b in told["breaks"]
    )
    assert all({"trade_id", "old_status", "new_status"} <= set(d) for d in told["details"].values())
    world.clock.advance(60)
    again = world.deep()
    still = {k for k, severity in expected.items() if severity == "open"}
    assert {(b.kind, b.key) for b in again.breaks if b.severity == "open"} == still
    assert not [b for b in again.breaks if b.severity == "repaired"]
    assert again.details == ()
    with world.store.read() as transaction:
        rows = {(b.kind, b.key): b for b in transaction.breaks.open()}
    assert {k for k, row in rows.items() if row.severity == "open"} == still
    assert all(row.last_seen > row.first_seen for k, row in rows.items() if k in still and k[0] == "missing_at_venue")


class _Elsewhere:
    """What another process would hold: its own connection to the store, in real time."""

    def __init__(self, world: World, place: StorePlace) -> None:
        self.store = place.open(SystemClock())
        self.recorder = Recorder(store=self.store, clock=SystemClock())
        self.world = world

    def passes(self) -> Passes:
        return self.world.another(store=self.store, recorder=self.recorder, clock=SystemClock(), lease_wait=0.0)

    def work(self) -> Work:
        clock, chance = SystemClock(), self.world.chance
        means = Means(store=self.store, venue=self.world.venue, recorder=self.recorder, clock=clock, chance=chance)
        pulse = Pulse(self.store.leases, None, clock)
        lane, source = Lane.LIGHT, Source.RECONCILE
        return prepare(means, run_id="r", mode="light", lane=lane, source=source, pulse=pulse, dry=False)

    def syncing(self) -> Syncing:
        return Syncing(
            store=self.store,
            venue=self.world.venue,
            recorder=self.recorder,
            clock=SystemClock(),
            chance=self.world.chance,
        )


def at_once(*work: Callable[[], object]) -> list[BaseException]:
    """Do all of this at the same time; returns what went wrong, skipped passes apart."""
    problems: list[BaseException] = []

    def tried(one: Callable[[], object]) -> None:
        try:
            one()
        except LeaseHeld:
            pass
        except BaseException as problem:  # noqa: BLE001 - told by the caller
            problems.append(problem)

    threads = [threading.Thread(target=tried, args=(one,)) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not any(t.is_alive() for t in threads)
    return problems


def test_T34_light_deep_sync_and_a_feed_at_once_end_in_one_truth(world: World, place: StorePlace) -> None:
    ids = [f"o{n:02}" for n in range(60)]
    for order_id in ids:
        world.placed(order_id)
        world.venue.fill(order_id, "0.5", "10", "0.1")
        world.venue.fill(order_id, "0.5", "10", "0.1")
        world.venue.end(order_id, "FILLED")
    elsewhere = [_Elsewhere(world, place) for _ in range(4)]

    def syncs() -> None:
        for order_id in ids[::3]:
            elsewhere[2].syncing().sync(order_id)

    def frames() -> None:
        for order_id in ids:
            seen = world.venue.orders[order_id].seen(world.venue.now())
            elsewhere[3].recorder.seen([replace(seen, word="OPEN", figures=None)], source=Source.WEBSOCKET)

    assert at_once(elsewhere[0].passes().light, elsewhere[1].passes().deep, syncs, frames) == []
    world.passes.light()
    for view in world.views():
        assert (view.status, view.filled_size, view.number_of_fills) == ("completed", Decimal(1), 2)
        assert view.fills_verified


def test_looks_that_contradict_an_end_are_counted_by_passes_at_once(world: World, place: StorePlace) -> None:
    ids = [f"o{n}" for n in range(3)]
    for order_id in ids:
        world.placed(order_id)
        world.venue.fill(order_id, "1", "10")
        world.venue.end(order_id, "FILLED")
        world.sync(order_id)
        world.venue.orders[order_id].word = "OPEN"
    world.clock.advance(90)
    works = [_Elsewhere(world, place).work() for _ in ids]

    def look(work: Work, order_id: str) -> Callable[[], object]:
        return lambda: list(look_up(work, [order_id]))

    for _ in range(8):
        world.clock.advance(30)
        assert at_once(*(look(work, order_id) for work, order_id in zip(works, ids, strict=True))) == []
    assert contradicted(world.store) == dict.fromkeys(ids, 8)


def test_an_accepted_break_stays_accepted_until_it_says_something_else(world: World) -> None:
    world.placed("o1")
    world.venue.fill("o1", "2", "10")
    world.venue.end("o1", "FILLED")
    world.sync("o1")
    order = world.venue.orders["o1"]
    codes = []
    for size in ("1", "1", "0.5"):
        order.figures = replace(order.figures, filled_size=Decimal(size), filled_value=Decimal(size) * 10)
        for run in (world.passes.deep, world.passes.light):
            world.clock.advance(90)
            codes.append(run().exit_code)
        with world.store.write() as transaction:
            for row in transaction.breaks.open():
                assert row.break_id is not None
                accept_break(transaction, row.break_id, "known", world.clock.now())
    assert codes == [10, 10, 0, 0, 10, 10]


def test_T35_two_runs_at_once_one_works_and_the_other_skips(world: World, place: StorePlace) -> None:
    world.placed("o1")
    first, second = _Elsewhere(world, place), _Elsewhere(world, place)
    inside, over = threading.Event(), threading.Event()

    def hold(_: str) -> None:
        inside.set()
        over.wait(10)

    world.venue.before_call = hold
    running = threading.Thread(target=lambda: first.passes().light())
    running.start()
    try:
        assert inside.wait(10)
        with pytest.raises(LeaseHeld):
            second.passes().light()
    finally:
        over.set()
        running.join(timeout=20)
    world.venue.before_call = None
    second.passes().light()
    with world.store.read() as transaction:
        now = SystemClock().now()
        runs = transaction.runs.between(now - timedelta(minutes=5), now + timedelta(minutes=5))
    assert sorted(str(r.result) for r in runs) == ["in_sync", "in_sync", "skipped"]
