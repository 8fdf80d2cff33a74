"""The rows of trades, their audit and their watchers that services and store hand each other, as values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeFilter:
    """Which trades to list; None means any."""

    status: str | None = None
    bot_id: int | None = None
    product_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    trade_ids: Sequence[int] | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Watcher:
    """A running watcher as it says of itself."""

    watcher_id: str
    host: str
    pid: int
    started_at: datetime
    beat_at: datetime
    role: str  # driving, standing_by
    feed_state: str
    feed_since: datetime
    feed_reason: str
    last_heartbeat_at: datetime | None
    last_frame_at: datetime | None
    clock_offset: Decimal | None
    stream_misses: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeEvent:
    """One row of `trade_events`: what changed, who said so, and when.

    ``status_update()`` of services/record.py turns it into the contract's JSON.
    """

    event_id: str
    trade_id: int
    bot_id: int | None
    order_id: str | None
    client_order_id: str | None
    kind: str  # intent, attempt, status, figures, fills, cancel, settled, times
    old_status: str | None
    status: str
    order_status: str
    venue_status: str | None
    filled_size: Decimal | None
    average_filled_price: Decimal | None
    filled_at: datetime | None
    source: str
    venue_time: datetime | None
    seen_at: datetime
    committed_at: datetime
    latency_seconds: Decimal | None
    detail: str | None = None
