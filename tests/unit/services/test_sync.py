"""Sync: one order, by whatever id the user has, brought up to the venue's truth."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ordersync_cli.domain.orders import Figures, Source
from ordersync_cli.errors import UnknownOrder, VenueUnavailable
from ordersync_cli.services.plain import plain
from ordersync_cli.services.sync import Syncing
from tests.support.pass_world import World


def syncing(world: World) -> Syncing:
    return Syncing(
        store=world.store, venue=world.venue, recorder=world.recorder, clock=world.clock, chance=world.chance
    )


def filled(world: World, order_id: str = "o1") -> int:
    trade = world.placed(order_id)
    world.venue.fill(order_id, "1", "10", "0.1")
    world.venue.end(order_id, "FILLED")
    assert trade.trade_id is not None
    return trade.trade_id


def test_a_stuck_trade_is_settled_and_the_keys_are_the_contracts(world: World) -> None:
    trade_id = filled(world)
    done = syncing(world).sync("o1")
    body = plain(done.json())
    assert done.exit_code == 0
    assert {k: body[k] for k in ("success", "order_id", "trade_id", "status_change", "changed", "coinbase_status")} == {
        "success": True,
        "order_id": "o1",
        "trade_id": trade_id,
        "status_change": "pending → completed",
        "changed": True,
        "coinbase_status": "FILLED",
    }
    assert body["trade"]["fills_verified"] is True
    assert body["updated_at"].endswith("Z")


@pytest.mark.parametrize("by", ["order id", "client order id", "trade id"])
def test_every_name_of_an_order_finds_it(world: World, by: str) -> None:
    trade_id = filled(world)
    view = world.view("o1")
    name = {"order id": "o1", "client order id": str(view.client_order_id), "trade id": str(trade_id)}[by]
    assert syncing(world).sync(name).status_change == "pending → completed"


def test_a_sync_that_changes_a_row_leaves_an_event_of_its_own(world: World) -> None:
    trade_id = filled(world)
    syncing(world).sync("o1")
    with world.store.read() as transaction:
        sources = [e.source for e in transaction.trades.events(trade_id)]
    assert Source.SYNC in sources
    before = len(sources)
    assert not syncing(world).sync("o1").changed
    with world.store.read() as transaction:
        assert len(transaction.trades.events(trade_id)) == before


def reversed_later(world: World, *, booked: bool = True) -> None:
    """Fill and verify an order; a minute later the venue tells smaller figures, by a reversal (which it may list)."""
    world.placed("o1", base_size=Decimal("0.002"), quote_size=None)
    world.venue.fill("o1", "0.002", "50000", "0.6")
    world.venue.end("o1", "FILLED")
    syncing(world).sync("o1")
    assert world.view("o1").fills_verified
    world.clock.advance(90)
    world.venue.fill("o1", "0.0005", "50000", "0.15", trade_type="REVERSAL")
    if not booked:
        world.venue.orders["o1"].fills.pop()
    world.venue.orders["o1"].figures = Figures(
        filled_size=Decimal("0.0015"),
        number_of_fills=2,
        filled_value=Decimal(75),
        total_fees=Decimal("0.45"),
        average_filled_price=Decimal(50000),
    )


def open_breaks(world: World) -> list[tuple[str, str | None, str | None]]:
    with world.store.read() as transaction:
        return [(b.kind, b.stored, b.venue) for b in transaction.breaks.open()]


def test_smaller_figures_of_a_verified_order_are_held_against_its_fills_in_the_same_run(world: World) -> None:
    reversed_later(world)
    done = syncing(world).sync("o1")
    view = world.view("o1")
    assert (done.changed, view.filled_size, view.total_fees) == (True, Decimal("0.0015"), Decimal("0.45"))
    assert (view.status, view.number_of_fills, view.fills_verified) == ("completed", 2, True)
    assert open_breaks(world) == []
    asked = world.venue.count("fills_of")
    world.clock.advance(1)
    assert not syncing(world).sync("o1").changed
    assert world.venue.count("fills_of") == asked, "what the fills explain is settled"


def test_smaller_figures_that_no_fill_explains_are_both_told_and_asked_for_again(world: World) -> None:
    reversed_later(world, booked=False)
    done = syncing(world).sync("o1")
    assert world.view("o1").filled_size == Decimal("0.002")
    told = "\n".join(done.explanation)
    at = f"REST at {world.venue.now():%Y-%m-%dT%H:%M:%S.%fZ}"
    assert f"said: {at}: filled 0.0015" in told
    assert "filled 0.002 at 50000" in told
    assert "the larger figures stay" in told
    assert open_breaks(world) == [("filled_size", "0.002", "0.0015")]
    asked = world.venue.count("fills_of")
    world.clock.advance(1)
    syncing(world).sync("o1")
    assert world.venue.count("fills_of") == asked + 1


def test_the_explanation_says_which_of_two_figures_count(world: World) -> None:
    reversed_later(world)
    told = "\n".join(syncing(world).sync("o1").explanation)
    assert "filled 0.0015" in told
    assert "the smaller figures count" in told
    assert "the smaller figures count" in "\n".join(syncing(world).sync("o1").explanation)


def test_the_second_look_at_an_end_without_fills_is_taken_in_the_same_run(world: World) -> None:
    world.placed("o1")
    world.venue.end("o1", "EXPIRED")
    done = syncing(world).sync("o1")
    assert done.status_change == "pending → failed"
    assert world.venue.count("orders_by_id") == 2


def test_an_open_order_is_a_success_that_changes_nothing(world: World) -> None:
    world.known("o1")
    done = syncing(world).sync("o1")
    assert (done.success, done.changed, done.status_change, done.coinbase_status) == (True, False, None, "OPEN")


def test_a_lost_intent_is_resolved_by_its_client_order_id(world: World) -> None:
    trade = world.intent()
    world.venue.accept(trade.request, "o7")
    world.venue.fill("o7", "1", "10")
    world.venue.end("o7", "FILLED")
    done = syncing(world).sync(str(trade.request.client_order_id))
    assert (done.success, done.order_id, done.status_change) == (True, "o7", "pending → completed")


def test_a_lost_intent_that_nobody_shows_stays_pending_with_8(world: World) -> None:
    trade = world.intent()
    done = syncing(world).sync(str(trade.trade_id))
    assert (done.success, done.exit_code) == (False, 8)
    assert done.view is not None
    assert done.view.status == "pending"
    assert "still unknown" in done.message


def test_three_syncs_over_a_minute_prove_absence_too(world: World) -> None:
    trade = world.intent()
    for _ in range(5):
        world.clock.advance(31)
        done = syncing(world).sync(str(trade.trade_id))
    assert done.view is not None
    assert (done.exit_code, done.view.order_status) == (0, "not_placed")


def test_a_known_order_that_the_venue_denies_stays_pending_with_8(world: World) -> None:
    world.placed("o1", at_venue=False)
    done = syncing(world).sync("o1")
    assert (done.success, done.exit_code) == (False, 8)
    assert world.view("o1").status == "pending"


def test_an_order_that_nobody_knows_is_11(world: World) -> None:
    with pytest.raises(UnknownOrder) as nobody:
        syncing(world).sync("nonsense")
    assert nobody.value.exit_code == 11


def test_T19_an_external_order_is_left_alone_with_10_and_taken_in_when_asked(world: World) -> None:
    world.venue.add("app", client_order_id="", placement_source="RETAIL_SIMPLE", base_size=Decimal(1))
    world.venue.fill("app", "1", "10")
    world.venue.end("app", "FILLED")
    left = syncing(world).sync("app")
    assert (left.success, left.exit_code, left.view) == (False, 10, None)
    assert world.views() == []
    taken = syncing(world).sync("app", adopt=True)
    assert (taken.success, taken.exit_code) == (True, 0)
    view = world.view("app")
    assert (view.status, view.filled_size, view.fills_verified) == ("completed", Decimal(1), True)
    assert syncing(world).sync("app", adopt=True).changed is False


def test_a_dry_run_explains_and_writes_nothing(world: World) -> None:
    filled(world)
    before = world.views()
    done = syncing(world).sync("o1", dry_run=True)
    assert world.views() == before
    assert done.status_change == "pending → completed"
    kinds = [line.partition(":")[0] for line in done.explanation]
    assert kinds[0] == "stored"
    assert {"said", "rule", "written"} <= set(kinds)


def test_a_dry_run_adopts_nothing(world: World) -> None:
    world.venue.add("app", word="FILLED")
    world.venue.fill("app", "1", "10")
    done = syncing(world).sync("app", adopt=True, dry_run=True)
    assert (done.json()["trade_id"], done.json()["trade"]["trade_id"]) == (None, None)
    assert done.explanation[0].startswith("stored: nothing")
    assert done.explanation[-1].startswith("written: a new trade, ")
    assert done.success
    assert world.views() == []


def test_a_failed_look_up_raises_and_changes_nothing(world: World) -> None:
    filled(world)
    before = world.views()
    world.venue.fail(times=None)
    with pytest.raises(VenueUnavailable):
        syncing(world).sync("o1")
    assert world.views() == before
