"""Draws the board from the state of the loop."""

from __future__ import annotations

from ordersync_cli.domain.statistics import spread
from ordersync_cli.services.watch.board import Board, Row, Targets
from ordersync_cli.services.watch.watch_state import WatchState
from ordersync_cli.services.watch.watching import Held, snapshot_age

SPREAD_EVERY = 2.0  # seconds between two sorts of today's latencies


def board_of(state: WatchState) -> Board:
    """Take a picture of everything that is shown."""
    mono, now = state.clock.monotonic(), state.clock.now()
    health, reach = state.health, state.reach
    offset = state.crew.offset
    driving = state.seat.driving
    every = state.agenda.pace.interval(live=health.live)
    return Board(
        at=now,
        mono=mono,
        driving=driving,
        driver="" if driving or state.driver is None else f"{state.driver.host} (process {state.driver.pid})",
        feed_wanted=state.plan.feed_wanted,
        feed_state=health.state,
        feed_since=health.since,
        feed_reason=health.reason,
        last_heartbeat_at=health.last_heartbeat_at,
        last_frame_at=health.last_frame_at,
        stream_misses=state.completeness.misses,
        flapping=health.flaps(mono),
        poll_every=every if every != float("inf") else None,
        unreachable_since=reach.unreachable_since,
        unreachable_reason=reach.reason,
        next_try_in=reach.wait(mono),
        store_problem=state.store_problem,
        clock_offset=None if offset is None else offset.seconds,
        clock_error=None if offset is None else offset.error,
        requests=state.crew.requests,
        pending=_rows(state, mono),
        completions=tuple(reversed(state.completions)),
        incidents=state.incidents,
        targets=_targets(state),
        passes=dict(state.passes),
        frozen=state.frozen,
        standing_by_since=None if driving else state.started_at,
    )


def _rows(state: WatchState, mono: float) -> tuple[Row, ...]:
    driving = state.seat.driving
    looks = state.agenda.next_looks(state.venue_now(), mono, live=state.health.live) if driving else {}
    return tuple(_row(state, held, mono, looks.get(held.trade_id)) for held in state.shown())


def _row(state: WatchState, held: Held, mono: float, next_look_in: float | None) -> Row:
    shown = state.roster.view(held)
    age = snapshot_age(held, mono)
    if not state.seat.driving and shown.confirmed_at is not None:
        age = max(0.0, (state.venue_now() - shown.confirmed_at).total_seconds())
    return Row(
        view=shown,
        age=(state.clock.now() - shown.created_at).total_seconds(),
        snapshot_age=age,
        next_look_in=next_look_in,
        stale_after=state.plan.stale_market if held.market else state.plan.stale_resting,
        asked_base=held.standing.base_size,
        asked_quote=held.trade.request.quote_size,
    )


def _targets(state: WatchState) -> Targets:
    mono = state.clock.monotonic()
    if state.latencies_spread is None or mono - state.latencies_spread[0] >= SPREAD_EVERY:
        state.latencies_spread = (mono, spread(tuple(state.latencies)))
    found = state.latencies_spread[1]
    now = state.clock.now()
    waiting = [(now - h.trade.created_at).total_seconds() for h in state.roster.pending() if h.market]
    return Targets(count=found.count, p50=found.p50, p99=found.p99, worst_market_pending=max(waiting, default=None))
