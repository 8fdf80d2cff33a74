"""Rows of List Fills become fills, in the currency the venue wrote them in."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from ordersync_cli.domain.orders import Side
from ordersync_cli.venue.wire_fills import fill
from ordersync_cli.venue.wire_values import WireError


def row(**changes: Any) -> dict[str, Any]:
    told = {
        "entry_id": "e-1",
        "trade_id": "t-1",
        "order_id": "o-1",
        "trade_time": "2023-01-18T01:37:38.091377090Z",
        "trade_type": "FILL",
        "price": "21220.64",
        "size": "6.3220675944333996",
        "commission": "0.0379324055666004",
        "product_id": "BTC-USD",
        "sequence_timestamp": "2023-01-18T01:37:38.101Z",
        "liquidity_indicator": "UNKNOWN_LIQUIDITY_INDICATOR",
        "size_in_quote": True,
        "side": "BUY",
        "cursor": "17",
        "fillSource": "FILL_SOURCE_CLOB",
        "commission_detail_total": None,
    }
    return {name: value for name, value in {**told, **changes}.items() if value != "ABSENT"}


def test_T05_a_size_in_quote_stays_as_it_was_written() -> None:
    read = fill(row())
    assert read.size == Decimal("6.3220675944333996")
    assert read.size_in_quote is True
    assert fill(row(size_in_quote="false")).size_in_quote is False
    assert fill(row(size_in_quote="ABSENT")).size_in_quote is False


def test_a_fill_is_read_whole() -> None:
    read = fill(row())
    assert (read.entry_id, read.order_id, read.venue_trade_id, read.trade_type) == ("e-1", "o-1", "t-1", "FILL")
    assert read.trade_time == datetime(2023, 1, 18, 1, 37, 38, 91377, UTC)
    assert read.side is Side.BUY
    assert read.commission == Decimal("0.0379324055666004")


@pytest.mark.parametrize("kind", ["REVERSAL", "CORRECTION", "SYNTHETIC", "SOMETHING_NEW"])
def test_T04_other_rows_than_fills_keep_their_type(kind: str) -> None:
    assert fill(row(trade_type=kind)).trade_type == kind


def test_T04_a_row_without_a_type_is_not_taken_for_a_plain_fill() -> None:
    assert fill(row(trade_type="ABSENT")).trade_type != "FILL"


def test_T33_a_rebate_stays_negative_and_an_empty_commission_is_zero() -> None:
    assert fill(row(commission="-0.5")).commission == Decimal("-0.5")
    assert fill(row(commission="")).commission == 0


def test_one_of_the_two_times_stands_in_for_the_other() -> None:
    assert fill(row(sequence_timestamp="")).sequence_timestamp == fill(row()).trade_time
    assert fill(row(trade_time="0001-01-01T00:00:00Z")).trade_time == fill(row()).sequence_timestamp
    with pytest.raises(WireError):
        fill(row(trade_time=None, sequence_timestamp=None))


@pytest.mark.parametrize("odd", ["\ud800", "\0"])
def test_T37_a_fill_with_an_odd_id_is_unreadable_and_one_with_an_odd_word_is_read(odd: str) -> None:
    for name in ("entry_id", "order_id"):
        with pytest.raises(WireError, match=name):
            fill(row(**{name: f"a{odd}b"}))
    assert fill(row(liquidity_indicator=f"a{odd}b")).liquidity_indicator == "a\ufffdb"


@pytest.mark.parametrize("needed", ["entry_id", "order_id", "price", "size"])
def test_a_fill_without_its_identity_or_figures_is_unreadable(needed: str) -> None:
    for gone in ("", None, "ABSENT"):
        with pytest.raises(WireError, match=needed):
            fill(row(**{needed: gone}))
