"""What the services need from the outside: a store and a venue, as protocols."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import IntEnum
from typing import Any, Protocol

from ordersync_cli.domain.observations import FillsSeen, OrderSeen, PlaceAnswer
from ordersync_cli.domain.orders import Fill, OrderRequest, Product
from ordersync_cli.domain.trade import Change, Trade, VenueOrder
from ordersync_cli.domain.view import TradeView
from ordersync_cli.services.messages import Inbox

# ---------------------------------------------------------------------------- venue


class Lane(IntEnum):
    """Who asks the venue; the value is what must be left in the bucket before it may."""

    PLACE = 0
    SYNC = 1
    POLL = 2
    LIGHT = 4
    DEEP = 6


class Budget(Protocol):
    """The request budget that every process on one store shares."""

    def take(self, lane: Lane) -> None:
        """Wait until this lane may ask; raises BudgetExhausted after its patience."""
        ...

    def penalise(self, seconds: float) -> None:
        """The venue said 429: let nobody ask for that many seconds (orders still go)."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockOffset:
    """Venue clock minus this machine's clock in seconds, and how far off that may be."""

    seconds: float
    error: float
    measured_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPermissions:
    """What the key may do and which portfolio it is bound to."""

    can_view: bool
    can_trade: bool
    can_transfer: bool
    portfolio_id: str


@dataclass(frozen=True, slots=True)
class SignedOrder:
    """A request to place, signed once: exactly this is sent, at most once.

    ``not_after`` is on the venue's clock. The token is not shown in repr.
    """

    request: OrderRequest
    body: Mapping[str, Any]
    token: str
    signed_at: datetime
    not_after: datetime

    def __repr__(self) -> str:
        """Show everything but the token."""
        return f"SignedOrder({self.request.client_order_id!r}, not_after={self.not_after!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What the venue says an order would cost; ``errors`` is filled where it would refuse."""

    errors: tuple[str, ...]
    warnings: tuple[str, ...]
    order_total: Decimal | None
    commission_total: Decimal | None
    base_size: Decimal | None
    quote_size: Decimal | None
    average_price: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """A row of a page that could not be read; the others of its page were."""

    where: str
    problem: str
    order_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPage:
    """One page of orders; ``next_cursor`` is None on the last (an empty or repeated cursor ends it).

    ``filter_ignored``: ids were in the answer that nobody asked for.
    """

    orders: tuple[OrderSeen, ...]
    quarantined: tuple[Quarantined, ...]
    next_cursor: str | None
    as_of: datetime
    filter_ignored: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FillPage:
    """One page of fills."""

    fills: tuple[Fill, ...]
    quarantined: tuple[Quarantined, ...]
    next_cursor: str | None
    as_of: datetime
    filter_ignored: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelAnswer:
    """The venue's answer to one wish to cancel; accepted does not mean cancelled."""

    order_id: str
    accepted: bool
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """What the key's portfolio holds of a currency."""

    currency: str
    available: Decimal
    hold: Decimal


class Venue(Protocol):
    """Coinbase or the simulator. Every look-up raises VenueUnavailable, CredentialsRefused or
    UnreadableAnswer where it could not be made; an empty answer is never a failed one."""

    @property
    def name(self) -> str: ...

    @property
    def simulated(self) -> bool: ...

    @property
    def requests_made(self) -> int:
        """Count the requests this process has sent."""
        ...

    def now(self) -> datetime:
        """Tell the venue's clock (this machine's, plus the measured offset)."""
        ...

    def offset(self) -> ClockOffset:
        """Tell the offset, measuring it by GET /time when it is not known yet."""
        ...

    def key_permissions(self, lane: Lane) -> KeyPermissions: ...

    def product(self, product_id: str, lane: Lane) -> Product | None:
        """Fetch a product; None when the venue does not know it."""
        ...

    def preview(self, request: OrderRequest, lane: Lane) -> Preview: ...

    def sign(self, request: OrderRequest) -> SignedOrder:
        """Sign the request to place for 30 s on the venue's clock; sends nothing."""
        ...

    def send(self, signed: SignedOrder, attempt: int) -> PlaceAnswer:
        """Send it, once, whatever the budget says; every outcome is a value."""
        ...

    def order(self, order_id: str, lane: Lane) -> OrderSeen | None:
        """Get one order; None only for the venue's own 404 NOT_FOUND."""
        ...

    def orders_by_id(
        self, order_ids: Sequence[str], lane: Lane, cursor: str | None = None
    ) -> OrderPage:
        """Look up at most 100 orders in one request; ids left out prove nothing."""
        ...

    def orders_created(
        self,
        start: datetime,
        end: datetime | None,
        lane: Lane,
        cursor: str | None = None,
        limit: int = 250,
    ) -> OrderPage:
        """List orders by creation time in [start, end), without any other filter."""
        ...

    def fills_of(self, order_ids: Sequence[str], lane: Lane, cursor: str | None = None) -> FillPage: ...

    def fills_booked(
        self, start: datetime, end: datetime | None, lane: Lane, cursor: str | None = None
    ) -> FillPage:
        """List fills by sequence timestamp in [start, end)."""
        ...

    def cancel(self, order_ids: Sequence[str], lane: Lane) -> tuple[CancelAnswer, ...]:
        """Ask for cancels, at most 100 at once."""
        ...

    def balances(self, lane: Lane) -> tuple[Balance, ...]: ...


