"""The exchange's state file: SQLite in WAL mode, one transaction a request, shared by any number of processes."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

from ordersync_cli.simulator.draws import draw_uuid
from ordersync_cli.simulator.market import Market
from ordersync_cli.simulator.products import OPENING_BALANCES
from ordersync_cli.simulator.server_edge import block

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS keys (name TEXT PRIMARY KEY, public_pem TEXT NOT NULL, scopes TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS balances (currency TEXT PRIMARY KEY, available TEXT NOT NULL, held TEXT NOT NULL,
    opening TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS orders (seq INTEGER PRIMARY KEY, order_id TEXT NOT NULL UNIQUE,
    client_order_id TEXT NOT NULL, product_id TEXT NOT NULL, side TEXT NOT NULL, kind TEXT NOT NULL,
    time_in_force TEXT NOT NULL, status TEXT NOT NULL, source TEXT NOT NULL, created_at INTEGER NOT NULL,
    doc TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS orders_client ON orders (client_order_id);
CREATE INDEX IF NOT EXISTS orders_created ON orders (created_at);
CREATE INDEX IF NOT EXISTS orders_status ON orders (status);
CREATE TABLE IF NOT EXISTS steps (id INTEGER PRIMARY KEY, order_id TEXT NOT NULL, due INTEGER NOT NULL,
    kind TEXT NOT NULL, data TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS steps_due ON steps (due, id);
CREATE INDEX IF NOT EXISTS steps_order ON steps (order_id);
CREATE TABLE IF NOT EXISTS events (id INTEGER PRIMARY KEY AUTOINCREMENT, order_id TEXT NOT NULL, at INTEGER NOT NULL,
    show INTEGER NOT NULL, doc TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS events_order ON events (order_id, id);
CREATE TABLE IF NOT EXISTS fills (seq INTEGER PRIMARY KEY, entry_id TEXT NOT NULL, order_id TEXT NOT NULL,
    product_id TEXT NOT NULL, trade_id TEXT NOT NULL, side TEXT NOT NULL, booked_at INTEGER NOT NULL,
    visible_at INTEGER NOT NULL, doc TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS fills_order ON fills (order_id);
CREATE INDEX IF NOT EXISTS fills_booked ON fills (booked_at);
CREATE TABLE IF NOT EXISTS scripts (id INTEGER PRIMARY KEY, client_order_id TEXT, product_id TEXT, remaining INTEGER,
    steps TEXT NOT NULL, answer TEXT);
CREATE TABLE IF NOT EXISTS requests (method TEXT, path TEXT, status INTEGER, count INTEGER NOT NULL,
    PRIMARY KEY (method, path, status)) WITHOUT ROWID;
"""
_BUSY_MILLISECONDS = 10_000
_WAL_ATTEMPTS = 250


def _connected(path: Path) -> sqlite3.Connection:
    """Open the file in WAL mode; raises OSError when it is no state that can be written."""
    sql = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sql = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)
        sql.execute(f"PRAGMA busy_timeout={_BUSY_MILLISECONDS}")
        _use_wal(sql)
    except sqlite3.Error as error:
        if sql is not None:
            sql.close()
        raise unusable(path, error) from error
    return sql


def unusable(path: Path, error: sqlite3.Error) -> OSError:
    """Return the error for a file that cannot be the state of an exchange."""
    return OSError(errno.EIO, f"it cannot be the state of an exchange ({error})", str(path))


def _use_wal(sql: sqlite3.Connection) -> None:
    """Switch the file to WAL; SQLite does not wait for another process that is doing the same."""
    for _ in range(_WAL_ATTEMPTS):
        try:
            sql.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise
            block(0.02)
        else:
            return
    raise sqlite3.OperationalError("another process keeps it locked")


