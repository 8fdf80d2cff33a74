"""The audit: one row of `trade_events` for each public change, and its NOTIFY on Postgres."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ordersync_cli.services.ports import TradeEvent
from ordersync_cli.store.shapes import Shape

if TYPE_CHECKING:
    from ordersync_cli.store.sql import Sql

EVENT = Shape(
    "trade_events",
    TradeEvent,
    frozenset({"filled_at", "venue_time", "seen_at", "committed_at"}),
    frozenset({"filled_size", "average_filled_price", "latency_seconds"}),
)
_MOST_BYTES = 7900  # a NOTIFY payload must be shorter than 8000 bytes
_ORDER_LOCK = 7_301_001


def write_events(sql: Sql, events: Sequence[tuple[TradeEvent, bool]]) -> None:
    """Append events in the order they happened, as the last thing of a transaction; announce those marked.

    On Postgres a lock makes the order of their numbers the order of the commits, so that who
    reads "all after number n" misses none; nothing is locked after it, so nobody deadlocks.
    """
    if not events:
        return
    if sql.postgres:
        sql.rows("SELECT pg_advisory_xact_lock(?)", (_ORDER_LOCK,))
    sql.many(EVENT.insert(), [EVENT.row(event, sql.values) for event, _ in events])
    if sql.postgres:
        for event, announced in events:
            if announced:
                sql.rows("SELECT pg_notify('ordersync', ?)", (_payload(event),))


def _payload(event: TradeEvent) -> str:
    from ordersync_cli.services.plain import plain
    from ordersync_cli.services.record import status_update

    text = json.dumps(plain(status_update(event)))
    return text if len(text.encode()) <= _MOST_BYTES else event.event_id
