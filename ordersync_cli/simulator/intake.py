"""Reads a Create Order body into an order, or says in the exchange's own words why it is refused."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ordersync_cli.simulator.market import Quote
from ordersync_cli.simulator.money import is_multiple, parse, times
from ordersync_cli.simulator.orders import Order
from ordersync_cli.simulator.products import Product
from ordersync_cli.simulator.times import SECOND, parse_time

_KINDS = {
    "market_market_ioc": ("market", "IMMEDIATE_OR_CANCEL"),
    "sor_limit_ioc": ("limit", "IMMEDIATE_OR_CANCEL"),
    "limit_limit_gtc": ("limit", "GOOD_UNTIL_CANCELLED"),
    "limit_limit_gtd": ("limit", "GOOD_UNTIL_DATE_TIME"),
    "limit_limit_fok": ("limit", "FILL_OR_KILL"),
    "stop_limit_stop_limit_gtc": ("stop_limit", "GOOD_UNTIL_CANCELLED"),
    "stop_limit_stop_limit_gtd": ("stop_limit", "GOOD_UNTIL_DATE_TIME"),
}
_FARTHEST_END = 400 * 86_400 * SECOND


@dataclass(eq=False)
class Refusal(Exception):
    """Why no order comes to be; the fields of error_response."""

    reason: str = ""
    preview: str = ""
    message: str = ""
    details: str = ""
    error: str = ""

    def response(self) -> dict[str, str]:
        """Return error_response in one of the shapes seen live.

        A reason of the order itself comes in new_order_failure_reason, one of the preview checks only in the
        deprecated preview_failure_reason (recorded by ccxt for a stop price above the last trade).
        """
        body = {"error": self.error or self.reason or "UNKNOWN_FAILURE_REASON", "message": self.message}
        body["error_details"] = self.details
        if self.preview:
            body["preview_failure_reason"] = self.preview
        if self.reason:
            body["new_order_failure_reason"] = self.reason
        return body


def read_order(body: dict[str, Any], seq: int, order_id: str, now: int, *, check_end: bool = True) -> Order:
    """Read the request; raises Refusal for what cannot be an order whatever the market."""
    side = body.get("side")
    if side not in ("BUY", "SELL"):
        raise Refusal(reason="INVALID_SIDE", message="The order side was invalid")
    configuration = body.get("order_configuration")
    if not isinstance(configuration, dict) or len(configuration) != 1:
        raise _unsupported("exactly one order configuration is needed")
    name, terms = next(iter(configuration.items()))
    if name not in _KINDS or not isinstance(terms, dict):
        raise _unsupported(f"{name} is not supported for spot")
    kind, time_in_force = _KINDS[name]
    order = Order(
        seq=seq,
        order_id=order_id,
        client_order_id=str(body.get("client_order_id") or ""),
        product_id=str(body.get("product_id") or ""),
        side=side,
        configuration={name: dict(terms)},
        kind=kind,
        time_in_force=time_in_force,
        created_at=now,
    )
    _read_sizes(order, terms)
    if kind != "market":
        order.limit_price = _needed(terms, "limit_price", "PREVIEW_INVALID_LIMIT_PRICE")
        order.post_only = terms.get("post_only") is True
    if kind == "stop_limit":
        _read_stop(order, terms)
    if time_in_force == "GOOD_UNTIL_DATE_TIME":
        _read_end(order, terms, now if check_end else None)
    return order


def _unsupported(details: str) -> Refusal:
    return Refusal(
        reason="UNSUPPORTED_ORDER_CONFIGURATION", message="The order configuration was invalid", details=details
    )


def _needed(terms: dict[str, Any], name: str, preview: str) -> Decimal:
    value = parse(terms.get(name))
    if value is None or value <= 0:
        raise Refusal(preview=preview, error="UNKNOWN_FAILURE_REASON")
    return value


def _read_sizes(order: Order, terms: dict[str, Any]) -> None:
    given = [name for name in ("base_size", "quote_size") if terms.get(name) not in (None, "")]
    if not given:
        raise _unsupported("Market orders cannot be placed with empty order sizes")
    if len(given) > 1:
        raise _unsupported("only one of base_size and quote_size can be set")
    value = _needed(terms, given[0], "PREVIEW_INVALID_SIZE_PRECISION")
    if given[0] == "base_size":
        order.base_size = value
    else:
        order.quote_size = value


def _read_stop(order: Order, terms: dict[str, Any]) -> None:
    order.stop_price = _needed(terms, "stop_price", "PREVIEW_INVALID_STOP_PRICE")
    order.stop_direction = str(terms.get("stop_direction") or "")
    if order.stop_direction not in ("STOP_DIRECTION_STOP_UP", "STOP_DIRECTION_STOP_DOWN"):
        raise _unsupported("stop_direction is needed")
    order.trigger_status = "STOP_PENDING"


def _read_end(order: Order, terms: dict[str, Any], now: int | None) -> None:
    order.end_time = parse_time(terms.get("end_time"))
    if order.end_time is None:
        raise Refusal(reason="GTD_ORDERS_MUST_HAVE_END_TIME", message="end_time is needed")
    if now is not None and order.end_time <= now:
        raise Refusal(reason="END_TIME_IS_IN_THE_PAST", message="end_time is in the past")
    if now is not None and order.end_time > now + _FARTHEST_END:
        raise Refusal(reason="END_TIME_TOO_FAR_IN_FUTURE", message="end_time is too far away")


def check_against_market(order: Order, product: Product, quote: Quote) -> None:
    """Raise Refusal when the product or the market does not take this order."""
    if not product.is_tradable:
        raise Refusal(reason="ORDER_ENTRY_DISABLED", message="Orders are disabled for this product")
    if product.limit_only and order.kind == "market":
        raise Refusal(
            reason="UNSUPPORTED_ORDER_CONFIGURATION", message="Only limit orders are taken", details="limit only"
        )
    if product.post_only and not order.post_only:
        raise Refusal(
            reason="UNSUPPORTED_ORDER_CONFIGURATION", message="Only post-only orders are taken", details="post only"
        )
    _check_sizes(order, product, quote)
    price = order.limit_price
    if price is not None:
        if not is_multiple(price, product.price_increment):
            raise Refusal(preview="PREVIEW_INVALID_PRICE_PRECISION")
        if price > product.reference_price * 20 or price * 1000 < product.reference_price:
            raise Refusal(reason="LIMIT_PRICE_TOO_FAR_FROM_MARKET", message="Limit price is too far from the market")
        if order.post_only and order.kind == "limit" and is_marketable(order, quote):
            raise Refusal(reason="INVALID_LIMIT_PRICE_POST_ONLY", preview="PREVIEW_INVALID_LIMIT_PRICE_POST_ONLY")
    if order.kind == "stop_limit":
        _check_stop(order, product, quote)


def is_marketable(order: Order, quote: Quote) -> bool:
    """Tell whether the order would trade at once."""
    if order.limit_price is None:
        return True
    return order.limit_price >= quote.ask if order.is_buy else order.limit_price <= quote.bid


def _check_sizes(order: Order, product: Product, quote: Quote) -> None:
    if order.quote_size is not None:
        if not is_multiple(order.quote_size, product.quote_increment):
            raise Refusal(preview="PREVIEW_INVALID_QUOTE_SIZE_PRECISION")
        if order.quote_size < product.quote_min_size:
            raise Refusal(preview="PREVIEW_INVALID_QUOTE_SIZE_TOO_SMALL")
        if order.quote_size > product.quote_max_size:
            raise Refusal(preview="PREVIEW_INVALID_QUOTE_SIZE_TOO_LARGE")
        return
    size = order.base_size or Decimal(0)
    if not is_multiple(size, product.base_increment):
        raise Refusal(preview="PREVIEW_INVALID_SIZE_PRECISION")
    worth = times(size, order.limit_price or quote.ask)
    if size < product.base_min_size or worth < product.quote_min_size:
        raise Refusal(preview="PREVIEW_INVALID_BASE_SIZE_TOO_SMALL")
    if size > product.base_max_size:
        raise Refusal(preview="PREVIEW_INVALID_BASE_SIZE_TOO_LARGE")


def _check_stop(order: Order, product: Product, quote: Quote) -> None:
    stop, limit = order.stop_price, order.limit_price
    if stop is None or limit is None:
        raise _unsupported("stop_price and limit_price are needed")
    if not is_multiple(stop, product.price_increment):
        raise Refusal(preview="PREVIEW_INVALID_PRICE_PRECISION")
    if order.stop_direction == "STOP_DIRECTION_STOP_UP" and stop <= quote.bid:
        raise Refusal(preview="PREVIEW_STOP_PRICE_BELOW_LAST_TRADE_PRICE")
    if order.stop_direction == "STOP_DIRECTION_STOP_DOWN" and stop >= quote.ask:
        raise Refusal(preview="PREVIEW_STOP_PRICE_ABOVE_LAST_TRADE_PRICE")
    if order.is_buy and stop > limit:
        raise Refusal(preview="PREVIEW_STOP_PRICE_ABOVE_LIMIT_PRICE")
    if not order.is_buy and stop < limit:
        raise Refusal(preview="PREVIEW_STOP_PRICE_BELOW_LIMIT_PRICE")
