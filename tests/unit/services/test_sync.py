"""Sync: one order, by whatever id the user has, brought up to the venue's truth."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ordersync_cli.domain.orders import Source
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
