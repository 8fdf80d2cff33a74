"""The watch loop: takes what feed, poll and other processes bring, commits it, and decides what to ask next."""

from __future__ import annotations

from ordersync_cli.errors import LeaseLost, OrdersyncError, StoreError
from ordersync_cli.services.alert import Alerts
from ordersync_cli.services.boarding import board_of
from ordersync_cli.services.effects import apply, judge_stream, replan
from ordersync_cli.services.event_tail import EventTail
from ordersync_cli.services.hearing import ask_for_all, hear
from ordersync_cli.services.messages import Inbox
from ordersync_cli.services.poll import Ask
from ordersync_cli.services.refresh import AT_LEAST_EVERY, AT_MOST_EVERY, refresh
from ordersync_cli.services.upkeep import Upkeep
from ordersync_cli.services.watch_state import WatchState

QUESTIONS_AT_ONCE = 3
LONGEST_WAIT = 1.0  # seconds
TICK = 0.001  # seconds: what is due has really come when the wait is over, and no mistake can make the loop spin
SHOW_EVERY = 0.25  # seconds between two pictures for the screen
STORE_RETRY = 0.5  # seconds after the store refused a batch
STORE_PATIENCE = 60.0  # seconds of a store that takes nothing, then exit 9


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
        self._store_retry = float("-inf")
        self._store_failing: float | None = None

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
        for message in self._inbox.receive(self.wait()):
            hear(self.state, message)
        state = self.state
        if state.bug is not None:
            raise state.bug
        try:
            if state.clock.monotonic() >= self._store_retry:
                self._work()
                self._store_failing = None
        except StoreError as problem:
            self._store_refused(problem)
        self._show()
        if state.failure is not None:
            raise state.failure
        return self._over()

    def close(self) -> None:
        """Stop the crew, write what is left, and give up the role; safe to call twice."""
        state = self.state
        state.crew.stand_by()
        for chore in (self._last_words, state.seat.leave, self._leave):
            try:
                chore()
            except OrdersyncError:
                continue  # the store is away: the lease and the row run out by themselves

    # ------------------------------------------------------------------ one step

    def _work(self) -> None:
        state, mono = self.state, self.state.clock.monotonic()
        try:
            apply(state, state.intake.commit(mono))
            if state.intake.lost:
                state.intake.lost = False
                ask_for_all(state, "gap")
            self._refresh(mono)
            if state.seat.turn(mono):
                self._change_role()
            self._upkeep.turn(mono)
        except LeaseLost:
            state.seat.lost()
            self._change_role()
        if state.seat.driving:
            self._judge(state.clock.monotonic())
            self._ask(state.clock.monotonic())

    def _refresh(self, mono: float) -> None:
        last = self.state.refresh_from
        if (self.state.touched and mono >= last + AT_MOST_EVERY) or mono >= last + AT_LEAST_EVERY:
            refresh(self.state, self._tail)

    def _change_role(self) -> None:
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
        self._upkeep.next_due = float("-inf")

    def _judge(self, mono: float) -> None:
        state = self.state
        judge_stream(state, mono)
        changed = state.health.judge(state.clock.now(), mono)
        if changed is not None:
            state.say_feed(changed)
            self._upkeep.next_due = mono
        if state.health.wants_reconnect(mono):
            state.crew.reconnect()

    def _ask(self, mono: float) -> None:
        state = self.state
        at_once = QUESTIONS_AT_ONCE if state.reach.reachable else 1
        while state.agenda.in_flight < at_once and state.reach.wait(mono) <= 0.0:
            ask = self._key_question() or state.agenda.next_ask(state.venue_now(), mono, live=state.health.live)
            if ask is None and not state.reach.reachable:
                ask = Ask(purpose="key")  # nothing is pending: still find out when the venue is back
            if ask is None:
                return
            state.agenda.asked(ask, mono)
            state.asks.append(ask)
            state.crew.ask(ask)

    def _key_question(self) -> Ask | None:
        """Ask whether REST takes the key that the feed refused: if not, there is nothing left to do."""
        if not self.state.key_check:
            return None
        self.state.key_check = False
        return Ask(purpose="key")

    # ------------------------------------------------------------------ when

    def wait(self) -> float:
        """Tell how many seconds nothing will be due."""
        state, mono = self.state, self.state.clock.monotonic()
        if mono < self._store_retry:
            return self._store_retry - mono
        times = [LONGEST_WAIT, self._upkeep.next_due - mono, state.seat.wait(mono)]
        if state.touched:
            times.append(state.refresh_from + AT_MOST_EVERY - mono)
        if state.audience.wants_board:
            times.append(self._shown + SHOW_EVERY - mono)
        times += [due - mono for due in (state.completeness.next_deadline(), state.intake.next_due()) if due]
        if state.plan.run_for is not None:
            times.append(state.started_mono + state.plan.run_for - mono)
        if state.seat.driving and state.agenda.in_flight < (QUESTIONS_AT_ONCE if state.reach.reachable else 1):
            due = state.agenda.next_due(state.venue_now(), mono, live=state.health.live)
            due = due if state.reach.reachable else 0.0
            times.append(max(due, state.reach.wait(mono)))
        return max(0.0, min(times)) + TICK

    def _over(self) -> int | None:
        """Tell the exit code when the plan is fulfilled, its time is up, or somebody said stop."""
        state = self.state
        if state.exit_code is not None:
            return state.exit_code
        idle = state.refreshed and not state.shown() and not state.intake.waiting
        if state.plan.until_idle and idle:
            return 0
        run_for = state.plan.run_for
        if run_for is not None and state.clock.monotonic() >= state.started_mono + run_for:
            return 13 if state.plan.until_idle else 0
        return None

    # ------------------------------------------------------------------ trouble and end

    def _store_refused(self, problem: StoreError) -> None:
        """Keep what was taken and try again; frames wait in the inbox meanwhile."""
        mono = self.state.clock.monotonic()
        self.state.store_problem = problem.message
        if self._store_failing is None:
            self._store_failing = mono
        if mono - self._store_failing >= STORE_PATIENCE:
            raise problem
        self._store_retry = mono + STORE_RETRY
        self._upkeep.next_due = float("-inf")  # what could not be written is due again

    def _last_words(self) -> None:
        apply(self.state, self.state.intake.commit(self.state.clock.monotonic(), everything=True))
        self._upkeep.turn(self.state.clock.monotonic(), last=True)

    def _leave(self) -> None:
        with self.state.store.write() as transaction:
            transaction.watchers.leave(self.state.me.watcher_id)

    def _show(self) -> None:
        state, mono = self.state, self.state.clock.monotonic()
        if self._store_failing is None:
            state.store_problem = ""
        if state.audience.wants_board and mono - self._shown >= SHOW_EVERY:
            self._shown = mono
            state.audience.show(board_of(state))
