"""Intents in every state of doubt, and a pass that breaks off at every commit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from ordersync_cli.domain.observations import AnswerKind, Edit, PlaceAnswer
from ordersync_cli.domain.orders import OrderType, Source
from ordersync_cli.errors import OrderRefused, StoreError, UnreadableAnswer
from ordersync_cli.services.ports import Store, Transaction
from ordersync_cli.services.reconcile.deep import ORDERS
from ordersync_cli.services.sync import Syncing
from tests.support.pass_world import DRY, World

LIMIT = {"order_type": OrderType.LIMIT, "quote_size": None, "base_size": Decimal(1), "limit_price": Decimal(10)}


def test_T12_an_edited_order_is_followed_without_an_endless_break(world: World) -> None:
    world.known("o1", **LIMIT)
    order = world.venue.orders["o1"]
    world.clock.advance(5)
    order.base_size, order.limit_price = Decimal(2), Decimal(11)
    order.edit = Edit(accepted_at=world.venue.now(), size=Decimal(2), price=Decimal(11))
    told = []
    for _ in range(2):
        world.clock.advance(30)
        report = world.deep()
        assert report.breaks == ()
        told.append([detail.line() for detail in report.details])
    assert told == [["o1 pending (open, filled 0, edited to 2 at 11) trade 1"], []]
    view = world.view("o1")
    assert (view.size, view.price, view.order_status) == (Decimal(2), Decimal(11), "open")


def test_T13_a_reused_client_order_id_is_not_taken_for_ours(world: World) -> None:
    old = world.known("old", client_order_id="theirs", **LIMIT)
    with world.store.read() as transaction:
        assert transaction.trades.ids_of(["old"]) == {"old": old.trade_id}
    world.clock.advance(3600)
    trade = world.intent()
    answer = PlaceAnswer(kind=AnswerKind.ACCEPTED, attempt=1, at=world.venue.now(), order_id="old")
    world.recorder.about(trade.trade_id, [answer], source=Source.PLACE)
    world.venue.calls.clear()
    report = world.passes.light()
    view = world.view(trade.trade_id)
    assert (view.status, view.order_status, view.reason) == ("failed", "rejected", "client_order_id_in_use")
    assert world.view("old").trade_id == old.trade_id
    assert report.exit_code == 0
    world.venue.calls.clear()
    world.venue.end("old", "CANCELLED")
    world.passes.light()
    world.venue.calls.clear()
    assert world.passes.light().requests == 0, "nothing is asked for again and again"


def test_T13_one_order_that_two_trades_own_settles_both_and_is_an_open_break(world: World) -> None:
    """A bot's own row names the order of an intent whose answer came later."""
    trade = world.intent()
    world.imported(["o1"])
    world.venue.accept(trade.request, "o1")
    answer = PlaceAnswer(kind=AnswerKind.ACCEPTED, attempt=1, at=world.venue.now(), order_id="o1")
    world.recorder.about(trade.trade_id, [answer], source=Source.PLACE)
    assert (world.view(trade.trade_id).order_id, world.view(trade.trade_id).status) == (None, "pending")
    world.venue.fill("o1", "1", "10")
    world.venue.end("o1", "FILLED")
    report = world.passes.light()
    assert world.view("o1").status == "completed"
    assert (world.view(trade.trade_id).status, world.view(trade.trade_id).filled_size) == ("completed", Decimal(1))
    assert [(b.kind, b.severity, b.trade_id) for b in report.breaks if b.severity == "open"] == [
        ("duplicate", "open", trade.trade_id)
    ]
    assert world.passes.light().exit_code == 10, "until somebody accepts it"


def test_T13_a_dry_run_tells_of_an_order_named_twice_what_the_run_does(world: World) -> None:
    world.known("old", client_order_id="theirs", **LIMIT)
    world.clock.advance(3600)
    trade = world.intent()
    answer = PlaceAnswer(kind=AnswerKind.ACCEPTED, attempt=1, at=world.venue.now(), order_id="old")
    world.recorder.about(trade.trade_id, [answer], source=Source.PLACE)
    before = world.views()
    dry = world.passes.light(None, DRY)
    assert world.views() == before
    assert [(d.trade_id, d.new_order_status) for d in dry.details] == [(trade.trade_id, "rejected")]


