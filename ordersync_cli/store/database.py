"""What both databases offer the store: transactions, and news of other writers."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from ordersync_cli.clock import Clock
from ordersync_cli.store.sql import Sql
from ordersync_cli.store.urls import Location


class Database(Protocol):
    """One SQLite file or one Postgres database."""

    @property
    def at(self) -> Location:
        """Tell where it lies."""
        ...

    def writing(self) -> AbstractContextManager[Sql]:
        """Open a writing transaction: all of the block is committed, or none."""
        ...

    def reading(self) -> AbstractContextManager[Sql]:
        """Open a reading transaction: one consistent snapshot."""
        ...

    def wait_for_change(self, timeout: float) -> bool:
        """Wait until somebody else committed, or the time is up."""
        ...

    def follow(self) -> None:
        """Begin to notice other writers; the schema is right by now."""
        ...

    def close(self) -> None:
        """Close every connection."""
        ...


def connected(at: Location, clock: Clock, application: str) -> Database:
    """Build the database of a location; nothing is opened before it is used."""
    if at.postgres:
        from ordersync_cli.store.postgres import PostgresDatabase

        return PostgresDatabase(at, clock, application)
    from ordersync_cli.store.sqlite import SqliteDatabase

    return SqliteDatabase(at, clock)
