"""Where the request budget lies: a file beside a SQLite store, a row of a Postgres one.

Not in the SQLite store itself: each take would cost an fsync, keep writers waiting, and wake
every process that waits for a change (decision record 0103).
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ordersync_cli.store import postgres
from ordersync_cli.store.budget import BURST, Bucket
from ordersync_cli.store.faults import translated
from ordersync_cli.store.sqlite import write_ahead
from ordersync_cli.store.urls import Location

if TYPE_CHECKING:
    from ordersync_cli.clock import Clock

_NAME = "requests"
_BROKEN = {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}


class FileBucket:
    """The bucket of a SQLite store, in ``<store>.budget``; worth nothing after a power cut."""

    def __init__(self, at: Location, clock: Clock) -> None:
        assert at.path is not None
        self._at = Location(path=Path(f"{at.path}.budget"), shown=f"{at.shown}.budget")
        self._clock = clock
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    @contextmanager
    def opened(self, rate: float) -> Iterator[Bucket]:
        """Lock the bucket, bring it up to date by this machine's clock, keep what was changed."""
        with self._lock:
            connection = self._opened()
            try:
                connection.execute("BEGIN IMMEDIATE")
                stored, seen_at = self._read(connection)
                now = self._clock.now().timestamp()
                bucket = stored.aged(now - seen_at, rate)
                yield bucket
                connection.execute(
                    "INSERT OR REPLACE INTO budget VALUES (?, ?, ?, ?)",
                    (_NAME, bucket.tokens, bucket.penalty_seconds, now),
                )
                connection.execute("COMMIT")
            except sqlite3.Error as problem:
                raise translated(problem, self._at) from problem
            finally:
                with suppress(sqlite3.Error):
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            try:
                self._connection = self._connect()
            except sqlite3.DatabaseError as problem:
                if getattr(problem, "sqlite_errorcode", 0) & 0xFF not in _BROKEN:
                    raise translated(problem, self._at) from problem
                self._throw_away()
                self._connection = self._connect()
        return self._connection

    def _connect(self) -> sqlite3.Connection:
        assert self._at.path is not None
        connection = sqlite3.connect(self._at.path, timeout=10, isolation_level=None, check_same_thread=False)
        try:
            write_ahead(connection)
            connection.execute("PRAGMA synchronous=OFF")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS budget "
                "(name TEXT PRIMARY KEY, tokens REAL, penalty_seconds REAL, updated_at REAL)"
            )
        except BaseException:
            connection.close()
            raise
        return connection

    def _throw_away(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            Path(f"{self._at.path}{suffix}").unlink(missing_ok=True)

    def _read(self, connection: sqlite3.Connection) -> tuple[Bucket, float]:
        row = connection.execute(
            "SELECT tokens, penalty_seconds, updated_at FROM budget WHERE name = ?", (_NAME,)
        ).fetchone()
        if row is None:
            return Bucket(tokens=BURST, penalty_seconds=0.0), self._clock.now().timestamp()
        return Bucket(tokens=row[0], penalty_seconds=row[1]), row[2]


class PostgresBucket:
    """The bucket as a row, by the server's clock: hosts' clocks differ."""

    def __init__(self, at: Location) -> None:
        self._at = at
        self._lock = threading.Lock()
        self._errors: type[Exception] = postgres.driver().Error
        self._connection: Any = None

    @contextmanager
    def opened(self, rate: float) -> Iterator[Bucket]:
        """Lock the row, bring it up to date, keep what was changed."""
        with self._lock:
            try:
                connection = self._opened()
                with connection.transaction():
                    bucket = self._read(connection, rate)
                    yield bucket
                    connection.execute(
                        "UPDATE budget SET tokens = %s, penalty_seconds = %s, "
                        "updated_at = clock_timestamp() WHERE name = %s",
                        (bucket.tokens, bucket.penalty_seconds, _NAME),
                    )
            except self._errors as problem:
                raise translated(problem, self._at) from problem

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _opened(self) -> Any:
        if self._connection is not None and not self._alive():
            self._connection.close()
        if self._connection is None or self._connection.closed:
            self._connection = postgres.connect(self._at, application="ordersync budget")
            # a bucket lost with the server costs nothing: no wait for its disk
            self._connection.execute("SET synchronous_commit = off")
            self._connection.execute(
                "INSERT INTO budget (name, tokens, penalty_seconds, updated_at) "
                "VALUES (%s, %s, 0, clock_timestamp()) ON CONFLICT (name) DO NOTHING",
                (_NAME, BURST),
            )
        return self._connection

    def _alive(self) -> bool:
        with suppress(self._errors):
            self._connection.execute("SELECT 1")
        return not (self._connection.broken or self._connection.closed)

    def _read(self, connection: Any, rate: float) -> Bucket:
        connection.execute("SELECT 1 FROM budget WHERE name = %s FOR UPDATE", (_NAME,))
        row = connection.execute(
            "SELECT tokens, penalty_seconds, "
            "EXTRACT(EPOCH FROM clock_timestamp() - updated_at)::float8 FROM budget WHERE name = %s",
            (_NAME,),
        ).fetchone()
        if row is None:
            return Bucket(tokens=BURST, penalty_seconds=0.0)
        return Bucket(tokens=row[0], penalty_seconds=row[1]).aged(row[2], rate)
