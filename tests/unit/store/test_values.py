"""How decimals and times are written, and what is read from other programs' rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordersync_cli.domain.decimals import plain
from ordersync_cli.store.values import PostgresValues, SqliteValues, digits, lenient_number, lenient_time

amounts = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**40), max_value=10**40, places=20)
moments = st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(9000, 1, 1)).map(
    lambda naive: naive.replace(tzinfo=UTC)
)


@given(amounts)
def test_every_digit_survives_on_both_stores(number: Decimal) -> None:
    sqlite, postgres = SqliteValues(), PostgresValues()

    assert sqlite.number(sqlite.decimal(number)) == number
    assert postgres.number(postgres.decimal(number)) == number
    assert f"{postgres.decimal(number):f}" == sqlite.decimal(number)


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_the_fast_writing_is_the_canonical_one(number: Decimal) -> None:
    try:
        expected = plain(number)
    except ValueError:
        return
    assert digits(number) == expected


@given(amounts, st.integers(0, 9))
def test_equal_numbers_have_equal_text(number: Decimal, zeros: int) -> None:
    longer = Decimal(f"{number:f}" + ("." if "." not in f"{number:f}" else "") + "0" * zeros)

    assert SqliteValues().decimal(longer) == SqliteValues().decimal(number)


@given(moments, moments)
def test_text_order_is_time_order(one: datetime, other: datetime) -> None:
    values = SqliteValues()
    texts = values.time(one), values.time(other)

    assert (texts[0] < texts[1]) == (one < other)
    assert len(texts[0]) == len(texts[1]) == 26
    assert values.moment(texts[0]) == one


def test_what_is_no_amount_or_no_time_is_refused() -> None:
    for number in ("NaN", "Infinity", "1E+100000"):
        with pytest.raises(ValueError, match="number"):
            SqliteValues().decimal(Decimal(number))
    for values in (SqliteValues(), PostgresValues()):
        with pytest.raises(ValueError, match="time zone"):
            values.time(datetime(2026, 3, 1))
        assert values.time(None) is values.decimal(None) is values.moment(None) is values.number(None) is None


NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "written",
    [
        "2026-03-01 12:00:00", "2026-03-01 12:00:00.000000", "2026-03-01T12:00:00Z", "2026-03-01T17:45:00+05:45",
        " 2026-03-01 12:00 ", 1772366400, 1772366400.0, 1772366400000, datetime(2026, 3, 1, 12),
        datetime(2026, 3, 1, 13, tzinfo=timezone(timedelta(hours=1))),
    ],
)  # fmt: skip
def test_times_of_other_programs_are_read(written: object) -> None:
    assert lenient_time(written) == NOON


@pytest.mark.parametrize("written", ["", "soon", None, b"x", 1e300])
def test_what_is_no_time_is_none(written: object) -> None:
    assert lenient_time(written) is None


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (0.1, "0.1"), (1e-7, "0.0000001"), ("1.50", "1.5"), (3, "3"), (Decimal("2.0"), "2"), ("x", None), (True, None),
        (float("nan"), None), (float("inf"), None), (None, None), ("", None),
    ],
)  # fmt: skip
def test_numbers_of_other_programs_are_read(written: object, meant: str | None) -> None:
    assert lenient_number(written) == (None if meant is None else Decimal(meant))
