"""Every kind of order is written as the venue documents it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from ordersync_cli.domain.orders import OrderRequest, OrderType, Side, StopDirection, TimeInForce
from ordersync_cli.errors import UsageError
from ordersync_cli.venue.wire_requests import create_body, preview_body

MARKET = OrderRequest(
    product_id="ADA-USDT", side=Side.BUY, order_type=OrderType.MARKET, quote_size=Decimal("5"), client_order_id="c-1"
)
LIMIT = replace(MARKET, order_type=OrderType.LIMIT, quote_size=None, base_size=Decimal("4"), limit_price=Decimal("0.2"))
STOP = replace(LIMIT, order_type=OrderType.STOP_LIMIT, stop_price=Decimal("0.25"), stop_direction=StopDirection.UP)
END = datetime(2026, 5, 1, 12, tzinfo=UTC)


def configuration(request: OrderRequest) -> Any:
    return create_body(request)["order_configuration"]


def test_a_market_order_is_sized_by_quote_or_by_base() -> None:
    assert create_body(MARKET) == {
        "client_order_id": "c-1",
        "product_id": "ADA-USDT",
        "side": "BUY",
        "order_configuration": {"market_market_ioc": {"quote_size": "5"}},
    }
    sold = replace(MARKET, side=Side.SELL, quote_size=None, base_size=Decimal("1E-8"), time_in_force=TimeInForce.IOC)
    assert configuration(sold) == {"market_market_ioc": {"base_size": "0.00000001"}}
    assert configuration(replace(sold, time_in_force=TimeInForce.FOK)) == {
        "market_market_fok": {"base_size": "0.00000001"}
    }


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {"limit_limit_gtc": {"base_size": "4", "limit_price": "0.2", "post_only": False}}),
        (
            {"time_in_force": TimeInForce.GTC, "post_only": True},
            {"limit_limit_gtc": {"base_size": "4", "limit_price": "0.2", "post_only": True}},
        ),
        (
            {"time_in_force": TimeInForce.GTD, "end_time": END},
            {
                "limit_limit_gtd": {
                    "base_size": "4",
                    "limit_price": "0.2",
                    "end_time": "2026-05-01T12:00:00Z",
                    "post_only": False,
                }
            },
        ),
        ({"time_in_force": TimeInForce.IOC}, {"sor_limit_ioc": {"base_size": "4", "limit_price": "0.2"}}),
        ({"time_in_force": TimeInForce.FOK}, {"limit_limit_fok": {"base_size": "4", "limit_price": "0.2"}}),
        (
            {"base_size": None, "quote_size": Decimal("10.50")},
            {"limit_limit_gtc": {"quote_size": "10.50", "limit_price": "0.2", "post_only": False}},
        ),
    ],
)
def test_limit_orders(changes: Any, expected: Any) -> None:
    assert configuration(replace(LIMIT, **changes)) == expected


def test_stop_limit_orders() -> None:
    told = {"base_size": "4", "limit_price": "0.2", "stop_price": "0.25", "stop_direction": "STOP_DIRECTION_STOP_UP"}
    assert configuration(STOP) == {"stop_limit_stop_limit_gtc": told}
    down = replace(STOP, stop_direction=StopDirection.DOWN, time_in_force=TimeInForce.GTD, end_time=END)
    assert configuration(down) == {
        "stop_limit_stop_limit_gtd": {
            **told,
            "stop_direction": "STOP_DIRECTION_STOP_DOWN",
            "end_time": "2026-05-01T12:00:00Z",
        }
    }


@pytest.mark.parametrize(
    "nonsense",
    [
        replace(MARKET, client_order_id=None),
        replace(MARKET, client_order_id=""),
        replace(MARKET, quote_size=None),
        replace(MARKET, base_size=Decimal(1)),
        replace(MARKET, limit_price=Decimal(1)),
        replace(MARKET, post_only=True),
        replace(MARKET, time_in_force=TimeInForce.GTC),
        replace(LIMIT, limit_price=None),
        replace(LIMIT, stop_price=Decimal(1)),
        replace(LIMIT, time_in_force=TimeInForce.GTD),
        replace(LIMIT, end_time=END),
        replace(LIMIT, time_in_force=TimeInForce.IOC, post_only=True),
        replace(LIMIT, time_in_force=TimeInForce.FOK, end_time=END),
        replace(STOP, stop_direction=None),
        replace(STOP, stop_price=None),
        replace(STOP, base_size=None, quote_size=Decimal(1)),
        replace(STOP, time_in_force=TimeInForce.IOC),
        replace(STOP, post_only=True),
        replace(LIMIT, order_type=OrderType.OTHER),
    ],
)
def test_what_cannot_be_meant_is_refused_before_it_is_signed(nonsense: OrderRequest) -> None:
    with pytest.raises(UsageError):
        create_body(nonsense)


def test_P14_the_callers_client_order_id_is_sent_as_it_is() -> None:
    assert create_body(replace(MARKET, client_order_id="my own/id"))["client_order_id"] == "my own/id"


def test_a_preview_carries_no_client_order_id() -> None:
    assert "client_order_id" not in preview_body(MARKET)
