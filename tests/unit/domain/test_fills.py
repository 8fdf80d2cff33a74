"""What fills prove about the venue's cumulative figures."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from ordersync_cli.domain.fills import base_size, explains, last_fill_time, quote_value, union, verified
from tests.unit.domain.builders import D, figures, fill, s


def test_base_size_of_a_quote_sized_fill_is_size_by_price() -> None:
    in_quote = fill("e1", "6.36", price="21220", size_in_quote=True)
    assert base_size(in_quote) == D("0.0002997172478793")
    assert base_size(in_quote, places=8) == D("0.00029971")
    assert quote_value(in_quote) == D("6.36")
    assert base_size(replace(in_quote, price=D(0))) == 0
    assert base_size(fill("e2", "1.5")) == D("1.5")
    assert quote_value(fill("e2", "1.5")) == 3


def test_verified_needs_figures_count_and_sum() -> None:
    assert not verified((), None)
    assert verified((), figures("0"))
    assert not verified([fill("e1", "40")], figures("40", 2))
    assert verified([fill("e1", "40", trade_type="SYNTHETIC")], figures("40"))


@pytest.mark.parametrize(
    ("sizes", "value", "agrees"),
    [
        (["34.46181", "34.46179"], "68.9236", True),
        (["34.46181", "34.46179"], "68.9238", True),
        (["34.46181", "34.46179"], "68.9239", False),
        (["5.5399921787", "5.5399921787"], "11.0799843575", True),
        (["5.5399921787", "5.5399921787"], "11.0799843577", False),
        (["6.32206759443339"], "6.3220675944333996", True),
        (["12.5", "12.5"], "25", True),
        (["12.5", "12.4"], "25", False),
        (["0.05"], "0.0496", True),
        (["0.05"], "0.049", False),
    ],
)
def test_quote_sums_may_miss_a_last_digit_a_fill(sizes: list[str], value: str, agrees: bool) -> None:
    rows = [fill(f"e{n}", size, size_in_quote=True) for n, size in enumerate(sizes)]
    told = replace(figures("1", len(rows)), filled_value=Decimal(value))
    assert verified(rows, told) is agrees


def test_base_and_quote_sized_fills_together_are_held_against_the_value() -> None:
    rows = [fill("e1", "10"), fill("e2", "30", size_in_quote=True)]
    assert verified(rows, figures("25", 2))
    assert not verified(rows, figures("26", 2))


ROWS = [fill("e1", "60"), fill("e2", "40")]


@pytest.mark.parametrize(
    ("adjustment", "told", "explained"),
    [
        # a reversal subtracts, with its fee or without
        (fill("e3", "40", trade_type="REVERSAL"), figures("60", 1, fees="0.1"), True),
        (fill("e3", "40", trade_type="REVERSAL"), figures("60", 1, fees="0.3"), True),
        (fill("e3", "-40", trade_type="REVERSAL"), figures("60", 1, fees="0.3"), True),
        (fill("e3", "40", trade_type="REVERSAL"), figures("60", 1, fees="0.2"), False),
        (fill("e3", "30", trade_type="REVERSAL"), figures("60", 1, fees="0.1"), False),
        # a rebate (T33) is given back, however the row is signed
        (fill("e3", "40", trade_type="REVERSAL", commission=D("-0.1")), figures("60", 1, fees="0.3"), True),
        (fill("e3", "-40", trade_type="REVERSAL", commission=D("-0.1")), figures("60", 1, fees="0.1"), True),
        # a correction adds, or replaces the execution of its trade id
        (fill("e3", "-10", trade_type="CORRECTION"), figures("90", 2, fees="0.3"), True),
        (fill("e3", "30", trade_type="CORRECTION", venue_trade_id="t-e2"), figures("90", 2, fees="0.2"), True),
        (fill("e3", "30", trade_type="CORRECTION", venue_trade_id="t-e2"), figures("90", 2, fees="0.9"), False),
    ],
)
def test_only_one_reading_may_explain_the_figures(adjustment: object, told: object, explained: bool) -> None:
    assert explains([*ROWS, adjustment], told) is explained  # type: ignore[list-item,arg-type]


def test_T33_the_reversal_of_a_rebate_explains_that_nothing_is_left() -> None:
    filled = fill("e1", "2", commission=D("-1.5"))
    for commission in ("-1.5", "1.5"):
        undone = fill("e2", "2", trade_type="REVERSAL", commission=D(commission))
        assert explains([filled, undone], replace(figures("0", 2, fees="0"), filled_value=D(0)))


def test_two_readings_that_both_explain_are_no_reading() -> None:
    """The fee of a free reversal reads alike either way; its size does not: still one reading.

    A reversal and a correction that cancel each other in two ways are two.
    """
    free = fill("e3", "40", trade_type="REVERSAL", commission=D(0))
    assert explains([*ROWS, free], figures("60", 1, fees="0.2"))
    swapped = [
        fill("e3", "10", trade_type="REVERSAL", commission=D(0)),
        fill("e4", "10", trade_type="CORRECTION", commission=D(0), venue_trade_id="t-e4"),
    ]
    assert not explains([*ROWS, *swapped], figures("100", 2, fees="0.2"))


def test_the_value_must_be_explained_too() -> None:
    gone = fill("e3", "40", trade_type="REVERSAL", price="3")
    assert not explains([*ROWS, gone], figures("60", 1, fees="0.1"))


def test_adjusted_fills_are_verified_by_their_reading_and_a_plausible_count() -> None:
    gone = fill("e3", "40", trade_type="REVERSAL")
    for n in (1, 2, 3):
        assert verified([*ROWS, gone], figures("60", n, fees="0.1"))
    assert not verified([*ROWS, gone], figures("60", 4, fees="0.1"))


def test_of_one_entry_id_the_newest_booking_counts_in_any_order() -> None:
    old, new = fill("e1", "1", at=1), fill("e1", "2", at=2)
    assert union([old], [new]) == union([new], [old]) == (new,)
    low, high = fill("e1", "1"), fill("e1", "2")
    assert union([low], [high]) == union([high], [low])


def test_adjustments_are_bookings_not_executions() -> None:
    assert last_fill_time([fill("e1", "1", at=2), fill("e2", "1", at=9, trade_type="REVERSAL")]) == s(2)
    assert last_fill_time([]) is None
