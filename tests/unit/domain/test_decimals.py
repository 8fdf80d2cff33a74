"""Decimals are exact, and one number has one text."""

from __future__ import annotations

from decimal import Decimal, Inexact

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordersync_cli.domain.decimals import (
    EXACT,
    MAX_PLACES,
    canonical,
    is_multiple,
    last_digit,
    nearest_down,
    parse,
    plain,
    product,
    total,
)

numbers = st.decimals(allow_nan=False, allow_infinity=False, places=20, min_value=-(10**20), max_value=10**20)


@given(numbers)
def test_text_and_back_is_the_same_number(value: Decimal) -> None:
    assert parse(plain(value)) == value
    assert plain(parse(plain(value))) == plain(value)


@given(numbers, st.integers(0, 5))
def test_equal_numbers_have_equal_texts(value: Decimal, zeros: int) -> None:
    longer = Decimal(f"{value:f}{'' if '.' in f'{value:f}' else '.'}{'0' * zeros}")
    assert plain(longer) == plain(value)


@given(st.lists(numbers, max_size=5))
def test_sums_do_not_depend_on_their_order(values: list[Decimal]) -> None:
    assert total(values) == total(reversed(values))


@given(numbers, numbers)
def test_products_divide_back(left: Decimal, right: Decimal) -> None:
    if right:
        assert EXACT.divide(product(left, right), right) == left


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("0.000297920684505", "0.000297920684505"),
        ("21220.6399999973697697", "21220.6399999973697697"),
        ("100.00", "100"),
        ("1e3", "1000"),
        ("-0", "0"),
        ("0E+99999", "0"),
        (" 1.50 ", "1.5"),
        ("-0.10", "-0.1"),
    ],
)
def test_numbers_of_the_venue_are_kept(text: str, written: str) -> None:
    assert plain(parse(text)) == written


@pytest.mark.parametrize(
    "text",
    ["", "NaN", "sNaN", "Infinity", "-inf", "1e999999999", "1e-999999", "1e60", "1e-61", "1,5", "1_000", "١", "0x1"],
)
def test_what_is_no_finite_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"number|decimal"):
        parse(text)


def test_a_long_tail_of_zeros_is_no_precision() -> None:
    assert plain(Decimal("1." + "0" * 90)) == "1"
    with pytest.raises(ValueError, match="places"):
        canonical(Decimal("1." + "0" * 200))


def test_nothing_is_rounded_in_silence() -> None:
    with pytest.raises(Inexact):
        EXACT.divide(Decimal(1), Decimal(3))


def test_grids() -> None:
    step = Decimal("0.01")
    assert is_multiple(Decimal("1.23"), step)
    assert not is_multiple(Decimal("1.234"), step)
    assert nearest_down(Decimal("1.239"), step) == Decimal("1.23")
    assert last_digit(Decimal("1.250")) == Decimal("0.01")
    assert last_digit(Decimal(1200)) == Decimal(1)


def test_text_is_canonical_however_long_it_was_printed() -> None:
    assert plain(Decimal("1." + "0" * MAX_PLACES)) == "1"
    assert plain(Decimal("0E-100")) == "0"
    assert plain(Decimal("-0.00")) == "0"
    with pytest.raises(ValueError, match="finite"):
        plain(Decimal("NaN"))
