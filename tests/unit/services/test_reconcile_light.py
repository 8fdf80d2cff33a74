"""The light pass: what is pending is held against the venue, and nothing is guessed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from ordersync_cli.domain.observations import CancelSeen, CancelStep
from ordersync_cli.domain.orders import OrderType, Side, Source
from ordersync_cli.errors import (
    CredentialsRefused,
    LeaseHeld,
    LeaseLost,
    OrderRefused,
    OrdersyncError,
    StoreError,
    UnreadableAnswer,
    VenueUnavailable,
)
from ordersync_cli.services.reconcile.pulse import PassStopped, TimeIsOver
from ordersync_cli.services.reconcile.running import Outage, Wish
from tests.support.pass_world import DRY, World


def test_a_filled_order_becomes_completed_with_the_venues_figures(world: World) -> None:
    trade = world.placed("o1")
    world.venue.fill("o1", "0.00041", "60000", "0.15")
    world.venue.end("o1", "FILLED")
    report = world.passes.light()
    view = world.view("o1")
    assert (view.status, view.order_status, view.fills_verified) == ("completed", "filled", True)
    assert view.filled_size == Decimal("0.00041")
    assert view.total_fees == Decimal("0.15")
    assert report.result == "drift"
    assert report.exit_code == 0
    assert report.updated_count == 1
    assert report.json()["details"]["o1"]["trade_id"] == trade.trade_id
    assert report.json()["details"]["o1"]["old_status"] == "pending"
    assert report.json()["details"]["o1"]["new_status"] == "completed"
    assert report.details[0].line().startswith("o1 pending → completed")
    assert {b.kind for b in report.breaks} == {"status", "filled_size", "average_filled_price", "total_fees"}
    assert {b.severity for b in report.breaks} == {"repaired"}


@pytest.mark.parametrize("words", [("FILLED", "OPEN"), ("OPEN", "FILLED")])
@pytest.mark.parametrize("page_size", [1, 250])
def test_T27_an_order_listed_twice_in_one_answer_is_joined_from_both_rows(
    world: World, words: tuple[str, str], page_size: int
) -> None:
    world.placed("o1")
    world.venue.fill("o1", "1", "10")
    world.venue.end("o1", "FILLED")
    world.venue.listed_as["o1"] = words
    world.venue.page_size = page_size
    world.passes.light()
    view = world.view("o1")
    assert (view.status, view.order_status, view.filled_size) == ("completed", "filled", Decimal(1))


@pytest.mark.parametrize("words", [("FILLED", "OPEN"), ("OPEN", "FILLED")])
def test_a_look_that_confirms_the_end_beside_denying_it_is_no_contradiction(
    world: World, words: tuple[str, str]
) -> None:
    world.known("o1")
    world.venue.fill("o1", "1", "10")
    world.venue.end("o1", "FILLED")
    world.passes.light()
    world.venue.listed_as["o1"] = words
    for _ in range(4):
        world.clock.advance(70)
        report = world.passes.light(wish=Wish(since=world.clock.now() - timedelta(days=1)))
        assert [b.kind for b in report.breaks if b.kind == "status"] == []


def test_smaller_figures_of_an_order_that_is_looked_at_anyway_are_held_against_its_fills(world: World) -> None:
    world.known("o1")
    world.venue.fill("o1", "2", "10", "0.2")
    world.venue.end("o1", "FILLED")
    world.passes.light()
    smaller = world.venue.orders["o1"].figures
    world.venue.fill("o1", "1", "10", "0.1", trade_type="REVERSAL")
    world.venue.orders["o1"].figures = replace(
        smaller, filled_size=Decimal(1), filled_value=Decimal(10), total_fees=Decimal("0.1"), number_of_fills=2
    )
    world.clock.advance(30)
    world.passes.light()
    assert world.view("o1").filled_size == Decimal(2), "nobody looked: it is settled"
    world.passes.light(wish=Wish(since=world.clock.now() - timedelta(days=1)))
    view = world.view("o1")
    assert (view.filled_size, view.total_fees, view.fills_verified) == (Decimal(1), Decimal("0.1"), True)


def test_a_second_pass_finds_nothing(world: World) -> None:
    world.placed("o1")
    world.venue.fill("o1", "1", "10")
    world.venue.end("o1", "FILLED")
    world.passes.light()
    world.clock.advance(30)
    report = world.passes.light()
    assert report.result == "in_sync"
    assert report.details == ()
    assert report.breaks == ()
    assert report.fills_added == 0


def test_T01_cancelled_after_a_partial_fill_is_completed_with_what_was_filled(world: World) -> None:
    world.placed("o1", order_type=OrderType.LIMIT, quote_size=None, base_size=Decimal(2), limit_price=Decimal(10))
    world.venue.fill("o1", "0.5", "10", "0.01")
    world.venue.end("o1", "CANCELLED")
    world.passes.light()
    view = world.view("o1")
    assert (view.status, view.order_status, view.filled_size) == ("completed", "cancelled", Decimal("0.5"))


def test_T02_a_market_order_that_ends_with_internal_error_is_filled(world: World) -> None:
    world.placed("o1")
    world.venue.fill("o1", "0.00043754", "2468.3", "0.0129598122888")
    world.venue.end("o1", "FILLED", "Internal error")
    report = world.passes.light()
    view = world.view("o1")
    assert (view.status, view.reason) == ("completed", None)
    assert report.result == "drift"
    assert world.heard.rules() == []


def test_cancelled_without_a_fill_is_failed_only_after_a_second_look_in_the_same_pass(world: World) -> None:
    for number in range(3):
        world.placed(f"o{number}")
        world.venue.end(f"o{number}", "CANCELLED")
    before = world.clock.monotonic()
    report = world.passes.light()
    assert {v.status for v in world.views()} == {"failed"}
    assert world.venue.count("orders_by_id") == 2  # all of them together, twice
    assert world.clock.monotonic() - before >= 2
    assert report.result == "drift"


def test_a_fill_between_the_two_looks_makes_it_completed(world: World) -> None:
    world.placed("o1")
    world.venue.end("o1", "CANCELLED")
    world.clock.on_sleep.append(lambda: world.venue.orders["o1"].fills or world.venue.fill("o1", "1", "10"))
    world.passes.light()
    assert world.view("o1").status == "completed"


def test_T03_fills_that_list_fills_does_not_show_yet_are_fetched_again_and_a_break_after_ten_minutes(
    world: World,
) -> None:
    world.placed("o1")
    fill = world.venue.fill("o1", "1", "10")
    world.venue.hidden_fills = {fill.entry_id}
    world.venue.end("o1", "FILLED")
    first = world.passes.light()
    assert world.view("o1").status == "completed"
    assert not world.view("o1").fills_verified
    assert [(b.kind, b.severity) for b in first.breaks if b.kind == "missing_fill"] == [("missing_fill", "info")]
    assert first.exit_code == 0
    world.clock.advance(601)
    late = world.passes.light()
    assert [(b.kind, b.severity) for b in late.breaks] == [("missing_fill", "open")]
    assert late.exit_code == 10
    world.venue.hidden_fills = set()
    healed = world.passes.light()
    assert world.view("o1").fills_verified
    assert healed.result == "in_sync"
    assert healed.breaks == ()


def test_T04_a_reversal_is_kept_by_its_entry_id_and_never_added_up(world: World) -> None:
    world.placed("o1")
    world.venue.fill("o1", "1", "10")
    order = world.venue.orders["o1"]
    figures = order.figures
    world.venue.fill("o1", "1", "10", trade_type="REVERSAL", venue_trade_id="t1")
    order.figures = figures
    world.venue.end("o1", "FILLED")
    world.passes.light()
    assert world.view("o1").filled_size == Decimal(1)
    world.passes.light()
    assert world.view("o1").filled_size == Decimal(1)


def test_T05_fills_in_quote_are_verified_in_quote(world: World) -> None:
    world.placed("o1")
    world.venue.fill("o1", "0.5", "10", "0.01")
    held = world.venue.orders["o1"]
    held.fills[0] = replace(held.fills[0], size=Decimal(5), size_in_quote=True)
    world.venue.end("o1", "FILLED")
    world.passes.light()
    assert world.view("o1").fills_verified


@pytest.mark.parametrize("word", ["PENDING", "QUEUED", "OPEN", "EDIT_QUEUED", "CANCEL_QUEUED"])
def test_T09_and_T10_words_that_end_nothing_leave_it_pending(world: World, word: str) -> None:
    world.placed("o1")
    world.venue.orders["o1"].word = word
    report = world.passes.light()
    assert world.view("o1").status == "pending"
    assert report.exit_code == 0


def test_T10_an_unknown_word_changes_nothing_and_is_alerted(world: World) -> None:
    world.placed("o1")
    world.venue.orders["o1"].word = "HALF_EATEN"
    world.passes.light()
    assert world.view("o1").status == "pending"
    assert world.view("o1").venue_status == "HALF_EATEN"
    assert "unknown_venue_status" in world.heard.rules()


def test_T11_failed_at_the_venue_keeps_its_reason(world: World) -> None:
    world.placed("o1")
    world.venue.end("o1", "FAILED", "HOLD_FAILURE")
    world.passes.light()
    view = world.view("o1")
    assert (view.status, view.order_status, view.reason) == ("failed", "failed", "HOLD_FAILURE")


def test_T15_a_404_right_after_the_create_is_info_and_never_not_placed(world: World) -> None:
    world.placed("o1")
    world.venue.hidden = {"o1"}
    report = world.passes.light()
    assert world.view("o1").status == "pending"
    assert [(b.kind, b.severity) for b in report.breaks] == [("missing_at_venue", "info")]
    assert report.exit_code == 0
    world.clock.advance(600)
    later = world.passes.light()
    assert [(b.kind, b.severity) for b in later.breaks] == [("missing_at_venue", "open")]
    assert later.exit_code == 10
    world.venue.hidden = set()
    assert world.passes.light().breaks == ()


def test_T16_an_intent_whose_answer_was_lost_finds_its_order(world: World) -> None:
    trade = world.intent()
    world.venue.accept(trade.request, "o1")
    world.venue.fill("o1", "1", "10")
    world.venue.end("o1", "FILLED")
    report = world.passes.light()
    view = world.view("o1")
    assert (view.trade_id, view.status, view.fills_verified) == (trade.trade_id, "completed", True)
    assert "o1" in report.json()["details"]


def test_an_intent_is_proven_absent_by_three_looks_over_a_minute_after_its_token_died(world: World) -> None:
    trade = world.intent()
    statuses = []
    for _ in range(5):
        report = world.passes.light()
        statuses.append(world.view(trade.trade_id).order_status)
        world.clock.advance(31)
    assert statuses == ["submitting", "submitting", "submitting", "submitting", "not_placed"]
    view = world.view(trade.trade_id)
    assert view.status == "failed"
    assert report.result == "drift"
    with world.store.read() as transaction:
        (stored,) = transaction.trades.load([trade.trade_id], lock=False).values()
    assert stored.verdict is not None
    assert len(stored.verdict.looks) >= 3
    assert stored.verdict.burns_id


def test_P03_an_order_that_listings_do_not_show_yet_is_not_ruled_out_by_a_fill_that_nobody_explains(
    world: World,
) -> None:
    trade = world.intent()
    world.venue.accept(trade.request, "o1")
    world.venue.fill("o1", "1", "10")
    world.venue.hidden = {"o1"}
    for _ in range(6):
        world.passes.light()
        world.clock.advance(31)
    assert world.view(trade.trade_id).order_status == "submitting"
    world.venue.hidden = set()
    world.passes.light()
    assert world.view(trade.trade_id).order_id == "o1"


def test_no_look_counts_while_the_positive_control_is_not_in_the_listing(world: World) -> None:
    world.known("old")
    world.clock.advance(60)
    trade = world.intent()
    world.venue.unlisted = {"old"}
    for _ in range(6):
        world.passes.light()
        world.clock.advance(31)
    assert world.view(trade.trade_id).order_status == "submitting"


def test_unknown_outcome_is_info_for_five_minutes_and_open_after(world: World) -> None:
    world.intent()
    world.venue.fail(lambda: UnreadableAnswer("?"), call="fills_booked", times=None)  # no proof to be had
    first = world.passes.light()
    assert [(b.kind, b.severity) for b in first.breaks] == [("unknown_outcome", "info")]
    assert first.exit_code == 0
    world.venue.unlisted = set()
    world.venue.heal()
    world.venue.unreadable = {"noise"}
    world.venue.add("noise")
    world.clock.advance(301)
    later = world.passes.light()
    assert [(b.kind, b.severity) for b in later.breaks] == [("unknown_outcome", "open")]
    assert later.exit_code == 10


def test_a_wish_to_cancel_is_sent_as_soon_as_the_order_id_is_known(world: World) -> None:
    trade = world.intent(order_type=OrderType.LIMIT, limit_price=Decimal(10))
    wish = CancelSeen(requested_at=world.venue.now(), step=CancelStep.REQUESTED)
    world.recorder.about(trade.trade_id, [wish], source=Source.SYNC)
    world.clock.advance(10)
    world.venue.accept(trade.request, "o1")
    world.passes.light()
    assert world.venue.cancels == ["o1"]
    assert world.view("o1").order_status == "cancelling"
    world.passes.light()
    assert world.venue.cancels == ["o1"]


@pytest.mark.parametrize(
    ("problem", "stands"),
    [
        (OrderRefused("too many ids."), "open"),
        (CredentialsRefused("it lacks a permission."), "cancelling"),
        (UnreadableAnswer("garbage."), "cancelling"),
    ],
)
def test_T31_a_cancel_that_cannot_be_sent_keeps_the_pass_from_nothing(
    world: World, problem: OrdersyncError, stands: str
) -> None:
    trade = world.placed("o1", order_type=OrderType.LIMIT, limit_price=Decimal(10))
    world.recorder.about(
        trade.trade_id, [CancelSeen(requested_at=world.venue.now(), step=CancelStep.REQUESTED)], source=Source.SYNC
    )
    world.placed("o2")
    world.venue.end("o2", "CANCELLED")
    world.clock.advance(10)
    world.venue.fail(lambda: problem, call="cancel", times=None)
    with pytest.raises(type(problem)):
        world.passes.light()
    assert (world.view("o1").order_status, world.view("o2").status) == (stands, "failed")
    if stands == "open":
        assert world.passes.light().exit_code == 0, "what the venue refused is not asked for again"
    else:
        world.venue.heal()
        world.passes.light()
        assert world.venue.cancels == ["o1"]


def wished_away(world: World, *order_ids: str) -> None:
    """Place resting orders, each with a wish to cancel that somebody stored and nobody has sent."""
    for order_id in order_ids:
        trade = world.placed(order_id, order_type=OrderType.LIMIT, limit_price=Decimal(10))
        wish = CancelSeen(requested_at=world.venue.now(), step=CancelStep.REQUESTED)
        world.recorder.about(trade.trade_id, [wish], source=Source.SYNC)
    world.clock.advance(10)


def test_a_cancel_that_the_venue_minds_keeps_no_other_from_being_sent(world: World) -> None:
    order_ids = [f"o{number:02}" for number in range(40)]
    wished_away(world, *order_ids)
    world.venue.minded = {"o07", "o31"}
    with pytest.raises(OrderRefused):
        world.passes.light()
    assert sorted(world.venue.cancels) == [i for i in order_ids if i not in world.venue.minded], "each once"
    assert {i for i in order_ids if world.view(i).order_status == "open"} == {"o07", "o31"}
    asked = world.venue.count("cancel")
    assert world.passes.light().exit_code == 0
    assert world.venue.count("cancel") == asked, "what the venue refused alone is not asked for again"


@pytest.mark.parametrize("problem", [CredentialsRefused("it refuses the key."), VenueUnavailable("503.")])
def test_what_was_cancelled_before_the_asking_failed_stays_and_the_rest_is_still_wished(
    world: World, problem: OrdersyncError
) -> None:
    wished_away(world, "a", "b", "c", "d")
    world.venue.minded = {"b"}
    # asked for: a b c d, a b, a, b, and the failure meets c d
    world.venue.fail(lambda: problem, call="cancel", skip=4, times=1)
    with pytest.raises(type(problem)):
        world.passes.light()
    assert world.venue.cancels == ["a"]
    with world.store.read() as transaction:
        wishes = {t.orders[0].order_id: t.cancel for t in transaction.trades.load([1, 2, 3, 4], lock=False).values()}
    assert {k: w and w.step for k, w in wishes.items()} == {
        "a": CancelStep.ACCEPTED,
        "b": CancelStep.REFUSED,
        "c": CancelStep.REQUESTED,
        "d": CancelStep.REQUESTED,
    }
    world.passes.light()
    assert world.venue.cancels == ["a", "c", "d"]


def test_T31_open_after_an_accepted_cancel_is_cancelling_then_the_venues_word(world: World) -> None:
    trade = world.placed("o1", order_type=OrderType.LIMIT, limit_price=Decimal(10))
    now = world.venue.now()
    accepted = CancelSeen(requested_at=now, step=CancelStep.ACCEPTED, answered_at=now)
    world.recorder.about(trade.trade_id, [accepted], source=Source.SYNC)
    world.clock.advance(2)
    world.passes.light()
    assert world.view("o1").order_status == "cancelling"
    world.venue.fill("o1", "1", "10")
    world.venue.end("o1", "FILLED")
    world.passes.light()
    assert world.view("o1").order_status == "filled"


def test_T28_an_old_gtc_order_is_asked_for_by_id(world: World) -> None:
    world.placed("o1", order_type=OrderType.LIMIT, limit_price=Decimal(10))
    world.clock.advance(90 * 86_400)
    world.venue.fill("o1", "1", "10")
    world.venue.end("o1", "FILLED")
    world.passes.light()
    assert world.view("o1").status == "completed"


def test_T30_P09_in_an_outage_no_trade_changes_and_the_run_says_so_once_an_hour(world: World) -> None:
    for number in range(5):
        world.placed(f"o{number}")
        world.venue.end(f"o{number}", "CANCELLED")
    before = world.rows()
    world.venue.fail(times=None)
    with pytest.raises(Outage) as first:
        world.passes.light()
    assert first.value.exit_code == 6
    assert not first.value.said
    world.clock.advance(30)
    with pytest.raises(Outage) as second:
        world.passes.light()
    assert second.value.said
    world.clock.advance(3600)
    with pytest.raises(Outage) as third:
        world.passes.light()
    assert not third.value.said
    assert world.rows() == before
    with world.store.read() as transaction:
        run = transaction.runs.last("light")
        assert transaction.breaks.open() == []
    assert run is not None
    assert (run.result, run.exit_code) == ("failed", 6)
    world.venue.heal()
    assert world.passes.light().updated_count == 5
    world.placed("o9")
    world.venue.fail(times=None)
    with pytest.raises(Outage) as again:
        world.passes.light()
    assert not again.value.said  # a new outage is told again


def test_what_was_answered_before_a_failure_stays(world: World) -> None:
    for number in range(150):
        world.placed(f"o{number:03}")
        world.venue.fill(f"o{number:03}", "1", "10")
        world.venue.end(f"o{number:03}", "FILLED")
    world.venue.fail(call="orders_by_id", skip=1)
    with pytest.raises(VenueUnavailable):
        world.passes.light()
    assert sum(v.status == "completed" for v in world.views()) == 100
    report = world.passes.light()
    assert report.updated_count == 50
    assert all(v.fills_verified for v in world.views())


def test_T37_an_unreadable_order_is_alerted_and_the_others_are_settled(world: World) -> None:
    for number in range(3):
        world.placed(f"o{number}")
        world.venue.fill(f"o{number}", "1", "10")
        world.venue.end(f"o{number}", "FILLED")
    world.venue.unreadable = {"o1"}
    world.clock.advance(120)
    report = world.passes.light()
    assert [world.view(f"o{n}").status for n in range(3)] == ["completed", "pending", "completed"]
    assert [(b.kind, b.order_id) for b in report.breaks if b.severity == "open"] == [("stale", "o1")]
    assert "unreadable_message" in world.heard.rules()
    world.venue.unreadable = set()
    assert world.passes.light().exit_code == 0


def test_T37_an_unreadable_fill_is_alerted_and_the_others_are_kept(world: World) -> None:
    world.placed("o1")
    odd = world.venue.fill("o1", "1", "10")
    world.venue.fill("o1", "2", "10")
    world.venue.end("o1", "FILLED")
    world.venue.unreadable_fills = {odd.entry_id}
    world.passes.light()
    assert "unreadable_message" in world.heard.rules()
    assert not world.view("o1").fills_verified
    world.venue.unreadable_fills = set()
    world.passes.light()
    assert world.view("o1").fills_verified


def test_T48_ids_left_out_of_a_batch_conclude_nothing(world: World) -> None:
    for number in range(3):
        world.placed(f"o{number}")
    world.venue.leave_out = {"o1"}
    report = world.passes.light()
    assert report.result == "in_sync"
    assert world.view("o1").status == "pending"


def test_P08_a_stale_open_overwrites_nothing(world: World) -> None:
    world.placed("o1")
    stale = world.venue.orders["o1"].seen(world.venue.now())
    world.clock.advance(1)
    world.venue.fill("o1", "1", "10")
    world.venue.end("o1", "FILLED")
    world.passes.light()
    world.venue.stale = {"o1": stale}
    report = world.passes.light(None, Wish(since=world.clock.now() - timedelta(hours=1)))
    assert world.view("o1").status == "completed"
    assert report.result == "in_sync"


def test_since_asks_again_for_ended_trades_too(world: World) -> None:
    world.known("o1")
    world.venue.fill("o1", "1", "10")
    world.venue.end("o1", "FILLED")
    world.sync("o1")
    held = world.venue.orders["o1"]
    held.figures = replace(held.figures, total_fees=Decimal("0.02"))
    world.clock.advance(1)
    assert world.passes.light().result == "in_sync"
    report = world.passes.light(None, Wish(since=world.clock.now() - timedelta(hours=1)))
    assert [b.kind for b in report.breaks] == ["total_fees"]
    assert world.view("o1").total_fees == Decimal("0.02")


def test_a_dry_run_tells_the_same_and_writes_nothing(world: World) -> None:
    for number, word in enumerate(["FILLED", "CANCELLED", "EXPIRED", "OPEN"]):
        world.placed(f"o{number}")
        if word == "FILLED":
            world.venue.fill("o0", "1", "10")
        world.venue.end(f"o{number}", word)
    lost = world.intent()
    world.venue.accept(lost.request, "o9")
    before = world.views()
    with world.store.read() as transaction:
        runs_before = transaction.runs.last("light")
    dry = world.passes.light(None, DRY)
    assert world.views() == before
    with world.store.read() as transaction:
        assert transaction.runs.last("light") == runs_before is None
        assert transaction.breaks.open() == []
    assert world.heard.alarms == []
    real = world.passes.light()
    assert {d.key: (d.new_status, d.new_order_status) for d in dry.details} == {
        d.key: (d.new_status, d.new_order_status) for d in real.details
    }
    assert (dry.result, dry.checked, dry.fills_added) == (real.result, real.checked, real.fills_added)
    assert any("rule: " in line for d in dry.details for line in d.explanation)


def test_a_dry_run_sends_no_cancel(world: World) -> None:
    trade = world.placed("o1", order_type=OrderType.LIMIT, limit_price=Decimal(10))
    wish = CancelSeen(requested_at=world.venue.now(), step=CancelStep.REQUESTED)
    world.recorder.about(trade.trade_id, [wish], source=Source.SYNC)
    world.clock.advance(60)
    world.passes.light(None, DRY)
    assert world.venue.cancels == []


def test_T35_T40_a_run_beside_another_skips_with_12_and_leaves_a_row(world: World) -> None:
    lease = world.store.leases.acquire("light", "another", 0)
    assert lease is not None
    world.clock.on_sleep.append(lambda: world.store.leases.beat(lease))
    with pytest.raises(LeaseHeld) as held:
        world.passes.light()
    assert held.value.exit_code == 12
    with world.store.read() as transaction:
        run = transaction.runs.last("light")
    assert run is not None
    assert (run.result, run.exit_code) == ("skipped", 12)


def test_T35_a_killed_holder_is_taken_over_and_its_run_closed_as_died(world: World) -> None:
    class Killed(BaseException):
        pass

    world.placed("o1")

    def die(_: str) -> None:
        world.venue.before_call = None
        raise Killed

    dead = world.another(store=_NoLastWords(world.store))
    world.venue.before_call = die
    with pytest.raises(Killed):
        dead.light()
    report = world.passes.light()
    assert report.result == "in_sync"
    with world.store.read() as transaction:
        runs = transaction.runs.between(world.clock.now() - timedelta(hours=1), world.clock.now())
    assert [r.result for r in runs] == ["died", "in_sync"]
    assert world.heard.rules() == ["run_died"]


class _NoLastWords:
    """A store that a killed process leaves as it is: nothing is written once it is dead."""

    def __init__(self, store: object) -> None:
        self._store = store
        self.leases = _KeptLeases(store.leases)  # type: ignore[attr-defined]
        self._writes = 0

    def write(self) -> object:
        self._writes += 1
        if self._writes > 1:
            raise StoreError("this process is dead")
        return self._store.write()  # type: ignore[attr-defined]

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)


class _KeptLeases:
    def __init__(self, leases: object) -> None:
        self._leases = leases

    def release(self, lease: object) -> None:
        return

    def __getattr__(self, name: str) -> object:
        return getattr(self._leases, name)


def test_a_run_that_lost_its_lease_writes_nothing_more(world: World) -> None:
    world.placed("o1")
    world.venue.fill("o1", "1", "10")
    world.venue.end("o1", "FILLED")

    def steal(name: str) -> None:
        if name == "fills_of":
            world.venue.before_call = None
            thief = world.store.leases.acquire("light", "thief", 10)
            assert thief is not None

    world.venue.before_call = steal
    with pytest.raises(LeaseLost):
        world.passes.light()
    with world.store.read() as transaction:
        run = transaction.runs.last("light")
    assert run is not None
    assert run.finished_at is None  # whoever took over closes it as died


def test_a_pass_stops_when_it_is_asked_to(world: World) -> None:
    world.placed("o1")
    with pytest.raises(PassStopped):
        world.passes.light(None, Wish(stopping=lambda: True))
    with world.store.read() as transaction:
        run = transaction.runs.last("light")
    assert run is not None
    assert run.result == "failed"


def test_a_pass_ends_at_its_max_runtime(world: World) -> None:
    world.placed("o1")
    world.venue.seconds_per_request = 50
    for number in range(300):
        world.placed(f"x{number}")
    with pytest.raises(TimeIsOver):
        world.passes.light(None, Wish(deadline=world.clock.monotonic() + 60))


def test_ten_thousand_stuck_trades_take_a_hundred_requests_and_what_their_fills_need(world: World) -> None:
    words = ["FILLED", "CANCELLED", "EXPIRED", "FAILED", "PARTLY"]
    ids = [f"{words[n % 5]}-{n:05}" for n in range(1000)]
    world.imported(ids)
    for order_id in ids:
        word = order_id.partition("-")[0]
        world.venue.add(order_id, created_time=world.clock.now() - timedelta(days=3), side=Side.BUY)
        if word in {"FILLED", "PARTLY"}:
            world.venue.fill(order_id, "0.123456789012345", "60000.01", "0.5")
        world.venue.end(order_id, "CANCELLED" if word == "PARTLY" else word)
    world.passes.light()
    by_status = {word: {world.view(i).status for i in ids if i.startswith(word)} for word in words}
    assert by_status == {
        "FILLED": {"completed"}, "PARTLY": {"completed"}, "CANCELLED": {"failed"}, "EXPIRED": {"failed"},
        "FAILED": {"failed"},
    }  # fmt: skip
    assert world.venue.count("order") == 0
    assert world.venue.count("orders_by_id") == 10 + 6
    assert world.venue.count("fills_of") <= 10
    assert all(v.fills_verified for v in world.views())


def test_T42_somebody_elses_orders_are_not_mixed_up_with_an_intent(world: World) -> None:
    trade = world.intent()
    world.venue.add("foreign", client_order_id="another-bot-1", word="FILLED", quote_size=Decimal(25))
    world.venue.fill("foreign", "1", "25")
    for _ in range(5):
        world.passes.light()
        world.clock.advance(31)
    assert world.view(trade.trade_id).order_status == "not_placed"


def test_beside_a_poll_what_was_just_looked_at_is_not_asked_for_again(world: World) -> None:
    """The looks of a pass beside those of a poll over 500 orders took the budget, and made snapshots older."""
    world.placed("o-1", order_type=OrderType.LIMIT, limit_price=Decimal(10))
    world.placed("o-2", order_type=OrderType.LIMIT, limit_price=Decimal(10))
    world.clock.advance(60)
    world.recorder.seen([world.venue.orders["o-1"].seen(world.venue.now())], source=Source.POLL)
    world.clock.advance(5)
    passes = replace(world.passes, confirmed_within=timedelta(seconds=20))
    world.venue.calls.clear()
    assert passes.light().checked == 2
    assert [ids for call, ids in world.venue.calls if call == "orders_by_id"] == [("o-2",)]
    world.clock.advance(21)
    world.venue.calls.clear()
    passes.light()
    assert [set(ids) for call, ids in world.venue.calls if call == "orders_by_id"] == [{"o-1", "o-2"}]
