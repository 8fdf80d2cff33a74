"""Single values of the wire are read exactly, in every spelling that was met."""

from __future__ import annotations

import decimal
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordersync_cli.venue.wire_values import (
    WireError,
    as_rows,
    chosen_id,
    count,
    flag,
    moment,
    need_id,
    need_text,
    number,
    parse_json,
    plain,
    positive,
    rfc3339,
    text,
    venue_id,
)

ODD = [r"a\ud800b", r"a\udfffb", r"a\u0000b"]  # legal in JSON; UTF-8 has no surrogates, Postgres no NUL


def test_a_json_number_never_passes_through_a_float() -> None:
    parsed = parse_json('{"size": 99999999999.99999999, "fee": 0.1}')
    assert number(parsed, "size") == Decimal("99999999999.99999999")
    assert str(number(parsed, "fee")) == "0.1"


@pytest.mark.parametrize("spelling", ["0.000297920684505", "21220.6399999973697697", "1E-8", "-0.5", ".5", "7.", "0"])
def test_T32_every_digit_of_a_number_is_kept(spelling: str) -> None:
    assert number({"x": spelling}, "x") == Decimal(spelling)
    assert number(parse_json(f'{{"x": "{spelling}"}}'), "x") == Decimal(spelling)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=18, min_value=-(10**30), max_value=10**30))
def test_a_number_read_from_text_or_from_json_is_the_same(value: Decimal) -> None:
    written = plain(value)
    assert number({"x": written}, "x") == value
    assert number(parse_json(f'{{"x": {written}}}'), "x") == value


@pytest.mark.parametrize("empty", [None, "", "  "])
def test_T24_an_empty_number_is_none(empty: object) -> None:
    assert number({"x": empty}, "x") is None
    assert number({}, "x") is None
    assert count({"x": empty}, "x") is None


@pytest.mark.parametrize(
    "bad", ["NaN", "Infinity", "1_000", "1,5", "٣", "0x10", "1e999999999", "abc", True, [], {}, "9" * 100, 10**70]
)
def test_what_is_no_number_is_refused(bad: object) -> None:
    with pytest.raises(WireError, match="x"):
        number({"x": bad}, "x")


@pytest.mark.parametrize("bad", ["NaN", "Infinity", "-Infinity", "1e999999999", "1e400"])
def test_json_that_no_exact_reader_takes_is_refused(bad: str) -> None:
    with pytest.raises(WireError):
        parse_json(f'{{"x": {bad}}}')


def test_json_that_is_cut_nested_without_end_or_not_utf8_is_refused() -> None:
    for raw in ('{"a": 1', "[" * 100_000, b"\xff\xfe{", "<html>", "", "1" * 5000):
        with pytest.raises(WireError):
            parse_json(raw)


def test_reading_a_number_does_not_depend_on_the_decimal_context() -> None:
    with decimal.localcontext(prec=3):
        assert number({"x": "21220.6399999973697697"}, "x") == Decimal("21220.6399999973697697")


@pytest.mark.parametrize(
    ("spelling", "expected"),
    [
        ("2023-11-26T10:19:47.423220Z", datetime(2023, 11, 26, 10, 19, 47, 423220, UTC)),
        ("2023-11-26T10:19:47.504Z", datetime(2023, 11, 26, 10, 19, 47, 504000, UTC)),
        ("2023-01-18T01:37:38.091377090Z", datetime(2023, 1, 18, 1, 37, 38, 91377, UTC)),
        ("2025-09-15T17:02:49.90120868Z", datetime(2025, 9, 15, 17, 2, 49, 901208, UTC)),
        ("2021-05-31T09:59:59Z", datetime(2021, 5, 31, 9, 59, 59, tzinfo=UTC)),
        ("2021-05-31T11:59:59+02:00", datetime(2021, 5, 31, 9, 59, 59, tzinfo=UTC)),
        ("2024-10-04 07:04:40.820713045 +0000 UTC m=+66987.628148662", datetime(2024, 10, 4, 7, 4, 40, 820713, UTC)),
        ("2026-04-07 14:30:10.000000000+00:00", datetime(2026, 4, 7, 14, 30, 10, tzinfo=UTC)),
    ],
)
def test_T24_times_of_every_length_and_of_go_are_read(spelling: str, expected: datetime) -> None:
    read = moment({"t": spelling}, "t")
    assert read == expected
    assert read is not None
    assert read.tzinfo is UTC