class Feed(Protocol):
    """The user channel, followed by a thread of its own."""

    def start(self, inbox: Inbox) -> None: ...

    def stop(self) -> None: ...


# ---------------------------------------------------------------------------- store


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
class Lease:
    """A lease held; ``token`` fences what its holder writes."""

    name: str
    holder: str
    token: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a pass, as its row says; ``result`` is None until it ended."""

    run_id: str
    mode: str  # light, deep
    started_at: datetime
    host: str
    pid: int
    finished_at: datetime | None = None
    result: str | None = None  # in_sync, drift, breaks, failed, died, skipped
    exit_code: int | None = None
    checked: int = 0
    updated_count: int = 0
    fills_added: int = 0
    adopted: int = 0
    requests: int = 0
    open_breaks: int = 0
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBreak:
    """A difference with a kind; one open row per (kind, order or client order id)."""

    break_id: int | None
    kind: str
    severity: str  # info, repaired, open
    key: str  # order id, else client order id, else another stable name
    order_id: str | None
    trade_id: int | None
    stored: str | None
    venue: str | None
    money_effect: Decimal | None
    first_seen: datetime
    last_seen: datetime
    resolved_at: datetime | None = None
    resolution: str | None = None
    times: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One message in the outbox for one sink."""

    delivery_id: int
    event_id: str
    sink: str  # "notification", or the name of an alert sink
    key: str  # what must stay in order: the trade, or the incident
    body: Mapping[str, Any]
    created_at: datetime
    attempts: int
    due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """One cause of alarm, opened once, repeated as a count, resolved once."""

    incident_id: str
    rule: str
    key: str  # what it is about: an order id, or "" for the whole
    severity: str
    message: str
    order_id: str | None
    count: int
    opened_at: datetime
    last_seen: datetime
    resolved_at: datetime | None = None
    acknowledged_at: datetime | None = None


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
    kind: str  # intent, attempt, status, figures, fills, cancel, settled, confirmed
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


class TradeTable(Protocol):
    """Trades inside one transaction. Rows are locked in the order of their ids."""

    def add(self, trade: Trade) -> Trade:
        """Insert an intent (or an adopted, imported row); returns it with its trade_id."""
        ...

    def ids_of(
        self, order_ids: Iterable[str] = (), client_order_ids: Iterable[str] = ()
    ) -> dict[str, int]:
        """Find which trade claims each order id or client order id; unknown ones are left out."""
        ...

    def load(self, trade_ids: Iterable[int], *, lock: bool = True) -> dict[int, Trade]:
        """Load whole trades, registers and fills; locked for the transaction unless told not to."""
        ...

    def begin_attempt(self, trade: Trade, *, expected_attempts: int) -> bool:
        """Write attempts, attempt_at, not_after, submitted_at by compare-and-set; False if another did."""
        ...

    def save(self, changes: Sequence[Change], *, committed_at: datetime) -> list[TradeEvent]:
        """Write rows, registers and fills of what changed, and one event for each public change.

        Sets updated_at, source, sync_latency_seconds and confirmed_at. Returns the events of
        public changes, which are also sent as Postgres NOTIFY.
        """
        ...

    def events(self, trade_id: int) -> list[TradeEvent]:
        """List the audit events of one trade, oldest first."""
        ...

    def events_after(self, row: int, limit: int) -> list[tuple[int, TradeEvent]]:
        """List events of all trades whose row number is larger, oldest first, with their numbers."""
        ...

    def last_event(self) -> int:
        """Tell the largest row number of the events, 0 when there is none."""
        ...

    def confirm(self, confirmed: Mapping[int, datetime]) -> None:
        """Write confirmed_at of many trades in one batch."""
        ...

    def pending_ids(self) -> list[int]:
        """List trades whose status is pending, or whose zero proof is due, by id."""
        ...

    def unverified_ids(self, limit: int) -> list[int]:
        """List terminal trades whose fills are not verified yet."""
        ...

    def views(self, wanted: TradeFilter) -> list[TradeView]:
        """List public rows, newest first."""
        ...

    def foreign_ids(self) -> list[int]:
        """List rows that another program inserted or overwrote and that have no registers yet."""
        ...

    def sample_terminal(self, since: datetime, limit: int, draw: int) -> list[int]:
        """Draw distinct terminal trades touched since then, seeded by ``draw``."""
        ...


class ExternalOrders(Protocol):
    """Venue orders that no trade claims."""

    def save(self, orders: Sequence[OrderSeen], *, now: datetime) -> None: ...

    def load(self, order_id: str) -> VenueOrder | None: ...

    def list(self, limit: int = 1000) -> list[VenueOrder]: ...

    def fills(self, rows: Sequence[FillsSeen]) -> None:
        """Keep fills of external orders, so that an adoption has them."""
        ...


