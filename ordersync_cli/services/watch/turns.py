"""What the watch loop asks at its turn, when the next turn is, and when it is over."""

from __future__ import annotations

from ordersync_cli.services.ports import Lane
from ordersync_cli.services.watch.poll import Ask
from ordersync_cli.services.watch.refresh import AT_MOST_EVERY
from ordersync_cli.services.watch.watch_state import WatchState

QUESTIONS_AT_ONCE = 3
LONGEST_WAIT = 1.0  # seconds


def may_ask(state: WatchState) -> bool:
    """Tell whether another question may be under way: in an outage, one at a time.

    While one waits for the request budget the next is not chosen yet: which orders have waited
    longest is known best when their turn has come.
    """
    if state.store.budget.waiting(Lane.POLL):
        return False
    return state.agenda.in_flight < (QUESTIONS_AT_ONCE if state.reach.reachable else 1)


def ask_what_is_due(state: WatchState, mono: float) -> None:
    """Hand the poll threads every question that is due, as far as they and the venue may be asked."""
    while may_ask(state) and state.reach.wait(mono) <= 0.0:
        ask = _key_question(state) or state.agenda.next_ask(state.venue_now(), mono, live=state.health.live)
        if ask is None and not state.reach.reachable:
            ask = Ask(purpose="key")  # nothing is pending: still find out when the venue is back
        if ask is None:
            return
        state.agenda.asked(ask, mono, live=state.health.live)
        state.asks.append(ask)
        state.crew.ask(ask)


def _key_question(state: WatchState) -> Ask | None:
    """Ask whether REST takes the key that the feed refused: if not, there is nothing left to do."""
    if not state.key_check:
        return None
    state.key_check = False
    return Ask(purpose="key")


def until_due(state: WatchState, mono: float) -> float:
    """Tell in how many seconds something of the state is due (not positive when something is)."""
    times = [LONGEST_WAIT, state.seat.wait(mono)]
    if state.touched:
        times.append(state.refresh_from + AT_MOST_EVERY - mono)
    deadlines = (state.completeness.next_deadline(), state.intake.next_due())
    times += [deadline - mono for deadline in deadlines if deadline is not None]
    if state.plan.run_for is not None:
        times.append(state.started_mono + state.plan.run_for - mono)
    if state.seat.driving and may_ask(state):
        due = state.agenda.next_due(state.venue_now(), mono, live=state.health.live) if state.reach.reachable else 0.0
        times.append(max(due, state.reach.wait(mono)))
    return min(times)


def over(state: WatchState) -> int | None:
    """Tell the exit code when the plan is fulfilled, its time is up, or somebody said stop."""
    if state.exit_code is not None:
        return state.exit_code
    idle = state.refreshed and not state.shown() and not state.intake.waiting
    if state.plan.until_idle and idle:
        return 0
    run_for = state.plan.run_for
    if run_for is not None and state.clock.monotonic() >= state.started_mono + run_for:
        return 13 if state.plan.until_idle else 0
    return None
