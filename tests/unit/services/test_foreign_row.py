from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordersync_cli.errors import SettingsError, UsageError
from ordersync_cli.services.foreign_row import read_number, read_row, read_time
from ordersync_cli.services.importing import check_columns, read_mapping, renamed

NOON = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
ROW = {
    "id": 5,
    "bot_id": 7,
    "product_id": "BTC-USD",
    "side": "BUY",
    "size": 0.1,
    "price": 65000.01,
    "order_id": "o-5",
    "status": "pending",
    "size_usd": 25.3,
    "created_at": "2026-03-01 12:00:00.123456",
    "filled_at": None,
}


def read(**changes):
    return read_row({**ROW, **changes}, "sqlite:/bot.db")


def test_a_plain_row_reads_as_it_was_meant():
    row = read()
    assert (row.size, row.price, row.size_usd) == (Decimal("0.1"), Decimal("65000.01"), Decimal("25.3"))
    assert (row.side, row.status, row.order_id, row.bot_id) == ("BUY", "pending", "o-5", 7)
    assert row.created_at == NOON
    assert (row.problems, row.followable, dict(row.extra)) == ((), True, {})


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (0.1, "0.1"),
        (0.1 + 0.2, "0.30000000000000004"),
        (1e-08, "0.00000001"),
        (100000000.0, "100000000"),
        ("12.50", "12.5"),
        (" 7 ", "7"),
        (3, "3"),
        (Decimal("1.230"), "1.23"),
    ],
)
def test_numbers_become_the_decimals_they_were_meant_to_be(value, number):
    assert str(read_number(value)) == number or read_number(value) == Decimal(number)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), "abc", "1,5", True, b"1", [], "1e999999"])
def test_what_is_no_number_is_none(value):
    assert read_number(value) is None


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=0, max_value=10**9, places=6))
def test_a_decimal_that_went_through_a_float_comes_back(number):
    assert read_number(float(number)) == number


@pytest.mark.parametrize(
    "value",
    [
        "2026-03-01 12:00:00.123456",
        "2026-03-01T12:00:00.123456Z",
        "2026-03-01T14:00:00.123456+02:00",
        datetime(2026, 3, 1, 12, 0, 0, 123456),
        datetime(2026, 3, 1, 14, 0, 0, 123456, tzinfo=timezone(timedelta(hours=2))),
    ],
)
def test_times_without_a_zone_are_utc_and_others_keep_their_moment(value):
    assert read_time(value) == NOON


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        (1772366400, datetime(2026, 3, 1, 12, tzinfo=UTC)),
        (1772366400000, datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("1772366400.5", datetime(2026, 3, 1, 12, 0, 0, 500000, tzinfo=UTC)),
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC)),
        ("20260301", datetime(2026, 3, 1, tzinfo=UTC)),
        (date(2026, 3, 1), datetime(2026, 3, 1, tzinfo=UTC)),
    ],
)
def test_times_as_numbers_and_days(value, moment):
    assert read_time(value) == moment


@pytest.mark.parametrize("value", ["yesterday", "", True, b"x", float("nan"), 10**30])
def test_what_is_no_time_is_none(value):
    assert read_time(value) is None


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("pending", "pending"),
        ("OPEN", "pending"),
        ("OrderStatus.FILLED", "completed"),
        ("completed", "completed"),
        ("done", "completed"),
        ("failed", "failed"),
        ("rejected", "failed"),
    ],
)
def test_a_bots_words_become_ours(word, status):
    row = read(status=word)
    assert (row.status, row.problems) == (status, ())


@pytest.mark.parametrize("word", ["cancelled", "canceled", "EXPIRED"])
def test_P17_a_cancelled_row_may_have_been_filled_in_part_so_the_venue_is_asked(word):
    row = read(status=word)
    assert (row.status, row.problems) == ("pending", ())


@pytest.mark.parametrize("word", ["weird", None, "", 3])
def test_an_unknown_status_is_pending_and_named(word):
    row = read(status=word)
    assert row.status == "pending"
    assert "status" in row.problems[0]


@pytest.mark.parametrize("word", ["hold", None, ""])
def test_a_side_that_cannot_be_read_is_kept_and_not_followed(word):
    row = read(side=word)
    assert not row.followable
    assert row.side == (word or "")


def test_odd_numbers_and_times_are_named_and_left_empty():
    row = read(size=float("nan"), price="n/a", created_at="soon", bot_id=1.5)
    assert (row.size, row.price, row.created_at, row.bot_id) == (None, None, None, None)
    assert len(row.problems) == 4


def test_other_columns_are_kept_aside_as_json_can_carry_them():
    row = read(strategy="grid", score=0.1, seen=NOON, raw=b"\x00", amount=Decimal("1.10"))
    assert row.extra == {
        "strategy": "grid",
        "score": "0.1",
        "seen": NOON.isoformat(),
        "raw": "b'\\x00'",
        "amount": "1.10",
    }


def test_the_place_of_a_row_is_its_source_and_its_id():
    assert read().source_key == read(status="completed").source_key
    assert read().source_key != read(id=6).source_key
    assert read().source_key != read_row(ROW, "sqlite:/other.db").source_key


def test_rows_without_an_id_are_told_apart_by_what_they_hold_and_their_occurrence():
    cells = {k: v for k, v in ROW.items() if k != "id"}
    assert read_row(cells, "s").source_key == read_row(cells, "s").source_key
    assert read_row(cells, "s").source_key != read_row(cells, "s", 1).source_key
    assert read_row(cells, "s").source_key != read_row({**cells, "size": 2}, "s").source_key


def test_a_mapped_column_takes_our_name_and_the_one_it_replaces_is_kept():
    cells = {"qty": 2, "size": "L", "x": 1}
    assert renamed(cells, {"qty": "size"}) == {"size": 2, "size (unmapped)": "L", "x": 1}


@pytest.mark.parametrize("pair", ["qty", "qty=", "=size", "nope=size", "qty=colour"])
def test_a_mapping_that_cannot_be_meant_is_a_usage_error(pair):
    with pytest.raises(UsageError):
        read_mapping([pair], ["qty", "size"])


def test_two_columns_cannot_become_one():
    with pytest.raises(UsageError):
        read_mapping(["a=size", "b=size"], ["a", "b"])


def test_a_table_without_order_ids_says_how_to_map_one():
    with pytest.raises(SettingsError) as refused:
        check_columns(["id", "oid", "status", "product_id", "side"], {}, "sqlite:///bot.db")
    assert "--map OLD=order_id" in refused.value.remedy
    check_columns(["id", "oid", "status", "product_id", "side"], {"oid": "order_id"}, "sqlite:///bot.db")
