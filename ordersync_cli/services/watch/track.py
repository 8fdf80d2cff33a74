"""The watch loop: takes what feed, poll and other processes bring, commits it, and decides what to ask next."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ordersync_cli.errors import LeaseLost, OrdersyncError, StoreError
from ordersync_cli.services.alerts.alert import Alerts
from ordersync_cli.services.ports.messages import Inbox
from ordersync_cli.services.watch.boarding import board_of
from ordersync_cli.services.watch.effects import apply, judge_stream, replan
from ordersync_cli.services.watch.event_tail import EventTail
from ordersync_cli.services.watch.hearing import ask_for_all, hear
from ordersync_cli.services.watch.inbox import BATCH
from ordersync_cli.services.watch.refresh import AT_LEAST_EVERY, AT_MOST_EVERY, refresh
from ordersync_cli.services.watch.store_patience import StorePatience
from ordersync_cli.services.watch.turns import ask_what_is_due, over, until_due
from ordersync_cli.services.watch.upkeep import Upkeep
from ordersync_cli.services.watch.watch_state import WatchState

TICK = 0.001  # seconds: what is due has really come when the wait is over, and no mistake can make the loop spin
SHOW_EVERY = 0.25  # seconds between two pictures for the screen


class Tracker:
    """The loop. One `step` waits for messages at most until something is due, and does all of it.

    It owns its store session, starts no thread of its own (the crew does), and reads the clock
    it was given: so it runs in virtual time as well.
    """

    def __init__(self, state: WatchState, inbox: Inbox, alerts: Alerts) -> None:
        self.state = state
        self._inbox = inbox
        self._upkeep = Upkeep(state, alerts)
        self._tail = EventTail()
        self._shown = float("-inf")
        self._patience = StorePatience()
        self._heard_all = state.clock.monotonic()  # when nothing was left in the inbox
        self._role_is_new = False  # taken or lost, and not acted on to its end yet

    # ------------------------------------------------------------------ life

    def run(self) -> int:
        """Run until the plan is fulfilled or somebody stops it; returns the exit code.

        Raises the error that ends it otherwise: credentials refused (4), the store (9), a bug.
        """
        try:
            while True:
                code = self.step()
                if code is not None:
                    return code
        finally:
            self.close()

    def step(self) -> int | None:
        """Wait for messages or the next due time, and do what is due; the exit code when it is over."""
        taken = self._inbox.receive(self.wait())
        state = self.state
        began = state.clock.monotonic()
        if len(taken) < BATCH:
            self._heard_all = began
        for message in taken:
            hear(state, message)
        if state.bug is not None:
            raise state.bug
        try:
            if self._patience.wait(state.clock.monotonic()) <= 0.0:
                self._work()
                self._patience.served(state)
        except StoreError as problem:
            self._patience.refused(state, problem, began)
            self._upkeep.next_due = float("-inf")  # what could not be written is due again
        self._show()
        if state.failure is not None:
            raise state.failure
        return over(state)

    def close(self) -> None:
        """Stop the crew, write what is left, and give up the role; safe to call twice.

        With a store that was given up nothing more is tried: each try would wait for the lock once more.
        """
        state = self.state
        with_store = () if self._patience.over else (self._last_words, state.seat.leave, self._leave)
        _do_all((state.crew.stand_by, *with_store))

    # ------------------------------------------------------------------ one step

    def _work(self) -> None:
        state, mono = self.state, self.state.clock.monotonic()
        try:
            apply(state, state.intake.commit(mono))
            if state.intake.lost:
                state.intake.lost = False
                ask_for_all(state, "gap")
            self._refresh(mono)
            self._role_is_new = state.seat.turn(mono) or self._role_is_new
            if self._role_is_new:
                self._change_role()
            self._upkeep.turn(mono)
        except LeaseLost:
            state.seat.lost()
            self._change_role()
        if state.seat.driving:
            self._judge(state.clock.monotonic())
            ask_what_is_due(state, state.clock.monotonic())

    def _refresh(self, mono: float) -> None:
        last = self.state.refresh_from
        if (self.state.touched and mono >= last + AT_MOST_EVERY) or mono >= last + AT_LEAST_EVERY:
            refresh(self.state, self._tail)

    def _change_role(self) -> None:
        """Act on the role; where the store fails on the way, all of it is done again at the next step."""
        self._role_is_new = True
        state = self.state
        state.reset_health()
        state.agenda.forget()
        state.asks.clear()
        if state.seat.driving:
            state.touched = True
            state.resume()
            replan(state)
            state.crew.drive(self._inbox)
            ask_for_all(state, "reconnect")
        else:
            state.crew.stand_by()
        self._role_is_new = False
        self._upkeep.next_due = float("-inf")

    def _judge(self, mono: float) -> None:
        state = self.state
        # What came while the store held up the loop waits in the inbox: that is not the venue's silence.
        judge_stream(state, self._heard_all)
        changed = state.health.judge(state.clock.now(), self._heard_all)
        if changed is not None:
            state.say_feed(changed)
            self._upkeep.next_due = mono
        if state.health.wants_reconnect(mono):
            state.crew.reconnect()

    # ------------------------------------------------------------------ when

    def wait(self) -> float:
        """Tell how many seconds nothing will be due."""
        state, mono = self.state, self.state.clock.monotonic()
        if (left := self._patience.wait(mono)) > 0.0:
            return left
        own = [self._upkeep.next_due - mono]
        if state.audience.wants_board:
            own.append(self._shown + SHOW_EVERY - mono)
        return max(0.0, min(*own, until_due(state, mono))) + TICK

    # ------------------------------------------------------------------ the end

    def _last_words(self) -> None:
        apply(self.state, self.state.intake.commit(self.state.clock.monotonic(), everything=True))
        self._upkeep.turn(self.state.clock.monotonic(), last=True)

    def _leave(self) -> None:
        with self.state.store.write() as transaction:
            transaction.watchers.leave(self.state.me.watcher_id)

    def _show(self) -> None:
        state, mono = self.state, self.state.clock.monotonic()
        if state.audience.wants_board and mono - self._shown >= SHOW_EVERY:
            self._shown = mono
            state.audience.show(board_of(state))


def _do_all(chores: Iterable[Callable[[], None]]) -> None:
    """Do one after the other. A bug in one is raised when all are done: nobody waits for a lease held by nobody."""
    bugs: list[Exception] = []
    for chore in chores:
        try:
            chore()
        except OrdersyncError:
            continue  # the store is away: the lease and the row run out by themselves
        except Exception as bug:  # noqa: BLE001 - raised below
            bugs.append(bug)
    if bugs:
        raise bugs[0]
