"""Whose order is it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from ordersync_cli.domain.matching import (
    Match,
    belongs,
    compare,
    id_in_use,
    may_be_ours,
    ours,
    same_product,
    still_matching,
)
from ordersync_cli.domain.merge import join_order
from ordersync_cli.domain.observations import Edit
from ordersync_cli.domain.orders import OrderType, Origin, Side
from ordersync_cli.domain.registers import external_sight
from ordersync_cli.domain.standing import derive
from ordersync_cli.domain.trade import VenueOrder
from tests.unit.domain.builders import (
    ORDER,
    D,
    after,
    answer,
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

EDITED = Edit(accepted_at=s(3), size=D(1), price=D(9))


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("BTC-USD", "BTC-USD", True),
        ("BTC-USD", "BTC-USDC", True),
        ("BTC-USDC", "BTC-USD", True),
        ("BTC-USD", "ETH-USD", False),
        ("BTC-USD", "BTC-EUR", False),
        ("BTC-EUR", "BTC-GBP", False),
    ],
)
def test_one_book_has_two_names(a: str, b: str, same: bool) -> None:
    assert same_product(a, b) is same


@pytest.mark.parametrize(
    ("carried", "match"),
    [
        ({}, Match.YES),
        ({"client_order_id": None}, Match.UNDECIDED),
        ({"client_order_id": "c-9"}, Match.NO),
        ({"product_id": "ETH-USD"}, Match.NO),
        ({"side": Side.SELL}, Match.NO),
        ({"product_id": None, "side": None}, Match.YES),
        ({"base_size": D("100.00"), "limit_price": D("2.0")}, Match.YES),
        ({"base_size": D(99)}, Match.OTHER_TERMS),
        ({"quote_size": D(100)}, Match.OTHER_TERMS),
        ({"limit_price": D("2.1")}, Match.OTHER_TERMS),
        ({"limit_price": D(0)}, Match.YES),
        ({"order_type": "MARKET"}, Match.OTHER_TERMS),
        ({"stop_price": D(1)}, Match.YES),
        ({"base_size": D(1), "limit_price": D(9), "edit": EDITED}, Match.YES),
    ],
)
def test_only_what_the_source_carried_is_compared(carried: dict[str, Any], match: Match) -> None:
    assert compare(limit(), look("OPEN", 1, **carried)) is match


def test_a_stop_price_counts_as_a_price() -> None:
    asked = limit(order_type=OrderType.STOP_LIMIT, stop_price=D("1.5"))
    assert compare(asked, look("OPEN", 1, stop_price=D("1.4"))) is Match.OTHER_TERMS


def test_a_quote_sized_limit_order_may_be_shown_by_its_base_size() -> None:
    asked = limit(base_size=None, quote_size=D(200))
    assert compare(asked, look("OPEN", 1, base_size=D(100), limit_price=D(2))) is Match.YES
    assert compare(asked, look("OPEN", 1, base_size=D(100), limit_price=D(3))) is Match.OTHER_TERMS
    assert compare(asked, look("OPEN", 1, quote_size=D(100))) is Match.OTHER_TERMS
    assert compare(market(), look("OPEN", 1, base_size=D(100))) is Match.OTHER_TERMS


def test_both_sizes_carried_must_not_contradict() -> None:
    asked = market(base_size=D(5), quote_size=D(100))
    assert compare(asked, look("OPEN", 1, base_size=D(5), quote_size=D(9))) is Match.OTHER_TERMS


def test_a_frame_cannot_tell_an_edit_from_another_order() -> None:
    assert compare(limit(), frame("OPEN", 1, limit_price=D("2.1"))) is Match.OTHER_OR_EDITED
    assert compare(market(), frame("OPEN", 1, limit_price=D("2.1"))) is Match.OTHER_OR_EDITED


def test_T13_a_frame_of_other_terms_settles_nothing_until_rest_has_compared_them() -> None:
    told = (answer("accepted"), frame("FILLED", 1, figures(100), limit_price=D("2.1")))
    doubted = after(intent(), *told).now
    assert (doubted.status, doubted.terminal, doubted.awaits_zero_proof) == ("pending", True, False)
    others = after(intent(), *told, look("FILLED", 2, figures(100), limit_price=D("2.1"))).now
    assert (others.status, others.reason) == ("failed", "client_order_id_in_use")
    edited = after(intent(), *told, look("FILLED", 2, figures(100), limit_price=D("2.1"), edit=EDITED)).now
    assert edited.status == "completed"


def test_an_undecided_frame_neither_claims_nor_refuses() -> None:
    now = after(intent(), frame("OPEN", 1, limit_price=D("2.1"))).now
    assert (now.order_status, now.order_id) == ("submitting", None)


def test_edited_terms_are_forgiven_whenever_the_edit_becomes_known() -> None:
    first = after(intent(), answer("accepted"), look("OPEN", 1, base_size=D(1)))
    assert first.now.reason == "client_order_id_in_use"
    later = after(first.after, look("OPEN", 2, base_size=D(1), edit=EDITED))
    assert (later.now.status, later.now.base_size) == ("pending", D(1))
    assert [a.rule for a in later.alarms] == ["absent_order_appeared"]


def test_an_order_of_another_program_is_not_claimed_by_its_id_alone() -> None:
    """Ours or not is decided by what was asked for, even where no answer ever named the order."""
    now = after(intent(), look("FILLED", 1, figures("100"), side=Side.SELL)).now
    assert (now.order_status, now.reason, now.order_id) == ("rejected", "client_order_id_in_use", None)


def test_a_matching_order_wins_over_somebody_elses_under_the_same_id() -> None:
    other = look("FILLED", 1, figures("5"), order_id="o-0", side=Side.SELL)
    now = after(intent(), other, look("OPEN", 2)).now
    assert (now.order_status, now.order_id) == ("open", ORDER)


def test_a_refusal_by_the_venue_says_more_than_the_id_being_in_use() -> None:
    refused = answer("rejected", reason="INSUFFICIENT_FUND")
    now = after(intent(), look("OPEN", 1, side=Side.SELL), refused).now
    assert now.reason == "INSUFFICIENT_FUND"
    unsent = after(intent(), look("OPEN", 1, side=Side.SELL), answer("not_sent")).now
    assert unsent.reason == "client_order_id_in_use"


def test_an_order_with_another_client_id_counts_against_us_only_if_the_answer_named_it() -> None:
    foreign = look("OPEN", 1, client_order_id="c-9")
    assert after(intent(), foreign).now.order_status == "submitting"
    assert after(intent(), foreign, answer("accepted")).now.reason == "client_order_id_in_use"


def test_the_first_attempt_counts_when_there_were_several() -> None:
    seen = look("OPEN", 1, created_time=s(2))
    once = intent(attempts=1, attempt_at=s(7200))
    assert derive(after(once, seen).after).reason == "client_order_id_in_use"
    twice = intent(attempts=2, attempt_at=s(7200))
    assert derive(after(twice, seen).after).order_id == ORDER


def test_creation_may_lie_five_minutes_before_the_attempt() -> None:
    assert after(intent(), look("OPEN", 1, created_time=s(-300))).now.order_id == ORDER
    assert after(intent(), look("OPEN", 1, created_time=s(-300.001))).now.order_id is None
    unsent = intent(attempts=0, attempt_at=None)
    assert after(unsent, look("OPEN", 1, created_time=s(-301))).now.order_id is None


def test_two_that_match_are_duplicates_and_the_older_is_primary() -> None:
    change = after(intent(), look("OPEN", 1, order_id="o-b", created_time=s(2)), look("FILLED", 2, figures("100")))
    assert (change.now.order_id, change.now.duplicates) == (ORDER, ("o-b",))
    assert [a.rule for a in change.alarms] == ["break_open"]
    assert "duplicate" in change.alarms[0].message
    again = after(change.after, look("OPEN", 3, order_id="o-b", created_time=s(2)))
    assert again.alarms == ()
    assert [o.order_id for o in ours(change.after)] == [ORDER, "o-b"]


def test_an_order_without_a_birthday_comes_last() -> None:
    seen = after(intent(), answer("accepted", order_id="o-a"), look("OPEN", 1)).now
    assert (seen.order_id, seen.duplicates) == (ORDER, ("o-a",))


def test_a_row_that_named_its_order_needs_no_match_and_claims_no_other() -> None:
    row = intent(
        limit(client_order_id=None), origin=Origin.IMPORTED, orders=(VenueOrder(order_id=ORDER, accepted=True),)
    )
    seen = after(row, look("OPEN", 1, product_id="ETH-USD", client_order_id="theirs"))
    assert (seen.now.order_id, seen.now.order_status) == (ORDER, "open")
    other = after(row, look("FILLED", 1, figures("1"), order_id="o-2"))
    assert not other.changed
    answered = after(row, answer("accepted", order_id="o-2"))
    assert not answered.changed  # else it would have to be known before its fills are
    assert not id_in_use(row)
    assert not may_be_ours(row, look("OPEN", 1, order_id="o-2"))
    assert may_be_ours(row, look("OPEN", 1))
    assert not belongs(row, VenueOrder(order_id="o-2"))


def test_a_listing_is_searched_for_orders_that_may_be_ours() -> None:
    trade = intent()
    assert may_be_ours(trade, look("OPEN", 1))
    assert may_be_ours(trade, frame("OPEN", 1, limit_price=D(3)))
    assert not may_be_ours(trade, look("OPEN", 1, client_order_id="c-9"))
    assert not may_be_ours(trade, look("OPEN", 1, side=Side.SELL))
    assert not may_be_ours(trade, look("OPEN", 1, created_time=s(-86_400)))


def test_matching_goes_on_for_seven_days() -> None:
    assert still_matching(None, s(0))
    assert still_matching(s(0), s(0) + timedelta(days=7))
    assert not still_matching(s(0), s(1) + timedelta(days=7))


def test_an_order_that_nobody_claims_is_compared_with_nothing() -> None:
    seen = external_sight(look("OPEN", 2, figures("0.4"), client_order_id="theirs", product_id="ETH-EUR"), s(2))
    fills = external_sight(listing(fill("e-1", "0.4"), at=3), s(3))

    both = join_order(seen, fills)
    assert (both.order_id, both.client_order_id, both.product_id) == (ORDER, "theirs", "ETH-EUR")
    assert not any((both.matched, both.mismatch, both.terms_differ, both.frame_differs, both.accepted))
    assert [f.entry_id for f in both.fills] == ["e-1"]
    assert both == join_order(fills, seen)
