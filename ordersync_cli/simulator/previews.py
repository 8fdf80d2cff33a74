"""Preview Order and Edit Order Preview: what an order would cost, or why it would be refused."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ordersync_cli.simulator.balances import place_hold
from ordersync_cli.simulator.draws import draw_uuid
from ordersync_cli.simulator.edits import edit_refusal
from ordersync_cli.simulator.exchange import paid_in
from ordersync_cli.simulator.intake import Refusal, check_against_market, read_order
from ordersync_cli.simulator.listings import order_as_of
from ordersync_cli.simulator.money import minus, parse, plus, ratio, text, times
from ordersync_cli.simulator.orders import Order
from ordersync_cli.simulator.products import CATALOGUE, Product
from ordersync_cli.simulator.state import State

_SLIPPAGE = "0.0002"


def preview_order(state: State, body: dict[str, Any], now: int) -> dict[str, Any]:
    """Return the preview: HTTP 200 with `errs` filled when the order would be refused."""
    product = CATALOGUE.get(str(body.get("product_id") or ""))
    if product is None:
        return _body(state, None, None, ["PREVIEW_INVALID_PRODUCT_ID"], now)
    errors: list[str] = []
    order: Order | None = None
    try:
        order = read_order(body, 0, "", now)
        quote = state.market.quote(product, now)
        check_against_market(order, product, quote)
        place_hold(order, product, quote, state.available(paid_in(order, product)))
    except Refusal as refusal:
        errors.append(refusal.preview or f"PREVIEW_{refusal.reason}")
    return _body(state, order, product, errors, now)


def _body(state: State, order: Order | None, product: Product | None, errors: list[str], now: int) -> dict[str, Any]:
    base = value = fees = price = Decimal(0)
    bid = ask = Decimal(0)
    if product is not None:
        quote = state.market.quote(product, now)
        bid, ask = quote.bid, quote.ask
    if order is not None and product is not None:
        price = order.limit_price or (ask if order.is_buy else bid)
        base, value, fees = _figures(order, price)
    total = plus(value, fees) if order is None or order.is_buy else minus(value, fees)
    return {
        "order_total": text(total),
        "commission_total": text(fees),
        "errs": errors,
        "warning": [],
        "quote_size": text(value),
        "base_size": text(base),
        "best_bid": text(bid),
        "best_ask": text(ask),
        "is_max": False,
        "order_margin_total": "0",
        "leverage": "0",
        "long_leverage": "0",
        "short_leverage": "0",
        "slippage": _SLIPPAGE,
        "preview_id": draw_uuid(state.seed, "preview", now),
        "current_liquidation_buffer": "0",
        "projected_liquidation_buffer": "0",
        "max_leverage": "0",
        "pnl_configuration": None,
        "est_average_filled_price": text(price),
    }


def _figures(order: Order, price: Decimal) -> tuple[Decimal, Decimal, Decimal]:
    if order.base_size is not None:
        value = times(order.base_size, price)
        return order.base_size, value, times(value, order.taker_rate)
    value = order.quote_size or Decimal(0)
    if order.is_buy:
        value = ratio(value, plus(Decimal(1), order.taker_rate), 8)
    return ratio(value, price, 8), value, times(value, order.taker_rate)


def preview_edit(state: State, body: dict[str, Any], now: int) -> dict[str, Any]:
    """Return what an edit would lead to."""
    look = order_as_of(state, str(body.get("order_id")), None)
    order = None if look is None else look.order
    price, size = parse(body.get("price")), parse(body.get("size"))
    reason = edit_refusal(state, order, price, size, now)
    errors = [{"edit_failure_reason": reason}] if reason else []
    product = CATALOGUE[order.product_id] if order is not None else CATALOGUE["BTC-USD"]
    quote = state.market.quote(product, now)
    value = times(price or Decimal(0), size or Decimal(0))
    fee = times(value, Decimal("0.012"))
    return {
        "errors": errors,
        "slippage": _SLIPPAGE,
        "order_total": text(plus(value, fee)),
        "commission_total": text(fee),
        "quote_size": text(value),
        "base_size": text(size or Decimal(0)),
        "best_bid": text(quote.bid),
        "best_ask": text(quote.ask),
        "average_filled_price": "0" if order is None else text(ratio(order.filled_value, order.filled_size, 16)),
    }
