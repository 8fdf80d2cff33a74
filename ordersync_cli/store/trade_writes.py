"""Writing trades: intents, attempts, and what the join has decided, with an event for each change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from ordersync_cli.domain.orders import Origin, Status
from ordersync_cli.domain.standing import derive
from ordersync_cli.domain.trade import Change, Standing, Trade
from ordersync_cli.services.ports import TradeEvent
from ordersync_cli.store.context import Context
from ordersync_cli.store.registers import put_claims
from ordersync_cli.store.trade_columns import DERIVED, FACTS, KEPT, derived, facts, read_status
from ordersync_cli.store.trade_reads import TradeReads

_INSERT = (
    f"INSERT INTO trades ({', '.join((*FACTS, *DERIVED, *KEPT))}) "
    f"VALUES ({', '.join('?' * (len(FACTS) + len(DERIVED) + len(KEPT)))})"
)
_UPDATE = (
    "UPDATE trades SET "
    + ", ".join(f"{name} = ?" for name in DERIVED)
    + ", "
    # a bot's own number stays where the join knows none; what we wrote is then that number
    + ", ".join(f"{name} = COALESCE(?, {name.removeprefix('written_')})" for name in KEPT)
    + " WHERE id = ?"
)
# product, side, creation and bot are the bot's own and stay as it wrote them
_ASKED = tuple(name for name in FACTS if name not in {"bot_id", "product_id", "side", "created_at"})
_TAKE_IN = f"UPDATE trades SET {', '.join(f'{name} = ?' for name in _ASKED)} WHERE id = ?"
_BOTS_OWN = {Origin.FOREIGN, Origin.IMPORTED}
_SECOND = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class _Final:
    """What one batch of changes made of one trade."""

    first: Trade
    trade: Trade
    standing: Standing

    def new_ids(self) -> bool:
        """Tell whether venue orders came that the trade did not name before."""
        before, after = ({o.order_id for o in t.orders} for t in (self.first, self.trade))
        return self.first is self.trade or before != after


class TradeWrites:
    """Writes trades inside one transaction."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._sql = context.sql

    def add(self, trade: Trade) -> Trade:
        """Insert a trade; AlreadyKnown where its client order id or order id has a row."""
        sql, standing = self._sql, derive(trade)
        at = self._context.clock.now()
        trade = replace(trade, updated_at=trade.updated_at or at)
        written = (*facts(trade, sql.values), *derived(trade, standing, sql.values))
        added = replace(trade, trade_id=sql.insert(_INSERT, written))
        put_claims(sql, [(None, added)], at)
        kind = "intent" if trade.origin is Origin.PLACED else trade.origin.value
        self._context.tell([self._event(added, standing, kind, seen_at=trade.created_at, at=at)])
        return added

    def begin_attempt(self, trade: Trade, *, expected_attempts: int) -> bool:
        """Write attempts, attempt_at, not_after, submitted_at by compare-and-set.

        False when another process sent it meanwhile, or when something was seen or proven of it.
        """
        trade_id = trade.trade_id
        assert trade_id is not None
        current = TradeReads(self._context).load([trade_id]).get(trade_id)
        if current is None or current.attempts != expected_attempts:
            return False
        burnt = current.verdict is not None and current.verdict.burns_id
        if burnt or current.orders:
            return False
        after = replace(
            current,
            attempts=trade.attempts,
            attempt_at=trade.attempt_at,
            not_after=trade.not_after,
            submitted_at=trade.submitted_at,
        )
        standing, at = derive(after), self._context.clock.now()
        self._write_rows([_Final(after, after, standing)])
        seen_at = after.submitted_at or at
        event = self._event(after, standing, "attempt", seen_at=seen_at, at=at)
        self._context.tell([event], quietly=True)
        return True

    def save(self, changes: Sequence[Change], *, committed_at: datetime) -> list[TradeEvent]:
        """Write rows, registers and fills of what changed, and one event for each public change."""
        finals: dict[int, _Final] = {}
        events: list[TradeEvent] = []
        quiet: list[TradeEvent] = []
        for change in changes:
            trade_id = change.after.trade_id
            assert trade_id is not None
            latency = _latency(change, committed_at)
            known = finals.get(trade_id)
            trade = self._booked(change, committed_at, latency, None if known is None else known.trade)
            finals[trade_id] = _Final(change.before if known is None else known.first, trade, change.now)
            if not change.public and not change.fills_added:
                continue
            event = self._event_of(change, trade, committed_at, latency)
            (events if change.public else quiet).append(event)
        ordered = [finals[trade_id] for trade_id in sorted(finals)]
        unstored = self._context.unstored
        put_claims(
            self._sql,
            ((None if f.trade.trade_id in unstored else f.first, f.trade) for f in ordered),
            committed_at,
        )
        self._write_rows(ordered)
        unstored.difference_update(finals)
        self._context.tell(events)
        self._context.tell(quiet, quietly=True)
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
        self._write_rows([_Final(t, t, derive(t)) for _, t in sorted(trades.items())])
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

    def _write_rows(self, finals: Sequence[_Final]) -> None:
        sql, values = self._sql, self._sql.values
        taken = self._taken(finals)
        rows = []
        taken_in = []
        for final in finals:
            trade, standing = final.trade, final.standing
            if trade.trade_id in taken:
                standing = replace(standing, order_id=None)
            own_word = self._own_word(trade, standing)
            rows.append((*derived(trade, standing, values, own_word), trade.trade_id))
            if trade.trade_id in self._context.unstored:
                asked = dict(zip(FACTS, facts(trade, values), strict=True))
                taken_in.append((*(asked[name] for name in _ASKED), trade.trade_id))
        sql.many(_UPDATE, rows)
        sql.many(_TAKE_IN, taken_in)

    def _taken(self, finals: Sequence[_Final]) -> set[int | None]:
        """Find trades whose order id is in another trade's row already.

        A reused client order id is answered with the old order's id (trap T13): until the order
        has been compared, two trades name it, and the row that had it first keeps it.
        """
        wanted: dict[str, int | None] = {}
        taken: set[int | None] = set()
        for final in finals:
            order_id, trade_id = final.standing.order_id, final.trade.trade_id
            if order_id is None or not final.new_ids():
                continue
            if wanted.setdefault(order_id, trade_id) != trade_id:
                taken.add(trade_id)
        if wanted:
            text = f"SELECT order_id, id FROM trades WHERE {self._sql.among('order_id')}"
            rows = self._sql.rows(text, (self._sql.values.several(sorted(wanted)),))
            taken.update(wanted[order_id] for order_id, owner in rows if owner != wanted[order_id])
        return taken

    def _own_word(self, trade: Trade, standing: Standing) -> tuple[str, Any] | None:
        """Leave a bot's own `completed` or `failed` alone until the venue has said a word."""
        if trade.origin not in _BOTS_OWN or standing.status is not Status.PENDING:
            return None
        if trade.settled is not None or any(order.raw is not None for order in trade.orders):
            return None
        word, filled_at = self._context.own_words.get(trade.trade_id or 0, (None, None))
        return (word or "", filled_at) if read_status(word) != Status.PENDING else None

    def _event_of(self, change: Change, trade: Trade, at: datetime, latency: Decimal | None) -> TradeEvent:
        word, _ = self._context.own_words.get(trade.trade_id or 0, (None, None))
        bots_own = trade.trade_id in self._context.unstored and word is not None
        event = self._event(trade, change.now, _kind(change), seen_at=change.seen_at, at=at)
        suspect = latency is not None and latency < 0
        return replace(
            event,
            old_status=read_status(word) if bots_own else change.was.status.value,
            source=change.source.value,
            venue_time=change.venue_time,
            latency_seconds=latency,
            detail="clock_suspect: the venue's time is after the commit" if suspect else None,
        )

    def _event(self, trade: Trade, standing: Standing, kind: str, *, seen_at: datetime, at: datetime) -> TradeEvent:
        assert trade.trade_id is not None
        figures = standing.figures
        return TradeEvent(
            event_id=self._context.chance.uuid(),
            trade_id=trade.trade_id,
            bot_id=trade.request.bot_id,
            order_id=standing.order_id,
            client_order_id=trade.request.client_order_id,
            kind=kind,
            old_status=None,
            status=standing.status.value,
            order_status=standing.order_status.value,
            venue_status=standing.venue_status,
            filled_size=figures.filled_size if figures else None,
            average_filled_price=figures.average_filled_price if figures else None,
            filled_at=standing.filled_at,
            source=trade.source.value,
            venue_time=None,
            seen_at=seen_at,
            committed_at=at,
            latency_seconds=None,
        )


def _latency(change: Change, committed_at: datetime) -> Decimal | None:
    """Measure venue event to commit, once for each change of the figures; imported rows have none."""
    if not change.figures_changed or change.venue_time is None:
        return None
    if change.after.origin is Origin.IMPORTED:
        return None
    between = committed_at - change.venue_time
    microseconds = (between.days * 86_400 + between.seconds) * 1_000_000 + between.microseconds
    return Decimal(microseconds) / _SECOND


def _kind(change: Change) -> str:
    """Name what moved, the weightiest first."""
    before, after = change.before, change.after
    if before.settled != after.settled:
        return "settled"
    if (change.was.status, change.was.order_status) != (change.now.status, change.now.order_status):
        return "status"
    if change.figures_changed:
        return "figures"
    if change.fills_added or change.was.fills_verified != change.now.fills_verified:
        return "fills"
    return "cancel" if before.cancel != after.cancel else "status"
