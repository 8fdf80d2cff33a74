"""Writes what the other exchange says, in as many dialects as Coinbase's own documents and recordings show."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from tests.support.other_books import BORN, Look, OtherOrder

REQUIRED = (
    "order_id", "product_id", "user_id", "order_configuration", "side", "client_order_id", "status", "created_time",
    "completion_percentage", "average_filled_price", "number_of_fills", "pending_cancel", "size_in_quote", "total_fees",
    "size_inclusive_of_fees", "total_value_after_fees",
)  # fmt: skip
MINIMAL = (*REQUIRED, "filled_size", "filled_value")
SHAPE_2023 = (
    *MINIMAL, "time_in_force", "fee", "trigger_status", "order_type", "reject_reason", "settled", "product_type",
    "reject_message", "cancel_message",
)  # fmt: skip
FIGURES = (
    "filled_size", "average_filled_price", "number_of_fills", "filled_value", "total_fees", "completion_percentage",
    "total_value_after_fees", "outstanding_hold_amount", "price", "size", "commission", "base_increment",
    "cumulative_quantity", "leaves_quantity", "avg_price", "limit_price",
)  # fmt: skip


@dataclass
class Manners:
    """How this exchange writes; every choice is one that was documented or recorded."""

    shape: tuple[str, ...] | None = None  # None: every field
    numbers: bool = False  # figures as JSON numbers
    date_header: bool = True
    key_permissions: bool = True
    newest_first: bool = False
    page: int = 100
    lying_has_next: bool = False  # has_next true beside an empty cursor
    number_cursors: bool = False
    create: str = "echo"  # echo, null, extra
    client_id: bool = True
    acks: bool = True
    sequence: str = "connection"  # connection, channel
    string_counters: bool = False
    order_type: str = "LIMIT"
    repeats: int = 1  # how often an ended order is told
    positions: Any = "absent"
    digits: int = 9
    canonical: bool = False  # -USD for -USDC on the user channel
    check_jwt: bool = True
    snapshot_batch: int = 50
    empty_strings: bool = False
    user_channel: bool = True  # False: subscribed, heartbeats, but no user frame ever


def dump(value: Any) -> str:
    """Write JSON; a Decimal becomes a number with every digit."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)}: {dump(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(dump, value)) + "]"
    return json.dumps(value)


def moment(at: datetime, digits: int) -> str:
    fraction = f"{at.microsecond:06d}000"[: max(digits, 3)]
    return f"{at:%Y-%m-%dT%H:%M:%S}.{fraction}Z"


def figures(told: dict[str, Any], manners: Manners) -> dict[str, Any]:
    """Turn the figures into numbers where this exchange writes numbers."""
    if not manners.numbers:
        return {k: format(v, "f") if isinstance(v, Decimal) else v for k, v in told.items()}
    return {k: Decimal(v) if k in FIGURES and v not in {"", None} else v for k, v in told.items()}


def rest_order(order: OtherOrder, manners: Manners, user_id: str) -> dict[str, Any]:
    """Write an order as Get Order and List Orders do."""
    look = order.look()
    whole = look.word == "FILLED"
    told = {
        "order_id": order.order_id,
        "product_id": order.request["product_id"],
        "user_id": user_id,
        "order_configuration": order.request["order_configuration"],
        "side": order.request["side"],
        "client_order_id": order.request["client_order_id"],
        "status": look.word,
        "created_time": moment(order.born, manners.digits),
        "completion_percentage": "100.00" if whole else "0",
        "average_filled_price": look.average,
        "number_of_fills": str(len(look.fills)),
        "pending_cancel": look.word == "CANCEL_QUEUED",
        "size_in_quote": order.in_quote,
        "total_fees": look.fees,
        "size_inclusive_of_fees": order.in_quote,
        "total_value_after_fees": look.value + look.fees,
        "filled_size": look.size,
        "filled_value": look.value,
        **_rest_only(order, look, manners),
    }
    if manners.empty_strings and not look.fills:
        told |= dict.fromkeys(("filled_size", "average_filled_price", "total_fees", "filled_value"), "")
    kept = {k: v for k, v in told.items() if manners.shape is None or k in manners.shape}
    return figures(kept, manners)


