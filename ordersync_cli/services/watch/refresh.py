"""Reads from the store what other processes did: new trades, changed ones, events."""

from __future__ import annotations

from decimal import Decimal

from ordersync_cli.domain.orders import Status
from ordersync_cli.domain.trade import Trade
from ordersync_cli.domain.view import TradeView
from ordersync_cli.services.freeze import frozen_because
from ordersync_cli.services.ports import TradeEvent, TradeFilter, Transaction
from ordersync_cli.services.watch.board import Completion
from ordersync_cli.services.watch.effects import compare_with_others, hold
from ordersync_cli.services.watch.event_tail import EventTail
from ordersync_cli.services.watch.watch_state import WatchState

AT_MOST_EVERY = 0.05  # seconds; many commits of others are one look at the store
AT_LEAST_EVERY = 1.0
UNVERIFIED_AT_MOST = 500
LATENCIES_AT_START = 2_000
COMPLETIONS_AT_START = 10


def refresh(state: WatchState, tail: EventTail) -> None:
    """Bring the roster in line with the store; raises StoreError."""
    mono = state.clock.monotonic()
    with tail.back_on_failure(), state.store.read() as transaction:
        first = not state.refreshed
        events = tail.read(transaction, mono)
        pending = transaction.trades.pending_ids()
        wanted = set(pending)
        if first:
            wanted.update(transaction.trades.unverified_ids(UNVERIFIED_AT_MOST))
            _start(state, transaction)
        changed = {e.trade_id for e in events if e.event_id not in state.own_events}
        ended = [e.trade_id for e in events if _completes(e)]
        load = set(ended) | {k for k in wanted if k not in state.roster} | (changed & (wanted | _held_ids(state)))
        trades = transaction.trades.load(sorted(load), lock=False) if load else {}
        views = transaction.trades.views(TradeFilter(trade_ids=ended)) if ended else []
        state.frozen = frozen_because(transaction) is not None
    _settle(state, trades, wanted, mono)
    for trade_id in ended:
        if state.seat.driving and trade_id in trades:
            state.schedules.learn(trades[trade_id])
    by_id = {view.trade_id: view for view in views}
    for event in events:
        _event(state, event, by_id.get(event.trade_id), mono)
    state.refreshed, state.touched, state.refresh_from = True, False, mono
    if events:
        state.audience.committed()


def _held_ids(state: WatchState) -> set[int]:
    return {h.trade_id for h in state.roster}


def _settle(state: WatchState, trades: dict[int, Trade], wanted: set[int], mono: float) -> None:
    for trade in trades.values():
        hold(state, trade, mono)
    for held in state.roster:
        if held.pending and held.trade_id not in wanted:
            state.roster.drop(held.trade_id)  # settled or gone by another hand since it was loaded


def _start(state: WatchState, transaction: Transaction) -> None:
    """Load today's latencies for the line of targets, and what was completed last."""
    now = state.clock.now()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    state.latencies_day = midnight.date().isoformat()
    views = transaction.trades.views(TradeFilter(since=midnight, limit=LATENCIES_AT_START))
    state.latencies.extend(v.sync_latency_seconds for v in views if v.sync_latency_seconds is not None)
    ended = [v for v in views if v.status != Status.PENDING][:COMPLETIONS_AT_START]
    told = ((e, v) for v in ended for e in transaction.trades.events(v.trade_id) if _completes(e))
    state.completions.extend(_completion(e, v) for e, v in sorted(told, key=lambda pair: pair[0].committed_at))


def _completes(event: TradeEvent) -> bool:
    return event.old_status == "pending" and event.status != "pending"


def _event(state: WatchState, event: TradeEvent, view: TradeView | None, mono: float) -> None:
    ours = event.event_id in state.own_events
    state.own_events.discard(event.event_id)
    if not ours:
        compare_with_others(state, event, mono)
    _latency(state, event.latency_seconds, event.committed_at.date().isoformat())
    if _completes(event):
        state.completions.append(_completion(event, view))


def _latency(state: WatchState, latency: Decimal | None, day: str) -> None:
    if latency is None:
        return
    if day != state.latencies_day:
        state.latencies.clear()
        state.latencies_day = day
    state.latencies.append(latency)


def _completion(event: TradeEvent, view: TradeView | None) -> Completion:
    return Completion(
        at=event.committed_at,
        trade_id=event.trade_id,
        product_id=view.product_id if view else "",
        side=view.side if view else "",
        status=event.status,
        order_status=event.order_status,
        filled_size=event.filled_size,
        average_filled_price=event.average_filled_price,
        latency_seconds=event.latency_seconds or (view.sync_latency_seconds if view else None),
        source=event.source,
    )