def test_T14_a_duplicate_refusal_is_resolved_by_the_listing(world: World) -> None:
    trade = world.intent()
    answer = PlaceAnswer(kind=AnswerKind.UNKNOWN, attempt=1, at=world.venue.now(), reason="DUPLICATE_CLIENT_ORDER_ID")
    world.recorder.about(trade.trade_id, [answer], source=Source.PLACE)
    assert world.view(trade.trade_id).order_status == "submitting"
    world.venue.accept(trade.request, "o1")
    world.venue.fill("o1", "1", "10")
    world.venue.end("o1", "FILLED")
    world.passes.light()
    assert (world.view(trade.trade_id).order_id, world.view(trade.trade_id).status) == ("o1", "completed")


def test_T44_yesterdays_order_of_another_program_with_our_id_is_not_ours(world: World) -> None:
    trade = world.intent()
    world.venue.accept(trade.request, "foreign", created_time=world.venue.now() - timedelta(minutes=50))
    world.passes.light()
    view = world.view(trade.trade_id)
    assert view.order_id is None
    assert (view.order_status, view.reason) == ("rejected", "client_order_id_in_use")


def test_T43_looks_before_the_token_died_count_for_nothing(world: World) -> None:
    trade = world.intent()
    for _ in range(6):
        world.passes.light()
        world.clock.advance(9)
    assert world.view(trade.trade_id).order_status == "submitting"


def test_a_look_of_an_earlier_attempt_says_nothing_about_this_one(world: World) -> None:
    trade = world.intent()
    world.clock.advance(61)
    for _ in range(2):
        world.passes.light()
        world.clock.advance(31)
    again = replace(
        trade,
        attempts=2,
        attempt_at=world.venue.now(),
        not_after=world.venue.now() + timedelta(seconds=30),
        submitted_at=world.clock.now(),
    )
    with world.store.write() as transaction:
        assert transaction.trades.begin_attempt(again, expected_attempts=1)
    world.clock.advance(61)
    world.passes.light()
    assert world.view(trade.trade_id).order_status == "submitting"


def test_a_server_that_does_not_know_key_permissions_or_fills_proves_nothing_and_breaks_nothing(world: World) -> None:
    trade = world.intent()
    world.venue.fail(lambda: OrderRefused("no such path"), call="key_permissions", times=None)
    world.venue.fail(lambda: OrderRefused("no such path"), call="fills_booked", times=None)
    for _ in range(6):
        report = world.passes.light()
        world.clock.advance(31)
    assert world.view(trade.trade_id).order_status == "submitting"
    assert {b.kind for b in report.breaks} == {"unknown_outcome"}


def test_an_intent_whose_order_another_row_names_is_not_proven_absent(world: World) -> None:
    """The listing held it, and spoke to the bot's own row alone: a bot would have bought again."""
    trade = world.intent()
    world.imported(["o1"])
    world.venue.accept(trade.request, "o1")
    world.venue.fill("o1", "1", "10")
    world.venue.end("o1", "FILLED")
    report = world.passes.light()
    assert [world.view(one).status for one in (trade.trade_id, "o1")] == ["completed", "completed"]
    assert [(b.kind, b.trade_id) for b in report.breaks if b.severity == "open"] == [("duplicate", trade.trade_id)]
    for _ in range(6):
        world.clock.advance(31)
        assert world.passes.light().exit_code == 10, "until somebody accepts it"
    assert world.view(trade.trade_id).status == "completed"