class RunTable(Protocol):
    """Runs and watermarks; every write checks the fence."""

    def start(self, run: Run, lease: Lease | None) -> None: ...

    def finish(self, run: Run, lease: Lease | None) -> None: ...

    def close_died(self, mode: str, at: datetime) -> list[Run]:
        """Close rows of this mode that never ended (their holder lost the lease) as died."""
        ...

    def last(self, mode: str, *, good: bool = False) -> Run | None: ...

    def between(self, since: datetime, until: datetime) -> list[Run]: ...

    def watermark(self, name: str) -> datetime | None: ...

    def move_watermark(self, name: str, to: datetime, lease: Lease | None) -> None: ...


class BreakTable(Protocol):
    """Breaks with first seen, last seen and a resolution."""

    def see(self, found: StoredBreak) -> StoredBreak:
        """Open it, or count it again on its open row; returns the row."""
        ...

    def resolve(self, key: str, kinds: Sequence[str] | None, at: datetime, resolution: str) -> int: ...

    def open(self) -> list[StoredBreak]: ...

    def between(self, since: datetime, until: datetime) -> list[StoredBreak]: ...

    def get(self, break_id: int) -> StoredBreak | None: ...

    def accept(self, break_id: int, reason: str, at: datetime) -> StoredBreak | None: ...


class Outbox(Protocol):
    """What must be delivered after the commit, at least once, in order for each key."""

    def put(self, sink: str, key: str, event_id: str, body: Mapping[str, Any], at: datetime) -> None: ...

    def due(self, now: datetime, limit: int) -> list[Delivery]:
        """List what is due; a later one of a key waits for the earlier one."""
        ...

    def delivered(self, delivery_id: int, at: datetime) -> None: ...

    def failed(self, delivery_id: int, retry_at: datetime, problem: str) -> None: ...

    def undelivered(self) -> tuple[int, datetime | None]:
        """Count what waits, and tell since when the oldest does."""
        ...


class IncidentTable(Protocol):
    """Incidents of the alert rules."""

    def open(self) -> list[Incident]: ...

    def raise_(self, incident: Incident) -> tuple[Incident, bool]:
        """Open, or count on the open one of the same rule and key; True when it is new."""
        ...

    def resolve(self, incident_id: str, at: datetime) -> None: ...

    def acknowledge(self, incident_id: str, at: datetime) -> Incident | None: ...

    def between(self, since: datetime, until: datetime) -> list[Incident]: ...


class Notes(Protocol):
    """Small named values of the store: its identity, freeze, learned schedule, poll state."""

    def get(self, name: str) -> str | None: ...

    def set(self, name: str, value: str | None) -> None: ...


class WatcherTable(Protocol):
    """Who watches this store."""

    def beat(self, watcher: Watcher) -> None: ...

    def leave(self, watcher_id: str) -> None: ...

    def list(self) -> list[Watcher]: ...


class Transaction(Protocol):
    """One unit of work: everything in it commits together or not at all."""

    @property
    def trades(self) -> TradeTable: ...

    @property
    def external(self) -> ExternalOrders: ...

    @property
    def runs(self) -> RunTable: ...

    @property
    def breaks(self) -> BreakTable: ...

    @property
    def outbox(self) -> Outbox: ...

    @property
    def incidents(self) -> IncidentTable: ...

    @property
    def notes(self) -> Notes: ...

    @property
    def watchers(self) -> WatcherTable: ...

    def fence(self, lease: Lease) -> None:
        """Raise LeaseLost unless this lease is still held with this token."""
        ...


class Leases(Protocol):
    """Leases with fencing; each call is a short transaction of its own."""

    def acquire(self, name: str, holder: str, wait: float) -> Lease | None:
        """Try for ``wait`` seconds; a holder whose beat stood still for 4 s is taken over."""
        ...

    def beat(self, lease: Lease) -> bool:
        """Bump the beat (each second); False when it was taken over."""
        ...

    def release(self, lease: Lease) -> None: ...


class Store(Protocol):
    """The trade store. Raises StoreError (exit 9) where it cannot be reached, locked, written."""

    @property
    def leases(self) -> Leases: ...

    @property
    def budget(self) -> Budget: ...

    def write(self) -> AbstractContextManager[Transaction]:
        """Open a writing transaction; commits at the end of the block, rolls back on an error."""
        ...

    def read(self) -> AbstractContextManager[Transaction]:
        """Open a reading transaction; writing through it is an error."""
        ...

    def claim(self, venue: str, portfolio_id: str | None) -> None:
        """Bind the store to a venue and portfolio at its first use; SettingsError if it has another."""
        ...

    def wait_for_change(self, timeout: float) -> bool:
        """Wait until another process wrote to the store (100 ms at most late), or the time is up."""
        ...

    def close(self) -> None: ...
