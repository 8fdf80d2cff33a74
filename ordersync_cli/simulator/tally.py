"""Counts the requests of one process and adds them to what all processes on the state have counted."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

from ordersync_cli.simulator.state import State


class Tally:
    """Counts in memory, written four times a second: a transaction for each look-up would cost more than it."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str, int]] = Counter()
        self._lock = threading.Lock()

    def count(self, method: str, path: str, status: int) -> None:
        """Count one request; status 0 is one that was cut without an answer."""
        with self._lock:
            self._counts[method, path, status] += 1

    def keep(self, state: State) -> None:
        """Add what was counted since the last time to the state."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
        if not counts:
            return
        with state.transaction():
            state.sql.executemany(
                "INSERT INTO requests VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET count = count + excluded.count",
                [(*key, count) for key, count in counts.items()],
            )

    def shown(self, state: State) -> dict[str, Any]:
        """Return how often each path was asked, by method and status, by every process on the state."""
        self.keep(state)
        rows = state.sql.execute("SELECT method, path, status, count FROM requests ORDER BY 2, 1, 3").fetchall()
        by_path: dict[str, int] = {}
        for method, path, _, count in rows:
            by_path[f"{method} {path}"] = by_path.get(f"{method} {path}", 0) + count
        detail = [{"method": row[0], "path": row[1], "status": row[2], "count": row[3]} for row in rows]
        return {"total": sum(by_path.values()), "by_path": by_path, "detail": detail}