def test_a_listing_that_the_venue_calls_unfinished_proves_nothing(world: World) -> None:
    trade = world.intent()
    world.venue.says_more = True
    for _ in range(6):
        world.passes.light()
        world.clock.advance(31)
    assert world.view(trade.trade_id).order_status == "submitting"
    world.venue.says_more = False
    for _ in range(4):
        world.passes.light()
        world.clock.advance(31)
    assert world.view(trade.trade_id).order_status == "not_placed"


def test_a_look_counts_only_where_it_is_known_whose_portfolio_was_listed(world: World) -> None:
    """Of a key whose portfolio could not be read, an order that the store knows must be in the listing."""
    trade = world.intent()
    world.venue.add("somebody-elses", client_order_id="theirs", product_id="ETH-USD")
    world.venue.fail(lambda: UnreadableAnswer("garbage"), call="key_permissions", times=None)
    for _ in range(6):
        world.passes.light()
        world.clock.advance(31)
    assert world.view(trade.trade_id).order_status == "submitting"


def test_a_known_order_in_the_listing_shows_whose_portfolio_it_is(world: World) -> None:
    world.known("before", **LIMIT)
    world.clock.advance(5)
    trade = world.intent()
    world.venue.fail(lambda: UnreadableAnswer("garbage"), call="key_permissions", times=None)
    for _ in range(6):
        world.passes.light()
        world.clock.advance(31)
    assert world.view(trade.trade_id).order_status == "not_placed"


def test_a_sync_of_what_was_proven_absent_looks_again(world: World) -> None:
    trade = world.intent()
    for _ in range(5):
        world.passes.light()
        world.clock.advance(31)
    assert world.view(trade.trade_id).order_status == "not_placed"
    world.venue.accept(trade.request, "ghost", created_time=trade.attempt_at)
    world.venue.fill("ghost", "1", "10")
    world.venue.end("ghost", "FILLED")
    service = Syncing(
        store=world.store, venue=world.venue, recorder=world.recorder, clock=world.clock, chance=world.chance
    )
    done = service.sync(str(trade.trade_id))
    assert done.status_change == "failed → completed"
    assert "absent_order_appeared" in world.heard.rules()


def test_T41_a_wall_clock_that_jumps_moves_no_watermark_back(world: World) -> None:
    world.deep()
    reached = world.watermark(ORDERS)
    world.clock.jump_wall(-7200)
    world.deep()
    assert world.watermark(ORDERS) == reached
    world.clock.jump_wall(7200)
    assert world.deep().result == "in_sync"
    assert world.watermark(ORDERS) > reached  # type: ignore[operator]


class _Dying:
    """A store whose n-th write never commits, and every later one neither."""

    def __init__(self, store: Store, writes: int) -> None:
        self._store = store
        self.left = writes

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        with self._store.write() as transaction:
            yield transaction
            self.left -= 1
            if self.left < 0:
                raise StoreError("the disk is full")

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)


def test_T36_a_deep_pass_whose_store_fails_at_any_commit_is_completed_by_the_next(world: World) -> None:
    for number in range(8):
        world.placed(f"o{number}")
        if number % 2:
            world.venue.fill(f"o{number}", "1", "10", "0.1")
        world.venue.end(f"o{number}", "FILLED" if number % 2 else "CANCELLED")
    world.venue.add("app", word="FILLED")
    world.venue.fill("app", "1", "10")
    lost = world.intent()
    world.venue.accept(lost.request, "found")
    world.venue.fill("found", "1", "10")
    world.venue.end("found", "FILLED")
    for commits in range(60):
        world.clock.advance(10)
        dying = _Dying(world.store, commits)
        recorder = replace(world.recorder, store=dying)  # type: ignore[type-var]
        try:
            world.another(store=dying, recorder=recorder).deep()
        except StoreError:
            continue
        break
    else:
        pytest.fail("it never got through")
    assert commits > 5
    world.deep()
    assert world.view("found").status == "completed"
    for number in range(8):
        view = world.view(f"o{number}")
        assert view.status == ("completed" if number % 2 else "failed")
        assert view.filled_size == Decimal(number % 2)
        assert view.fills_verified
