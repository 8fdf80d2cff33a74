"""Prints orders and fills in Coinbase's JSON, by REST and on the user channel, as recorded answers show them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ordersync_cli.simulator.draws import digest
from ordersync_cli.simulator.money import minus, plus, ratio, text, times
from ordersync_cli.simulator.orders import Fill, Order
from ordersync_cli.simulator.times import NEVER_TEXT, micro_text, milli_text, nano_text

_MILLISECOND_SHARE = 64  # of 256
_ORDER_TYPES = {"market": "MARKET", "limit": "LIMIT", "stop_limit": "STOP_LIMIT"}
_FRAME_TYPES = {"market": "Market", "limit": "Limit", "stop_limit": "Stop Limit"}


def average_price(order: Order) -> str:
    """Return value / size with the many digits that recordings show ("21220.6399999973697697"), "0" when unfilled."""
    return text(ratio(order.filled_value, order.filled_size, 16))


def completion(order: Order) -> str:
    """Return completion_percentage: "0", "37.5", "100" or "100.00" (both were recorded)."""
    if order.status == "FILLED":
        return "100.00" if digest(0, order.order_id)[0] % 2 else "100"
    if order.base_size:
        done = ratio(times(order.filled_size, Decimal(100)), order.base_size, 2)
    else:
        done = ratio(times(plus(order.filled_value, order.total_fees), Decimal(100)), order.quote_size or Decimal(0), 2)
    return text(done)


def total_after_fees(order: Order) -> str:
    """Return the value with fees; on an order that still rests, the planned total."""
    value, fees = order.filled_value, order.total_fees
    if not order.is_terminal and order.limit_price is not None and order.base_size is not None:
        rest = times(minus(order.base_size, order.filled_size), order.limit_price)
        value, fees = plus(value, rest), plus(fees, times(rest, order.maker_rate))
    return text(plus(value, fees) if order.is_buy else minus(value, fees))


def rest_order(order: Order, user_id: str, portfolio_id: str) -> dict[str, Any]:
    """Return the Order object of Get Order and List Orders."""
    last_fill = None if order.last_fill_at is None else _trade_time(order.order_id, order.last_fill_at)
    return {
        "order_id": order.order_id,
        "product_id": order.product_id,
        "user_id": user_id,
        "order_configuration": order.configuration,
        "side": order.side,
        "client_order_id": order.client_order_id,
        "status": order.status,
        "time_in_force": order.time_in_force,
        "created_time": micro_text(order.created_at),
        "completion_percentage": completion(order),
        "filled_size": text(order.filled_size),
        "average_filled_price": average_price(order),
        "fee": "",
        "number_of_fills": str(order.number_of_fills),
        "filled_value": text(order.filled_value),
        "pending_cancel": order.pending_cancel and not order.is_terminal,
        "size_in_quote": order.sized_in_quote,
        "total_fees": text(order.total_fees),
        "size_inclusive_of_fees": order.sized_in_quote and order.is_buy,
        "total_value_after_fees": total_after_fees(order),
        "trigger_status": order.trigger_status,
        "order_type": _ORDER_TYPES[order.kind],
        "reject_reason": order.reject_reason,
        "settled": order.status == "FILLED",
        "product_type": "SPOT",
        "reject_message": order.reject_message,
        "cancel_message": order.cancel_message,
        "order_placement_source": order.placement_source,
        "outstanding_hold_amount": text(order.hold),
        "is_liquidation": False,
        "last_fill_time": last_fill,
        "edit_history": order.edit_history,
        "leverage": "",
        "margin_type": "UNKNOWN_MARGIN_TYPE",
        "retail_portfolio_id": portfolio_id,
        "originating_order_id": "",
        "attached_order_id": "",
        "attached_order_configuration": None,
        "current_pending_replace": None,
        "commission_detail_total": None,
        "workable_size": "0",
        "workable_size_completion_pct": "0",
        "last_update_time": last_fill or micro_text(order.created_at),
        **order.shown,
    }


def rest_fill(fill: Fill, user_id: str, portfolio_id: str, cursor: str) -> dict[str, Any]:
    """Return one row of List Fills; a size in quote is price times base, as `size_in_quote` says."""
    return {
        "entry_id": fill.entry_id,
        "trade_id": fill.trade_id,
        "order_id": fill.order_id,
        "trade_time": _trade_time(fill.order_id, fill.traded_at),
        "trade_type": fill.trade_type,
        "price": text(fill.price),
        "size": text(times(fill.size, fill.price) if fill.size_in_quote else fill.size),
        "commission": text(fill.commission),
        "product_id": fill.product_id,
        "sequence_timestamp": micro_text(fill.booked_at),
        "liquidity_indicator": fill.liquidity,
        "size_in_quote": fill.size_in_quote,
        "user_id": user_id,
        "side": fill.side,
        "retail_portfolio_id": portfolio_id,
        "fillSource": "FILL_SOURCE_CLOB",
        "commission_detail_total": None,
        "cursor": cursor,
        **fill.shown,
    }


def _trade_time(order_id: str, at: int) -> str:
    """Print a trade time with three or nine fractional digits, one kind an order: both were recorded."""
    kind = digest(0, "trade_time", order_id)[0]
    return milli_text(at) if kind < _MILLISECOND_SHARE else nano_text(at, kind * 3 + 1)


def frame_order(order: Order, portfolio_id: str, *, usdc_as_usd: bool = False) -> dict[str, Any]:
    """Return the order object of the user channel: all values are strings, post_only too."""
    product_id = order.product_id
    if usdc_as_usd and product_id.endswith("-USDC"):
        product_id = product_id.removesuffix("C")
    return {
        "avg_price": average_price(order),
        "cancel_reason": order.cancel_message,
        "client_order_id": order.client_order_id,
        "completion_percentage": completion(order),
        "contract_expiry_type": "UNKNOWN_CONTRACT_EXPIRY_TYPE",
        "cumulative_quantity": text(order.filled_size),
        "filled_value": text(order.filled_value),
        "leaves_quantity": _leaves(order),
        "limit_price": "0" if order.limit_price is None else text(order.limit_price),
        "number_of_fills": str(order.number_of_fills),
        "order_id": order.order_id,
        "order_side": order.side,
        "order_type": _FRAME_TYPES[order.kind],
        "outstanding_hold_amount": text(order.hold),
        "post_only": "true" if order.post_only else "false",
        "product_id": product_id,
        "product_type": "SPOT",
        "reject_reason": order.reject_message,
        "retail_portfolio_id": portfolio_id,
        "risk_managed_by": "UNKNOWN_RISK_MANAGEMENT_TYPE",
        "status": order.status,
        "stop_price": "" if order.stop_price is None else text(order.stop_price),
        "time_in_force": order.time_in_force,
        "total_fees": text(order.total_fees),
        "total_value_after_fees": total_after_fees(order),
        "trigger_status": order.trigger_status,
        "creation_time": micro_text(order.created_at),
        "end_time": NEVER_TEXT if order.end_time is None else micro_text(order.end_time),
        "start_time": NEVER_TEXT,
        **order.shown_in_frames,
    }


def _leaves(order: Order) -> str:
    """Return what is left, in the currency the order was placed in; 0 on every terminal frame."""
    if order.is_terminal:
        return "0"
    if order.base_size is not None:
        return text(max(minus(order.base_size, order.filled_size), Decimal(0)))
    return text(max(minus(order.quote_size or Decimal(0), plus(order.filled_value, order.total_fees)), Decimal(0)))