def _create(state: State, seed: int, now: int) -> None:
    """Create the schema and the opening balances once, whoever comes first."""
    if state.sql.execute("SELECT 1 FROM sqlite_master WHERE name = 'requests'").fetchone():
        return
    with state.transaction():
        if state.sql.execute("SELECT 1 FROM sqlite_master WHERE name = 'requests'").fetchone():
            return  # another process was faster
        if state.sql.execute("SELECT 1 FROM sqlite_master").fetchone():
            raise sqlite3.DatabaseError("it is the database of something else")
        for statement in _SCHEMA.split(";\n"):
            state.sql.execute(statement)
        values = {
            "seed": str(seed),
            "opened_at": str(now),
            "skew": "0",
            "user_id": draw_uuid(seed, "user"),
            # Each exchange is a portfolio of its own: one seed hands out the same order ids again, and a store that
            # holds those of another exchange must be refused, not overwritten.
            "portfolio_id": draw_uuid(seed, "portfolio", now),
        }
        state.sql.executemany("INSERT INTO meta VALUES (?, ?)", values.items())
        rows = [(currency, str(amount), "0", str(amount)) for currency, amount in OPENING_BALANCES.items()]
        state.sql.executemany("INSERT INTO balances VALUES (?, ?, ?, ?)", rows)


class State:
    """One connection to the state file; `clock` gives microseconds since 1970 and is the host's, before any skew."""

    def __init__(self, path: Path, clock: Callable[[], int], seed: int) -> None:
        self.path = path
        self._clock = clock
        self.sql = _connected(path)
        # A committed order survives kill -9 of every process (the log is in the page cache); only the machine's own
        # crash could lose it, and no money is real here.
        self.sql.execute("PRAGMA synchronous=NORMAL")
        # Copying the log back waits for the disk: once in a thousand orders, not in eighty, and when the last closes.
        self.sql.execute("PRAGMA wal_autocheckpoint=10000")
        try:
            _create(self, seed, clock())
        except sqlite3.Error as error:
            self.sql.close()
            raise unusable(path, error) from error
        self.seed = int(self.meta("seed"))
        self.user_id = self.meta("user_id")
        self.portfolio_id = self.meta("portfolio_id")
        self.market = Market(self.seed, int(self.meta("opened_at")))
        self._skew = 0
        self._seen_version = -1

    def close(self) -> None:
        """Close the connection; the state stays."""
        self.sql.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Hold the write lock; commit at the end, roll back on an error."""
        self.sql.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.sql.execute("ROLLBACK")
            raise
        self.sql.execute("COMMIT")

    def meta(self, name: str) -> str:
        """Return one stored setting."""
        row = self.sql.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return str(row[0])

    def set_meta(self, name: str, value: str) -> None:
        """Store one setting."""
        self.sql.execute(
            "INSERT INTO meta VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value", (name, value)
        )

    def now(self) -> int:
        """Return the exchange's clock: the host's plus the skew that every process shares."""
        version = self.data_version()
        if version != self._seen_version:
            self._seen_version = version
            self._skew = int(self.meta("skew"))
        return self._clock() + self._skew

    def lately(self) -> int:
        """Return the exchange's clock with the skew last seen: for what may be a moment behind another process."""
        return self._clock() + self._skew

    def move_clock(self, microseconds: int, *, absolute: bool = False) -> None:
        """Shift the exchange's clock against the host's, for every process on this state."""
        with self.transaction():
            self._skew = microseconds + (0 if absolute else int(self.meta("skew")))
            self.set_meta("skew", str(self._skew))

    def data_version(self) -> int:
        """Return a number that changes when another connection has committed."""
        return int(self.sql.execute("PRAGMA data_version").fetchone()[0])

    def next_due(self) -> int | None:
        """Return when the next step of any order is due."""
        row = self.sql.execute("SELECT MIN(due) FROM steps").fetchone()
        return None if row[0] is None else int(row[0])

    def last_event(self) -> int:
        """Return the id of the newest event."""
        row = self.sql.execute("SELECT MAX(id) FROM events").fetchone()
        return int(row[0] or 0)

    def available(self, currency: str) -> Decimal:
        """Return what the account of a currency has free."""
        row = self.sql.execute("SELECT available FROM balances WHERE currency = ?", (currency,)).fetchone()
        return Decimal(row[0]) if row else Decimal(0)
