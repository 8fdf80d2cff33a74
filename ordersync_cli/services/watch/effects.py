"""What follows from a committed batch: who is held, what is fetched next, what the stream missed."""

from __future__ import annotations

from ordersync_cli.domain.orders import ZERO
from ordersync_cli.domain.standing import derive
from ordersync_cli.domain.trade import Change, Standing, Trade
from ordersync_cli.services.ports import TradeEvent
from ordersync_cli.services.watch.completeness import Told
from ordersync_cli.services.watch.intake import Committed
from ordersync_cli.services.watch.watch_state import WatchState

# What REST knew of the time before this connection stood is no miss of its stream.
BEFORE_THE_CONNECTION = frozenset({"reconnect"})


def apply(state: WatchState, committed: Committed) -> None:
    """Follow up a committed batch."""
    mono = state.clock.monotonic()
    for change in committed.changes:
        hold(state, change.after, mono)
    if state.health.live:
        for change in committed.by_looks:
            _compare(state, change, mono)
    state.purposes.clear()
    if committed.events:
        state.own_events.update(event.event_id for event in committed.events)
        state.touched = True
        state.audience.committed()


def hold(state: WatchState, trade: Trade, mono: float) -> None:
    """Hold a trade as it now is, with its place in the schedule and its fills on the agenda."""
    assert trade.trade_id is not None
    is_new = trade.trade_id not in state.roster
    held = state.roster.put(trade, mono)
    if held is None:
        order_id = derive(trade).order_id
        if order_id is not None:
            state.agenda.reminders.fills_settled(order_id)
        return
    if held.standing.fills_due and held.order_id is not None:
        state.agenda.reminders.want_fills(held.order_id, mono)
    if is_new and held.pending:
        state.schedules.begin(held, state.roster, state.clock.now(), mono, live=state.health.live)


def replan(state: WatchState) -> None:
    """Place every pending trade in its schedule anew, as a watcher does that takes over."""
    mono = state.clock.monotonic()
    for held in state.roster.pending():
        state.schedules.begin(held, state.roster, state.clock.now(), mono, live=state.health.live)


def _compare(state: WatchState, change: Change, mono: float) -> None:
    """Hold a change that a look-up brought against what the stream said of that order."""
    order_id = change.now.order_id
    if order_id is None or state.purposes.get(order_id) in BEFORE_THE_CONNECTION:
        return
    was, now = told(change.was), told(change.now)
    if was.covers(now):
        return
    since = state.health.live_since
    if now.filled_size > was.filled_size and since and change.venue_time and change.venue_time < since:
        return
    state.completeness.rest_knew(order_id, now, mono)


def compare_with_others(state: WatchState, event: TradeEvent, mono: float) -> None:
    """Hold what another process learned by REST against what the stream said.

    Only fills count here: a cancel has no time of the venue that would tell it from one
    before this connection.
    """
    since = state.health.live_since
    if not state.health.live or event.order_id is None or since is None or event.venue_time is None:
        return
    if event.source in {"place", "reconcile", "sync"} and event.filled_size and event.venue_time > since:
        ended = event.order_status in {"filled", "cancelled", "expired", "failed"}
        state.completeness.rest_knew(event.order_id, Told(ended, event.filled_size), mono)


def told(standing: Standing) -> Told:
    """Tell how far an order has come by what is stored of it."""
    return Told(standing.terminal, standing.figures.filled_size if standing.figures else ZERO)


def judge_stream(state: WatchState, mono: float) -> None:
    """Count the news that the stream should have brought by now."""
    missed = state.completeness.missed(mono)
    if missed and state.health.live:
        first = missed[0]
        more = f" and {len(missed) - 1} more" if len(missed) > 1 else ""
        state.health.missed(f"REST knew of order {first}{more} what the stream never said", mono)
