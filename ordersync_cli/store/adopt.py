"""Makes a bot's own database the store: its table `trades` gains columns and loses nothing."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from ordersync_cli.clock import Clock
from ordersync_cli.errors import SettingsError
from ordersync_cli.store.foreign_table import open_read_only
from ordersync_cli.store.schema import NEVER_NULL, SchemaState, refuse, revision_of, state_of
from ordersync_cli.store.sql import Sql
from ordersync_cli.store.trade_columns import DERIVED, FACTS, KEPT
from ordersync_cli.store.upkeep import copy_name, locked, migrate, write_copy
from ordersync_cli.store.urls import Location, locate

_STORES = {SchemaState.CURRENT, SchemaState.NEWER_SERVES, SchemaState.OLDER}
_OURS = {"id", *FACTS, *DERIVED, *KEPT}
_BOTS = {
    "id", "bot_id", "product_id", "side", "size", "price", "order_id", "status", "size_usd",
    "created_at", "filled_at",
}  # fmt: skip
_SAME_MEANING = {"client_order_id", "reason", "submitted_at", "closed_at", "updated_at"}
# An intent is written before any of these is known, so the row must be able to lack them.
_ALWAYS_KNOWN = {
    "id", "bot_id", "product_id", "side", "status", "created_at", "client_order_id", "updated_at",
}  # fmt: skip
_MAY_BE_UNKNOWN = _OURS - _ALWAYS_KNOWN
_FILLED = {"size", "price", "size_usd", "order_id"}  # with zero or ""
_NUMBERS = (sa.Numeric, sa.Float, sa.Integer)  # SQLAlchemy 2.1: a Float is no Numeric
_TIMES = (sa.DateTime,)
_WORDS = (sa.String,)
_FAMILIES: dict[str, tuple[type[Any], ...]] = {
    "bot_id": (sa.Integer,),
    "size": _NUMBERS,
    "price": _NUMBERS,
    "size_usd": _NUMBERS,
    "created_at": _TIMES,
    "filled_at": _TIMES,
    "submitted_at": _TIMES,
    "closed_at": _TIMES,
    "updated_at": _TIMES,
    "product_id": _WORDS,
    "side": _WORDS,
    "order_id": _WORDS,
    "status": _WORDS,
    "client_order_id": _WORDS,
    "reason": _WORDS,
}
_COPY = "Import it into a store of its own instead: `ordersync import URL` without --in-place."


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted:
    """What taking a table in changed: the columns it gained, its rows, and where the copy of before lies."""

    columns_added: tuple[str, ...]
    rows: int
    backup: Path | None


def adopt_table(url: str, clock: Clock, *, dry_run: bool = False) -> Adopted:
    """Add what is missing to a bot's database; ids, types, rows and other columns stay.

    On SQLite a copy is written beside it first. Raises SettingsError (exit 3), naming the column
    or the rows, where the table cannot be shared; then nothing was changed.
    """
    at = locate(url)
    if at.path is not None and not at.path.exists():
        raise SettingsError(f"There is no file {at.path}. Nothing was changed.", "Give the bot's database.")
    with _looking(at) as (connection, sql):
        planned = _planned(connection, sql, at)
    if dry_run or not planned.columns_added:
        return planned
    with locked(at) as (connection, sql):
        planned = _planned(connection, sql, at)  # another process may have been first
        if not planned.columns_added:
            return planned
        backup = None if at.postgres else write_copy(at, copy_name(at, None, clock))
        filled = json.dumps(sorted(_filled(_columns(connection, at))))
        migrate(connection, adopt=True)
        sql.run("INSERT INTO notes (name, value) VALUES (?, ?)", (NEVER_NULL, filled))
        return replace(planned, backup=backup)


def _planned(connection: sa.Connection, sql: Sql, at: Location) -> Adopted:
    """Tell what would be added; raises SettingsError where the table cannot be shared."""
    state = state_of(sql)
    if state in _STORES:
        return Adopted(columns_added=(), rows=_rows(sql), backup=None)
    if state is not SchemaState.STRANGE:
        refuse(state, at.shown, revision_of(sql))
    found = _columns(connection, at)
    _check(found, connection, at)
    _check_order_ids(sql, at)
    return Adopted(columns_added=tuple(sorted(_OURS - set(found))), rows=_rows(sql), backup=None)


@contextmanager
def _looking(at: Location) -> Iterator[tuple[sa.Connection, Sql]]:
    """Read without leaving a trace: what is refused, or only looked at, keeps even its journal mode."""
    if at.postgres:
        with locked(at) as found:
            yield found
        return
    engine = sa.create_engine("sqlite://", creator=lambda: open_read_only(at), poolclass=sa.NullPool)
    try:
        with engine.connect() as connection:
            yield connection, Sql(connection.connection.driver_connection, sqlite3.Error, at, writable=False)
    finally:
        engine.dispose()


def _columns(connection: sa.Connection, at: Location) -> dict[str, Mapping[str, Any]]:
    inspector = sa.inspect(connection)
    if not inspector.has_table("trades"):
        raise SettingsError(f"The database {at.shown} has no table `trades`. Nothing was changed.", _COPY)
    ours_already = {"trade_events", "venue_orders", "fills", "outbox", "notes"} & set(inspector.get_table_names())
    if ours_already:
        raise SettingsError(
            f"The database {at.shown} has tables of its own named {', '.join(sorted(ours_already))}. "
            "Nothing was changed.",
            _COPY,
        )
    return {column["name"]: column for column in inspector.get_columns("trades")}


def _check(found: Mapping[str, Mapping[str, Any]], connection: sa.Connection, at: Location) -> None:
    problems = [
        *(f"`{name}` is missing" for name in ("id", "order_id", "status", "product_id", "side") if name not in found),
        *_unfillable(found),
        *(f"`{name}` has another meaning here" for name in sorted((_OURS & set(found)) - _BOTS - _SAME_MEANING)),
        *_wrong_types(found, at),
    ]
    key = sa.inspect(connection).get_pk_constraint("trades")["constrained_columns"]
    if "id" in found and (key != ["id"] or not isinstance(found["id"]["type"], sa.Integer)):
        problems.append("`id` is not its integer primary key")
    if problems:
        raise SettingsError(
            f"The table `trades` in {at.shown} cannot be shared: {'; '.join(problems)}. Nothing was changed.",
            f"Change the column, or give it a default. {_COPY}",
        )


def _unfillable(found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Name columns that must not be NULL and that a row of ours could not fill."""
    problems = []
    for name, column in found.items():
        if column["nullable"] or name == "id":
            continue
        if name in _MAY_BE_UNKNOWN - _FILLED:
            problems.append(f"`{name}` is NOT NULL, and an intent does not know it yet")
        elif name not in _OURS and column.get("default") is None:
            problems.append(f"`{name}` is NOT NULL without a default, and ordersync could not fill it")
    return problems


