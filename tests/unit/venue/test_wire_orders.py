"""Orders of REST and of the user channel become observations, whatever their spelling."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from ordersync_cli.domain.observations import Channel
from ordersync_cli.domain.orders import NOTHING_FILLED, OrderType, Side
from ordersync_cli.venue.wire_orders import Stamp, frame_order, rest_order
from ordersync_cli.venue.wire_pages import page
from ordersync_cli.venue.wire_values import WireError

AT = Stamp(datetime(2026, 3, 1, 12, tzinfo=UTC))


def rest(**changes: Any) -> dict[str, Any]:
    order = {
        "order_id": "o-1",
        "client_order_id": "c-1",
        "product_id": "BTC-USD",
        "side": "BUY",
        "status": "OPEN",
        "order_configuration": {"limit_limit_gtc": {"base_size": "0.2", "limit_price": "0.006", "post_only": False}},
        "created_time": "2023-01-16T23:37:23.947030Z",
        "filled_size": "0",
        "number_of_fills": "0",
        "filled_value": "0",
        "total_fees": "0",
        "average_filled_price": "0",
        "order_type": "LIMIT",
        "reject_reason": "REJECT_REASON_UNSPECIFIED",
        "last_fill_time": None,
    }
    return {name: value for name, value in {**order, **changes}.items() if value != "ABSENT"}


def frame(**changes: Any) -> dict[str, Any]:
    order = {
        "order_id": "o-1",
        "client_order_id": "c-1",
        "product_id": "BTC-USD",
        "order_side": "SELL",
        "order_type": "Limit",
        "status": "OPEN",
        "cumulative_quantity": "0.5",
        "leaves_quantity": "0",
        "number_of_fills": "2",
        "filled_value": "500",
        "total_fees": "-0.1",
        "avg_price": "1000",
        "limit_price": "1000",
        "stop_price": "",
        "post_only": "false",
        "creation_time": "2024-06-21T18:29:13.909347Z",
        "end_time": "0001-01-01T00:00:00Z",
    }
    return {name: value for name, value in {**order, **changes}.items() if value != "ABSENT"}


def test_a_rest_order_is_read_whole() -> None:
    seen = rest_order(rest(filled_size="0.1", number_of_fills="1", filled_value="0.0006", total_fees="0.1"), AT)
    assert (seen.order_id, seen.client_order_id, seen.word) == ("o-1", "c-1", "OPEN")
    assert (seen.side, seen.order_type, seen.channel) == (Side.BUY, OrderType.LIMIT, Channel.REST)
    assert (seen.base_size, seen.quote_size, seen.limit_price) == (Decimal("0.2"), None, Decimal("0.006"))
    assert seen.created_time == datetime(2023, 1, 16, 23, 37, 23, 947030, UTC)
    assert seen.figures is not None
    assert seen.figures.filled_size == Decimal("0.1")
    assert seen.reason is None
    assert seen.as_of == AT.as_of


def test_figures_as_json_numbers_are_read_alike() -> None:
    seen = rest_order(rest(filled_size=Decimal("0.1"), number_of_fills=1, filled_value=5, total_fees=0), AT)
    assert seen.figures is not None
    assert (seen.figures.filled_size, seen.figures.number_of_fills) == (Decimal("0.1"), 1)


@pytest.mark.parametrize(
    "name", ["filled_size", "number_of_fills", "filled_value", "total_fees", "average_filled_price"]
)
@pytest.mark.parametrize("gone", ["", None, "ABSENT"])
def test_one_figure_missing_makes_no_group(name: str, gone: Any) -> None:
    assert rest_order(rest(**{name: gone}), AT).figures is None
    filled = {
        "status": "FILLED",
        "filled_size": "1",
        "number_of_fills": "1",
        "filled_value": "5",
        "total_fees": "1",
        "average_filled_price": "5",
    }
    assert rest_order(rest(**{**filled, name: gone}), AT).figures is None


@pytest.mark.parametrize("name", ["cumulative_quantity", "number_of_fills", "filled_value", "total_fees", "avg_price"])
@pytest.mark.parametrize("gone", ["", None, "ABSENT"])
def test_T07_a_repeated_frame_without_fees_overwrites_nothing(name: str, gone: Any) -> None:
    assert frame_order(frame(status="FILLED", **{name: gone}), AT, 1).figures is None


@pytest.mark.parametrize("word", ["CANCELLED", "EXPIRED", "FAILED", "FILLED"])
def test_empty_figures_of_an_ended_order_are_the_zero_group(word: str) -> None:
    empty = {"filled_size": "", "number_of_fills": "", "filled_value": "", "total_fees": "", "average_filled_price": ""}
    assert rest_order(rest(status=word, **empty), AT).figures == NOTHING_FILLED
    assert rest_order(rest(status=word, **{**empty, "filled_size": "0"}), AT).figures == NOTHING_FILLED
    assert rest_order(rest(status="OPEN", **empty), AT).figures is None
    assert frame_order(frame(status=word, cumulative_quantity="", avg_price=""), AT, 1).figures is None


@pytest.mark.parametrize(
    "against",
    [
        {"filled_size": "ABSENT"},
        {"filled_size": None},
        {"filled_value": "0.01"},
        {"last_fill_time": "2023-11-26T10:19:47.504Z"},
        {"completion_percentage": "40"},
    ],
)
def test_T47_a_zero_that_something_speaks_against_is_no_zero(against: dict[str, Any]) -> None:
    empty = {"filled_size": "", "number_of_fills": "", "filled_value": "", "total_fees": "", "average_filled_price": ""}
    assert rest_order(rest(status="CANCELLED", **{**empty, **against}), AT).figures is None


def test_a_negative_fee_is_a_rebate_and_a_negative_size_is_nonsense() -> None:
    assert frame_order(frame(), AT, 1).figures is not None
    assert frame_order(frame(), AT, 1).figures.total_fees == Decimal("-0.1")  # type: ignore[union-attr]
    for name in ("cumulative_quantity", "filled_value", "number_of_fills"):
        with pytest.raises(WireError, match=name):
            frame_order(frame(**{name: "-1"}), AT, 1)


@pytest.mark.parametrize(
    ("configuration", "expected"),
    [
        ({"market_market_ioc": {"quote_size": "5"}}, (OrderType.MARKET, None, Decimal(5), None, None)),
        ({"market_market_fok": {"base_size": "5"}}, (OrderType.MARKET, Decimal(5), None, None, None)),
        (
            {"sor_limit_ioc": {"base_size": "1", "limit_price": "2"}},
            (OrderType.LIMIT, Decimal(1), None, Decimal(2), None),
        ),
        (
            {"limit_limit_gtd": {"quote_size": "1", "limit_price": "2", "end_time": "x"}},
            (OrderType.LIMIT, None, Decimal(1), Decimal(2), None),
        ),
        (
            {"limit_limit_fok": {"base_size": Decimal("0.001"), "limit_price": 2}},
            (OrderType.LIMIT, Decimal("0.001"), None, Decimal(2), None),
        ),
        (
            {"stop_limit_stop_limit_gtc": {"base_size": "1", "limit_price": "2", "stop_price": "3"}},
            (OrderType.STOP_LIMIT, Decimal(1), None, Decimal(2), Decimal(3)),
        ),
        (
            {"trigger_bracket_gtc": {"base_size": "1", "limit_price": "2", "stop_trigger_price": "3"}},
            (OrderType.OTHER, Decimal(1), None, Decimal(2), Decimal(3)),
        ),
        ({"scaled_limit_gtc": {"orders": []}}, (OrderType.OTHER, None, None, None, None)),
        ({"something_new": {"base_size": "1"}}, (OrderType.OTHER, None, None, None, None)),
        (
            {
                "new_note": "x",
                "limit_limit_gtc": {
                    "base_size": "1",
                    "limit_price": "2",
                    "rfq_disabled": False,
                    "currency_size": None,
                    "oco_ref": "",
                },
            },
            (OrderType.LIMIT, Decimal(1), None, Decimal(2), None),
        ),
    ],
)
def test_the_type_comes_from_the_configuration(configuration: Any, expected: tuple[Any, ...]) -> None:
    seen = rest_order(rest(order_configuration=configuration, order_type="UNKNOWN_ORDER_TYPE"), AT)
    assert (seen.order_type, seen.base_size, seen.quote_size, seen.limit_price, seen.stop_price) == expected


@pytest.mark.parametrize("nothing", [None, {}, "", [], "ABSENT"])
def test_T18_an_order_without_a_configuration_is_read(nothing: Any) -> None:
    assert rest_order(rest(order_configuration=nothing), AT).order_type == OrderType.LIMIT
    assert rest_order(rest(order_configuration=nothing, order_type="UNKNOWN_ORDER_TYPE"), AT).order_type is None


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("Limit", OrderType.LIMIT),
        ("LIMIT", OrderType.LIMIT),
        ("LIMIT_ORDER_TYPE", OrderType.LIMIT),
        ("Market", OrderType.MARKET),
        ("Stop Limit", OrderType.STOP_LIMIT),
        ("STOP_LIMIT", OrderType.STOP_LIMIT),
        ("UNKNOWN_ORDER_TYPE", None),
        ("", None),
        (None, None),
        ("Bracket", OrderType.OTHER),
    ],
)
def test_T24_labels_of_order_types_are_read_loosely(label: Any, expected: OrderType | None) -> None:
    assert frame_order(frame(order_type=label), AT, 1).order_type == expected


@pytest.mark.parametrize(
    "word", ["PENDING", "QUEUED", "CANCEL_QUEUED", "EDIT_QUEUED", "UNKNOWN_ORDER_STATUS", "NEVER_SEEN_BEFORE"]
)
def test_T10_unknown_words_still_bring_their_figures(word: str) -> None:
    seen = frame_order(frame(status=word), AT, 1)
    assert seen.word == word
    assert seen.figures is not None


def test_T08_leaves_quantity_is_never_read() -> None:
    for leaves in ("0", "garbage", None, [], "ABSENT"):
        assert frame_order(frame(leaves_quantity=leaves), AT, 1) == frame_order(frame(), AT, 1)


def test_T24_prices_of_a_frame_that_are_zero_or_absent_are_none() -> None:
    seen = frame_order(frame(limit_price="0", stop_price=""), AT, 1)
    assert (seen.limit_price, seen.stop_price) == (None, None)
    assert frame_order(frame(limit_price="ABSENT", post_only="ABSENT"), AT, 1).limit_price is None


def test_T02_a_filled_order_has_no_reason_to_alarm() -> None:
    assert rest_order(rest(status="FILLED", cancel_message="Internal error"), AT).reason is None
    assert frame_order(frame(status="FILLED", cancel_reason="Internal error"), AT, 1).reason is None


def test_T11_a_failed_order_names_its_reason() -> None:
    told = rest(status="FAILED", reject_reason="REJECT_REASON_INSUFFICIENT_FUNDS", reject_message="not enough")
    assert rest_order(told, AT).reason == "REJECT_REASON_INSUFFICIENT_FUNDS"
    assert rest_order(rest(status="FAILED", reject_reason="", reject_message="not enough"), AT).reason == "not enough"
    assert (
        rest_order(rest(status="CANCELLED", cancel_message="User requested cancel"), AT).reason
        == "User requested cancel"
    )


@pytest.mark.parametrize("key", ["reject_reason", "reject_Reason"])
def test_T24_the_reject_reason_of_a_frame_has_two_spellings(key: str) -> None:
    assert frame_order(frame(status="FAILED", **{key: "too small"}), AT, 1).reason == "too small"


def test_T12_the_newest_edit_is_in_force_whatever_the_order_of_the_history() -> None:
    history = [
        {"price": "10", "size": "1", "replace_accept_timestamp": "2026-03-01T10:00:00Z"},
        {"price": "12", "size": "3", "replace_accept_timestamp": "2026-03-01T12:00:00.5Z"},
        {"price": "11", "size": "2", "replace_accept_timestamp": "2026-03-01T11:00:00Z"},
    ]
    edit = rest_order(rest(edit_history=history), AT).edit
    assert edit is not None
    assert (edit.size, edit.price) == (Decimal(3), Decimal(12))
    for nothing in (None, [], "ABSENT"):
        assert rest_order(rest(edit_history=nothing), AT).edit is None


def test_T25_a_frame_under_an_alias_is_still_the_order() -> None:
    assert frame_order(frame(product_id="BTC-USDC"), AT, 1).order_id == "o-1"


@pytest.mark.parametrize("missing", ["order_id", "status"])
def test_an_order_without_an_id_or_a_status_is_unreadable(missing: str) -> None:
    for gone in (None, "", "ABSENT"):
        with pytest.raises(WireError, match=missing):
            rest_order(rest(**{missing: gone}), AT)


def test_an_unknown_side_is_no_side() -> None:
    assert rest_order(rest(side="UNKNOWN_ORDER_SIDE"), AT).side is None


def test_T37_a_page_with_one_unreadable_order_yields_the_others() -> None:
    body = {
        "orders": [rest(), rest(order_id="o-2", filled_size="a lot"), "garbage", rest(order_id="o-3")],
        "has_next": True,
        "cursor": "17",
    }
    found = page(body, "orders", "List Orders", lambda row: rest_order(row, AT), None)
    assert [seen.order_id for seen in found.read] == ["o-1", "o-3"]
    assert [bad.order_id for bad in found.quarantined] == ["o-2", None]
    assert "filled_size" in found.quarantined[0].problem
    assert found.next_cursor == "17"


@pytest.mark.parametrize("odd", ["\ud800", "\0"])
def test_T37_a_row_with_an_odd_text_loses_no_figure_and_one_with_an_odd_id_is_quarantined(odd: str) -> None:
    filled = {"status": "CANCELLED", "filled_size": "1", "cancel_message": f"by{odd}user"}
    body = {"orders": [rest(client_order_id=f"a{odd}b", **filled), rest(order_id=f"o{odd}"), rest(order_id="o-3")]}
    found = page(body, "orders", "List Orders", lambda row: rest_order(row, AT), None)
    assert [seen.order_id for seen in found.read] == ["o-1", "o-3"]
    assert found.read[0].figures is not None
    assert found.read[0].figures.filled_size == 1
    assert found.read[0].reason == "by\ufffduser"
    assert found.read[0].client_order_id not in {None, "ab", f"a{odd}b"}
    assert [(bad.order_id, bad.where) for bad in found.quarantined] == [(None, "List Orders")]  # not another's id
    with pytest.raises(WireError, match="cursor"):  # a page that was not asked for proves nothing
        page({"orders": [], "cursor": f"1{odd}"}, "orders", "List Orders", lambda row: rest_order(row, AT), None)


@pytest.mark.parametrize(
    ("answer", "asked", "expected"),
    [
        ({"has_next": True, "cursor": "17"}, None, "17"),
        ({"has_next": True, "cursor": 17}, None, "17"),
        ({"cursor": "17"}, "16", "17"),
        ({"has_next": False, "cursor": "17"}, None, None),
        ({"has_next": True, "cursor": ""}, None, None),
        ({"has_next": True}, None, None),
        ({"has_next": True, "cursor": "17"}, "17", None),
        ({"cursor": "0"}, "16", None),
        ({"has_next": "false", "cursor": "17"}, None, None),
    ],
)
def test_T27_an_empty_or_repeated_cursor_ends_a_listing(answer: Any, asked: Any, expected: Any) -> None:
    assert page({"orders": [], **answer}, "orders", "x", lambda row: row, asked).next_cursor == expected


@pytest.mark.parametrize(
    ("answer", "is_cut"),
    [
        ({"has_next": True, "cursor": "17"}, False),
        ({"has_next": True, "cursor": ""}, True),
        ({"has_next": True, "cursor": "16"}, True),
        ({"has_next": False, "cursor": "16"}, False),
        ({"cursor": ""}, False),
    ],
)
def test_T27_more_that_is_said_to_follow_and_not_where_makes_no_complete_listing(answer: Any, is_cut: bool) -> None:
    assert page({"orders": [], **answer}, "orders", "x", lambda row: row, "16").cut is is_cut


def test_T30_an_answer_without_its_rows_is_not_an_empty_listing() -> None:
    for body in ({}, {"fills": []}, [], None, {"orders": "none"}, {"orders": [], "proof_token_required": True}):
        with pytest.raises(WireError):
            page(body, "orders", "x", lambda row: row, None)
