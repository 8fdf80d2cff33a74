"""Writing trades: intents, attempts, and what the join has decided, with an event for each change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from ordersync_cli.domain.orders import Origin
from ordersync_cli.domain.standing import derive
from ordersync_cli.errors import UsageError
from ordersync_cli.services.record import is_news
from ordersync_cli.store.measures import Measures
from ordersync_cli.store.registers import put_claims
from ordersync_cli.store.trade_columns import DERIVED, FACTS, KEPT, derived, facts
from ordersync_cli.store.trade_news import change_event, event_of, latency_of
from ordersync_cli.store.trade_reads import TradeReads
from ordersync_cli.store.trade_rows import Final, TradeRows

if TYPE_CHECKING:
    from ordersync_cli.domain.trade import Change, Trade
    from ordersync_cli.services.ports import ClockOffset, TradeEvent
    from ordersync_cli.store.context import Context

_INSERT = (
    f"INSERT INTO trades ({', '.join((*FACTS, *DERIVED, *KEPT))}) "
    f"VALUES ({', '.join('?' * (len(FACTS) + len(DERIVED) + len(KEPT)))})"
)


class TradeWrites:
    """Writes trades inside one transaction."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._sql = context.sql

    def add(self, trade: Trade) -> Trade:
        """Insert a trade; AlreadyKnown where its client order id or order id has a row.

        Raises UsageError (2) for one without a bot in a bot's table that wants one.
        """
        if trade.request.bot_id is None and "bot_id" in self._context.never_null:
            raise UsageError(
                "The bot's table wants a bot_id in every row, and this order has none. Nothing was written or sent.",
                "Say whose it is with --bot-id N.",
            )
        sql, standing = self._sql, derive(trade)
        at = self._context.clock.now()
        trade = replace(trade, updated_at=trade.updated_at or at)
        written = (*facts(trade, sql.values), *derived(trade, standing, sql.values, None, self._context.never_null))
        added = replace(trade, trade_id=sql.insert(_INSERT, written))
        put_claims(sql, [(None, added)], at)
        kind = "intent" if trade.origin is Origin.PLACED else trade.origin.value
        self._context.tell([event_of(self._context, added, standing, kind, seen_at=trade.created_at, at=at)])
        return added

    def begin_attempt(self, trade: Trade, *, expected_attempts: int) -> bool:
        """Write attempts, attempt_at, not_after, submitted_at by compare-and-set.

        False when another process sent it meanwhile, or when something was seen, proven or settled of it.
        """
        trade_id = trade.trade_id
        assert trade_id is not None
        current = TradeReads(self._context).load([trade_id]).get(trade_id)
        if current is None or current.attempts != expected_attempts:
            return False
        burnt = current.verdict is not None and current.verdict.burns_id
        if burnt or current.orders or current.settled is not None:
            return False
        after = replace(
            current,
            attempts=trade.attempts,
            attempt_at=trade.attempt_at,
            not_after=trade.not_after,
            submitted_at=trade.submitted_at,
        )
        standing, at = derive(after), self._context.clock.now()
        TradeRows(self._context).write([Final(after, after, standing)])
        seen_at = after.submitted_at or at
        event = event_of(self._context, after, standing, "attempt", seen_at=seen_at, at=at)
        self._context.tell([event], quietly=True)
        return True

    def save(
        self, changes: Sequence[Change], *, committed_at: datetime, offset: ClockOffset | None = None
    ) -> list[TradeEvent]:
        """Write rows, registers and fills of what changed, and one event for each public change."""
        finals: dict[int, Final] = {}
        events: list[TradeEvent] = []
        for change in changes:
            trade_id = change.after.trade_id
            assert trade_id is not None
            latency = latency_of(change, committed_at, offset)
            known = finals.get(trade_id)
            trade = self._booked(change, committed_at, latency.seconds, None if known is None else known.trade)
            finals[trade_id] = Final(change.before if known is None else known.first, trade, change.now)
            if not change.public and not change.fills_added:
                continue
            event = change_event(self._context, change, trade, committed_at, latency)
            self._context.tell([event], quietly=not (change.public and is_news(event)))
            if change.public:
                events.append(event)
        ordered = [finals[trade_id] for trade_id in sorted(finals)]
        unstored = self._context.unstored
        put_claims(
            self._sql,
            ((None if f.trade.trade_id in unstored else f.first, f.trade) for f in ordered),
            committed_at,
        )
        TradeRows(self._context).write(ordered)
        unstored.difference_update(finals)
        Measures(self._context).take(changes, committed_at, offset)
        return events

    def confirm(self, confirmed: Mapping[int, datetime]) -> None:
        """Write confirmed_at of many trades in one batch; it only moves forward."""
        values = self._sql.values
        self._sql.many(
            "UPDATE trades SET confirmed_at = ? WHERE id = ? AND (confirmed_at IS NULL OR confirmed_at < ?)",
            [(values.time(at), trade_id, values.time(at)) for trade_id, at in sorted(confirmed.items())],
        )

    def rewrite(self, trade_ids: Sequence[int]) -> list[int]:
        """Write again what the join says of trades that another program overwrote; returns which."""
        trades = TradeReads(self._context).load(trade_ids)
        TradeRows(self._context).write([Final(t, t, derive(t)) for _, t in sorted(trades.items())])
        return sorted(trades)

    # ------------------------------------------------------------------ inside

    def _booked(self, change: Change, at: datetime, latency: Decimal | None, known: Trade | None) -> Trade:
        after = change.after
        if known is not None:  # an earlier change of this batch wrote the books already
            after = replace(
                after,
                updated_at=known.updated_at,
                source=known.source,
                sync_latency_seconds=known.sync_latency_seconds,
            )
        if not change.public:
            return after
        return replace(
            after,
            updated_at=at,
            source=change.source,
            sync_latency_seconds=after.sync_latency_seconds if latency is None else latency,
        )
