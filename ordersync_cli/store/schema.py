"""Which schema this program knows, and which one a database has; light enough for every start."""

from __future__ import annotations

from enum import Enum

from ordersync_cli.errors import SettingsError, StoreError
from ordersync_cli.store.sql import Sql

REVISIONS = ("0001", "0002", "0003")  # of migrations/versions, oldest first
HEAD = REVISIONS[-1]
NEVER_NULL = "never_null"  # note: columns of a bot's table that must hold something, as JSON
SERVES = "schema_serves"  # note: the oldest revision whose programs can work on this schema

_OVERWRITTEN = ("order_id", "status", "filled_at", "size", "price", "size_usd")


class SchemaState(Enum):
    """How a database's schema compares with this program's."""

    CURRENT = "current"
    EMPTY = "empty"  # no table of a store, and none of a bot
    OLDER = "older"
    NEWER_SERVES = "newer, and still serves this version"
    NEWER = "newer"
    STRANGE = "a database of another program"


def overwritten(*, postgres: bool) -> str:
    """Say in SQL which followed rows differ from what we wrote; a partial index has the same words."""
    differs = "IS DISTINCT FROM" if postgres else "IS NOT"
    tests = " OR ".join(f"{name} {differs} written_{name}" for name in _OVERWRITTEN)
    return f"order_status IS NOT NULL AND ({tests})"


def revision_of(sql: Sql) -> str | None:
    """Read which revision a database has; None without one."""
    if not _exists(sql, "alembic_version"):
        return None
    row = sql.row("SELECT version_num FROM alembic_version")
    return None if row is None else str(row[0])


def state_of(sql: Sql) -> SchemaState:
    """Compare a database with what this program knows."""
    revision = revision_of(sql)
    if revision == HEAD:
        return SchemaState.CURRENT
    if revision is None:
        return SchemaState.STRANGE if _has_tables(sql) else SchemaState.EMPTY
    if revision in REVISIONS:
        return SchemaState.OLDER
    row = sql.row("SELECT value FROM notes WHERE name = ?", (SERVES,)) if _exists(sql, "notes") else None
    serves = row is not None and str(row[0]) in REVISIONS
    return SchemaState.NEWER_SERVES if serves else SchemaState.NEWER


def refuse(state: SchemaState, shown: str, revision: str | None) -> None:
    """Raise where this program cannot work on a database of that state, as it is or by upgrading."""
    if state is SchemaState.NEWER:
        raise StoreError(
            f"The store {shown} has schema {revision}, newer than this version of ordersync knows "
            f"({HEAD}). Nothing was read or written.",
            "Install the newer ordersync, or give another --database.",
        )
    if state is SchemaState.STRANGE:
        raise SettingsError(
            f"The database {shown} holds tables, but it is no store of ordersync. Nothing was changed.",
            f"Take a bot's table in with `ordersync import {shown} --in-place`, or give another --database.",
        )


def refuse_unmigrated(shown: str, revision: str | None) -> StoreError:
    """Say that a Postgres store needs `db upgrade` first."""
    has = "has no tables yet" if revision is None else f"has schema {revision}, this version needs {HEAD}"
    return StoreError(
        f"The store {shown} {has}. Nothing was changed.",
        f"Run: ordersync db upgrade --database {shown}",
    )


def _exists(sql: Sql, table: str) -> bool:
    if sql.postgres:
        return sql.row("SELECT to_regclass(?)", (table,)) != (None,)
    return sql.row("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (table,)) is not None


def _has_tables(sql: Sql) -> bool:
    if sql.postgres:
        text = "SELECT 1 FROM pg_tables WHERE schemaname = current_schema() LIMIT 1"
    else:
        text = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' LIMIT 1"
    return sql.row(text) is not None
