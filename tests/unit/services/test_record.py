"""The recorder gives each observation to the trade it is about."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from ordersync_cli.domain.observations import FillsSeen
from ordersync_cli.domain.orders import Fill, Side, Source
from tests.support.pass_world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def test_fills_beside_the_first_sight_of_their_order_are_the_trades_own(world: World) -> None:
    trade = world.intent()
    world.venue.accept(trade.request, "o-1")
    seen = world.venue.orders["o-1"].seen(world.venue.now())
    fill = Fill(
        entry_id="e-1",
        order_id="o-1",
        venue_trade_id="t-1",
        trade_type="FILL",
        price=Decimal(1),
        size=Decimal(1),
        size_in_quote=False,
        commission=Decimal(0),
        trade_time=seen.as_of,
        sequence_timestamp=seen.as_of,
        product_id="BTC-USD",
        side=Side.BUY,
        liquidity_indicator="TAKER",
    )
    listed = FillsSeen(order_id="o-1", as_of=seen.as_of + timedelta(seconds=1), fills=(fill,), complete=True)
    recorded = world.recorder.seen([listed, seen], source=Source.RECONCILE)
    assert recorded.external == ()
    assert [f.entry_id for change in recorded.changes for f in change.fills_added] == ["e-1"]


def failed_then_filled(world: World, source: Source) -> int:
    """Rule an order out by the zero proof, then hear that it was filled after all."""
    known = world.known("o-1")
    world.venue.end("o-1", "CANCELLED")
    for _ in range(2):
        world.passes.light()
        world.clock.advance(5)
    assert world.view("o-1").status == "failed"
    world.venue.fill("o-1", "1", "10")
    world.recorder.seen([world.venue.orders["o-1"].seen(world.venue.now())], source=source)
    assert world.view("o-1").status == "completed"
    assert known.trade_id is not None
    return known.trade_id


@pytest.mark.parametrize("source", [Source.WEBSOCKET, Source.POLL, Source.PLACE])
def test_T47_what_was_ruled_out_is_an_open_break_whichever_source_shows_it(world: World, source: Source) -> None:
    """Brought by the feed, it was alerted, and every pass after it said in sync."""
    trade_id = failed_then_filled(world, source)
    with world.store.read() as transaction:
        (found,) = transaction.breaks.open()
    assert (found.kind, found.trade_id, found.key) == ("failed_but_filled", trade_id, "o-1")
    assert (found.stored, found.venue) == ("failed (cancelled)", "completed (cancelled)")
    for report in (world.passes.light(), world.deep()):
        assert (report.exit_code, [b.kind for b in report.breaks]) == (10, ["failed_but_filled"])


def test_T47_a_pass_that_finds_it_counts_it_once(world: World) -> None:
    failed = world.known("o-1")
    world.venue.end("o-1", "CANCELLED")
    for _ in range(2):
        world.passes.light()
        world.clock.advance(5)
    world.venue.fill("o-1", "1", "10")
    assert world.deep().exit_code == 10
    with world.store.read() as transaction:
        (found,) = [b for b in transaction.breaks.open() if b.trade_id == failed.trade_id]
    assert (found.kind, found.times) == ("failed_but_filled", 1)


def test_T47_an_order_proven_absent_that_a_frame_shows_is_an_open_break(world: World) -> None:
    trade = world.intent()
    for _ in range(6):
        world.passes.light()
        world.clock.advance(31)
    assert world.view(trade.trade_id).order_status == "not_placed"
    world.venue.accept(trade.request, "ghost")
    world.recorder.seen([world.venue.orders["ghost"].seen(world.venue.now())], source=Source.WEBSOCKET)
    report = world.passes.light()
    assert report.exit_code == 10
    assert "absent_order_appeared" in {b.kind for b in report.breaks if b.severity == "open"}
