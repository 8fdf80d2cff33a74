"""The outbox: messages that commit with what they tell of, and are delivered afterwards."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from ordersync_cli.services.plain import plain
from ordersync_cli.services.ports import Delivery

if TYPE_CHECKING:
    from ordersync_cli.store.context import Context
    from ordersync_cli.store.sql import Row
    from ordersync_cli.store.values import Values

# No try is put off for longer: what is due later was dated by a clock that has jumped back since (trap T41).
_LATEST = timedelta(minutes=5)
_COLUMNS = "id, event_id, sink, key, body, created_at, attempts, due_at"
_FIRST_OF_ITS_KEY = (
    "NOT EXISTS (SELECT 1 FROM outbox e WHERE e.sink = o.sink AND e.key = o.key "
    "AND e.id < o.id AND e.delivered_at IS NULL)"
)


class Outbox:
    """What must be delivered, at least once, in order for each sink and key."""

    def __init__(self, context: Context) -> None:
        self._sql = context.sql

    def put(self, sink: str, key: str, event_id: str, body: Mapping[str, Any], at: datetime) -> None:
        """Add a message for one sink; typed values become JSON's here."""
        now = self._sql.values.time(at)
        self._sql.run(
            "INSERT INTO outbox (event_id, sink, key, body, created_at, attempts, due_at) VALUES (?, ?, ?, ?, ?, 0, ?)",
            (event_id, sink, key, json.dumps(plain(body)), now, now),
        )

    def due(self, now: datetime, limit: int, sinks: Collection[str] | None = None) -> list[Delivery]:
        """List what is due, oldest first, and of each (sink, key) only its first undelivered one."""
        sql = self._sql
        soon = "(due_at <= ? OR due_at > ?)"
        text = f"SELECT {_COLUMNS} FROM outbox o WHERE delivered_at IS NULL AND {soon} AND {_FIRST_OF_ITS_KEY}"
        parameters: list[Any] = [sql.values.time(now), sql.values.time(now + _LATEST)]
        if sinks is not None:
            text += f" AND {sql.among('sink')}"
            parameters.append(sql.values.several(sorted(sinks)))
        parameters.append(limit)
        return [_delivery(r, sql.values) for r in sql.rows(f"{text} ORDER BY id LIMIT ?", parameters)]

    def delivered(self, delivery_id: int, at: datetime) -> None:
        """Note that a sink has taken it."""
        self._sql.run(
            "UPDATE outbox SET delivered_at = ?, attempts = attempts + 1, problem = NULL WHERE id = ?",
            (self._sql.values.time(at), delivery_id),
        )

    def failed(self, delivery_id: int, retry_at: datetime, problem: str) -> None:
        """Note a failed try and when to try again."""
        self._sql.run(
            "UPDATE outbox SET attempts = attempts + 1, due_at = ?, problem = ? WHERE id = ?",
            (self._sql.values.time(retry_at), problem, delivery_id),
        )

    def undelivered(self) -> tuple[int, datetime | None]:
        """Count what waits, and tell since when the oldest does."""
        text = "SELECT COUNT(*), MIN(created_at) FROM outbox WHERE delivered_at IS NULL"
        count, oldest = self._sql.rows(text)[0]
        return int(count), self._sql.values.moment(oldest)

    def waiting(self) -> dict[str, int]:
        """Count what waits for each sink."""
        text = "SELECT sink, COUNT(*) FROM outbox WHERE delivered_at IS NULL GROUP BY sink ORDER BY sink"
        return {str(sink): int(count) for sink, count in self._sql.rows(text)}

    def give_up(self, sink: str, at: datetime) -> int:
        """Stop waiting for a sink that will not come back; returns how many messages it never got."""
        return self._sql.run(
            "UPDATE outbox SET delivered_at = ?, problem = 'given up' WHERE sink = ? AND delivered_at IS NULL",
            (self._sql.values.time(at), sink),
        )


def _delivery(row: Row | Sequence[Any], values: Values) -> Delivery:
    delivery_id, event_id, sink, key, body, created_at, attempts, due_at = row
    created, due = values.moment(created_at), values.moment(due_at)
    assert created is not None
    assert due is not None
    return Delivery(
        delivery_id=delivery_id,
        event_id=event_id,
        sink=sink,
        key=key,
        body=json.loads(body),
        created_at=created,
        attempts=attempts,
        due_at=due,
    )
