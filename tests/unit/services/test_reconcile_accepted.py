"""A break that a person has accepted: quiet while it says the same, a new break once it says something else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from ordersync_cli.domain.orders import Fill
from ordersync_cli.services.ports import StoredBreak
from ordersync_cli.services.reconcile.acceptance import accept_break
from ordersync_cli.services.reconcile.pass_report import PassReport
from ordersync_cli.services.report.runs import breaks_json
from ordersync_cli.services.report.window import Scope
from tests.support.pass_world import DRY, World


def ended(world: World, order_id: str, size: str = "2") -> None:
    """Put an order on both sides, filled and known as such for a while."""
    world.placed(order_id)
    world.venue.fill(order_id, size, "10", "0.1")
    world.venue.end(order_id, "FILLED")
    world.sync(order_id)
    world.clock.advance(90)


def shrink(world: World, size: str = "1") -> None:
    order = world.venue.orders["o1"]
    order.figures = replace(order.figures, filled_size=Decimal(size), filled_value=Decimal(size) * 10)


def lose(world: World) -> None:
    del world.venue.orders["o1"]


def reopen(world: World, word: str = "OPEN") -> None:
    world.venue.orders["o1"].word = word


def list_another_fill(world: World) -> None:
    fills = world.venue.orders["o1"].fills
    fills.append(_another(fills[0], f"another-{len(fills)}"))


def _another(fill: Fill, entry_id: str) -> Fill:
    return replace(fill, entry_id=entry_id, venue_trade_id=entry_id, size=Decimal("0.4"), trade_type="REVERSAL")


def passes(world: World, count: int = 1) -> list[PassReport]:
    """Run deep and light passes in turn, a while apart."""
    reports = []
    for _ in range(count):
        for run in (world.passes.deep, world.passes.light):
            world.clock.advance(75)
            reports.append(run())
    return reports


def standing(world: World) -> list[StoredBreak]:
    with world.store.read() as transaction:
        return [b for b in transaction.breaks.open() if b.severity == "open"]


def accept(world: World) -> StoredBreak:
    """Accept the one break that is open."""
    (row,) = standing(world)
    assert row.break_id is not None
    with world.store.write() as transaction:
        accepted, _ = accept_break(transaction, row.break_id, "known", world.clock.now())
    return accepted


LASTING: dict[str, Callable[[World], None]] = {
    "filled_size": shrink,
    "missing_at_venue": lose,
    "status": reopen,
    "extra_fill": list_another_fill,
}


@pytest.mark.parametrize("kind", LASTING)
def test_an_accepted_break_that_lasts_stays_accepted(world: World, kind: str) -> None:
    ended(world, "o1")
    LASTING[kind](world)
    assert passes(world, 2)[-1].exit_code == 10
    assert accept(world).kind == kind
    for report in passes(world, 2):
        assert (report.exit_code, report.result, report.breaks) == (0, "in_sync", ())
    assert standing(world) == []
    assert world.passes.deep(wish=DRY).exit_code == 0


def test_a_report_counts_an_accepted_break_once_and_as_open_no_more(world: World) -> None:
    ended(world, "o1")
    shrink(world)
    passes(world)
    accept(world)
    passes(world, 3)
    scope = Scope(since=world.clock.now() - timedelta(days=1), until=world.clock.now() + timedelta(seconds=1))
    with world.store.read() as transaction:
        counted = breaks_json(transaction.breaks.between(scope.since, scope.until), scope)
    assert (counted["open"], counted["info"], counted["found"], counted["repaired"]) == (0, 0, 1, 0)
    assert (counted["by_kind"], counted["listed"]) == ({"filled_size": 1}, [])


CHANGED: dict[str, Callable[[World], None]] = {
    "filled_size": lambda world: shrink(world, "0.5"),
    "status": lambda world: reopen(world, "CANCEL_QUEUED"),
    "extra_fill": list_another_fill,
}


@pytest.mark.parametrize("kind", CHANGED)
def test_an_accepted_break_that_says_something_else_is_a_new_one(world: World, kind: str) -> None:
    ended(world, "o1")
    LASTING[kind](world)
    passes(world, 2)
    first = accept(world)
    passes(world)
    CHANGED[kind](world)
    found = [b for report in passes(world) for b in report.breaks]
    assert [(b.kind, b.severity) for b in found if b.fresh] == [(kind, "open")]
    (row,) = standing(world)
    assert row.break_id != first.break_id
    assert (row.stored, row.venue) != (first.stored, first.venue)
    accept(world)
    assert {report.exit_code for report in passes(world, 2)} == {0}


def test_figures_that_move_and_come_back_are_a_new_break(world: World) -> None:
    ended(world, "o1")
    shrink(world)
    passes(world)
    accept(world)
    shrink(world, "0.5")
    passes(world)
    accept(world)
    shrink(world, "1")
    assert passes(world)[-1].exit_code == 10


def test_an_accepted_break_that_went_away_and_comes_back_is_a_new_one(world: World) -> None:
    ended(world, "o1")
    there = world.venue.orders["o1"]
    lose(world)
    passes(world, 2)
    accept(world)
    world.venue.orders["o1"] = there
    assert passes(world)[-1].exit_code == 0
    lose(world)
    assert passes(world)[-1].exit_code == 10


def test_an_acceptance_is_of_one_order(world: World) -> None:
    ended(world, "o1")
    ended(world, "o2")
    shrink(world)
    passes(world)
    accept(world)
    other = world.venue.orders["o2"]
    other.figures = replace(other.figures, filled_size=Decimal(1), filled_value=Decimal(10))
    report = passes(world)[0]
    assert [(b.kind, b.order_id) for b in report.breaks] == [("filled_size", "o2")]


@pytest.mark.parametrize("moment", ["first", "last"])
def test_an_acceptance_during_a_pass_stays(world: World, moment: str) -> None:
    ended(world, "o1")
    shrink(world)
    passes(world)
    calls: list[str] = []
    world.venue.before_call = calls.append
    passes(world)
    wanted = 1 if moment == "first" else len(calls)
    calls.clear()

    def beside(name: str) -> None:
        calls.append(name)
        if len(calls) == wanted:
            accept(world)

    world.venue.before_call = beside
    passes(world)
    assert len(calls) >= wanted
    assert standing(world) == []
    assert {report.exit_code for report in passes(world, 2)} == {0}


def test_an_acceptance_of_what_just_changed_stays(world: World) -> None:
    ended(world, "o1")
    shrink(world)
    passes(world)
    accept(world)
    shrink(world, "0.5")

    def beside(name: str) -> None:
        if standing(world):  # the pass has found the new figures
            accept(world)

    world.venue.before_call = beside
    passes(world)
    assert {report.exit_code for report in passes(world, 2)} == {0}
