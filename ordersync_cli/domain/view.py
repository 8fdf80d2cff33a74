"""The public row of a trade: exactly the keys of the contract's trade JSON."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from ordersync_cli.domain.matching import request_told
from ordersync_cli.domain.orders import Origin
from ordersync_cli.domain.trade import Standing, Trade


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeView:
    """What users, bots and JSON see of a trade; the store's `trades` has a column for each.

    ``size`` = base size asked for (edits included), else base filled; ``price`` = limit price,
    else average; ``size_usd`` = quote size asked for, else filled value: exact here.
    """

    trade_id: int
    bot_id: int | None
    product_id: str
    side: str
    order_type: str | None
    client_order_id: str | None
    order_id: str | None
    status: str
    order_status: str
    venue_status: str | None
    size: Decimal | None
    price: Decimal | None
    size_usd: Decimal | None
    filled_size: Decimal | None
    average_filled_price: Decimal | None
    filled_value: Decimal | None
    total_fees: Decimal | None
    number_of_fills: int | None
    fills_verified: bool
    reason: str | None
    created_at: datetime
    submitted_at: datetime | None
    accepted_at: datetime | None
    filled_at: datetime | None
    closed_at: datetime | None
    confirmed_at: datetime | None
    updated_at: datetime | None
    sync_latency_seconds: Decimal | None
    source: str | None


def view(trade: Trade, standing: Standing) -> TradeView:
    """Show a trade; ValueError for one that the store has not given an id yet."""
    if trade.trade_id is None:
        raise ValueError("a trade without an id has no public row yet")
    return TradeView(trade_id=trade.trade_id, **columns(trade, standing), **book_keeping(trade))


def columns(trade: Trade, standing: Standing) -> dict[str, Any]:
    """Tell the public columns that the join decides: when one of them moves, it is news."""
    request, figures = request_told(trade), standing.figures
    average = figures.average_filled_price if figures is not None else None
    return {
        "bot_id": request.bot_id,
        "product_id": request.product_id,
        "side": request.side.value,
        "order_type": request.order_type.value,
        "client_order_id": request.client_order_id,
        "order_id": standing.order_id,
        "status": standing.status.value,
        "order_status": standing.order_status.value,
        "venue_status": standing.venue_status,
        "size": _first(standing.base_size, figures.filled_size if figures else None),
        "price": _first(standing.limit_price, average or None),
        "size_usd": _first(request.quote_size, figures.filled_value if figures else None),
        "filled_size": figures.filled_size if figures else None,
        "average_filled_price": average,
        "filled_value": figures.filled_value if figures else None,
        "total_fees": figures.total_fees if figures else None,
        "number_of_fills": figures.number_of_fills if figures else None,
        "fills_verified": standing.fills_verified,
        "reason": standing.reason,
        "created_at": trade.created_at,
        "submitted_at": trade.submitted_at,
        "accepted_at": accepted_at(trade, standing),
        "filled_at": standing.filled_at,
        "closed_at": standing.closed_at,
    }


def accepted_at(trade: Trade, standing: Standing) -> datetime | None:
    """Tell when the venue took the order; a row from elsewhere may have brought its own time."""
    if trade.origin is Origin.PLACED:
        return standing.accepted_at
    return standing.accepted_at or trade.accepted_at


def book_keeping(trade: Trade) -> dict[str, Any]:
    """Tell the public columns outside the join: when and by whom, not what."""
    return {
        "confirmed_at": trade.confirmed_at,
        "updated_at": trade.updated_at,
        "sync_latency_seconds": trade.sync_latency_seconds,
        "source": trade.source.value,
    }


def _first(asked: Decimal | None, otherwise: Decimal | None) -> Decimal | None:
    return otherwise if asked is None else asked
