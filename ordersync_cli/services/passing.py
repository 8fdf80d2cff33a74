"""The thread that runs the light and deep passes beside the loop, so that they never hold up a frame."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ordersync_cli.clock import Clock
from ordersync_cli.errors import LeaseHeld, OrdersyncError
from ordersync_cli.services.messages import Inbox, PassEnded, ThreadDied

OUTAGE_AGAIN = 15.0  # seconds until a pass that the venue did not answer is tried again, at most


@dataclass(slots=True)
class _Turn:
    mode: str
    every: float
    run: Callable[[], Mapping[str, Any]]
    due: float = field(default=0.0)


class PassThread:
    """Runs each pass at its interval (seconds, 0 = not from here) and reports its end to the inbox.

    A pass that cron is running just now is skipped: its lease says so.
    """

    def __init__(
        self,
        clock: Clock,
        passes: Mapping[str, tuple[float, Callable[[], Mapping[str, Any]]]],
    ) -> None:
        self._clock = clock
        self._turns = [_Turn(mode, every, run) for mode, (every, run) in passes.items() if every > 0]
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, inbox: Inbox) -> None:
        """Begin: the first light pass at once (recovery is part of the start), the deep one soon after."""
        if not self._turns:
            return
        self._ending = threading.Event()
        now = self._clock.monotonic()
        for number, turn in enumerate(self._turns):
            turn.due = now + min(0.5 + 4.5 * number, turn.every)
        self._thread = threading.Thread(
            target=self._work, args=(inbox, self._ending), name="passes", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """End after the pass that is running; waits a moment for it."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join(timeout=2.0)
            self._thread = None

    def _work(self, inbox: Inbox, ending: threading.Event) -> None:
        try:
            while True:
                turn = min(self._turns, key=lambda t: t.due)
                if ending.wait(max(0.0, turn.due - self._clock.monotonic())):
                    return
                self.run_one(turn, inbox)
        except Exception as bug:  # noqa: BLE001 (a silently dead thread is the fault this project replaces)
            inbox.put(ThreadDied(name="passes", error=bug))

    def run_one(self, turn: _Turn, inbox: Inbox) -> None:
        """Run one pass and set when it is due next."""
        started = self._clock.monotonic()
        try:
            document = turn.run()
        except LeaseHeld:
            turn.due = started + turn.every
            return
        except OrdersyncError as failure:
            inbox.put(PassEnded(mode=turn.mode, document=None, failure=failure))
            turn.due = self._clock.monotonic() + min(turn.every, OUTAGE_AGAIN)
            return
        inbox.put(PassEnded(mode=turn.mode, document=document))
        turn.due = max(started + turn.every, self._clock.monotonic())
