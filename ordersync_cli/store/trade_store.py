"""The trade store itself: units of work, leases and the budget over one database."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from ordersync_cli.errors import SettingsError
from ordersync_cli.services.ports.store import PORTFOLIO
from ordersync_cli.store.budget import SharedBudget
from ordersync_cli.store.context import Context
from ordersync_cli.store.externals import Externals
from ordersync_cli.store.schema import NEVER_NULL
from ordersync_cli.store.trades import Trades
from ordersync_cli.store.watchers import Notes, Watchers

if TYPE_CHECKING:
    from ordersync_cli.clock import Chance, Clock
    from ordersync_cli.services.ports import Lease
    from ordersync_cli.store.budget import BucketStore
    from ordersync_cli.store.database import Database
    from ordersync_cli.store.findings import Breaks, Incidents
    from ordersync_cli.store.import_rows import ImportRows
    from ordersync_cli.store.leases import StoredLeases
    from ordersync_cli.store.outbox import Outbox
    from ordersync_cli.store.passes import Runs
    from ordersync_cli.store.sql import Sql
    from ordersync_cli.store.urls import Location

if TYPE_CHECKING:
    from ordersync_cli.store.history import History

VENUE = "venue"
TAG = "tag"
_TAG_LENGTH = 8


class UnitOfWork:
    """The tables inside one transaction (the port `Transaction`); what `place` has no use for is imported late."""

    def __init__(self, context: Context) -> None:
        self._context = context

    @cached_property
    def trades(self) -> Trades:
        """Trades."""
        return Trades(self._context)

    @cached_property
    def external(self) -> Externals:
        """Orders that no trade claims."""
        return Externals(self._context)

    @cached_property
    def runs(self) -> Runs:
        """Runs and watermarks."""
        from ordersync_cli.store.passes import Runs

        return Runs(self._context)

    @cached_property
    def breaks(self) -> Breaks:
        """Breaks."""
        from ordersync_cli.store.findings import Breaks

        return Breaks(self._context)

    @cached_property
    def outbox(self) -> Outbox:
        """What must be delivered."""
        from ordersync_cli.store.outbox import Outbox

        return Outbox(self._context)

    @cached_property
    def incidents(self) -> Incidents:
        """Incidents."""
        from ordersync_cli.store.findings import Incidents

        return Incidents(self._context)

    @cached_property
    def imports(self) -> ImportRows:
        """What came from where by `import`."""
        from ordersync_cli.store.import_rows import ImportRows

        return ImportRows(self._context)

    @cached_property
    def notes(self) -> Notes:
        """Small named values."""
        return Notes(self._context)

    @cached_property
    def watchers(self) -> Watchers:
        """Who watches."""
        return Watchers(self._context)

    @cached_property
    def history(self) -> History:
        """Figures of a window, for reports."""
        from ordersync_cli.store.history import History

        return History(self._context)

    def fence(self, lease: Lease) -> None:
        """Raise LeaseLost unless this lease is still held with this token."""
        self._context.fence(lease)


class TradeStore:
    """One open store (the port `Store`)."""

    def __init__(self, database: Database, clock: Clock, chance: Chance, requests_per_second: float) -> None:
        self._database = database
        self._clock = clock
        self._chance = chance
        self._never_null: frozenset[str] | None = None
        self.budget = SharedBudget(self._bucket, clock, requests_per_second)

    @cached_property
    def leases(self) -> StoredLeases:
        """Leases."""
        from ordersync_cli.store.leases import StoredLeases

        return StoredLeases(self._database, self._clock)

    @property
    def location(self) -> Location:
        """Tell where the store lies."""
        return self._database.at

    @contextmanager
    def write(self) -> Iterator[UnitOfWork]:
        """Open a writing transaction; commits at the end of the block, rolls back on an error."""
        with self._database.writing() as sql:
            context = Context(sql, self._clock, self._chance, self._columns_never_null(sql))
            yield UnitOfWork(context)
            context.flush()

    @contextmanager
    def read(self) -> Iterator[UnitOfWork]:
        """Open a reading transaction; writing through it is an error."""
        with self._database.reading() as sql:
            yield UnitOfWork(Context(sql, self._clock, self._chance))

    @contextmanager
    def transaction(self) -> Iterator[Sql]:
        """Open a writing transaction for statements of the store's own upkeep."""
        with self._database.writing() as sql:
            yield sql

    def claim(self, venue: str, portfolio_id: str | None, *, bind: bool = True) -> None:
        """Bind the store to a venue and portfolio at its first use; without ``bind`` nothing is written.

        Raises SettingsError (exit 3) if it has another. Gives the store its tag, which marks the
        client order ids made here (trap T45).
        """
        wanted = {VENUE: venue} if portfolio_id is None else {VENUE: venue, PORTFOLIO: portfolio_id}
        with self.read() as transaction:
            missing = _missing(transaction, wanted, self.location)
        if not missing or not bind:
            return
        with self.write() as transaction:
            for name in _missing(transaction, wanted, self.location):
                value = wanted.get(name) or self._chance.uuid().replace("-", "")[:_TAG_LENGTH]
                transaction.notes.set(name, value)

    def refuse_other_venue(self, venue: str) -> None:
        """Raise SettingsError (exit 3) where it is another venue's: nothing is shown as what it is not."""
        with self.read() as transaction:
            _missing(transaction, {VENUE: venue}, self.location)

    def wait_for_change(self, timeout: float) -> bool:
        """Wait until another process wrote to the store (some 25 ms late), or the time is up."""
        return self._database.wait_for_change(timeout)

    def close(self) -> None:
        """Close every connection."""
        self.budget.close()
        self._database.close()

    def _columns_never_null(self, sql: Sql) -> frozenset[str]:
        """Tell which columns of a table that was taken over may not be NULL; read once."""
        if self._never_null is None:
            row = sql.row("SELECT value FROM notes WHERE name = ?", (NEVER_NULL,))
            self._never_null = frozenset(json.loads(row[0])) if row else frozenset()
        return self._never_null

    def _bucket(self) -> BucketStore:
        from ordersync_cli.store.buckets import FileBucket, PostgresBucket

        if self.location.postgres:
            return PostgresBucket(self.location)
        return FileBucket(self.location, self._clock)


def _missing(transaction: UnitOfWork, wanted: dict[str, str], location: Location) -> list[str]:
    """List what a store was not told yet of whose it is; raises SettingsError where it is another's."""
    for name, value in wanted.items():
        stored = transaction.notes.get(name)
        if stored is not None and stored != value:
            word = "portfolio" if name == PORTFOLIO else "venue"
            raise SettingsError(
                f"The store {location.shown} belongs to the {word} {stored}, not to {value}. "
                "Nothing was read or written.",
                "Give another --database: simulated and real orders must never meet.",
            )
    return [name for name in (*wanted, TAG) if transaction.notes.get(name) is None]
