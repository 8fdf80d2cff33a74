"""What the services need from the trade store: tables inside a unit of work, leases, a budget."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Protocol

from ordersync_cli.domain.observations import FillsSeen, OrderSeen
from ordersync_cli.domain.trade import Change, Trade, VenueOrder
from ordersync_cli.domain.view import TradeView
from ordersync_cli.services.foreign_row import ForeignRow
from ordersync_cli.services.ports.rows import (
    Delivery,
    Incident,
    Lease,
    Run,
    StoredBreak,
    TradeEvent,
    TradeFilter,
    Watcher,
)
from ordersync_cli.services.ports.venue import Budget


class TradeTable(Protocol):
    """Trades inside one transaction. Rows are locked in the order of their ids."""

    def add(self, trade: Trade) -> Trade:
        """Insert an intent (or an adopted, imported row); returns it with its trade_id."""
        ...

    def ids_of(self, order_ids: Iterable[str] = (), client_order_ids: Iterable[str] = ()) -> dict[str, int]:
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

    def overwritten_ids(self) -> list[int]:
        """List followed trades in which another program overwrote what the join had derived."""
        ...

    def rewrite(self, trade_ids: Sequence[int]) -> list[int]:
        """Write again what the join says of these trades; returns those that were written."""
        ...

    def unreadable(self) -> dict[int, str]:
        """Name rows of a bot that cannot be followed (they are never loaded), each with what is wrong."""
        ...

    def events_between(self, since: datetime, until: datetime) -> list[TradeEvent]:
        """List the audit events committed in [since, until), oldest first."""
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

    def due(self, now: datetime, limit: int, sinks: Collection[str] | None = None) -> list[Delivery]:
        """List what is due (for these sinks only, when given), oldest first.

        A later one of a (sink, key) waits until the earlier one was delivered: one row a pair.
        """
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


class ImportTable(Protocol):
    """Rows that an import brings, and where each came from."""

    def known(self, source_keys: Sequence[str]) -> dict[str, int]:
        """Find the trades that were imported from these places before."""
        ...

    def take_in(self, rows: Sequence[ForeignRow], source: str, at: datetime) -> list[int]:
        """Insert rows as a bot would, unfollowed yet; returns their trade ids."""
        ...

    def unread(self, limit: int) -> list[dict[str, Any]]:
        """List rows of a table taken over in place whose numbers have not been read exactly yet."""
        ...

    def read_in_place(self, rows: Sequence[ForeignRow], at: datetime) -> None:
        """Write what was asked for beside the bot's own columns, which stay as they are."""
        ...

    def lacks_order_id(self, trade_id: int) -> bool:
        """Tell whether an imported row is still without an order id."""
        ...

    def name_order(self, trade_id: int, order_id: str) -> None:
        """Give an imported row the order id that the bot wrote meanwhile."""
        ...


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
    def imports(self) -> ImportTable: ...

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
