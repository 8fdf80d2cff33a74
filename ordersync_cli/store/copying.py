"""Copies a whole store into an empty one, between SQLite and Postgres in any direction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from sqlmodel import SQLModel
from sqlmodel.sql.sqltypes import UTCDateTime

from ordersync_cli.clock import Clock
from ordersync_cli.errors import SettingsError, StoreError
from ordersync_cli.store import process_tables  # noqa: F401 - with `tables` it fills the metadata
from ordersync_cli.store.database import Database, connected
from ordersync_cli.store.exact import ExactDecimal
from ordersync_cli.store.opening import made_ready
from ordersync_cli.store.schema import HEAD, NEVER_NULL, SERVES, revision_of
from ordersync_cli.store.sql import Sql
from ordersync_cli.store.upkeep import upgrade_location
from ordersync_cli.store.urls import locate

_BATCH = 1000
# who holds what, and what is asked for now, belongs to the running processes of one database
_LEFT_BEHIND = {"leases", "watchers", "budget"}


def copy(source_url: str, target_url: str, clock: Clock) -> dict[str, int]:
    """Copy every trade, fill, event and note; returns how many rows of each table.

    Raises SettingsError (exit 3) where the target holds anything already, StoreError (exit 9)
    where the source has another schema than this version's. All is copied or nothing.
    """
    source_at, target_at = locate(source_url), locate(target_url)
    source, target = connected(source_at, clock, "ordersync copy"), connected(target_at, clock, "ordersync copy")
    try:
        with source.reading() as reading:
            revision = revision_of(reading)
            if revision != HEAD:
                raise StoreError(
                    f"The store {source_at.shown} has schema {revision}, not {HEAD}. Nothing was copied.",
                    f"Run: ordersync db upgrade --database {source_at.shown}",
                )
            upgrade_location(target_at, clock)
            made_ready(target, clock)
            return _copy(reading, target)
    finally:
        source.close()
        target.close()


def _copy(reading: Sql, target: Database) -> dict[str, int]:
    copied: dict[str, int] = {}
    with target.writing() as writing:
        if writing.row("SELECT 1 FROM trades LIMIT 1") or writing.row("SELECT 1 FROM notes WHERE name = 'venue'"):
            raise SettingsError(
                f"The store {target.at.shown} is in use already. Nothing was copied.", "Give an empty database."
            )
        writing.run("DELETE FROM notes WHERE name = ?", (SERVES,))
        for table in SQLModel.metadata.sorted_tables:
            if table.name not in _LEFT_BEHIND:
                copied[table.name] = _copy_table(table, reading, writing)
        writing.run("DELETE FROM notes WHERE name = ?", (NEVER_NULL,))  # a bot's constraints stay with its table
        if writing.postgres:
            writing.run("ANALYZE")  # else its planner knows nothing of these rows until its autovacuum comes by
    return copied


def _copy_table(table: sa.Table, reading: Sql, writing: Sql) -> int:
    names = [column.name for column in table.columns]
    turn = [_converter(column, reading, writing) for column in table.columns]
    marks = ", ".join("?" * len(names))
    insert = f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({marks})"
    count = 0
    for rows in _batches(table, names, reading):
        writing.many(insert, [tuple(f(v) for f, v in zip(turn, row, strict=True)) for row in rows])
        count += len(rows)
    if writing.postgres and "id" in names:
        sequence = f"pg_get_serial_sequence('{table.name}', 'id')"
        writing.rows(f"SELECT setval({sequence}, (SELECT COALESCE(MAX(id), 1) FROM {table.name}))")
    return count


def _batches(table: sa.Table, names: Sequence[str], reading: Sql) -> Iterator[list[tuple[Any, ...]]]:
    (key,) = (column.name for column in table.primary_key.columns)
    select = f"SELECT {', '.join(names)} FROM {table.name}"
    rows = reading.rows(f"{select} ORDER BY {key} LIMIT {_BATCH}")
    while rows:
        yield rows
        last = rows[-1][names.index(key)]
        rows = reading.rows(f"{select} WHERE {key} > ? ORDER BY {key} LIMIT {_BATCH}", (last,))


def _converter(column: sa.Column[Any], reading: Sql, writing: Sql) -> Callable[[Any], Any]:
    read, write = reading.values, writing.values
    if isinstance(column.type, UTCDateTime):
        return lambda value: write.time(read.moment(value))
    if isinstance(column.type, ExactDecimal):
        return lambda value: write.decimal(read.number(value))
    if isinstance(column.type, sa.Boolean):
        return lambda value: None if value is None else bool(value)
    return lambda value: value
