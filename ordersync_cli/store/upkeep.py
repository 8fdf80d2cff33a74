"""Brings a database to this program's schema, one process at a time however many start at once."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event, pool
from sqlalchemy.exc import DBAPIError

from ordersync_cli.clock import Clock
from ordersync_cli.store import postgres, sqlite
from ordersync_cli.store.faults import translated
from ordersync_cli.store.schema import HEAD, SchemaState, refuse, revision_of, state_of
from ordersync_cli.store.sql import Sql
from ordersync_cli.store.urls import Location

_MIGRATION_LOCK = 7_301_002


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgraded:
    """What an upgrade did: from which revision, to which, and where the copy of before lies."""

    before: str | None
    after: str
    backup: Path | None = None

    @property
    def changed(self) -> bool:
        """Tell whether anything was done."""
        return self.before != self.after


def upgrade_location(at: Location, clock: Clock) -> Upgraded:
    """Upgrade a database; on SQLite a copy is written beside it first, where it holds trades.

    Raises StoreError for a newer schema and where it cannot be written, SettingsError for a
    database of another program.
    """
    with locked(at) as (connection, sql):
        state, before = state_of(sql), revision_of(sql)
        if state in {SchemaState.CURRENT, SchemaState.NEWER_SERVES}:
            return Upgraded(before=before, after=before or HEAD)
        refuse(state, at.shown, before)
        backup = None
        if before is not None and not at.postgres and sql.row("SELECT 1 FROM trades LIMIT 1"):
            backup = write_copy(at, copy_name(at, before, clock))
        migrate(connection)
        return Upgraded(before=before, after=HEAD, backup=backup)


def migrate(connection: Connection, *, adopt: bool = False, target: str = HEAD) -> None:
    """Run the migrations on a connection that holds the lock."""
    config = Config()
    folder = Path(__file__).parent / "migrations"
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.attributes["connection"] = connection
    config.attributes["adopt"] = adopt
    command.upgrade(config, target)


@contextmanager
def locked(at: Location) -> Iterator[tuple[Connection, Sql]]:
    """Open a transaction that keeps every other writer (or migration, on Postgres) out."""
    engine = engine_of(at)
    try:
        with engine.begin() as connection:
            raw = connection.connection.driver_connection
            errors: type[Exception] = postgres.driver().Error if at.postgres else sqlite3.Error
            sql = Sql(raw, errors, at, writable=True)
            if at.postgres:
                sql.rows("SELECT pg_advisory_xact_lock(?)", (_MIGRATION_LOCK,))
            yield connection, sql
    except DBAPIError as problem:
        original = problem.orig
        raise translated(original if isinstance(original, Exception) else problem, at) from problem
    except sqlite3.Error as problem:
        raise translated(problem, at) from problem
    finally:
        engine.dispose()


def engine_of(at: Location) -> Engine:
    """Build an SQLAlchemy engine on the store's own connections, with BEGIN IMMEDIATE on SQLite."""
    if at.postgres:
        return create_engine("postgresql+psycopg://", creator=lambda: _plain_postgres(at), poolclass=pool.NullPool)
    path = at.path
    assert path is not None
    engine = create_engine("sqlite://", creator=lambda: sqlite.connect(path), poolclass=pool.NullPool)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def write_copy(at: Location, target: Path) -> Path:
    """Copy a SQLite store into a new file, consistent while others write; refuses to overwrite."""
    assert at.path is not None
    try:
        with target.open("xb"):
            pass
        source = sqlite.connect(at.path, reading=True)
        copy = sqlite3.connect(target)
        try:
            source.backup(copy)
        finally:
            copy.close()
            source.close()
    except sqlite3.Error as problem:
        target.unlink(missing_ok=True)
        raise translated(problem, at) from problem
    return target


def copy_name(at: Location, before: str | None, clock: Clock) -> Path:
    """Name the copy that is written before a change of the schema."""
    moment = clock.now().strftime("%Y%m%dT%H%M%S%f")
    return Path(f"{at.path}.before-{HEAD}-from-{before or 'bot'}-{moment}.bak")


def _plain_postgres(at: Location) -> Any:
    connection = postgres.connect(at, application="ordersync upgrade")
    connection.autocommit = False
    # a migration may take longer than a statement of every day
    connection.execute("SET statement_timeout = 0")
    connection.execute("SET idle_in_transaction_session_timeout = 0")
    connection.commit()
    return connection
