"""What a watcher shows: one immutable picture of the whole, published by the loop for the screen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from ordersync_cli.domain.view import TradeView
from ordersync_cli.services.ports import Incident
from ordersync_cli.services.ports.messages import FeedState


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A pending trade with how old its snapshot is and when it is looked at next (seconds).

    ``stale_after`` is the limit beyond which its snapshot counts as stale. ``asked_base`` and
    ``asked_quote`` are what the order was placed for, whichever it was.
    """

    view: TradeView
    age: float
    snapshot_age: float | None
    next_look_in: float | None
    stale_after: float
    asked_base: Decimal | None = None
    asked_quote: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """A trade that stopped being pending."""

    at: datetime
    trade_id: int
    product_id: str
    side: str
    status: str
    order_status: str
    filled_size: Decimal | None
    average_filled_price: Decimal | None
    latency_seconds: Decimal | None
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PassLine:
    """How the last pass of a mode ended."""

    mode: str
    at: datetime
    result: str
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """Today's figures beside their targets; latencies in seconds, None where nothing was measured."""

    count: int = 0
    p50: Decimal | None = None
    p99: Decimal | None = None
    worst_market_pending: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """Everything the dashboard draws, at one moment of this machine's clocks."""

    at: datetime
    mono: float
    driving: bool
    driver: str  # who drives, where we do not
    feed_wanted: bool
    feed_state: FeedState
    feed_since: datetime
    feed_reason: str
    last_heartbeat_at: datetime | None = None
    last_frame_at: datetime | None = None
    stream_misses: int = 0
    flapping: bool = False
    poll_every: float | None = None
    unreachable_since: datetime | None = None
    unreachable_reason: str = ""
    next_try_in: float = 0.0
    store_problem: str = ""
    clock_offset: float | None = None
    clock_error: float | None = None
    requests: int = 0
    pending: tuple[Row, ...] = ()
    completions: tuple[Completion, ...] = ()
    incidents: tuple[Incident, ...] = ()
    targets: Targets = field(default_factory=Targets)
    passes: Mapping[str, PassLine] = field(default_factory=dict)
    frozen: bool = False
    standing_by_since: datetime | None = None
