"""What the services need from the trade store: tables inside a unit of work, leases, a budget."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from ordersync_cli.services.foreign_row import ForeignRow
    from ordersync_cli.services.ports.findings import BreakTable, IncidentTable
    from ordersync_cli.services.ports.pass_rows import Delivery, Lease, Run
    from ordersync_cli.services.ports.rows import Watcher
    from ordersync_cli.services.ports.trades import ExternalOrders, TradeTable
    from ordersync_cli.services.ports.venue import Budget


class RunTable(Protocol):
    """Runs and watermarks; every write checks the fence."""

    def start(self, run: Run, lease: Lease | None) -> None:
        """Write the row of a run that begins."""
        ...

    def finish(self, run: Run, lease: Lease | None) -> None:
        """Write how a run ended."""
        ...

    def close_died(self, mode: str, at: datetime) -> list[Run]:
        """Close rows of this mode that never ended (their holder lost the lease) as died."""
        ...

    def last(self, mode: str, *, good: bool = False) -> Run | None:
        """Give the newest run of a mode that ended; with ``good``, the newest that reached the venue."""
        ...

    def pace(self, mode: str) -> float:
        """Tell the usual seconds from one run of a mode to the next, by its last few; 0 before the third."""
        ...

    def between(self, since: datetime, until: datetime) -> list[Run]:
        """List the runs that started in [since, until)."""
        ...

    def watermark(self, name: str) -> datetime | None:
        """Tell how far a deep pass has read; None where it never did."""
        ...

    def move_watermark(self, name: str, to: datetime, lease: Lease | None) -> None:
        """Move a watermark in this transaction, under the fence."""
        ...


class Outbox(Protocol):
    """What must be delivered after the commit, at least once, in order for each key."""

    def put(self, sink: str, key: str, event_id: str, body: Mapping[str, Any], at: datetime) -> None:
        """Queue one message for one sink."""
        ...

    def due(self, now: datetime, limit: int, sinks: Collection[str] | None = None) -> list[Delivery]:
        """List what is due (for these sinks only, when given), oldest first.

        A later one of a (sink, key) waits until the earlier one was delivered: one row a pair.
        """
        ...

    def delivered(self, delivery_id: int, at: datetime) -> None:
        """Mark a message as delivered."""
        ...

    def failed(self, delivery_id: int, retry_at: datetime, problem: str) -> None:
        """Mark a try as failed, and when to try again."""
        ...

    def waiting(self) -> dict[str, int]:
        """Count what waits for each sink."""
        ...

    def give_up(self, sink: str, at: datetime) -> int:
        """Stop waiting for a sink that will not come back; returns how many messages it never got."""
        ...

    def undelivered(self) -> tuple[int, datetime | None]:
        """Count what waits, and tell since when the oldest does."""
        ...


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


PORTFOLIO = "portfolio_id"  # the note that holds the portfolio which the store belongs to


class Notes(Protocol):
    """Small named values of the store: its identity, freeze, learned schedule, poll state."""

    def get(self, name: str, *, lock: bool = False) -> str | None:
        """Give a value; None where there is none. ``lock``: to change it, before anybody else who asks so does."""
        ...

    def set(self, name: str, value: str | None) -> None:
        """Write a value; None takes it away."""
        ...


class WatcherTable(Protocol):
    """Who watches this store."""

    def beat(self, watcher: Watcher) -> None:
        """Write what a watcher says of itself now."""
        ...

    def leave(self, watcher_id: str) -> None:
        """Take away a watcher that stops."""
        ...

    def list(self) -> list[Watcher]:
        """List the watchers."""
        ...


class Transaction(Protocol):
    """One unit of work: everything in it commits together or not at all."""

    @property
    def trades(self) -> TradeTable:
        """Trades."""
        ...

    @property
    def external(self) -> ExternalOrders:
        """Orders at the venue that no trade claims."""
        ...

    @property
    def runs(self) -> RunTable:
        """Runs and watermarks."""
        ...

    @property
    def breaks(self) -> BreakTable:
        """Breaks."""
        ...

    @property
    def outbox(self) -> Outbox:
        """What waits to be delivered."""
        ...

    @property
    def incidents(self) -> IncidentTable:
        """Incidents of the alert rules."""
        ...

    @property
    def imports(self) -> ImportTable:
        """Rows taken in from another program."""
        ...

    @property
    def notes(self) -> Notes:
        """Small named values."""
        ...

    @property
    def watchers(self) -> WatcherTable:
        """Who watches."""
        ...

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

    def release(self, lease: Lease) -> None:
        """Give a lease back; one that was lost already is left alone."""
        ...


class Store(Protocol):
    """The trade store. Raises StoreError (exit 9) where it cannot be reached, locked, written."""

    @property
    def leases(self) -> Leases:
        """Leases, each call a transaction of its own."""
        ...

    @property
    def budget(self) -> Budget:
        """The request budget of all processes on this store."""
        ...

    def write(self) -> AbstractContextManager[Transaction]:
        """Open a writing transaction; commits at the end of the block, rolls back on an error."""
        ...

    def read(self) -> AbstractContextManager[Transaction]:
        """Open a reading transaction; writing through it is an error."""
        ...

    def claim(self, venue: str, portfolio_id: str | None, *, bind: bool = True) -> None:
        """Bind the store to a venue and portfolio at its first use, or only compare.

        SettingsError if it has another.
        """
        ...

    def wait_for_change(self, timeout: float) -> bool:
        """Wait until another process wrote to the store (100 ms at most late), or the time is up."""
        ...

    def close(self) -> None:
        """Close every connection."""
        ...