@pytest.mark.parametrize("none", [None, "", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"])
def test_T24_no_time_is_none(none: object) -> None:
    assert moment({"t": none}, "t") is None


@pytest.mark.parametrize(
    "bad",
    [
        "yesterday",
        "2023-13-01T00:00:00Z",
        "2023-01-01",
        1700000000,
        "9999-12-31T23:59:59-12:00",
        "2023-01-01T00:00:00+99:99",
    ],
)
def test_what_is_no_time_is_refused(bad: object) -> None:
    with pytest.raises(WireError, match="t"):
        moment({"t": bad}, "t")


def test_T24_booleans_come_as_words_too() -> None:
    assert flag({"x": "true"}, "x") is True
    assert flag({"x": "False"}, "x") is False
    assert flag({"x": True}, "x") is True
    assert flag({"x": ""}, "x", default=True) is True
    with pytest.raises(WireError):
        flag({"x": "maybe"}, "x")


def test_counts_come_as_words_and_must_be_whole() -> None:
    assert count({"n": "1"}, "n") == 1
    assert count({"n": 66987}, "n") == 66987
    assert count({"n": "2.0"}, "n") == 2
    for bad in ("1.5", "1e30", "x"):
        with pytest.raises(WireError):
            count({"n": bad}, "n")


def test_a_zero_price_is_no_price() -> None:
    assert positive({"p": "0"}, "p") is None
    assert positive({"p": ""}, "p") is None
    assert positive({"p": "0.1"}, "p") == Decimal("0.1")


def test_words_that_must_be_there_are_asked_for() -> None:
    assert text({"a": 7}, "a") == "7"
    for row in ({}, {"a": None}, {"a": ""}, {"a": "  "}, {"a": []}):
        with pytest.raises(WireError):
            need_text(row, "a")


@pytest.mark.parametrize("odd", ODD)
def test_T37_a_text_that_no_store_holds_keeps_what_can_be_read(odd: str) -> None:
    assert text(parse_json(f'{{"x": "{odd}"}}'), "x") == "a\ufffdb"
    assert text(parse_json(r'{"x": "\ud83d\ude00"}'), "x") == "😀"  # a pair is one character


@pytest.mark.parametrize("odd", ODD)
def test_T37_an_id_of_the_venue_that_no_store_holds_is_unreadable(odd: str) -> None:
    for read in (venue_id, need_id):
        with pytest.raises(WireError, match="x"):
            read(parse_json(f'{{"x": "{odd}"}}'), "x")
    assert venue_id({"x": ""}, "x") is None
    assert need_id({"x": "a-1"}, "x") == "a-1"
    with pytest.raises(WireError, match="missing"):
        need_id({}, "x")


@given(st.text(st.characters(), max_size=6), st.text(st.characters(), max_size=6))
def test_T37_ids_that_somebody_chose_stay_apart_and_can_be_stored(one: str, other: str) -> None:
    kept, against = (chosen_id({"x": value}, "x") for value in (one, other))
    assert (kept == against) == (one == other)
    assert "\0" not in (kept or "")
    (kept or "").encode()
    if one.isprintable():  # no other id is given on a command line
        assert kept == (one or None)


@pytest.mark.parametrize("odd", ODD)
def test_T37_an_odd_id_is_nobodys_id_written_out(odd: str) -> None:
    kept = chosen_id(parse_json(f'{{"x": "{odd}"}}'), "x")
    assert kept is not None
    assert chosen_id({"x": kept}, "x") != kept
    assert not kept.isprintable()


def test_a_missing_list_is_not_an_empty_one() -> None:
    assert as_rows({"orders": None}, "orders") == []
    for bad in ({}, {"orders": "x"}, {"orders": {}}):
        with pytest.raises(WireError):
            as_rows(bad, "orders")


def test_decimals_are_written_in_plain_notation() -> None:
    assert plain(Decimal("1E-8")) == "0.00000001"
    assert plain(Decimal("1E+3")) == "1000"
    assert plain(Decimal("10.50")) == "10.50"


def test_times_are_written_in_utc() -> None:
    assert rfc3339(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)) == "2026-01-02T03:04:05Z"
    there = datetime(2026, 1, 2, 3, 4, 5, 123, tzinfo=timezone(timedelta(hours=2)))
    assert rfc3339(there) == "2026-01-02T01:04:05.000123Z"