def _filled(found: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """List the columns that must not be NULL: zero or "" stands in them for "not known yet", but for `bot_id`."""
    return {name for name in {*_FILLED, "bot_id"} if name in found and not found[name]["nullable"]}


def _wrong_types(found: Mapping[str, Mapping[str, Any]], at: Location) -> list[str]:
    """Name columns of a type that Postgres would not compare or assign; SQLite takes any value."""
    if not at.postgres:
        return []
    return [
        f"`{name}` is of type {found[name]['type']}"
        for name, family in _FAMILIES.items()
        if name in found and (not isinstance(found[name]["type"], family) or isinstance(found[name]["type"], sa.Enum))
    ]


def _check_order_ids(sql: Sql, at: Location) -> None:
    text = (
        "SELECT order_id, COUNT(*) FROM trades WHERE order_id <> '' "
        "GROUP BY order_id HAVING COUNT(*) > 1 ORDER BY order_id LIMIT 6"
    )
    twice = sql.rows(text)
    if twice:
        named = ", ".join(f"{order_id} ({count} rows)" for order_id, count in twice[:5])
        raise SettingsError(
            f"The table `trades` in {at.shown} names one order in several rows: {named}"
            f"{', …' if len(twice) > 5 else ''}. Nothing was changed.",  # noqa: PLR2004 - six were fetched
            f"Keep one row for each order. {_COPY}",
        )


def _rows(sql: Sql) -> int:
    row = sql.row("SELECT COUNT(*) FROM trades")
    return int(row[0]) if row else 0
