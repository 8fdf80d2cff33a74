"""The SQLite side of the store: connections, transactions, and noticing other writers."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ordersync_cli.clock import Clock
from ordersync_cli.errors import StoreError
from ordersync_cli.store.faults import translated
from ordersync_cli.store.sql import Sql
from ordersync_cli.store.urls import Location

BUSY_MS = 10_000
LOOK_EVERY = 0.025  # seconds; PRAGMA data_version costs some 10 microseconds
_IDLE_READERS = 4
_SWITCHES = 20  # how often another writer may come first while a new file is turned to WAL


def connect(path: Path, *, reading: bool = False, wal: bool = False) -> sqlite3.Connection:
    """Open the file as the store needs it: every commit on disk, transactions in our hands.

    WAL stays with the file, so only who writes a store that is one asks for it.

    pysqlite's own transactions lost 1,342 of 2,000 updates in a four-process test (decision
    record 0101), hence ``isolation_level=None`` and BEGIN IMMEDIATE.
    """
    connection = sqlite3.connect(path, timeout=BUSY_MS / 1000, isolation_level=None, check_same_thread=False)
    try:
        connection.execute(f"PRAGMA busy_timeout={BUSY_MS}")
        if wal:
            write_ahead(connection)
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        if reading:
            connection.execute("PRAGMA query_only=ON")
    except BaseException:
        connection.close()
        raise
    return connection


def write_ahead(connection: sqlite3.Connection) -> None:
    """Turn a file to WAL, waiting for whoever writes to it: the busy timeout does not cover this switch.

    SQLite asks for the write lock while it already reads, and so refuses at once rather than wait
    (it could be a deadlock). BEGIN EXCLUSIVE does wait, for as long as the busy timeout.
    """
    for _ in range(_SWITCHES):
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as problem:
            if problem.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("ROLLBACK")
        else:
            return
    connection.execute("PRAGMA journal_mode=WAL")


class SqliteDatabase:
    """One file: a single writing connection, guarded by a lock, and a few reading ones."""

    def __init__(self, at: Location, clock: Clock) -> None:
        assert at.path is not None
        self.at = at
        self._path = at.path
        self._clock = clock
        self._lock = threading.RLock()
        self._writer: sqlite3.Connection | None = None
        self._readers: list[sqlite3.Connection] = []
        self._inside = False
        self._version: int | None = None

    @contextmanager
    def writing(self) -> Iterator[Sql]:
        """BEGIN IMMEDIATE, then COMMIT at the end of the block or ROLLBACK on any error."""
        with self._lock:
            if self._inside:
                raise RuntimeError("A writing transaction was opened inside another one.")
            connection = self._opened()
            self._execute(connection, "BEGIN IMMEDIATE")
            self._inside = True
            try:
                yield Sql(connection, sqlite3.Error, self.at, writable=True)
                self._execute(connection, "COMMIT")
            except BaseException:
                self._roll_back(connection)
                raise
            finally:
                self._inside = False

    @contextmanager
    def reading(self) -> Iterator[Sql]:
        """Read one consistent snapshot; never waits for a writer."""
        connection = self._reader()
        try:
            self._execute(connection, "BEGIN")
            yield Sql(connection, sqlite3.Error, self.at, writable=False)
        finally:
            self._roll_back(connection)
            with self._lock:
                keep = len(self._readers) < _IDLE_READERS
                if keep:
                    self._readers.append(connection)
            if not keep:
                connection.close()

    def wait_for_change(self, timeout: float) -> bool:
        """Wait until another connection committed since the last call, or the time is up.

        PRAGMA data_version of the writing connection does not move with its own commits.
        """
        ends = self._clock.monotonic() + timeout
        while True:
            if self._changed():
                return True
            left = ends - self._clock.monotonic()
            if left <= 0:
                return False
            self._clock.sleep(min(LOOK_EVERY, left))

    def follow(self) -> None:
        """From here on `wait_for_change` notices what others write."""
        with self._lock:
            self._opened()

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            for connection in [*self._readers, *([self._writer] if self._writer else [])]:
                connection.close()
            self._readers.clear()
            self._writer = None

    def _changed(self) -> bool:
        with self._lock:
            try:
                (version,) = self._opened().execute("PRAGMA data_version").fetchone()
            except sqlite3.Error as problem:
                raise translated(problem, self.at) from problem
            changed = self._version is not None and version != self._version
            self._version = version
        return changed

    def _opened(self) -> sqlite3.Connection:
        if self._writer is None:
            self._writer = self._connect(reading=False)
            (self._version,) = self._writer.execute("PRAGMA data_version").fetchone()
        return self._writer

    def _reader(self) -> sqlite3.Connection:
        with self._lock:
            if self._readers:
                return self._readers.pop()
        return self._connect(reading=True)

    def _connect(self, *, reading: bool) -> sqlite3.Connection:
        if not self._path.parent.is_dir():
            raise StoreError(
                f"The directory of the store {self.at.shown} does not exist. Nothing was written.",
                f"Make it: mkdir -p {self._path.parent}",
            )
        try:
            return connect(self._path, reading=reading, wal=not reading)
        except sqlite3.Error as problem:
            raise translated(problem, self.at) from problem

    def _execute(self, connection: sqlite3.Connection, text: str) -> None:
        try:
            connection.execute(text)
        except sqlite3.Error as problem:
            raise translated(problem, self.at) from problem

    def _roll_back(self, connection: sqlite3.Connection) -> None:
        with suppress(sqlite3.Error):
            if connection.in_transaction:
                connection.execute("ROLLBACK")
