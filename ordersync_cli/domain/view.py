"""The public row of a trade: exactly the keys of the contract's trade JSON."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


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
