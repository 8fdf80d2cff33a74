"""The Postgres side of the store: connections, transactions, and LISTEN/NOTIFY."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from ordersync_cli.clock import Clock
from ordersync_cli.errors import SettingsError, StoreError
from ordersync_cli.store.faults import translated
from ordersync_cli.store.sql import Sql
from ordersync_cli.store.urls import Location

if TYPE_CHECKING:
    from psycopg import Connection

CHANNEL = "ordersync"
ROWS_CHANNEL = "ordersync_rows"  # a trigger on `trades` speaks here: another program wrote a row
_IDLE_READERS = 4
_READING = "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"
_OPTIONS = " ".join(
    f"-c {setting}"
    for setting in (
        "TimeZone=UTC",
        "statement_timeout=30s",
        "lock_timeout=10s",
        # a process that was frozen in mid-transaction must not hold its rows for ever
        "idle_in_transaction_session_timeout=15s",
    )
)


def driver() -> Any:
    """Import psycopg. Raises SettingsError where it is not installed."""
    try:
        import psycopg
    except ImportError as problem:
        raise SettingsError(
            "A Postgres store needs psycopg, which is not installed.",
            "pip install 'ordersync[postgres]'",
        ) from problem
    return psycopg


def connect(at: Location, *, application: str = "ordersync") -> Connection[Any]:
    """Connect within 10 s, in UTC, with limits on statements and locks; transactions in our hands."""
    psycopg = driver()
    try:
        given = psycopg.conninfo.conninfo_to_dict(at.conninfo)
        options = f"{given.get('options') or ''} {_OPTIONS}".strip()
        settings = {
            "connect_timeout": given.get("connect_timeout") or 10,
            "application_name": given.get("application_name") or application[:60],
            "options": options,
        }
        connection: Connection[Any] = psycopg.connect(at.conninfo, autocommit=True, **settings)
    except psycopg.Error as problem:
        raise translated(problem, at) from None  # the driver's error may quote the password
    return connection


class PostgresDatabase:
    """One database: a single writing connection, guarded by a lock, a few reading ones, one listener."""

    def __init__(self, at: Location, clock: Clock, application: str) -> None:
        self.at = at
        self._clock = clock
        self._application = application
        self._errors: type[Exception] = driver().Error
        self._lock = threading.RLock()
        self._writer: Connection[Any] | None = None
        self._readers: list[Connection[Any]] = []
        self._listener: Connection[Any] | None = None
        self._own_pids: set[int] = set()
        self._inside = False

    @contextmanager
    def writing(self) -> Iterator[Sql]:
        """BEGIN, then COMMIT at the end of the block or ROLLBACK on any error."""
        with self._lock:
            if self._inside:
                raise RuntimeError("A writing transaction was opened inside another one.")
            connection = self._begun(self._opened(), "BEGIN")
            self._own(connection)
            self._inside = True
            try:
                yield Sql(connection, self._errors, self.at, writable=True)
                self._execute(connection, "COMMIT")
            except BaseException:
                self._roll_back(connection)
                raise
            finally:
                self._inside = False

    @contextmanager
    def reading(self) -> Iterator[Sql]:
        """Read one consistent snapshot; never waits for a writer."""
        with self._lock:
            connection = self._readers.pop() if self._readers else None
        connection = self._begun(connection or self._connect(), _READING)
        try:
            yield Sql(connection, self._errors, self.at, writable=False)
        finally:
            self._roll_back(connection)
            with self._lock:
                keep = not connection.closed and len(self._readers) < _IDLE_READERS
                if keep:
                    self._readers.append(connection)
            if not keep:
                connection.close()

    def wait_for_change(self, timeout: float) -> bool:
        """Wait until another process wrote, or the time is up; True after each (re)connect."""
        if self._listener is None or self._listener.closed:
            return self._listen()
        ends = self._clock.monotonic() + timeout
        while True:
            left = max(0.0, ends - self._clock.monotonic())
            heard = self._heard(left)
            if heard is None:
                return self._listen()
            if any(pid not in self._own_pids for pid in heard):
                return True
            if left <= 0:
                return False

    def follow(self) -> None:
        """Nothing to do: the first wait connects, and says that something may have been written."""

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            for connection in [*self._readers, self._writer, self._listener]:
                if connection is not None:
                    connection.close()
            self._readers.clear()
            self._writer = self._listener = None

    def _listen(self) -> bool:
        self._listener = self._connect()
        for channel in (CHANNEL, ROWS_CHANNEL):
            self._execute(self._listener, f"LISTEN {channel}")
        return True  # nobody knows what was told before

    def _heard(self, timeout: float) -> list[int] | None:
        """Collect who told something; None when the connection was lost."""
        assert self._listener is not None
        try:
            return [n.pid for n in self._listener.notifies(timeout=timeout, stop_after=1)]
        except self._errors as problem:
            broken = self._listener.broken
            self._listener.close()
            if not broken:
                raise translated(problem, self.at) from problem
            return None

    def _begun(self, connection: Connection[Any], text: str) -> Connection[Any]:
        """Begin a transaction; a connection that was lost while idle is replaced once."""
        try:
            self._execute(connection, text)
        except StoreError:
            if not (connection.broken or connection.closed):
                raise
            connection.close()
            connection = self._connect()
            self._execute(connection, text)
        return connection

    def _own(self, connection: Connection[Any]) -> None:
        if connection is not self._writer:
            self._writer = connection
            self._own_pids.add(connection.info.backend_pid)

    def _opened(self) -> Connection[Any]:
        if self._writer is None or self._writer.closed:
            self._own(self._connect())
        assert self._writer is not None
        return self._writer

    def _connect(self) -> Connection[Any]:
        return connect(self.at, application=self._application)

    def _execute(self, connection: Connection[Any], text: str) -> None:
        try:
            connection.execute(text.encode())
        except self._errors as problem:
            raise translated(problem, self.at) from problem

    def _roll_back(self, connection: Connection[Any]) -> None:
        with suppress(self._errors):
            if not connection.closed:
                connection.execute(b"ROLLBACK")
        if connection.broken:
            connection.close()
