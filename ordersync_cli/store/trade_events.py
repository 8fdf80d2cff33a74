"""Reading the audit of trades."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from ordersync_cli.store.event_rows import EVENT

if TYPE_CHECKING:
    from ordersync_cli.services.ports import TradeEvent
    from ordersync_cli.store.context import Context

_EVENTS = ", ".join(EVENT.columns())


class TradeEvents:
    """Reads `trade_events` inside one transaction, what it has written itself included."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._sql = context.sql

    def told(self) -> list[TradeEvent]:
        """List what this transaction has told so far and will announce when it commits."""
        return [event for event, announced in self._context.told if announced]

    def events(self, trade_id: int) -> list[TradeEvent]:
        """List the audit events of one trade, oldest first."""
        self._context.flush()
        text = f"{EVENT.select()} WHERE trade_id = ? ORDER BY id"
        return [EVENT.read(row, self._sql.values) for row in self._sql.rows(text, (trade_id,))]

    def events_between(self, since: datetime, until: datetime) -> list[TradeEvent]:
        """List events committed in [since, until), oldest first."""
        self._context.flush()
        text = f"{EVENT.select()} WHERE committed_at >= ? AND committed_at < ? ORDER BY id"
        values = self._sql.values
        rows = self._sql.rows(text, (values.time(since), values.time(until)))
        return [EVENT.read(row, values) for row in rows]

    def events_after(self, row: int, limit: int) -> list[tuple[int, TradeEvent]]:
        """List events of all trades whose row number is larger, oldest first, with their numbers."""
        self._context.flush()
        text = f"SELECT id, {_EVENTS} FROM trade_events WHERE id > ? ORDER BY id LIMIT ?"
        values = self._sql.values
        return [(r[0], EVENT.read(r[1:], values)) for r in self._sql.rows(text, (row, limit))]

    def last_event(self) -> int:
        """Tell the largest row number of the events, 0 when there is none."""
        self._context.flush()
        row = self._sql.row("SELECT COALESCE(MAX(id), 0) FROM trade_events")
        return int(row[0]) if row else 0
