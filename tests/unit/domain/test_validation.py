"""What is wrong with a request, said before anything is sent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ordersync_cli.domain.orders import OrderType, Product, Side, StopDirection, TimeInForce
from ordersync_cli.domain.validation import notional, problems
from tests.unit.domain.builders import D, limit, market, s

BTC = Product(
    product_id="BTC-USD",
    base_increment=D("0.00000001"),
    quote_increment=D("0.01"),
    price_increment=D("0.01"),
    base_min_size=D("0.0001"),
    base_max_size=D(3400),
    quote_min_size=D(1),
    quote_max_size=D(1000),
    price=D(50000),
)
NOW = s(0)
GTD = {"time_in_force": TimeInForce.GTD}


def stop(**kw: Any) -> Any:
    asked: dict[str, Any] = {
        "order_type": OrderType.STOP_LIMIT,
        "stop_price": D("1.9"),
        "stop_direction": StopDirection.UP,
    }
    return limit(**(asked | kw))


@pytest.mark.parametrize(
    "request_",
    [
        market(),
        market(quote_size=None, base_size=D("0.001"), time_in_force=TimeInForce.IOC),
        limit(),
        limit(base_size=None, quote_size=D(100)),
        limit(post_only=True, time_in_force=TimeInForce.GTC),
        limit(**GTD, end_time=s(60)),
        limit(time_in_force=TimeInForce.FOK),
        stop(),
        stop(side=Side.SELL, stop_price=D("2.1"), stop_direction=StopDirection.DOWN),
        stop(side=Side.SELL, stop_price=D("1.9"), stop_direction=StopDirection.UP),
    ],
)
def test_a_sound_request_has_no_problem(request_: Any) -> None:
    assert problems(request_, BTC, now=NOW) == []


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (market(base_size=D(1)), "not both"),
        (market(quote_size=None), "Give a base size or a quote size."),
        (market(quote_size=D(0)), "must be more than 0, not 0"),
        (market(quote_size=D(-5)), "must be more than 0, not -5"),
        (market(quote_size=D("NaN")), "not a finite number"),
        (market(quote_size=D("Infinity")), "not a finite number"),
        (market(quote_size=D("1e100")), "out of range"),
        (market(quote_size=D("0.5")), "below the minimum: give at least 1."),
        (market(quote_size=D("1000.01")), "above the maximum: give at most 1000."),
        (market(quote_size=D("10.005")), "not a multiple of 0.01: the nearest is 10 or 10.01."),
        (limit(base_size=D("0.00001")), "give at least 0.0001"),
        (limit(base_size=D("1.000000001")), "the nearest is 1 or 1.00000001"),
        (limit(limit_price=D("2.005")), "Limit price 2.005 is not a multiple of 0.01: the nearest is 2 or 2.01."),
        (limit(limit_price=D("0.001")), "the nearest is 0.01."),
        (limit(limit_price=None), "needs a limit price"),
        (market(limit_price=D(2)), "A market order has no price"),
        (market(stop_price=D(2)), "A market order has no price"),
        (market(time_in_force=TimeInForce.FOK), "immediate or cancelled"),
        (market(time_in_force=TimeInForce.GTC), "immediate or cancelled"),
        (market(post_only=True), "Post-only is for limit orders"),
        (limit(post_only=True, time_in_force=TimeInForce.IOC), "Post-only is for limit orders"),
        (limit(**GTD), "needs an end time"),
        (limit(**GTD, end_time=s(0)), "is not in the future"),
        (limit(end_time=s(60)), "add --tif gtd"),
        (limit(stop_direction=StopDirection.UP), "add --stop PRICE"),
        (limit(order_type=OrderType.OTHER), "never placed"),
        (stop(stop_price=None), "needs a stop price"),
        (stop(stop_direction=None), "needs a direction"),
        (stop(base_size=None, quote_size=D(10)), "takes a base size"),
        (stop(time_in_force=TimeInForce.IOC), "it is gtc or gtd, not ioc"),
        (stop(stop_price=D("1.905")), "Stop price 1.905"),
        (stop(stop_price=D("2.1")), "limit of at least its stop: 2.1"),
        (
            stop(side=Side.SELL, stop_price=D("1.9"), stop_direction=StopDirection.DOWN),
            "limit of at most its stop: 1.9",
        ),
        (stop(limit_price=None), "needs a limit price"),
    ],
)
def test_a_problem_is_said_with_what_would_be_right(request_: Any, said: str) -> None:
    found = problems(request_, BTC, now=NOW)
    assert any(said in text for text in found), found
    assert all(text[0].isupper() and text.endswith(".") for text in found)


@pytest.mark.parametrize(
    ("flag", "request_", "said"),
    [
        ("trading_disabled", limit(), "disabled"),
        ("view_only", limit(), "only be viewed"),
        ("cancel_only", limit(), "only cancels"),
        ("limit_only", market(), "limit orders only"),
        ("post_only", limit(), "post-only orders only"),
    ],
)
def test_a_product_may_be_closed(flag: str, request_: Any, said: str) -> None:
    closed = replace(BTC, **{flag: True})
    assert any(said in text for text in problems(request_, closed, now=NOW))


def test_a_product_may_be_open_to_some() -> None:
    assert problems(limit(), replace(BTC, limit_only=True), now=NOW) == []
    assert problems(limit(post_only=True), replace(BTC, post_only=True), now=NOW) == []


def test_bounds_and_steps_that_the_venue_left_out_are_not_held() -> None:
    loose = replace(BTC, base_max_size=None, quote_max_size=None, base_increment=D(0))
    assert problems(limit(base_size=D("9999.123456789")), loose, now=NOW) == []


def test_the_value_of_an_order_is_estimated() -> None:
    assert notional(market(quote_size=D("25.00")), BTC) == 25
    assert notional(limit(), BTC) == 200
    assert notional(market(quote_size=None, base_size=D("0.5")), BTC) == 25000
    assert notional(market(quote_size=None, base_size=D(1)), replace(BTC, price=None)) is None
    assert notional(market(quote_size=None), BTC) is None
