"""The traps of the domain and the failures of the peers, each red on tests/naive.py."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from ordersync_cli.domain.observations import AbsenceProven, CancelStep, Look
from ordersync_cli.domain.orders import Figures, Side
from ordersync_cli.domain.trade import VenueOrder
from tests.unit.domain.builders import (
    ORDER,
    T0,
    ZEROES,
    D,
    answer,
    cancel,
    figures,
    fill,
    frame,
    intent,
    limit,
    listing,
    look,
    market,
    s,
)
from tests.unit.domain.subjects import Core, Subject

OPEN_FOR_LONG = ["OPEN", "QUEUED", "EDIT_QUEUED", "PENDING"]


@pytest.fixture
def subject() -> Subject:
    return Core()


def test_T01_cancelled_after_a_partial_fill_is_completed_with_its_figures(subject: Subject) -> None:
    subject.start(intent())
    subject.feed(answer("accepted"), frame("OPEN", 1, figures("40")))
    subject.feed(look("CANCELLED", 2, figures("40")))
    row = subject.row
    assert (row.status, row.order_status, row.venue_status) == ("completed", "cancelled", "CANCELLED")
    assert (row.filled_size, row.filled_value, row.total_fees) == (D(40), D(80), D("0.1"))


def test_T02_internal_error_on_a_filled_quote_order_is_its_normal_end(subject: Subject) -> None:
    subject.start(intent(market(quote_size=D("1.1"))))
    told = Figures(
        filled_size=D("0.00043754"),
        number_of_fills=1,
        filled_value=D("1.0799843574"),
        total_fees=D("0.0129598122888"),
        average_filled_price=D("2468.31"),
    )
    subject.feed(answer("accepted"), frame("FILLED", 2, told, reason="Internal error"))
    row = subject.row
    assert (row.status, row.order_status) == ("completed", "filled")
    assert row.filled_value == D("1.0799843574")
    assert row.size_usd == D("1.1")
    assert subject.alarms == []


def test_T03_fills_are_verified_only_when_count_and_sum_agree(subject: Subject) -> None:
    subject.start(intent())
    subject.feed(answer("accepted"), look("FILLED", 2, figures("100", 2)))
    assert subject.row.fills_verified is False
    subject.feed(listing(fill("e1", "60"), at=3))
    assert subject.row.fills_verified is False
    subject.feed(listing(fill("e1", "60"), fill("e2", "30"), at=4))
    assert subject.row.fills_verified is False
    subject.feed(listing(fill("e3", "10"), at=5, complete=False))
    assert subject.row.fills_verified is False
    assert subject.row.filled_size == D(100)


def test_T03_a_late_listing_verifies_a_trade_that_has_long_ended(subject: Subject) -> None:
    subject.start(intent())
    subject.feed(answer("accepted"), look("FILLED", 2, figures("100", 2), last_fill_time=s(1.5)))
    subject.feed(listing(fill("e1", "60", at=1), fill("e2", "40", at=1.4), at=300))
    row = subject.row
    assert (row.status, row.fills_verified, row.filled_size) == ("completed", True, D(100))
    assert row.filled_at == s(1.4)


def test_T04_adjusted_fills_never_set_totals_by_arithmetic(subject: Subject) -> None:
    subject.start(intent())
    subject.feed(answer("accepted"), look("FILLED", 2, figures("100", 2)))
    rows = [fill("e1", "60"), fill("e2", "40"), fill("e3", "40", trade_type="REVERSAL", venue_trade_id="t-e2")]
    subject.feed(listing(*rows, at=20), listing(*rows, at=21))
    assert subject.row.filled_size == D(100)
    assert subject.row.fills_verified is False


def test_T04_a_reversal_is_followed_once_the_venue_shows_it_and_the_fills_explain_it(
    subject: Subject,
) -> None:
    subject.start(intent())
    subject.feed(answer("accepted"), look("FILLED", 2, figures("100", 2, fees="0.2")))
    gone = fill("e3", "40", trade_type="REVERSAL", venue_trade_id="t-e2")
    rows = [fill("e1", "60"), fill("e2", "40"), gone]
    subject.feed(listing(*rows, at=20))
    subject.feed(look("FILLED", 30, figures("60", 1, fees="0.1")))
    subject.feed(listing(*rows, at=31), look("FILLED", 32, figures("60", 1, fees="0.1")))
    row = subject.row
    assert (row.status, row.filled_size, row.total_fees) == ("completed", D(60), D("0.1"))
    assert row.fills_verified is True


def test_T05_quote_sized_fills_are_held_against_the_filled_value(subject: Subject) -> None:
    subject.start(intent(market()))
    told = Figures(
        filled_size=D("0.001"),
        number_of_fills=2,
        filled_value=D("68.9236"),
        total_fees=D("0.2"),
        average_filled_price=D("68923.6"),
    )
    subject.feed(answer("accepted"), look("FILLED", 2, told))
    rows = [
        fill("e1", "34.46181", price="68923.62", size_in_quote=True),
        fill("e2", "34.46179", price="68923.58", size_in_quote=True),
    ]
    subject.feed(listing(rows[0], at=3))
    assert subject.row.fills_verified is False
    subject.feed(listing(*rows, at=4))
    assert (subject.row.fills_verified, subject.row.filled_size) == (True, D("0.001"))


def test_T06_a_quote_sized_order_is_not_over_before_the_venue_says_so(subject: Subject) -> None:
    subject.start(intent(market(quote_size=D(100))))
    subject.feed(answer("accepted"), frame("OPEN", 1, figures("50", 1)))
    row = subject.row
    assert (row.filled_value, row.size_usd) == (D(100), D(100))
    assert (row.status, row.order_status) == ("pending", "open")


def test_T07_cumulative_frames_replace_and_never_add_up(subject: Subject) -> None:
    subject.start(intent())
    subject.feed(answer("accepted"))
    subject.feed(frame("OPEN", 1, figures("40", 3)), frame("OPEN", 2, figures("70", 5)))
    for at in (3, 3.25, 3.5):
        subject.feed(frame("FILLED", at, figures("100", 6)))
    assert (subject.row.filled_size, subject.row.number_of_fills) == (D(100), 6)
    assert subject.row.closed_at == s(3)


def test_T08_nothing_left_is_not_filled(subject: Subject) -> None:
    """What is left reads 0 on a cancel: only the word decides, and the word here is CANCELLED."""
    subject.start(intent())
    subject.feed(answer("accepted"), frame("CANCELLED", 2, figures("100")))
    assert (subject.row.order_status, subject.row.filled_size) == ("cancelled", D(100))


def test_T09_an_order_that_waits_to_open_is_open(subject: Subject) -> None:
    subject.start(intent())
    subject.feed(answer("accepted"))
    for at, word in enumerate(("PENDING", "QUEUED", "OPEN"), start=1):
        subject.feed(frame(word, at))
        assert (subject.row.status, subject.row.order_status) == ("pending", "open")
        assert subject.row.venue_status == word


def test_T10_unknown_words_change_nothing_but_are_heard_of(subject: Subject) -> None:
    subject.start(intent())
    subject.feed(answer("accepted"))
    for at, word in enumerate(OPEN_FOR_LONG, start=1):
        subject.feed(look(word, at))
        assert subject.row.order_status == "open"
    subject.feed(look("CANCEL_QUEUED", 5))
    assert subject.row.order_status == "cancelling"
    subject.feed(look("UNKNOWN_ORDER_STATUS", 6, figures("40")))
    assert (subject.row.status, subject.row.order_status) == ("pending", "cancelling")
    assert (subject.row.venue_status, subject.row.filled_size) == ("UNKNOWN_ORDER_STATUS", D(40))
    subject.feed(look("BRAND_NEW", 7), look("BRAND_NEW", 8))
    assert subject.row.order_status == "cancelling"
    assert subject.alarms == ["unknown_venue_status", "unknown_venue_status"]
    subject.feed(look("CANCELLED", 9, figures("40")))
    assert subject.row.status == "completed"


def test_T11_failed_by_the_venue_and_refused_when_placed_are_two_things(subject: Subject) -> None:
    subject.start(intent())
    subject.feed(answer("accepted"), look("FAILED", 1, ZEROES, reason="HOLD_FAILURE"))
    assert subject.row.status == "pending"
    subject.feed(look("FAILED", 3.1, ZEROES, reason="HOLD_FAILURE"))
    row = subject.row
    assert (row.status, row.order_status, row.reason) == ("failed", "failed", "HOLD_FAILURE")


def test_T11_refused_when_placed_is_rejected_with_its_reason(subject: Subject) -> None:
    subject.start(intent())
    subject.feed(answer("rejected", reason="INSUFFICIENT_FUND"))
    row = subject.row
    assert (row.status, row.order_status, row.reason) == ("failed", "rejected", "INSUFFICIENT_FUND")


def test_T12_an_edited_order_is_followed_under_its_id(subject: Subject) -> None:
    from ordersync_cli.domain.observations import Edit

    edit = Edit(accepted_at=s(4), size=D(90), price=D("1.9"))
    subject.start(intent())
    subject.feed(answer("accepted"), look("OPEN", 1, base_size=D(100), limit_price=D(2)))
    subject.feed(frame("OPEN", 5, limit_price=D("1.9")))
    subject.feed(look("OPEN", 6, edit=edit, base_size=D(90), limit_price=D("1.9")))
    row = subject.row
    assert (row.order_id, row.order_status) == (ORDER, "open")
    assert (row.size, row.price) == (D(90), D("1.9"))


def test_T13_success_with_an_old_order_is_a_refusal_and_records_nothing(subject: Subject) -> None:
    subject.start(intent(market(quote_size=D(100))))
    subject.feed(answer("accepted"))
    subject.feed(look("FILLED", 1, figures("5"), quote_size=D(10), order_type="MARKET"))
    row = subject.row
    assert (row.status, row.order_status) == ("failed", "rejected")
    assert (row.reason, row.order_id) == ("client_order_id_in_use", None)
    assert row.filled_size is None


def test_T14_a_duplicate_client_order_id_is_not_a_refusal(subject: Subject) -> None:
    subject.start(intent())
    subject.feed(answer("rejected", reason="DUPLICATE_CLIENT_ORDER_ID"))
    assert (subject.row.status, subject.row.order_status) == ("pending", "submitting")
    subject.feed(look("FILLED", 2, figures("100")))
    assert (subject.row.status, subject.row.filled_size) == ("completed", D(100))


def test_T15_not_found_right_after_create_proves_nothing(subject: Subject) -> None:
    subject.start(intent())
    subject.feed(answer("accepted"))
    subject.not_found()
    assert (subject.row.status, subject.row.order_status) == ("pending", "open")


def test_T16_a_lost_answer_stays_submitting_until_the_venue_tells(subject: Subject) -> None:
    subject.start(intent())
    subject.feed(answer("unknown", reason="500"))
    assert (subject.row.status, subject.row.order_status) == ("pending", "submitting")
    subject.feed(look("FILLED", 40, figures("100")))
    row = subject.row
    assert (row.status, row.order_id, row.filled_size) == ("completed", ORDER, D(100))


def test_T17_a_frame_before_the_create_answer_is_kept(subject: Subject) -> None:
    subject.start(intent())
    subject.feed(frame("OPEN", 0.1), frame("FILLED", 0.2, figures("100")))
    assert (subject.row.order_id, subject.row.status) == (ORDER, "completed")
    subject.feed(answer("accepted", at=0.4))
    assert (subject.row.status, subject.row.filled_size) == ("completed", D(100))


def test_T25_a_frame_under_the_other_name_of_the_book_is_ours(subject: Subject) -> None:
    subject.start(intent(limit(product_id="BTC-USDC")))
    subject.feed(answer("accepted"), frame("FILLED", 1, figures("100"), product_id="BTC-USD"))
    assert (subject.row.status, subject.row.filled_size) == ("completed", D(100))
    assert subject.row.product_id == "BTC-USDC"


def test_T31_an_accepted_cancel_is_cancelling_and_may_still_fill(subject: Subject) -> None:
    subject.start(intent())
    subject.feed(answer("accepted"), look("OPEN", 1))
    subject.feed(cancel(CancelStep.REQUESTED, 2), cancel(CancelStep.ACCEPTED, 2, 2.2))
    subject.feed(look("OPEN", 3), look("OPEN", 20))
    assert (subject.row.status, subject.row.order_status) == ("pending", "cancelling")
    subject.feed(look("FILLED", 21, figures("100")))
    assert (subject.row.status, subject.row.order_status) == ("completed", "filled")


def test_T32_prices_off_tick_and_fifteen_decimals_are_kept(subject: Subject) -> None:
    told = Figures(
        filled_size=D("0.000297920684505"),
        number_of_fills=2,
        filled_value=D("6.3220675944333996"),
        total_fees=D("0.0379324055666004"),
        average_filled_price=D("21220.6399999973697697"),
    )
    subject.start(intent(market(quote_size=D("6.36"))))
    subject.feed(answer("accepted"), look("FILLED", 1, told))
    row = subject.row
    assert str(row.filled_size) == "0.000297920684505"
    assert str(row.average_filled_price) == "21220.6399999973697697"
    assert row.filled_value + row.total_fees == D("6.36")


def test_T33_fees_may_be_zero_negative_or_corrected(subject: Subject) -> None:
    subject.start(intent())
    subject.feed(answer("accepted"), frame("FILLED", 1, figures("100", fees="0")))
    assert subject.row.total_fees == 0
    subject.feed(look("FILLED", 2, figures("100", fees="-0.10")))
    assert subject.row.total_fees == D("-0.1")
    subject.feed(frame("FILLED", 3, None), frame("FILLED", 4, figures("100", fees="0")))
    assert subject.row.total_fees == D("-0.1")


def looks_at(*seconds: float) -> list[Look]:
    begin = T0 - timedelta(hours=1)
    return [Look(started_at=s(at), window_start=begin, rows=9, positive_control=None) for at in seconds]


def test_T43_looks_count_only_after_the_frozen_request_has_died(subject: Subject) -> None:
    early = looks_at(5, 20, 40, 59, 60)
    assert not subject.absent(early, not_after=s(30), at=s(200))
    assert not subject.absent([*early, *looks_at(61, 90, 120)], not_after=s(30), at=s(200))
    assert subject.absent([*early, *looks_at(61, 90, 121)], not_after=s(30), at=s(200))


def test_T44_our_client_order_id_of_yesterday_is_somebody_elses_order(subject: Subject) -> None:
    subject.start(intent())
    subject.feed(answer("accepted"))
    subject.feed(look("FILLED", 1, figures("100"), created_time=s(-86_400)))
    row = subject.row
    assert (row.status, row.order_status) == ("failed", "rejected")
    assert (row.reason, row.order_id) == ("client_order_id_in_use", None)


def test_T46_a_time_that_had_to_be_clamped_is_heard_of_and_poisons_nothing(subject: Subject) -> None:
    subject.start(intent())
    subject.feed(answer("accepted"), frame("OPEN", 5, clamped=True), look("OPEN", 8))
    subject.feed(look("FILLED", 10, figures("100")))
    assert subject.alarms == ["clock_skew"]
    assert (subject.row.status, subject.row.venue_status) == ("completed", "FILLED")


def test_T47_a_late_fill_of_what_was_failed_is_followed_loudly(subject: Subject) -> None:
    subject.start(intent())
    subject.feed(answer("accepted"), look("CANCELLED", 1, ZEROES), look("CANCELLED", 4, ZEROES))
    assert subject.row.status == "failed"
    subject.feed(look("CANCELLED", 60, figures("40")))
    assert (subject.row.status, subject.row.filled_size) == ("completed", D(40))
    assert subject.alarms == ["failed_but_filled"]


def test_T47_a_listed_fill_of_what_was_failed_reopens_the_question(subject: Subject) -> None:
    subject.start(intent())
    subject.feed(answer("accepted"), look("EXPIRED", 1, ZEROES), look("EXPIRED", 4, ZEROES))
    subject.feed(listing(fill("e1", "40"), at=60))
    assert (subject.row.status, subject.row.order_status) == ("pending", "expired")
    assert subject.alarms == ["failed_but_filled"]


def test_P01_cancelled_at_forty_of_a_hundred_is_forty(subject: Subject) -> None:
    subject.start(intent())
    subject.feed(answer("accepted"), look("CANCELLED", 9, figures("40")), look("CANCELLED", 12, ZEROES))
    assert (subject.row.status, subject.row.filled_size) == ("completed", D(40))


def test_P02_a_late_fill_amends_a_cancelled_order_and_does_not_reopen_it(subject: Subject) -> None:
    subject.start(intent())
    subject.feed(answer("accepted"), look("CANCELLED", 9, figures("40")))
    subject.feed(frame("OPEN", 10, figures("45", 2)))
    row = subject.row
    assert (row.status, row.order_status, row.filled_size) == ("completed", "cancelled", D(45))


def test_P03_silence_is_never_a_rejection(subject: Subject) -> None:
    subject.start(intent())
    subject.feed(answer("unknown"))
    for _ in range(4):
        subject.not_found()
    assert (subject.row.status, subject.row.order_status) == ("pending", "submitting")
    subject.feed(frame("FILLED", 45, figures("100")))
    assert (subject.row.status, subject.row.filled_size) == ("completed", D(100))


def test_P04_a_pending_cancel_is_never_taken_for_cancelled(subject: Subject) -> None:
    subject.start(intent())
    subject.feed(answer("accepted"), cancel(CancelStep.ACCEPTED, 2, 2.2), look("CANCEL_QUEUED", 3))
    assert (subject.row.status, subject.row.order_status) == ("pending", "cancelling")
    subject.feed(frame("FILLED", 4, figures("100")))
    assert (subject.row.status, subject.row.filled_size) == ("completed", D(100))


def test_P05_one_execution_from_two_sources_counts_once(subject: Subject) -> None:
    subject.start(intent())
    subject.feed(answer("accepted"), frame("OPEN", 2, figures("40")))
    subject.feed(listing(fill("e1", "40"), at=3), listing(fill("e1", "40"), at=4))
    subject.feed(look("OPEN", 5, figures("40")))
    assert (subject.row.filled_size, subject.row.number_of_fills) == (D(40), 1)


def test_P06_lost_and_replayed_frames_end_at_the_venues_figures(subject: Subject) -> None:
    subject.start(intent())
    subject.feed(answer("accepted"), frame("OPEN", 1, figures("10")))
    subject.feed(look("OPEN", 9, figures("70", 4)))
    subject.feed(frame("OPEN", 3, figures("30", 2)), frame("OPEN", 5, figures("50", 3)))
    assert (subject.row.filled_size, subject.row.number_of_fills) == (D(70), 4)


def test_P07_quote_fills_reversals_and_unknown_words_are_read_for_what_they_are(
    subject: Subject,
) -> None:
    subject.start(intent(market()))
    subject.feed(answer("accepted"), look("UNKNOWN_ORDER_STATUS", 1))
    assert (subject.row.status, subject.row.order_status) == ("pending", "open")
    subject.feed(look("FILLED", 2, figures("50", 1)))
    subject.feed(listing(fill("e1", "100", size_in_quote=True), at=3))
    assert (subject.row.filled_size, subject.row.fills_verified) == (D(50), True)


def test_P08_a_stale_open_never_overwrites_filled(subject: Subject) -> None:
    subject.start(intent())
    subject.feed(answer("accepted"), look("FILLED", 5, figures("100")))
    subject.feed(look("OPEN", 4, figures("60")), look("OPEN", 6, figures("60")))
    row = subject.row
    assert (row.status, row.venue_status, row.filled_size) == ("completed", "FILLED", D(100))


def test_P16_cumulative_sizes_are_no_fills_and_uninvited_cancels_are_heard(subject: Subject) -> None:
    subject.start(intent())
    subject.feed(answer("accepted"), frame("OPEN", 1, figures("30")), frame("OPEN", 2, figures("40", 2)))
    assert subject.row.filled_size == D(40)
    subject.feed(frame("CANCELLED", 3, figures("40", 2), reason="by the venue"))
    row = subject.row
    assert (row.status, row.order_status, row.reason) == ("completed", "cancelled", "by the venue")


def test_P13_money_is_exact(subject: Subject) -> None:
    subject.start(intent())
    subject.feed(answer("accepted"), look("FILLED", 1, figures("0.1", price="3")))
    assert subject.row.filled_value == Decimal("0.3")


def test_P17_every_end_is_known(subject: Subject) -> None:
    for word in ("EXPIRED", "FAILED"):
        subject.start(intent())
        subject.feed(answer("accepted"), look(word, 1, ZEROES), look(word, 4, ZEROES))
        assert (subject.row.status, subject.row.order_status) == ("failed", word.lower())


def test_T07_a_row_that_a_bot_inserted_follows_its_order_too(subject: Subject) -> None:
    from ordersync_cli.domain.orders import Origin

    named = (VenueOrder(order_id=ORDER, accepted=True),)
    foreign = intent(limit(client_order_id=None, side=Side.BUY), origin=Origin.FOREIGN, orders=named)
    subject.start(foreign)
    subject.feed(frame("OPEN", 1, figures("40")), frame("FILLED", 2, figures("100")))
    assert (subject.row.order_id, subject.row.filled_size) == (ORDER, D(100))


def test_T16_only_a_written_proof_ends_an_unknown_outcome(subject: Subject) -> None:
    subject.start(intent())
    subject.feed(answer("unknown"))
    proof = AbsenceProven(attempt=1, at=s(200), looks=tuple(looks_at(61, 90, 121)))
    subject.feed(proof)
    assert (subject.row.status, subject.row.order_status) == ("failed", "not_placed")
    subject.feed(look("OPEN", 300))
    assert (subject.row.status, subject.row.order_status) == ("pending", "open")
    assert subject.alarms == ["absent_order_appeared"]
