"""Keeps a pass's lease beating while its loop moves, and ends the pass when its time is over."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from ordersync_cli.clock import Clock
from ordersync_cli.errors import LeaseLost, OrdersyncError, StoreError
from ordersync_cli.services.ports import Lease, Leases

BEAT_EVERY = 1.0  # seconds; a candidate takes over after 4 s of standstill
STEP_AT_MOST = 90.0  # seconds in one step after which the loop no longer counts as working


class PassStopped(OrdersyncError):
    """Somebody asked the pass to stop; what was committed stays, the rest is for the next run."""

    exit_code = 143
    kind = "stopped"


class TimeIsOver(OrdersyncError):
    """The pass reached --max-runtime; what was committed stays, the rest is for the next run."""

    exit_code = 6
    kind = "max_runtime"


class Overrun(BaseException):
    """The hard limit struck in the middle of a step; no `except Exception` on the way may take it for less."""


def time_is_over() -> TimeIsOver:
    """Make the error of a pass that reached its limit."""
    return TimeIsOver(
        "The pass reached its --max-runtime; what it committed stays.", "The next run goes on from there."
    )


def never() -> bool:
    """Tell that nobody asked to stop."""
    return False


def nothing() -> None:
    """Find nothing to stop for."""
    return


@dataclass(slots=True)
class Pulse:
    """The working loop calls ``step`` between any two steps; that is what bumps the beat.

    A look-up may wait longer than the 4 s after which others take over, for the budget or for
    the venue. So a thread can bump beside the loop (``with pulse.beating():``), but only while
    the loop has stepped lately: a loop that hangs loses its lease.
    """

    leases: Leases
    lease: Lease | None
    clock: Clock
    stopping: Callable[[], bool] = never
    deadline: float | None = None  # monotonic
    go_on: Callable[[], None] = nothing  # raises what a signal raised and Python dropped
    _beaten: float = field(default=float("-inf"), init=False)
    _stepped: float = field(init=False)
    _lost: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self._stepped = self.clock.monotonic()

    def step(self) -> None:
        """Beat, if a second has passed. Raises LeaseLost, PassStopped, TimeIsOver, or what ``go_on`` does."""
        self.go_on()
        self._stepped = self.clock.monotonic()
        if self.stopping():
            raise PassStopped("The pass was asked to stop.", "What it committed stays; run it again.")
        if self.deadline is not None and self._stepped >= self.deadline:
            raise time_is_over()
        self._beat()
        if self._lost:
            raise LeaseLost(
                "Another run took the lease over; this one stopped.", "Nothing to do: the other run goes on."
            )

    def _beat(self) -> None:
        if self.lease is None or self.clock.monotonic() - self._beaten < BEAT_EVERY:
            return
        self._beaten = self.clock.monotonic()
        if not self.leases.beat(self.lease):
            self._lost = True

    def beating(self) -> Beating:
        """Beat from a thread while the block runs (real time only)."""
        return Beating(self)

    def beat_beside(self) -> None:
        """Beat for a loop that has stepped lately and is busy just now."""
        if self.clock.monotonic() - self._stepped < STEP_AT_MOST:
            with suppress(StoreError):  # the next beat, or the fence, will tell
                self._beat()


@dataclass(slots=True)
class Beating:
    """A thread that bumps the beat of a pulse once a second."""

    pulse: Pulse
    _ending: threading.Event = field(default_factory=threading.Event, init=False)
    _thread: threading.Thread | None = field(default=None, init=False)

    def __enter__(self) -> None:
        self._thread = threading.Thread(target=self._work, name="pulse", daemon=True)
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        if self._thread is not None:
            self._thread.join(timeout=5.0)

    def _work(self) -> None:
        while not self._ending.wait(BEAT_EVERY / 2):
            self.pulse.beat_beside()
