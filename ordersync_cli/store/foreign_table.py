"""Reads an existing bot's table, never touching it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from ordersync_cli.errors import SettingsError, StoreError
from ordersync_cli.store import postgres
from ordersync_cli.store.faults import translated
from ordersync_cli.store.urls import Location, locate

TABLE = "trades"
_REMEDY = "Name the database that holds the bot's table `trades`: sqlite:///FILE or postgresql://…"


class ForeignTable:
    """A bot's `trades`, opened for reading only; `close` it. ``shown`` holds no password.

    ``identity`` tells this table from every other one, whatever password or spelling opened it.
    """

    def __init__(self, url: str) -> None:
        self.at = locate(url)
        self.shown = self.at.shown
        self.identity = identity_of(self.at)
        self._connection: Any = _open_postgres(self.at) if self.at.postgres else open_read_only(self.at)
        self._error: type[Exception] = postgres.driver().Error if self.at.postgres else sqlite3.Error
        try:
            self.columns = self._columns()
        except BaseException:
            self.close()
            raise
        if not self.columns:
            self.close()
            raise SettingsError(f"{self.shown} has no table `{TABLE}`.", _REMEDY)

    def count(self) -> int:
        """Count its rows."""
        (number,) = self._fetch("SELECT COUNT(*) FROM trades")[0]
        return int(number)

    def batches(self, size: int) -> Iterator[list[dict[str, Any]]]:
        """Read every row by name, by id where there is one, ``size`` at a time: one snapshot."""
        order = " ORDER BY id" if "id" in self.columns else ""
        names = ", ".join(_quoted(name) for name in self.columns)
        text = f"SELECT {names} FROM trades{order}"
        try:
            cursor = self._cursor()
            cursor.execute(text)
            while rows := cursor.fetchmany(size):
                yield [dict(zip(self.columns, row, strict=True)) for row in rows]
            cursor.close()
        except self._error as problem:
            raise translated(problem, self.at) from None

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _columns(self) -> list[str]:
        if not self.at.postgres:
            return [str(row[1]) for row in self._fetch(f"PRAGMA table_info({TABLE})")]
        text = (
            "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%s) "
            "AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
        )
        return [str(row[0]) for row in self._fetch(text, (TABLE,))]

    def _fetch(self, text: str, parameters: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        try:
            found: list[tuple[Any, ...]] = self._connection.execute(text, parameters).fetchall()
        except self._error as problem:
            raise translated(problem, self.at) from None
        return found

    def _cursor(self) -> Any:
        # On the server's side on Postgres: a large table must not be read into memory at once.
        return self._connection.cursor(name="ordersync_import") if self.at.postgres else self._connection.cursor()


def open_read_only(at: Location) -> sqlite3.Connection:
    """Open a SQLite file in a reading transaction that leaves no trace beside it."""
    path = at.path
    assert path is not None
    if not path.is_file():
        raise StoreError(f"The file {path} does not exist. Nothing was read or written.", _REMEDY)
    connection = None
    try:
        connection = sqlite3.connect(
            f"file:{quote(str(path.resolve()))}?{_read_only_mode(path)}", uri=True, isolation_level=None, timeout=10
        )
        connection.text_factory = _text
        connection.execute("PRAGMA query_only=ON")
        connection.execute("BEGIN")
        connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()
    except sqlite3.Error as problem:
        if connection is not None:
            connection.close()
        raise translated(problem, at) from None
    return connection


def _read_only_mode(path: Path) -> str:
    """Open without leaving a trace.

    A file in WAL mode that nobody has open would get a -wal and a -shm beside it even from a
    read-only connection (SQLite docs, "Read-Only Databases"); `immutable` avoids that.
    """
    with path.open("rb") as file:
        header = file.read(20)
    wal_mode = header[18:20] == b"\x02\x02"
    in_use = path.with_name(path.name + "-wal").exists()
    return "mode=ro&immutable=1" if wal_mode and not in_use else "mode=ro"


def _text(raw: bytes) -> str:
    return raw.decode(errors="replace")


def _open_postgres(at: Location) -> Any:
    connection = postgres.connect(at, application="ordersync import")
    try:
        connection.execute("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        # A long table takes longer than the store's own limits allow.
        connection.execute("SET LOCAL statement_timeout = '10min'")
        connection.execute("SET LOCAL idle_in_transaction_session_timeout = '10min'")
    except postgres.driver().Error as problem:
        connection.close()
        raise translated(problem, at) from None
    return connection


def identity_of(at: Location) -> str:
    """Tell a database from every other one, however its URL is spelled."""
    if at.path is not None:
        return f"sqlite:{at.path.resolve()}"
    given = postgres.driver().conninfo.conninfo_to_dict(at.conninfo)
    host = given.get("host") or urlsplit(at.conninfo).hostname or ""
    return f"postgres:{host}:{given.get('port') or 5432}/{given.get('dbname') or ''}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
