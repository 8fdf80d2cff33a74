"""Runs statements inside one transaction, the same text on SQLite and on Postgres."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ordersync_cli.store.faults import translated
from ordersync_cli.store.urls import Location
from ordersync_cli.store.values import PostgresValues, SqliteValues, Values

Row = tuple[Any, ...]
_PART = 5_000


class Sql:
    """One open transaction. Statements mark their parameters with `?` and hold no other one.

    Every error of the driver leaves as StoreError. ``for_update`` locks rows on Postgres; SQLite
    has locked the whole file since BEGIN IMMEDIATE.
    """

    __slots__ = ("_at", "_connection", "_errors", "for_update", "postgres", "values", "writable")

    def __init__(self, connection: Any, errors: type[Exception], at: Location, *, writable: bool) -> None:
        self._connection = connection
        self._errors = errors
        self._at = at
        self.postgres = at.postgres
        self.writable = writable
        self.for_update = " FOR UPDATE" if at.postgres and writable else ""
        self.values: Values = PostgresValues() if at.postgres else SqliteValues()

    def rows(self, text: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """Run a statement and fetch all its rows."""
        try:
            found: list[Row] = self._connection.execute(self._spelled(text), parameters).fetchall()
        except self._errors as problem:
            raise translated(problem, self._at) from problem
        return found

    def stream(self, text: str, parameters: Sequence[Any] = ()) -> Iterator[Row]:
        """Run a statement and hand its rows on in parts, so that they are never all in memory."""
        try:
            if self.postgres:
                cursor = self._connection.cursor(name="ordersync_stream")  # on the server
                cursor.itersize = _PART
            else:
                cursor = self._connection.cursor()
            try:
                cursor.execute(self._spelled(text), parameters)
                while part := cursor.fetchmany(_PART):
                    yield from part
            finally:
                cursor.close()
        except self._errors as problem:
            raise translated(problem, self._at) from problem

    def row(self, text: str, parameters: Sequence[Any] = ()) -> Row | None:
        """Run a statement and fetch its first row."""
        found = self.rows(text, parameters)
        return found[0] if found else None

    def run(self, text: str, parameters: Sequence[Any] = ()) -> int:
        """Run a statement that writes; returns how many rows it touched."""
        self._allow()
        try:
            count: int = self._connection.execute(self._spelled(text), parameters).rowcount
        except self._errors as problem:
            raise translated(problem, self._at) from problem
        return count

    def rows_written(self, text: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """Run a statement that writes and returns rows (RETURNING: SQLite 3.35 or newer)."""
        self._allow()
        return self.rows(text, parameters)

    def insert(self, text: str, parameters: Sequence[Any]) -> int:
        """Insert one row; returns the id that the database gave it."""
        self._allow()
        if self.postgres:
            return int(self.rows(f"{text} RETURNING id", parameters)[0][0])
        try:
            number: int = self._connection.execute(text, parameters).lastrowid
        except self._errors as problem:
            raise translated(problem, self._at) from problem
        return number

    def many(self, text: str, parameters: Iterable[Sequence[Any]]) -> None:
        """Run a statement that writes, once for each set of parameters."""
        self._allow()
        wanted = list(parameters)
        if not wanted:
            return
        try:
            self._connection.cursor().executemany(self._spelled(text), wanted)
        except self._errors as problem:
            raise translated(problem, self._at) from problem

    def among(self, column: str) -> str:
        """Compare a column with a list given as one parameter (`values.several`), of any length."""
        if self.postgres:
            return f"{column} = ANY(?)"
        return f"{column} IN (SELECT value FROM json_each(?))"

    def _spelled(self, text: str) -> str:
        return text.replace("?", "%s") if self.postgres else text

    def _allow(self) -> None:
        if not self.writable:
            raise RuntimeError("A reading transaction was asked to write.")
