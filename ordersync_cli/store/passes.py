"""Runs and watermarks: what passes leave behind for each other."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

from ordersync_cli.services.ports import Run
from ordersync_cli.store.shapes import Shape

if TYPE_CHECKING:
    from ordersync_cli.services.ports import Lease
    from ordersync_cli.store.context import Context

_RUN = Shape("runs", Run, frozenset({"started_at", "finished_at"}))
_PACE_OF = 6  # runs
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

    def pace(self, mode: str) -> float:
        """Tell the usual seconds from one run of a mode to the next, by its last few; 0 before the third."""
        text = "SELECT started_at FROM runs WHERE mode = ? AND (result IS NULL OR result <> 'skipped')"
        rows = self._sql.rows(f"{text} ORDER BY started_at DESC LIMIT {_PACE_OF}", (mode,))
        started = [self._sql.values.moment(at) for (at,) in rows]
        gaps = [(b - a).total_seconds() for b, a in pairwise(started) if a is not None and b is not None]
        return median(gaps) if len(gaps) > 1 else 0.0

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
