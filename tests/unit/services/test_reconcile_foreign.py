"""Rows that another program writes into our table."""

from __future__ import annotations

import sqlite3
from decimal import Decimal
from pathlib import Path

import pytest

from ordersync_cli.errors import BreaksRemain
from ordersync_cli.services.cancel import Cancelling
from ordersync_cli.services.resolve import Resolving
from ordersync_cli.services.sync import Syncing
from tests.support.pass_world import DRY, World


@pytest.fixture
def bot(tmp_path: Path, world: World) -> sqlite3.Connection:
    return sqlite3.connect(tmp_path / "orders.db", isolation_level=None)


def insert(bot: sqlite3.Connection, order_id: str, side: str | None = "buy") -> None:
    bot.execute(
        "INSERT INTO trades (bot_id, product_id, side, size, price, order_id, status, size_usd) "
        "VALUES (7, 'BTC-USD', ?, 0.5, 10.0, ?, 'pending', 5.0)",
        (side, order_id),
    )


def test_a_row_that_a_bot_inserted_is_followed(world: World, bot: sqlite3.Connection) -> None:
    insert(bot, "bots-own")
    world.venue.add("bots-own")
    world.venue.fill("bots-own", "0.5", "10", "0.01")
    world.venue.end("bots-own", "FILLED")
    report = world.passes.light()
    assert report.json()["details"]["bots-own"]["new_status"] == "completed"
    view = world.view("bots-own")
    assert (view.status, view.bot_id, view.filled_size, view.fills_verified) == ("completed", 7, Decimal("0.5"), True)
    row = bot.execute("SELECT order_id, status, filled_at FROM trades ORDER BY created_at DESC LIMIT 1").fetchone()
    assert row[:2] == ("bots-own", "completed")
    assert row[2]


def test_what_another_program_overwrites_is_put_right_with_an_alert(world: World, bot: sqlite3.Connection) -> None:
    world.known("o1")
    world.venue.fill("o1", "1", "10")
    world.venue.end("o1", "FILLED")
    world.sync("o1")
    bot.execute("UPDATE trades SET status = 'failed' WHERE order_id = 'o1'")
    dry = world.passes.light(None, DRY)
    assert dry.updated_count == 1
    assert world.view("o1").status == "failed"
    report = world.passes.light()
    assert world.view("o1").status == "completed"
    assert (report.result, report.updated_count) == ("drift", 1)
    assert "foreign_write" in world.heard.rules()
    assert world.passes.light().result == "in_sync"


def test_a_row_that_cannot_be_followed_is_an_open_break(world: World, bot: sqlite3.Connection) -> None:
    insert(bot, "odd", side="sideways")
    world.venue.add("odd")
    report = world.passes.light()
    assert [(b.kind, b.severity) for b in report.breaks] == [("stale", "open")]
    assert report.exit_code == 10


@pytest.mark.parametrize("side", ["sideways", "", None])
@pytest.mark.parametrize("name", ["odd", "1"])
def test_a_row_without_a_side_is_settled_by_hand_until_the_venue_speaks(
    world: World, bot: sqlite3.Connection, side: str | None, name: str
) -> None:
    insert(bot, "odd", side=side)
    assert world.passes.light().exit_code == 10
    settling = Resolving(store=world.store, recorder=world.recorder, clock=world.clock)
    trade_id, change = settling.resolve(name, "cancelled", "it was never sent")
    assert (trade_id, change is not None) == (1, True)
    assert (world.view(1).status, world.view(1).order_status, world.view(1).side) == ("failed", "cancelled", side or "")
    assert bot.execute("SELECT side, status, order_id, size FROM trades").fetchone() == (side, "failed", "odd", 0.5)
    with world.store.read() as transaction:
        assert [event.kind for event in transaction.trades.events(1)] == ["settled"]
    assert [world.passes.light().exit_code, world.deep().exit_code] == [0, 0]
    world.venue.add("odd")
    world.venue.fill("odd", "0.5", "10", "0.01")
    world.venue.end("odd", "FILLED")
    world.deep()
    assert (world.view(1).status, world.view(1).filled_size) == ("completed", Decimal("0.5"))
    assert bot.execute("SELECT side, status FROM trades").fetchone() == (side, "completed")


@pytest.mark.parametrize("name", ["odd", "1"])
def test_what_a_row_without_a_side_needs_is_said(world: World, bot: sqlite3.Connection, name: str) -> None:
    insert(bot, "odd", side="sideways")
    world.venue.add("odd")
    syncing = Syncing(
        store=world.store, venue=world.venue, recorder=world.recorder, clock=world.clock, chance=world.chance
    )
    with pytest.raises(BreaksRemain, match="its side reads 'sideways'") as refused:
        syncing.sync(name)
    assert "ordersync resolve trade:1 --as WORD" in refused.value.remedy
    cancelling = Cancelling(store=world.store, venue=world.venue, recorder=world.recorder, clock=world.clock)
    (result,) = cancelling.cancel([name])
    assert (result.result, result.trade_id, result.order_id, result.exit_code) == ("unreadable", 1, "odd", 10)
    assert "its side reads 'sideways'" in str(result.reason)
    assert world.venue.cancels == []


def test_a_row_of_no_order_is_settled_by_hand(world: World, bot: sqlite3.Connection) -> None:
    insert(bot, "")
    insert(bot, "", side="sideways")
    settling = Resolving(store=world.store, recorder=world.recorder, clock=world.clock)
    for number in (1, 2):
        assert settling.resolve(str(number), "not_placed", "it was never sent")[0] == number
    assert [(view.status, view.order_status) for view in world.views()] == [("failed", "not_placed")] * 2
    with world.store.read() as transaction:
        assert transaction.trades.load([1, 2]).keys() == {1, 2}
    assert world.deep().exit_code == 0


def test_a_row_with_a_blank_order_id_keeps_no_pass_from_the_others(world: World, bot: sqlite3.Connection) -> None:
    insert(bot, "  ")
    insert(bot, "bots-own")
    world.venue.add("bots-own")
    world.venue.fill("bots-own", "0.5", "10", "0.01")
    world.venue.end("bots-own", "FILLED")
    world.passes.light()
    assert world.view("bots-own").status == "completed"
    assert world.deep().exit_code == 0
    assert [(view.trade_id, view.order_id, view.status) for view in world.views() if view.trade_id == 1] == [
        (1, None, "pending")
    ]