def _rest_only(order: OtherOrder, look: Look, manners: Manners) -> dict[str, Any]:
    last = look.fills[-1].at if look.fills else None
    return {
        "time_in_force": "IMMEDIATE_OR_CANCEL" if "market" in order.kind else "GOOD_UNTIL_CANCELLED",
        "fee": "",
        "trigger_status": "INVALID_ORDER_TYPE",
        "order_type": manners.order_type,
        "reject_reason": "REJECT_REASON_UNSPECIFIED" if look.word != "FAILED" else "HOLD_FAILURE",
        "settled": look.word == "FILLED",
        "product_type": "SPOT",
        "reject_message": "",
        "cancel_message": "Internal error" if look.word == "FILLED" and order.in_quote else "",
        "order_placement_source": order.source,
        "outstanding_hold_amount": "0",
        "is_liquidation": False,
        "last_fill_time": moment(last, manners.digits) if last else None,
        "edit_history": [],
        "leverage": "",
        "margin_type": "UNKNOWN_MARGIN_TYPE",
        "retail_portfolio_id": "",
        "last_update_time": moment(last or order.born, manners.digits),
        "something_new": {"nobody": ["knows", 1]},
    }


def rest_fills(order: OtherOrder, manners: Manners, user_id: str) -> list[dict[str, Any]]:
    """Write an order's fills; those of an order placed by money are in money."""
    return [
        figures(
            {
                "entry_id": fill.entry_id,
                "trade_id": fill.entry_id[:8],
                "order_id": order.order_id,
                "trade_time": moment(fill.at, manners.digits),
                "trade_type": "FILL",
                "price": fill.value / fill.size,
                "size": fill.value if order.in_quote else fill.size,
                "commission": fill.fee,
                "product_id": order.request["product_id"],
                "sequence_timestamp": moment(fill.at, manners.digits),
                "liquidity_indicator": "UNKNOWN_LIQUIDITY_INDICATOR",
                "size_in_quote": order.in_quote,
                "user_id": user_id,
                "side": order.request["side"],
            },
            manners,
        )
        for fill in order.look().fills
    ]


def user_order(order: OtherOrder, step: int, manners: Manners) -> dict[str, Any]:
    """Write an order as the user channel does."""
    look = order.look(step)
    product = order.request["product_id"]
    if manners.canonical and product.endswith("-USDC"):
        product = product.removesuffix("C")
    told = {
        "avg_price": look.average,
        "cancel_reason": "",
        "client_order_id": order.request["client_order_id"],
        "completion_percentage": "100.00" if look.word == "FILLED" else "0",
        "contract_expiry_type": "UNKNOWN_CONTRACT_EXPIRY_TYPE",
        "cumulative_quantity": look.size,
        "filled_value": look.value,
        "leaves_quantity": "0",
        "limit_price": str(order.terms.get("limit_price", "0")),
        "number_of_fills": str(len(look.fills)),
        "order_id": order.order_id,
        "order_side": order.request["side"],
        "order_type": "Market" if "market" in order.kind else manners.order_type.title(),
        "outstanding_hold_amount": "0",
        "post_only": "false",
        "product_id": product,
        "product_type": "SPOT",
        "reject_Reason": "",
        "retail_portfolio_id": "",
        "status": look.word,
        "stop_price": "",
        "time_in_force": "GOOD_UNTIL_CANCELLED",
        "total_fees": look.fees,
        "total_value_after_fees": look.value + look.fees,
        "trigger_status": "INVALID_ORDER_TYPE",
        "creation_time": moment(order.born, manners.digits),
        "end_time": BORN,
        "start_time": BORN,
    }
    return figures(told, manners)


def product(product_id: str, manners: Manners) -> dict[str, Any]:
    """Write a product; this exchange leaves many numbers empty."""
    base, quote = product_id.split("-")
    told = {
        "product_id": product_id, "price": "", "base_increment": "0.00000001", "quote_increment": "0.01",
        "price_increment": "0.01", "base_min_size": "0.00000001", "base_max_size": "3400", "quote_min_size": "1",
        "quote_max_size": "150000000", "status": "online", "trading_disabled": False, "is_disabled": False,
        "cancel_only": False, "limit_only": False, "post_only": False, "auction_mode": False, "view_only": False,
        "alias": product_id.removesuffix("C") if quote == "USDC" else "", "alias_to": [], "product_type": "SPOT",
        "mid_market_price": "", "quote_currency_id": quote, "base_currency_id": base, "market_cap": "",
        "fcm_trading_session_details": None,
    }  # fmt: skip
    if manners.empty_strings:
        told |= dict.fromkeys(("base_max_size", "quote_max_size", "quote_min_size", "price_increment"), "")
    return figures(told, manners)
