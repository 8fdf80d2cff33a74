"""The audit: one row of `trade_events` for each public change, and its NOTIFY on Postgres."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ordersync_cli.services.ports import TradeEvent

if TYPE_CHECKING:
    from ordersync_cli.store.sql import Sql
    from ordersync_cli.store.values import Values

EVENT_COLUMNS = (
    "event_id", "trade_id", "bot_id", "order_id", "client_order_id", "kind", "old_status",
    "status", "order_status", "venue_status", "filled_size", "average_filled_price", "filled_at",
    "source", "venue_time", "seen_at", "committed_at", "latency_seconds", "detail",
)  # fmt: skip
_TIMES = {"filled_at", "venue_time", "seen_at", "committed_at"}
_DECIMALS = {"filled_size", "average_filled_price", "latency_seconds"}
_MOST_BYTES = 7900  # a NOTIFY payload must be shorter than 8000 bytes
_ORDER_LOCK = 7_301_001


def event_of(row: Sequence[Any], values: Values) -> TradeEvent:
    """Read one row of EVENT_COLUMNS."""
    read = dict(zip(EVENT_COLUMNS, row, strict=True))
    for name in _TIMES:
        read[name] = values.moment(read[name])
    for name in _DECIMALS:
        read[name] = values.number(read[name])
    return TradeEvent(**read)


def write_events(sql: Sql, events: Sequence[tuple[TradeEvent, bool]]) -> None:
    """Append events in the order they happened, as the last thing of a transaction; announce those marked.

    On Postgres a lock makes the order of their numbers the order of the commits, so that who
    reads "all after number n" misses none; nothing is locked after it, so nobody deadlocks.
    """
    if not events:
        return
    if sql.postgres:
        sql.rows("SELECT pg_advisory_xact_lock(?)", (_ORDER_LOCK,))
    marks = ", ".join("?" * len(EVENT_COLUMNS))
    sql.many(
        f"INSERT INTO trade_events ({', '.join(EVENT_COLUMNS)}) VALUES ({marks})",
        (_row(event, sql.values) for event, _ in events),
    )
    if sql.postgres:
        for event, announced in events:
            if announced:
                sql.rows("SELECT pg_notify('ordersync', ?)", (_payload(event),))


def _row(event: TradeEvent, values: Values) -> tuple[Any, ...]:
    return tuple(_written(name, getattr(event, name), values) for name in EVENT_COLUMNS)


def _written(name: str, value: Any, values: Values) -> Any:
    if name in _TIMES:
        return values.time(value)
    return values.decimal(value) if name in _DECIMALS else value


def _payload(event: TradeEvent) -> str:
    from ordersync_cli.services.plain import plain
    from ordersync_cli.services.record import status_update

    text = json.dumps(plain(status_update(event)))
    return text if len(text.encode()) <= _MOST_BYTES else event.event_id
