"""Watchers and notes: what processes leave behind for each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ordersync_cli.services.ports import Watcher
from ordersync_cli.store.shapes import Shape

if TYPE_CHECKING:
    from ordersync_cli.store.context import Context

_WATCHER = Shape(
    "watchers",
    Watcher,
    frozenset({"started_at", "beat_at", "feed_since", "last_heartbeat_at", "last_frame_at"}),
    frozenset({"clock_offset"}),
)
_NOTE_LOCK = 7_301_003


class Notes:
    """Small named values of the store."""

    def __init__(self, context: Context) -> None:
        self._sql = context.sql

    def get(self, name: str, *, lock: bool = False) -> str | None:
        """Read a note; ``lock`` keeps others who ask so waiting until this transaction ends."""
        if lock and self._sql.for_update:  # a note that is not there yet has no row to lock
            self._sql.rows("SELECT pg_advisory_xact_lock(?, hashtext(?))", (_NOTE_LOCK, name))
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
