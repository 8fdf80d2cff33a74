"""What is derived from the registers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ordersync_cli.domain.lifecycle import observe
from ordersync_cli.domain.observations import (
    AbsenceProven,
    CancelStep,
    Channel,
    SettledByHand,
)
from ordersync_cli.domain.orders import Origin, Source
from ordersync_cli.domain.ruled_out import lasting
from ordersync_cli.domain.standing import derive, is_settled, never_left, totals
from ordersync_cli.domain.trade import VenueOrder, Verdict, VerdictKind
from ordersync_cli.domain.view import view
from ordersync_cli.domain.words import rank
from tests.unit.domain.builders import (
    ORDER,
    ZEROES,
    D,
    after,
    answer,
    cancel,
    feed,
    figures,
    fill,
    frame,
    intent,
    limit,
    listing,
    look,
    market,
    order_of,
    s,
)


def settled(word: str, at: float = 100, reason: str = "seen in the app") -> SettledByHand:
    return SettledByHand(word=word, reason=reason, at=s(at))


def test_terminal_words_rank_filled_first() -> None:
    assert rank("FILLED") > rank("CANCELLED") > rank("EXPIRED") > rank("FAILED") > rank("OPEN") > rank("ODD")
    assert after(intent(), look("FILLED", 1, figures("1")), look("CANCELLED", 9)).now.venue_status == "FILLED"


def test_terminal_without_figures_stays_pending() -> None:
    now = after(intent(), frame("FILLED", 1)).now
    assert (now.status, now.order_status, now.terminal) == ("pending", "filled", True)
    assert now.awaits_zero_proof is False
    assert after(intent(), frame("CANCELLED", 1)).now.awaits_zero_proof is False
    half = after(intent(), frame("FILLED", 1, ZEROES)).now
    assert half.status == "pending"


def test_filled_with_zeroes_after_a_partial_fill_waits_for_the_rest() -> None:
    half = after(intent(), frame("OPEN", 1, figures("40")), look("FILLED", 2, ZEROES))
    assert (half.now.status, half.now.figures) == ("pending", figures("40"))
    assert after(half.after, look("FILLED", 3, figures("100", 2))).now.status == "completed"


def test_filled_with_zeroes_and_cancelled_with_zeroes_together_are_not_final() -> None:
    """One order may collect half an answer from each of two sources (decision record 0002)."""
    seen = [look("CANCELLED", 1, ZEROES), look("CANCELLED", 5, ZEROES), look("FILLED", 6, ZEROES)]
    change = after(intent(), *seen)
    assert (change.was.status, change.now.status) == ("failed", "pending")
    assert [a.rule for a in change.alarms] == ["failed_but_filled"]
    assert after(change.after, look("FILLED", 7, figures("100"))).now.status == "completed"


def test_the_zero_proof_needs_rest_and_two_seconds() -> None:
    first = after(intent(), frame("CANCELLED", 1, ZEROES))
    assert (first.now.status, first.now.awaits_zero_proof) == ("pending", True)
    early = after(first.after, look("CANCELLED", 2.9, ZEROES))
    assert early.now.awaits_zero_proof
    by_frame = after(early.after, frame("CANCELLED", 9, ZEROES))
    assert by_frame.now.awaits_zero_proof
    proven = after(by_frame.after, look("CANCELLED", 3, ZEROES))
    assert (proven.now.status, proven.now.awaits_zero_proof) == ("failed", False)
    assert proven.now.fills_due is False


def test_fees_without_a_fill_are_money_that_moved() -> None:
    odd = replace(ZEROES, total_fees=D("0.1"))
    now = after(intent(), look("CANCELLED", 1, odd), look("CANCELLED", 9, odd)).now
    assert now.status == "pending"


@pytest.mark.parametrize("word", ["PENDING", "OPEN"])
def test_a_refused_cancel_goes_back_to_open(word: str) -> None:
    asked = after(intent(), look(word, 1), cancel(CancelStep.REQUESTED, 2))
    assert asked.now.order_status == "cancelling"
    refused = after(asked.after, cancel(CancelStep.REFUSED, 2, 2.5))
    assert refused.now.order_status == "open"
    assert after(refused.after, cancel(CancelStep.REQUESTED, 3)).now.order_status == "cancelling"


def test_an_accepted_cancel_is_forgotten_when_the_order_is_open_long_after() -> None:
    trade = after(intent(), look("OPEN", 1), cancel(CancelStep.ACCEPTED, 2, 3)).after
    assert after(trade, look("OPEN", 33)).now.order_status == "cancelling"
    assert after(trade, look("OPEN", 33.1)).now.order_status == "open"
    assert after(trade, look("CANCEL_QUEUED", 40)).now.order_status == "cancelling"


def test_a_cancel_before_the_first_look_is_cancelling() -> None:
    assert after(intent(), answer("accepted"), cancel(CancelStep.ACCEPTED, 2, 3)).now.order_status == "cancelling"


def test_accepted_and_not_seen_yet_is_open() -> None:
    now = after(intent(), answer("accepted")).now
    assert (now.order_status, now.order_id, now.venue_status) == ("open", ORDER, None)
    assert now.accepted_at == s(0.3)


def test_not_sent_may_be_sent_again_under_the_same_id() -> None:
    unsent = after(intent(), answer("not_sent"))
    assert (unsent.now.order_status, unsent.now.reason) == ("not_placed", "not_sent")
    again = replace(unsent.after, attempts=2, attempt_at=s(60), not_after=s(90))
    assert derive(again).order_status == "submitting"
    done = after(again, answer("accepted", attempt=2, at=61), look("OPEN", 62, created_time=s(61)))
    assert done.now.order_status == "open"
    assert done.alarms == ()


def test_a_verdict_counts_only_for_the_newest_attempt() -> None:
    second = intent(attempts=2, attempt_at=s(60))
    proof = AbsenceProven(attempt=1, at=s(200), looks=())
    assert after(second, proof, answer("not_sent", attempt=1)).now.order_status == "submitting"
    assert after(second, replace(proof, attempt=2)).now.order_status == "not_placed"


def test_rejected_outranks_not_placed_and_a_burnt_id_stays_burnt() -> None:
    proof = AbsenceProven(attempt=1, at=s(100), looks=())
    trade = after(intent(), proof, answer("not_sent", at=300)).after
    assert trade.verdict == Verdict(
        attempt=1, kind=VerdictKind.NOT_PLACED, at=s(100), reason="proven_absent", burns_id=True
    )
    assert after(trade, answer("rejected", reason="NO")).now.order_status == "rejected"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"reason": "INSUFFICIENT_FUND"}, "INSUFFICIENT_FUND"),
        ({"message": "no"}, "no"),
        ({}, "refused"),
        ({"reason": "UNKNOWN_KEY", "credentials": True}, "UNKNOWN_KEY"),
        ({"reason": "UNKNOWN_FAILURE_REASON"}, None),
    ],
)
def test_a_refusal_keeps_its_reason(said: dict[str, object], reason: str | None) -> None:
    now = after(intent(), answer("rejected", **said)).now
    assert now.reason == reason
    assert now.order_status == ("rejected" if reason else "submitting")


def test_an_acceptance_without_an_order_id_tells_nothing() -> None:
    change = after(intent(), answer("accepted", order_id=None))
    assert not change.changed


@pytest.mark.parametrize(
    ("word", "status", "order_status"),
    [
        ("completed", "completed", "filled"),
        ("filled", "completed", "filled"),
        ("cancelled", "failed", "cancelled"),
        ("expired", "failed", "expired"),
        ("failed", "failed", "failed"),
        ("rejected", "failed", "rejected"),
        ("not_placed", "failed", "not_placed"),
    ],
)
def test_what_an_operator_settled_stands(word: str, status: str, order_status: str) -> None:
    now = after(intent(), answer("unknown"), settled(word)).now
    assert (now.status, now.order_status, now.reason) == (status, order_status, "seen in the app")
    assert (now.filled_at is not None) == (status == "completed")
    assert now.closed_at == s(100)


def test_settled_with_a_partial_fill_is_completed() -> None:
    now = after(intent(), look("OPEN", 1, figures("40")), settled("cancelled")).now
    assert (now.status, now.order_status, now.venue_status) == ("completed", "cancelled", "OPEN")
    assert now.figures == figures("40")


def test_the_venue_outranks_what_was_settled() -> None:
    trade = after(intent(), look("OPEN", 1), settled("failed", 100)).after
    assert after(trade, look("OPEN", 99)).now.status == "failed"
    assert after(trade, look("OPEN", 101)).now.order_status == "open"
    late = after(trade, look("FILLED", 50, figures("100")))
    assert late.now.status == "completed"
    assert [a.rule for a in late.alarms] == ["failed_but_filled"]


def test_a_later_answer_outranks_what_was_settled() -> None:
    trade = after(intent(), settled("not_placed", 1)).after
    assert after(trade, answer("accepted", at=0.5)).now.order_status == "not_placed"
    assert after(trade, answer("accepted", at=2)).now.order_status == "open"
    assert after(trade, answer("rejected", at=2, reason="NO")).now.order_status == "rejected"


def test_an_unknown_word_settles_nothing() -> None:
    with pytest.raises(ValueError, match="nonsense"):
        after(intent(), settled("nonsense"))


def reversal(entry_id: str = "e9", size: str = "40", **kw: object) -> object:
    return fill(entry_id, size, trade_type="REVERSAL", **kw)


def test_a_reversal_is_applied_once_and_only_with_the_venues_figures() -> None:
    rows = [fill("e1", "60"), fill("e2", "40"), reversal()]
    trade = after(intent(), look("FILLED", 2, figures("100", 2, fees="0.2")), listing(*rows)).after
    smaller = look("FILLED", 30, figures("60", 1, fees="0.1"))
    for _ in range(3):
        change = after(trade, listing(*rows, at=31), smaller)
        trade = change.after
        assert change.now.figures == figures("60", 1, fees="0.1")
    assert change.now.status == "completed"


def test_smaller_figures_that_no_reading_explains_change_nothing() -> None:
    rows = [fill("e1", "60"), fill("e2", "40"), reversal(size="30")]
    seen = [look("FILLED", 2, figures("100", 2, fees="0.2")), listing(*rows), look("FILLED", 30, figures("60"))]
    assert after(intent(), *seen).now.figures == figures("100", 2, fees="0.2")


def test_a_lagging_look_with_lagging_fills_does_not_lower_the_totals() -> None:
    """Both REST views lag behind the frame and agree with each other: no adjustment, no reversal."""
    seen = [frame("OPEN", 5, figures("100", 2)), look("OPEN", 6, figures("40")), listing(fill("e1", "40"))]
    assert after(intent(), *seen).now.figures == figures("100", 2)


def test_figures_older_than_the_largest_do_not_lower_it() -> None:
    rows = [fill("e1", "60"), fill("e2", "40"), reversal()]
    seen = [frame("FILLED", 50, figures("100", 2, fees="0.2")), look("OPEN", 30, figures("60")), listing(*rows)]
    assert after(intent(), *seen).now.figures == figures("100", 2, fees="0.2")


def test_a_reversal_of_everything_stays_completed() -> None:
    """`completed` never becomes `failed` (decision record 0002): money did move."""
    rows = [fill("e1", "40"), reversal("e2", "40")]
    seen = [look("CANCELLED", 2, figures("40")), listing(*rows)]
    seen += [look("CANCELLED", 30, ZEROES), look("CANCELLED", 40, ZEROES)]
    now = after(intent(), *seen).now
    assert (now.status, now.order_status) == ("completed", "cancelled")
    assert now.figures == ZEROES


def test_totals_of_an_order_without_figures() -> None:
    assert totals(VenueOrder(order_id=ORDER)) is None


def test_no_later_look_moves_the_time_of_the_last_fill_beyond_the_end() -> None:
    ended = feed(intent(), frame("CANCELLED", 2, figures("0")), frame("OPEN", 1, figures("1")))[-1]
    assert (ended.now.status, ended.now.filled_at) == ("completed", s(2))
    later = after(ended.after, look("OPEN", 9, figures("1")))
    assert later.now.filled_at == s(2)


def test_filled_at_is_from_fills_then_rest_then_the_earliest_frame() -> None:
    by_frame = after(intent(), frame("FILLED", 7, figures("100")), frame("FILLED", 5, figures("100")))
    assert by_frame.now.filled_at == s(5)
    by_rest = after(by_frame.after, look("FILLED", 9, figures("100"), last_fill_time=s(4)))
    assert by_rest.now.filled_at == s(4)
    partial = after(by_rest.after, listing(fill("e1", "30", at=2)))
    assert partial.now.filled_at == s(4)
    by_fills = after(partial.after, listing(fill("e1", "100", at=3.9)))
    assert (by_fills.now.fills_verified, by_fills.now.filled_at) == (True, s(3.9))


def test_fills_date_a_trade_that_rest_has_not_dated() -> None:
    now = after(intent(), frame("FILLED", 7, figures("100", 2)), listing(fill("e1", "30", at=2))).now
    assert now.filled_at == s(2)


def test_completed_by_figures_seen_before_the_end_is_dated_by_the_end_until_rest_dates_it() -> None:
    ended = after(intent(), frame("OPEN", 3, figures("40")), frame("CANCELLED", 5, ZEROES))
    assert (ended.now.status, ended.now.filled_at) == ("completed", s(5))
    assert after(ended.after, look("CANCELLED", 9, figures("40"), last_fill_time=s(2))).now.filled_at == s(2)


def test_the_reason_is_the_newest_and_a_filled_order_has_none() -> None:
    trade = after(intent(), look("CANCELLED", 5, ZEROES, reason="new"), look("OPEN", 2, reason="old")).after
    assert derive(trade).reason == "new"
    assert after(trade, look("FILLED", 6, figures("100"), reason="Internal error")).now.reason is None


def test_sizes_asked_for_else_filled() -> None:
    by_base = view(*_shown(after(intent(limit()), look("OPEN", 1, figures("40")))))
    assert (by_base.size, by_base.price, by_base.size_usd) == (D(100), D(2), D(80))
    by_quote = view(*_shown(after(intent(market()), look("OPEN", 1, figures("40")))))
    assert (by_quote.size, by_quote.price, by_quote.size_usd) == (D(40), D(2), D(100))
    empty = view(*_shown(after(intent(market()), look("OPEN", 1, ZEROES))))
    assert (empty.size, empty.price, empty.size_usd) == (D(0), None, D(100))


def _shown(change: object) -> tuple[object, object]:
    return change.after, change.now  # type: ignore[attr-defined]


def test_a_trade_without_an_id_has_no_row() -> None:
    trade = intent(trade_id=None)
    with pytest.raises(ValueError, match="id"):
        view(trade, derive(trade))


def test_rows_from_elsewhere_are_accepted_when_they_were_born() -> None:
    row = intent(
        limit(client_order_id=None),
        origin=Origin.IMPORTED,
        accepted_at=s(-50),
        orders=(VenueOrder(order_id=ORDER, accepted=True),),
    )
    assert view(row, derive(row)).accepted_at == s(-50)
    seen = after(row, look("OPEN", 900))
    assert (seen.after.accepted_at, view(*_shown(seen)).accepted_at) == (s(0.2), s(0.2))


def test_the_venues_time_of_what_happened() -> None:
    first, open_again, partial, done, cancelled = feed(
        intent(),
        look("OPEN", 1),
        look("OPEN", 2),
        look("OPEN", 3, figures("40"), last_fill_time=s(2.5)),
        frame("OPEN", 4, figures("60")),
        look("CANCELLED", 5, figures("60")),
    )
    assert (first.venue_time, open_again.venue_time) == (s(0.2), None)
    assert (partial.venue_time, partial.figures_changed) == (s(2.5), True)
    assert (done.venue_time, done.figures_changed) == (s(4), True)
    assert (cancelled.venue_time, cancelled.figures_changed) == (None, False)
    by_frame = after(intent(), look("OPEN", 1), frame("CANCELLED", 5))
    assert by_frame.venue_time == s(5)
    queued = after(intent(), look("OPEN", 1), frame("CANCEL_QUEUED", 5))
    assert queued.venue_time == s(5)
    clamped = after(intent(), frame("FILLED", 5, figures("100"), clamped=True))
    assert clamped.venue_time is None
    assert after(intent(), answer("accepted")).venue_time is None


def test_seeing_the_same_again_is_no_news_but_is_kept() -> None:
    first, again = feed(intent(), look("OPEN", 1), look("OPEN", 30))
    assert (first.changed, first.public, first.timestamps_only) == (True, True, False)
    assert (again.changed, again.public, again.timestamps_only) == (True, False, True)
    assert again.after.confirmed_at == s(30)
    assert order_of(again.after).raw.as_of == s(30)  # type: ignore[union-attr]


def test_somebody_elses_order_confirms_nothing() -> None:
    change = after(intent(), look("OPEN", 30, client_order_id="c-9"))
    assert change.after.confirmed_at is None
    assert after(intent(), listing(fill("e1", "1"))).after.confirmed_at is None


def test_the_source_is_that_of_the_last_change() -> None:
    first = observe(intent(), look("OPEN", 1), source=Source.SYNC, at=s(1))
    again = observe(first.after, look("OPEN", 9), source=Source.POLL, at=s(9))
    assert (first.after.source, again.after.source, again.source) == ("sync", "sync", "poll")


def test_fills_added_are_those_not_known_before() -> None:
    first, second = feed(intent(), listing(fill("e1", "1")), listing(fill("e1", "1"), fill("e2", "2")))
    assert [f.entry_id for f in first.fills_added] == ["e1"]
    assert [f.entry_id for f in second.fills_added] == ["e2"]
    adopted = intent(limit(client_order_id=None), origin=Origin.FOREIGN)
    assert after(adopted, listing(fill("e1", "1"))).fills_added == ()


def test_a_fill_that_comes_with_another_content_is_heard_of() -> None:
    change = after(intent(), listing(fill("e1", "1.0")), listing(fill("e1", "1.00")), listing(fill("e1", "2", at=4)))
    assert [a.rule for a in change.alarms] == ["fill_content_changed"]
    assert order_of(change.after).fills == (fill("e1", "2", at=4),)
    older = after(change.after, listing(fill("e1", "9", at=1)))
    assert order_of(older.after).fills == (fill("e1", "2", at=4),)


def test_fills_of_other_orders_in_a_listing_are_left_out() -> None:
    change = after(intent(), listing(fill("e1", "1", order_id="o-9")))
    assert order_of(change.after).fills == ()


def test_completed_that_proves_to_be_another_order_is_critical() -> None:
    change = after(
        intent(market()),
        frame("FILLED", 1, figures("50")),
        look("FILLED", 2, figures("50"), quote_size=D(7), order_type="MARKET"),
    )
    assert (change.was.status, change.now.status) == ("completed", "failed")
    assert [(a.rule, a.severity) for a in change.alarms] == [("break_open", "critical")]


def test_rejected_and_then_filled_is_both_alarms() -> None:
    change = after(intent(), answer("rejected", reason="NO"), look("FILLED", 5, figures("100")))
    assert [a.rule for a in change.alarms] == ["absent_order_appeared", "failed_but_filled"]
    assert change.now.status == "completed"


def test_the_channel_decides_between_words_of_one_instant() -> None:
    trade = after(intent(), look("OPEN", 5), frame("CANCEL_QUEUED", 5)).after
    assert derive(trade).order_status == "open"
    later = after(trade, frame("CANCEL_QUEUED", 6, position=1), frame("OPEN", 6, position=2))
    assert later.now.order_status == "open"
    assert order_of(later.after).raw.channel is Channel.WEBSOCKET  # type: ignore[union-attr]


def test_what_never_left_may_be_sent_under_its_id_and_nothing_else() -> None:
    never = after(intent(), answer("not_sent")).after
    assert never_left(never)
    again = replace(never, attempts=2)
    assert not never_left(again), "the word of an older attempt"
    assert not never_left(intent()), "no word at all"
    assert not never_left(after(never, settled("not_placed")).after)
    assert not never_left(after(intent(), answer("rejected")).after)
    assert not never_left(after(intent(), AbsenceProven(attempt=1, at=s(9), looks=())).after)
    assert not never_left(after(never, look("OPEN", 1)).after)


def test_a_settled_trade_is_so_until_the_venue_speaks() -> None:
    by_hand = after(intent(), settled("cancelled")).after
    assert is_settled(by_hand)
    assert not is_settled(after(by_hand, look("OPEN", 101)).after)
    assert not is_settled(intent())


def test_what_had_been_ruled_out_stays_open_until_somebody_has_looked() -> None:
    ended = after(intent(), look("CANCELLED", 1, ZEROES), look("CANCELLED", 5, ZEROES)).after
    filled = after(ended, look("CANCELLED", 9, figures("40")))
    (found,) = lasting(filled)
    assert (found.kind, found.severity) == ("failed_but_filled", "open")
    assert (found.stored, found.venue) == ("failed (cancelled)", "completed (cancelled)")
    assert found.money_effect == D("80.1")

    absent = after(intent(), AbsenceProven(attempt=1, at=s(9), looks=())).after
    assert [one.kind for one in lasting(after(absent, look("OPEN", 10)))] == ["absent_order_appeared"]

    twice = after(after(intent(), look("OPEN", 1)).after, look("OPEN", 2, order_id="another"))
    assert [(one.kind, one.severity) for one in lasting(twice)] == [("duplicate", "open")]
    assert lasting(after(twice.after, look("OPEN", 3))) == ()
