"""Takes one message of the inbox into the state of the watch loop; commits nothing itself."""

from __future__ import annotations

from ordersync_cli.errors import BudgetExhausted, CredentialsRefused, OrdersyncError
from ordersync_cli.services.alerts.incidents import cause_of_failure
from ordersync_cli.services.alerts.situation import Cause
from ordersync_cli.services.ports.messages import (
    FeedChanged,
    FeedState,
    FrameSeen,
    HeartbeatSeen,
    LookDone,
    Message,
    MessageUnreadable,
    PassEnded,
    SequenceGap,
    SnapshotEnded,
    StopAsked,
    StoreTouched,
    ThreadDied,
)
from ordersync_cli.services.watch.board import PassLine
from ordersync_cli.services.watch.poll import Ask
from ordersync_cli.services.watch.watch_state import WatchState

FEED_AGAIN = (2.0, 5.0)  # seconds after REST took the key that the feed refused; a venue errs for a moment


def hear(state: WatchState, message: Message) -> None:
    """Take one message."""
    match message:
        case LookDone():
            _look(state, message)
        case StoreTouched():
            state.touched = True
        case PassEnded():
            _pass(state, message)
        case ThreadDied():
            state.bug = message.error
        case StopAsked():
            state.exit_code = message.exit_code
        case _:
            _hear_feed(state, message)


def _hear_feed(
    state: WatchState,
    message: FrameSeen | HeartbeatSeen | FeedChanged | SnapshotEnded | SequenceGap | MessageUnreadable,
) -> None:
    match message:
        case FrameSeen():
            _frame(state, message)
        case HeartbeatSeen():
            state.health.heartbeat(message.received_at, message.received_mono)
        case FeedChanged():
            _feed(state, message)
        case SnapshotEnded():
            follow_up(state)
        case SequenceGap():
            state.gaps += 1
            ask_for_all(state, "gap")
        case MessageUnreadable():
            _unreadable(state, message)


def ask_for_all(state: WatchState, purpose: str) -> None:
    """Have every pending order looked up by id, before anything else."""
    state.agenda.look_up((h.order_id for h in state.roster.pending() if h.order_id is not None), purpose)


def follow_up(state: WatchState) -> None:
    """Ask REST, once after each connect, for what the snapshot cannot tell.

    The snapshot lists open orders only (trap T21): what ended meanwhile is found by its id, what
    was created and ended meanwhile by listing from the last frame on.
    """
    if state.followed_up:
        return
    state.followed_up = True
    ask_for_all(state, "reconnect")
    state.agenda.listings.want_since(state.list_from())


def _frame(state: WatchState, message: FrameSeen) -> None:
    state.health.frame(message.received_at, message.received_mono)
    state.intake.add_frames(message.observations, message.received_mono)
    for seen in message.observations:
        state.completeness.stream_said(seen)
        state.roster.confirm(seen.order_id, message.received_mono, looked=False)
    if message.observations and not message.snapshot:
        # Not the frame's own time: those of its orders are held to its receipt (trap T46).
        state.last_frame_venue = max(o.as_of for o in message.observations)


def _feed(state: WatchState, message: FeedChanged) -> None:
    if message.state in {FeedState.CONNECTING, FeedState.DOWN}:
        state.followed_up = False
        state.completeness.forget_suspicions()
    state.health.heard(message, state.clock.monotonic())
    if message.state is FeedState.LIVE:
        follow_up(state)
    if message.fatal:  # does REST refuse the key too? Then there is nothing left to do here
        state.key_check = True


def _look(state: WatchState, message: LookDone) -> None:
    mono = state.clock.monotonic()
    ask = _take_ask(state, message)
    _reached(state, message.failure, mono, began=message.started_mono)
    if message.purpose == "key" and message.failure is None:
        state.health.key_is_good(mono, state.chance.uniform(*FEED_AGAIN))
    state.agenda.answered(ask, mono, missing=message.missing, failed=message.failure is not None)
    state.intake.add_looks((*message.orders, *message.fills), mono)
    for seen in message.orders:
        state.purposes[seen.order_id] = message.purpose
        trade_id = state.roster.confirm(seen.order_id, message.started_mono, looked=True)
        held = None if trade_id is None else state.roster.get(trade_id)
        if held is not None:
            state.schedules.looked(held, state.roster, state.clock.now(), mono, live=state.health.live)
    state.causes += [Cause(rule="unreadable_message", key="rest", message=q) for q in message.quarantined]


def _take_ask(state: WatchState, message: LookDone) -> Ask:
    for ask in state.asks:
        if ask.purpose == message.purpose and ask.order_ids == message.asked:
            state.asks.remove(ask)
            return ask
    return Ask(purpose=message.purpose, order_ids=message.asked)


def _reached(state: WatchState, failure: OrdersyncError | None, mono: float, *, began: float) -> None:
    """Keep the one incident that an outage is; on its end, ask for everything and connect at once."""
    now = state.clock.now()
    if failure is None:
        if state.reach.answered(now):
            ask_for_all(state, "reconnect")
            if state.plan.feed_wanted and not state.health.live:
                state.crew.reconnect()
        return
    told = cause_of_failure(failure)
    state.causes += [told] if told else []
    if isinstance(failure, CredentialsRefused):
        state.failure = failure
        return
    if isinstance(failure, BudgetExhausted):
        state.budget_refusals += 1
    state.reach.failed(failure, now, mono, began=began)


def _unreadable(state: WatchState, message: MessageUnreadable) -> None:
    state.causes.append(
        Cause(
            rule="unreadable_message",
            key=message.order_id or "feed",
            order_id=message.order_id,
            message=f"{message.where} could not be read ({message.text}); asking REST instead.",
        )
    )
    if message.order_id is not None:
        state.agenda.look_up([message.order_id], "gap")
    else:
        ask_for_all(state, "gap")


def _pass(state: WatchState, message: PassEnded) -> None:
    now = state.clock.now()
    state.touched = True
    if message.failure is not None:
        told = cause_of_failure(message.failure)
        state.causes += [told] if told else []
        if isinstance(message.failure, CredentialsRefused):
            state.failure = message.failure
        state.passes[message.mode] = PassLine(
            mode=message.mode, at=now, result="failed", message=message.failure.message
        )
        return
    document = message.document or {}
    state.passes[message.mode] = PassLine(mode=message.mode, at=now, result=str(document.get("result", "")))
    state.audience.say({"type": "reconcile", "at": now, **document})
