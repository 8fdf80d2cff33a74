"""Runs, watermarks, watchers and notes: what passes and processes leave behind for each other."""

from __future__ import annotations

from datetime import datetime

from ordersync_cli.services.ports import Lease, Run, Watcher
from ordersync_cli.store.context import Context
from ordersync_cli.store.shapes import Shape

_RUN = Shape("runs", Run, frozenset({"started_at", "finished_at"}))
_WATCHER = Shape(
    "watchers",
    Watcher,
    frozenset({"started_at", "beat_at", "feed_since", "last_heartbeat_at", "last_frame_at"}),
    frozenset({"clock_offset"}),
)
_GOOD = "result IN ('in_sync', 'drift', 'breaks')"


class Runs:
    """Runs and watermarks; every write checks the fence."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._sql = context.sql

    def start(self, run: Run, lease: Lease | None) -> None:
        """Leave a row that a run began."""
        self._context.fence(lease)
        self._sql.run(_RUN.insert(), _RUN.row(run, self._sql.values))

    def finish(self, run: Run, lease: Lease | None) -> None:
        """Write how a run ended (a whole row, where its start was never written)."""
        self._context.fence(lease)
        columns = _RUN.columns("run_id")
        sets = ", ".join(f"{name} = ?" for name in columns)
        row = _RUN.row(run, self._sql.values, "run_id")
        if not self._sql.run(f"UPDATE runs SET {sets} WHERE run_id = ?", (*row, run.run_id)):
            self._sql.run(_RUN.insert(), _RUN.row(run, self._sql.values))

    def close_died(self, mode: str, at: datetime) -> list[Run]:
        """Close runs of this mode that never ended as died; who holds the pass's lease may ask."""
        sql = self._sql
        open_ones = f"{_RUN.select()} WHERE mode = ? AND finished_at IS NULL ORDER BY started_at"
        died = [_RUN.read(row, sql.values) for row in sql.rows(open_ones + sql.for_update, (mode,))]
        sql.many(
            "UPDATE runs SET finished_at = ?, result = 'died' WHERE run_id = ?",
            [(sql.values.time(at), run.run_id) for run in died],
        )
        return died

    def last(self, mode: str, *, good: bool = False) -> Run | None:
        """Find the newest run of a mode; with ``good``, the newest that ended with an answer."""
        text = f"{_RUN.select()} WHERE mode = ?{' AND ' + _GOOD if good else ''} ORDER BY started_at DESC LIMIT 1"
        row = self._sql.row(text, (mode,))
        return None if row is None else _RUN.read(row, self._sql.values)

    def between(self, since: datetime, until: datetime) -> list[Run]:
        """List runs that started in [since, until), oldest first."""
        values = self._sql.values
        text = f"{_RUN.select()} WHERE started_at >= ? AND started_at < ? ORDER BY started_at"
        rows = self._sql.rows(text, (values.time(since), values.time(until)))
        return [_RUN.read(row, values) for row in rows]

    def watermark(self, name: str) -> datetime | None:
        """Tell how far a pass has read; None before its first."""
        row = self._sql.row("SELECT reached FROM watermarks WHERE name = ?", (name,))
        return None if row is None else self._sql.values.moment(row[0])

    def move_watermark(self, name: str, to: datetime, lease: Lease | None) -> None:
        """Move a watermark, in the transaction of the page that it stands for."""
        self._context.fence(lease)
        self._sql.run(
            "INSERT INTO watermarks (name, reached) VALUES (?, ?) "
            "ON CONFLICT (name) DO UPDATE SET reached = excluded.reached",
            (name, self._sql.values.time(to)),
        )


class Notes:
    """Small named values of the store."""

    def __init__(self, context: Context) -> None:
        self._sql = context.sql

    def get(self, name: str) -> str | None:
        """Read a note."""
        row = self._sql.row("SELECT value FROM notes WHERE name = ?", (name,))
        return None if row is None else str(row[0])

    def set(self, name: str, value: str | None) -> None:
        """Write a note; None takes it away."""
        if value is None:
            self._sql.run("DELETE FROM notes WHERE name = ?", (name,))
            return
        self._sql.run(
            "INSERT INTO notes (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (name, value),
        )


class Watchers:
    """Who watches this store."""

    def __init__(self, context: Context) -> None:
        self._sql = context.sql

    def beat(self, watcher: Watcher) -> None:
        """Write what a watcher says of itself now."""
        updated = ", ".join(f"{c} = excluded.{c}" for c in _WATCHER.columns("watcher_id"))
        self._sql.run(
            f"{_WATCHER.insert()} ON CONFLICT (watcher_id) DO UPDATE SET {updated}",
            _WATCHER.row(watcher, self._sql.values),
        )

    def leave(self, watcher_id: str) -> None:
        """Take a watcher that stops off the list."""
        self._sql.run("DELETE FROM watchers WHERE watcher_id = ?", (watcher_id,))

    def list(self) -> list[Watcher]:
        """List the watchers, the longest running first."""
        rows = self._sql.rows(f"{_WATCHER.select()} ORDER BY started_at, watcher_id")
        return [_WATCHER.read(row, self._sql.values) for row in rows]
