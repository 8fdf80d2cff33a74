"""Writes the bodies of Create Order and Preview Order for every kind of order that is placed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ordersync_cli.domain.orders import OrderRequest, OrderType, StopDirection, TimeInForce
from ordersync_cli.errors import UsageError
from ordersync_cli.venue.wire_values import plain, rfc3339

Body = Mapping[str, Any]

_LIMIT_KEYS = {
    TimeInForce.GTC: "limit_limit_gtc",
    TimeInForce.GTD: "limit_limit_gtd",
    TimeInForce.IOC: "sor_limit_ioc",  # Coinbase's name for "limit, immediate or cancel"
    TimeInForce.FOK: "limit_limit_fok",
}
_STOP_KEYS = {
    TimeInForce.GTC: "stop_limit_stop_limit_gtc",
    TimeInForce.GTD: "stop_limit_stop_limit_gtd",
}
_STOP_WORDS = {
    StopDirection.UP: "STOP_DIRECTION_STOP_UP",
    StopDirection.DOWN: "STOP_DIRECTION_STOP_DOWN",
}


def create_body(request: OrderRequest) -> Body:
    """Write the body of Create Order. Raises UsageError for what cannot be meant."""
    if not request.client_order_id:
        raise UsageError("An order needs a client order id before it is sent.")
    return {"client_order_id": request.client_order_id, **preview_body(request)}


def preview_body(request: OrderRequest) -> Body:
    """Write the body of Preview Order: Create Order's without the client order id."""
    return {
        "product_id": request.product_id,
        "side": request.side.value,
        "order_configuration": _configuration(request),
    }


def _configuration(request: OrderRequest) -> Body:
    if request.order_type is OrderType.MARKET:
        return _market(request)
    if request.order_type is OrderType.LIMIT:
        return _limit(request)
    if request.order_type is OrderType.STOP_LIMIT:
        return _stop_limit(request)
    raise UsageError(f"Orders of type {request.order_type} are followed, never placed.")


def _market(request: OrderRequest) -> Body:
    if request.limit_price is not None or request.stop_price is not None or request.post_only:
        raise UsageError("A market order has no price and cannot be post-only.")
    if request.time_in_force not in (None, TimeInForce.IOC, TimeInForce.FOK):
        raise UsageError("A market order is immediate: it cannot be good till cancelled or till a date.")
    key = "market_market_fok" if request.time_in_force is TimeInForce.FOK else "market_market_ioc"
    return {key: _size(request)}


def _limit(request: OrderRequest) -> Body:
    kind = request.time_in_force or TimeInForce.GTC
    if request.stop_price is not None:
        raise UsageError("A limit order has no stop price; a stop-limit order has.")
    body: dict[str, Any] = {**_size(request), "limit_price": _limit_price(request)}
    if kind in (TimeInForce.GTC, TimeInForce.GTD):
        body |= _end_time(request, kind)
        body["post_only"] = request.post_only
    elif request.post_only:
        raise UsageError("A post-only order cannot be immediate-or-cancel or fill-or-kill.")
    else:
        _end_time(request, kind)
    return {_LIMIT_KEYS[kind]: body}


def _stop_limit(request: OrderRequest) -> Body:
    kind = request.time_in_force or TimeInForce.GTC
    if kind not in _STOP_KEYS:
        raise UsageError("A stop-limit order is good till cancelled or till a date.")
    if request.base_size is None or request.quote_size is not None:
        raise UsageError("A stop-limit order is sized in base currency.")
    if request.stop_price is None or request.stop_direction is None:
        raise UsageError("A stop-limit order needs a stop price and its direction, up or down.")
    if request.post_only:
        raise UsageError("A stop-limit order cannot be post-only.")
    return {
        _STOP_KEYS[kind]: {
            **_size(request),
            "limit_price": _limit_price(request),
            "stop_price": plain(request.stop_price),
            "stop_direction": _STOP_WORDS[request.stop_direction],
            **_end_time(request, kind),
        }
    }


def _size(request: OrderRequest) -> Body:
    if (request.base_size is None) == (request.quote_size is None):
        raise UsageError("An order has one size: in base currency or in quote currency.")
    if request.base_size is not None:
        return {"base_size": plain(request.base_size)}
    assert request.quote_size is not None
    return {"quote_size": plain(request.quote_size)}


def _limit_price(request: OrderRequest) -> str:
    if request.limit_price is None:
        raise UsageError("A limit order needs its limit price.")
    return plain(request.limit_price)


def _end_time(request: OrderRequest, kind: TimeInForce) -> Body:
    if kind is TimeInForce.GTD:
        if request.end_time is None:
            raise UsageError("An order good till a date needs that date (--end-time).")
        return {"end_time": rfc3339(request.end_time)}
    if request.end_time is not None:
        raise UsageError("Only an order good till a date has an end time.")
    return {}
