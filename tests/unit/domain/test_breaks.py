"""Differences between the store and the venue, each with its kind and severity."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from ordersync_cli.domain.breaks import (
    Break,
    BreakKind,
    Severity,
    compare,
    contradicts_end,
    external,
    missing_at_venue,
    own_breaks,
    unknown_tagged,
)
from ordersync_cli.domain.observations import FillsSeen, OrderSeen
from ordersync_cli.domain.orders import Origin
from ordersync_cli.domain.trade import Trade
from tests.unit.domain.builders import (
    ORDER,
    ZEROES,
    D,
    after,
    answer,
    figures,
    fill,
    frame,
    intent,
    listing,
    look,
    market,
    s,
)


def kinds(found: tuple[Break, ...]) -> dict[str, str]:
    return {b.kind.value: b.severity.value for b in found}


def against(trade: Trade, seen: OrderSeen, fills: FillsSeen | None = None, **kw: int) -> tuple[Break, ...]:
    return compare(trade, seen, fills, at=s(1000), **kw)


OPEN = after(intent(), answer("accepted"), look("OPEN", 1, ZEROES)).after
DONE = after(intent(), look("FILLED", 2, figures("100"))).after


def test_equal_is_no_break() -> None:
    assert against(DONE, look("FILLED", 90, figures("100"))) == ()
    assert against(OPEN, look("OPEN", 90, ZEROES)) == ()
    assert against(OPEN, look("OPEN", 90)) == ()


def test_a_missed_fill_is_repaired_and_its_effect_told() -> None:
    found = against(OPEN, look("FILLED", 90, figures("100")), listing(fill("e1", "100")))
    assert kinds(found) == {
        "status": "repaired",
        "filled_size": "repaired",
        "average_filled_price": "repaired",
        "total_fees": "repaired",
        "missing_fill": "repaired",
    }
    by_kind = {b.kind: b for b in found}
    size = by_kind[BreakKind.FILLED_SIZE]
    assert (size.stored, size.venue, size.money_effect) == ("0", "100", D(200))
    assert by_kind[BreakKind.TOTAL_FEES].money_effect == D("0.1")
    assert by_kind[BreakKind.MISSING_FILL].money_effect == D(200)
    assert by_kind[BreakKind.STATUS].stored == "pending (open)"
    assert by_kind[BreakKind.STATUS].venue == "completed (filled)"
    assert size.order_id == ORDER
    assert size.trade_id == 7


def test_figures_of_an_order_never_seen_before_count_from_nothing() -> None:
    trade = after(intent(), answer("accepted")).after
    found = {b.kind: b for b in against(trade, look("OPEN", 9, figures("40")))}
    assert found[BreakKind.FILLED_SIZE].stored is None
    assert found[BreakKind.FILLED_SIZE].money_effect == D(80)
    assert found[BreakKind.TOTAL_FEES].money_effect == D("0.1")


def test_figures_that_shrank_without_an_explanation_are_open() -> None:
    found = against(DONE, look("FILLED", 90, figures("60")))
    assert kinds(found) == {"filled_size": "open"}
    assert found[0].money_effect == D(-80)


def test_an_older_look_with_less_is_no_difference() -> None:
    assert against(DONE, look("OPEN", 1, figures("60"))) == ()


def test_failed_but_filled_stays_open() -> None:
    failed = after(intent(), look("CANCELLED", 1, ZEROES), look("CANCELLED", 9, ZEROES)).after
    found = against(failed, look("CANCELLED", 90, figures("40")))
    assert kinds(found)["failed_but_filled"] == "open"
    assert next(b for b in found if b.kind == "failed_but_filled").money_effect == D(80)


def test_an_order_that_was_ruled_out_and_appeared_stays_open() -> None:
    refused = after(intent(), answer("rejected", reason="NO")).after
    found = against(refused, look("OPEN", 90))
    assert kinds(found) == {"absent_order_appeared": "open", "status": "repaired"}
    assert found[0].money_effect is None
    filled = kinds(against(refused, look("FILLED", 90, figures("100"))))
    assert filled["absent_order_appeared"] == filled["failed_but_filled"] == "open"


def test_an_end_that_the_venue_denies_three_times_is_open() -> None:
    denial = look("OPEN", 62, figures("100"))
    assert against(DONE, look("OPEN", 61.9, figures("100"))) == ()
    assert kinds(against(DONE, denial, contradictions=1)) == {"status": "info"}
    assert kinds(against(DONE, denial, contradictions=3)) == {"status": "open"}


def test_what_contradicts_an_end() -> None:
    assert contradicts_end(DONE, look("OPEN", 62))
    assert not contradicts_end(DONE, look("OPEN", 61))
    assert not contradicts_end(DONE, look("CANCELLED", 90))
    assert not contradicts_end(DONE, look("WHO_KNOWS", 90))
    assert not contradicts_end(DONE, look("OPEN", 90, order_id="o-2"))
    assert not contradicts_end(OPEN, look("OPEN", 90))


def test_fills_missing_extra_or_rewritten() -> None:
    trade = after(DONE, listing(fill("e1", "60"), fill("e2", "40"))).after
    listed = listing(fill("e1", "61", at=9), fill("e3", "1"))
    same = look("FILLED", 90, figures("100"))
    found = against(trade, same, listed)
    assert [(b.kind, b.severity) for b in found] == [
        ("missing_fill", "repaired"),
        ("missing_fill", "repaired"),
        ("extra_fill", "open"),
    ]
    assert found[2].money_effect == D(-80)
    assert found[2].venue is None
    assert kinds(against(trade, same, replace(listed, complete=False))) == {"missing_fill": "repaired"}


def test_somebody_elses_order_is_no_difference_of_this_trade() -> None:
    assert against(OPEN, look("FILLED", 9, figures("5"), order_id="o-2", client_order_id="c-9")) == ()
    row = replace(intent(), origin=Origin.FOREIGN)
    assert against(row, look("OPEN", 2)) == ()


def test_an_unknown_outcome_is_info_for_five_minutes() -> None:
    trade = after(intent(market()), answer("unknown")).after
    young, old = (own_breaks(trade, at=s(at)) for at in (300, 301))
    assert (kinds(young), kinds(old)) == ({"unknown_outcome": "info"}, {"unknown_outcome": "open"})
    assert old[0].money_effect == D(100)
    fresh = replace(trade, attempt_at=None, created_at=s(290))
    assert kinds(own_breaks(fresh, at=s(301))) == {"unknown_outcome": "info"}


def test_missing_fills_are_info_for_ten_minutes() -> None:
    assert kinds(own_breaks(DONE, at=s(602))) == {"missing_fill": "info"}
    assert kinds(own_breaks(DONE, at=s(603))) == {"missing_fill": "open"}
    whole = after(DONE, listing(fill("e1", "100"))).after
    assert own_breaks(whole, at=s(9999)) == ()


def test_a_pending_trade_that_is_not_confirmed_is_stale() -> None:
    assert own_breaks(OPEN, at=s(61)) == ()
    assert kinds(own_breaks(OPEN, at=s(62))) == {"stale": "open"}
    bought = after(intent(market()), answer("accepted")).after
    assert own_breaks(bought, at=s(15)) == ()
    assert kinds(own_breaks(bought, at=s(16))) == {"stale": "open"}


def test_two_orders_of_one_intent_are_a_break() -> None:
    trade = after(DONE, listing(fill("e1", "100")), look("OPEN", 1, order_id="o-2", created_time=s(9))).after
    found = own_breaks(trade, at=s(20))
    assert kinds(found) == {"duplicate": "open"}
    assert (found[0].stored, found[0].venue) == (ORDER, "o-2")


def test_an_order_that_the_venue_does_not_have() -> None:
    found = missing_at_venue(DONE)
    assert (found.kind, found.severity, found.money_effect) == ("missing_at_venue", "open", D(-200))
    assert missing_at_venue(after(intent(), answer("accepted")).after).money_effect == 0


def test_orders_of_others_and_orders_that_should_be_known() -> None:
    seen = frame("OPEN", 1, figures("40"), order_id="o-7")
    assert external(seen) == Break(
        kind=BreakKind.EXTERNAL_ORDER,
        severity=Severity.INFO,
        order_id="o-7",
        trade_id=None,
        stored=None,
        venue="OPEN",
        money_effect=D(80),
    )
    assert (unknown_tagged(frame("OPEN", 1)).severity, unknown_tagged(frame("OPEN", 1)).money_effect) == ("open", None)


def test_a_terminal_trade_without_figures_is_not_yet_short_of_fills() -> None:
    trade = after(intent(), frame("CANCELLED", 1)).after
    assert kinds(own_breaks(trade, at=s(1) + timedelta(hours=1))) == {"stale": "open"}
