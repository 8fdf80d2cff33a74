"""What the simulated exchange refuses, in the exchange's words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.simulator_world import World, limit, market, world


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path / "exchange.db") as made:
        yield made


def reason(response: dict[str, Any]) -> str:
    for name in ("new_order_failure_reason", "preview_failure_reason", "error"):
        if response.get(name) and not response[name].startswith("UNKNOWN"):
            return str(response[name])
    return "?"


def gtd(end_time: str) -> dict[str, Any]:
    return {"limit_limit_gtd": {"base_size": "0.01", "limit_price": "50000", "end_time": end_time}}


def stop(stop_price: str, limit_price: str, direction: str) -> dict[str, Any]:
    terms = {"base_size": "0.01", "limit_price": limit_price, "stop_price": stop_price}
    return {"stop_limit_stop_limit_gtc": {**terms, "stop_direction": f"STOP_DIRECTION_STOP_{direction}"}}


@pytest.mark.parametrize(
    ("configuration", "request_fields", "expected"),
    [
        (market(quote_size="0.5"), {}, "PREVIEW_INVALID_QUOTE_SIZE_TOO_SMALL"),
        (market(quote_size="10.001"), {}, "PREVIEW_INVALID_QUOTE_SIZE_PRECISION"),
        (market(quote_size="150000001"), {}, "PREVIEW_INVALID_QUOTE_SIZE_TOO_LARGE"),
        (market(base_size="0.00000001"), {}, "PREVIEW_INVALID_BASE_SIZE_TOO_SMALL"),
        (market(base_size="3401"), {}, "PREVIEW_INVALID_BASE_SIZE_TOO_LARGE"),
        (market(base_size="0.000000001"), {}, "PREVIEW_INVALID_SIZE_PRECISION"),
        (market(base_size="NaN"), {}, "PREVIEW_INVALID_SIZE_PRECISION"),
        (market(base_size="-1"), {}, "PREVIEW_INVALID_SIZE_PRECISION"),
        (market(), {}, "UNSUPPORTED_ORDER_CONFIGURATION"),
        (market(base_size="1", quote_size="1"), {}, "UNSUPPORTED_ORDER_CONFIGURATION"),
        ({"market_market_fok": {"base_size": "1"}}, {}, "UNSUPPORTED_ORDER_CONFIGURATION"),
        ({}, {}, "UNSUPPORTED_ORDER_CONFIGURATION"),
        (limit("0.01", "50000.001"), {}, "PREVIEW_INVALID_PRICE_PRECISION"),
        (limit("0.01", "5000000"), {}, "LIMIT_PRICE_TOO_FAR_FROM_MARKET"),
        (limit("0.01", "75000", post_only=True), {}, "INVALID_LIMIT_PRICE_POST_ONLY"),
        (gtd("2020-01-01T00:00:00Z"), {}, "END_TIME_IS_IN_THE_PAST"),
        (gtd("2099-01-01T00:00:00Z"), {}, "END_TIME_TOO_FAR_IN_FUTURE"),
        (gtd("tomorrow"), {}, "GTD_ORDERS_MUST_HAVE_END_TIME"),
        (stop("60000", "61000", "UP"), {}, "PREVIEW_STOP_PRICE_BELOW_LAST_TRADE_PRICE"),
        (stop("80000", "81000", "DOWN"), {}, "PREVIEW_STOP_PRICE_ABOVE_LAST_TRADE_PRICE"),
        (stop("80000", "79000", "UP"), {}, "PREVIEW_STOP_PRICE_ABOVE_LIMIT_PRICE"),
        (stop("60000", "61000", "DOWN"), {"side": "SELL"}, "PREVIEW_STOP_PRICE_BELOW_LIMIT_PRICE"),
        (market(quote_size="25"), {"side": "buy"}, "INVALID_SIDE"),
        (market(quote_size="25"), {"product_id": "NO-SUCH"}, "INVALID_PRODUCT_ID"),
        (market(quote_size="25"), {"client_order_id": ""}, "INVALID_REQUEST"),
        (market(quote_size="25"), {"product_id": "LTC-USD"}, "ORDER_ENTRY_DISABLED"),
        (market(quote_size="25"), {"product_id": "DOGE-USD"}, "UNSUPPORTED_ORDER_CONFIGURATION"),
        (market(quote_size="25"), {"product_id": "XRP-USD"}, "UNSUPPORTED_ORDER_CONFIGURATION"),
        (market(base_size="60"), {"side": "SELL", "product_id": "ETH-USD"}, "PREVIEW_INSUFFICIENT_FUND"),
        (market(quote_size="900000"), {}, "PREVIEW_INSUFFICIENT_FUND"),
    ],
)
def test_refusal_carries_the_exchanges_reason_and_leaves_no_order(
    exchange: World, configuration: dict[str, Any], request_fields: dict[str, Any], expected: str
) -> None:
    assert reason(exchange.refused(configuration, **request_fields)) == expected
    assert exchange.ledger()["orders"] == []
    assert all(balance["held"] == "0" for balance in exchange.ledger()["balances"].values())


def test_a_bare_number_is_read_like_its_text(exchange: World) -> None:
    order_id = exchange.accepted({"limit_limit_gtc": {"base_size": 0.01, "limit_price": 50000}})
    assert exchange.order(order_id)["outstanding_hold_amount"] == "506"


def test_post_only_product_takes_a_post_only_order(exchange: World) -> None:
    exchange.accepted(limit("100", "0.4", post_only=True), product_id="XRP-USD")


def test_T13_a_reused_id_gives_the_old_order_and_echoes_the_new_request(exchange: World) -> None:
    first = exchange.accepted(limit("0.01", "50000"), client_order_id="mine")
    answer = exchange.place(limit("0.5", "40000"), client_order_id="mine", side="SELL", product_id="ETH-USD")
    assert answer["success"] is True
    assert answer["success_response"]["order_id"] == first
    assert (answer["success_response"]["side"], answer["success_response"]["product_id"]) == ("SELL", "ETH-USD")
    assert answer["order_configuration"]["limit_limit_gtc"]["base_size"] == "0.5"
    assert exchange.ledger()["orders_per_client_order_id"] == {"mine": 1}


def test_T14_a_reused_id_can_be_refused_instead(exchange: World) -> None:
    exchange.accepted(limit("0.01", "50000"), client_order_id="mine")
    exchange.exchange.behaviour.refuse_duplicates = True
    assert reason(exchange.refused(limit("0.01", "50000"), client_order_id="mine")) == "DUPLICATE_CLIENT_ORDER_ID"


def test_a_refused_order_does_not_take_its_id(exchange: World) -> None:
    exchange.refused(market(quote_size="0.5"), client_order_id="again")
    exchange.accepted(market(quote_size="5"), client_order_id="again")


@pytest.mark.parametrize("configuration", [None, "x", [], {"market_market_ioc": "x"}, {"limit_limit_gtc": {"a": 1}}])
def test_a_reused_id_echoes_whatever_the_new_request_says(exchange: World, configuration: Any) -> None:
    first = exchange.accepted(limit("0.001", "50000"), client_order_id="one")
    assert exchange.accepted(configuration, client_order_id="one") == first


@pytest.mark.parametrize("product_id", [None, "", 1, [], ["BTC-USD"], {"BTC-USD": 1}])
def test_a_product_that_is_no_name_is_refused(exchange: World, product_id: Any) -> None:
    refusal = exchange.refused(limit("0.001", "50000"), product_id=product_id)
    assert refusal["new_order_failure_reason"] == "INVALID_PRODUCT_ID"
