"""Makes the audit event of each change of a trade."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from ordersync_cli.domain.orders import Origin
from ordersync_cli.services.ports import TradeEvent
from ordersync_cli.store.trade_columns import read_status
from ordersync_cli.store.trade_rows import kept_word

if TYPE_CHECKING:
    from ordersync_cli.domain.trade import Change, Standing, Trade
    from ordersync_cli.services.ports import ClockOffset
    from ordersync_cli.store.context import Context

_SECOND = Decimal(1_000_000)
_MICROSECOND = timedelta(microseconds=1)
_SERVERS_DIFFER = timedelta(seconds=1)  # the one that sends frames from the one that tells the time


def event_of(
    context: Context,
    trade: Trade,
    standing: Standing,
    kind: str,
    *,
    seen_at: datetime,
    at: datetime,
    moved: Mapping[str, Any] | None = None,
) -> TradeEvent:
    """Tell where a trade stands, as the event of its first row, of an attempt, or of what ``moved`` it."""
    assert trade.trade_id is not None
    figures = standing.figures
    told = {
        "old_status": None,
        "status": standing.status.value,
        "source": trade.source.value,
        "venue_time": None,
        "latency_seconds": None,
        **(moved or {}),
    }
    return TradeEvent(
        event_id=context.chance.uuid(),
        trade_id=trade.trade_id,
        bot_id=trade.request.bot_id,
        order_id=standing.order_id,
        client_order_id=trade.request.client_order_id,
        kind=kind,
        order_status=standing.order_status.value,
        venue_status=standing.venue_status,
        filled_size=figures.filled_size if figures else None,
        average_filled_price=figures.average_filled_price if figures else None,
        filled_at=standing.filled_at,
        seen_at=seen_at,
        committed_at=at,
        **told,
    )


class Latency(NamedTuple):
    """How long a change took to be known: what may be published, or why nothing is."""

    seconds: Decimal | None = None
    doubt: str | None = None


def change_event(context: Context, change: Change, trade: Trade, at: datetime, latency: Latency) -> TradeEvent:
    """Tell what a change did, marked where the clocks contradict each other."""
    word, _ = context.own_words.get(trade.trade_id or 0, (None, None))
    bots_own = trade.trade_id in context.unstored and word is not None
    kept = kept_word(context, trade, change.now)
    moved = {
        "status": change.now.status.value if kept is None else read_status(kept[0]),
        "old_status": read_status(word) if bots_own else change.was.status.value,
        "source": change.source.value,
        "venue_time": change.venue_time,
        "latency_seconds": latency.seconds,
        "detail": latency.doubt,
    }
    return event_of(context, trade, change.now, _kind(change), seen_at=change.seen_at, at=at, moved=moved)


def latency_of(change: Change, committed_at: datetime, offset: ClockOffset | None = None) -> Latency:
    """Measure venue event to commit, once for each change of the figures; imported rows have none.

    The commit is taken on the venue's clock. A commit before its event is one at the same moment
    where the error of the offset, or two servers of the venue, explain it; else a clock jumped,
    and nothing was measured (trap T41).
    """
    if not change.figures_changed or change.venue_time is None or change.after.origin is Origin.IMPORTED:
        return Latency()
    between = on_venue_clock(committed_at, offset) - change.venue_time
    if -between > _SERVERS_DIFFER + timedelta(seconds=offset.error if offset is not None else 0):
        late = (-between).total_seconds()
        return Latency(doubt=f"clock_suspect: the venue's time is {late:g} s after the commit")
    microseconds = max(0, between // _MICROSECOND)
    return Latency(Decimal(microseconds) / _SECOND)


def on_venue_clock(at: datetime, offset: ClockOffset | None) -> datetime:
    """Turn a time of this machine into the venue's, where the two clocks are known to differ.

    An offset within its own error is none: a venue that tells its time by the second would move
    every figure by half a second, where both clocks are right.
    """
    if offset is None or abs(offset.seconds) <= offset.error:
        return at
    return at + timedelta(seconds=offset.seconds)


def _kind(change: Change) -> str:
    """Name what moved, the weightiest first."""
    before, after = change.before, change.after
    if before.settled != after.settled:
        return "settled"
    if (change.was.status, change.was.order_status) != (change.now.status, change.now.order_status):
        return "status"
    if (change.was.venue_status, change.was.order_id) != (change.now.venue_status, change.now.order_id):
        return "status"
    if change.figures_changed or change.was.filled_at != change.now.filled_at:
        return "figures"
    if change.fills_added or change.was.fills_verified != change.now.fills_verified:
        return "fills"
    return "cancel" if before.cancel != after.cancel else "times"
