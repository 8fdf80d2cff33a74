"""The venue's clock, followed on this machine's monotonic one, with a bound on the error."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ordersync_cli.services.ports import ClockOffset
from ordersync_cli.venue.wire_orders import Stamp

if TYPE_CHECKING:
    from ordersync_cli.clock import Clock
    from ordersync_cli.venue.wire_account import Told

DRIFT = 1e-4  # seconds a second: what a cheap quartz may wander
DISAGREEMENT = 1.0  # seconds: two servers of one venue may differ by less without a clock having jumped
SUSPECT_JUMP = 2.0  # seconds: this machine slept, or somebody set its clock
LARGEST_ERROR = 1.0  # seconds: tokens are signed for 30 s, so a whole second must never be in doubt
DATE_SLACK = timedelta(seconds=1)
ERRORS_KEPT = 100  # more than is learned while one request is under way


class VenueClock:
    """What the venue's clock shows now.

    Each time the venue tells (GET /time, every Date header) bounds the difference between its
    clock and our monotonic one; the bounds are intersected. Our wall clock may be wrong, or
    jump (trap T41): it is used only until the venue was heard once.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._base = clock.now()
        self._base_mono = clock.monotonic()
        self._low: float | None = None
        self._high = 0.0
        self._noted_mono = self._base_mono
        self._noted_at = self._base
        self._errors: deque[tuple[float, float]] = deque(maxlen=ERRORS_KEPT)  # until when each was in force

    def now(self) -> datetime:
        """Tell the venue's clock; this machine's until the venue was heard."""
        return self.at(self._clock.monotonic())

    def at(self, mono: float) -> datetime:
        """Tell what the venue's clock showed at a reading of the monotonic clock."""
        with self._lock:
            low, high = self._low, self._high
        if low is None:
            return self._clock.now() - timedelta(seconds=self._clock.monotonic() - mono)
        return self._base + timedelta(seconds=mono - self._base_mono + (low + high) / 2)

    @property
    def doubtful(self) -> bool:
        """Tell whether the venue must be asked before anything is signed."""
        mono, wall = self._clock.monotonic(), self._clock.now()
        with self._lock:
            if self._low is None:
                return True
            passed, walked = mono - self._noted_mono, (wall - self._noted_at).total_seconds()
            return abs(passed - walked) > SUSPECT_JUMP or self._error(mono) > LARGEST_ERROR

    def offset(self) -> ClockOffset:
        """Tell the venue's clock minus this machine's, and how far off that may be."""
        wall, mono = self._clock.now(), self._clock.monotonic()
        seconds = (self.at(mono) - wall).total_seconds()
        with self._lock:
            error = self._error(mono) if self._low is not None else LARGEST_ERROR * 60
            return ClockOffset(seconds=seconds, error=error, measured_at=self._noted_at, mono=self._noted_mono)

    def _error(self, mono: float) -> float:
        low = self._high if self._low is None else self._low
        return (self._high - low) / 2 + DRIFT * max(0.0, mono - self._noted_mono)

    def note(self, told: Told, before: float, after: float) -> None:
        """Learn from a time the venue told between two readings of the monotonic clock."""
        low = (told.earliest - self._base).total_seconds() - (after - self._base_mono)
        high = (told.latest - self._base).total_seconds() - (before - self._base_mono)
        with self._lock:
            self._keep_error()
            self._merge(low, high, after)
            self._noted_mono = after
            self._noted_at = self._clock.now() - timedelta(seconds=self._clock.monotonic() - after)

    def _merge(self, low: float, high: float, mono: float) -> None:
        if self._low is None:
            self._low, self._high = low, high
            return
        drift = DRIFT * max(0.0, mono - self._noted_mono)
        known_low, known_high = self._low - drift, self._high + drift
        both_low, both_high = max(low, known_low), min(high, known_high)
        if both_low <= both_high:
            self._low, self._high = both_low, both_high
        elif both_low - both_high > DISAGREEMENT or high - low < known_high - known_low:
            self._low, self._high = low, high  # a clock jumped, or this word is the more exact one
        else:
            self._low, self._high = known_low, known_high

    def forget(self) -> None:
        """Doubt everything heard so far: the venue refused a token, maybe for its times."""
        with self._lock:
            self._keep_error()
            self._low = None

    def _keep_error(self) -> None:
        if self._low is not None:
            mono = self._clock.monotonic()
            self._errors.append((mono, self._error(mono)))

    def rest_stamp(self, started: datetime, told: Told | None, elapsed: float) -> Stamp:
        """Date an answer by the start of its request, held to the answer's Date header ±1 s.

        The Date is of the answer's end, so a slow answer may have begun that much earlier. Where
        the start was off by no more than the error it was estimated with, holding it is no alert.
        """
        if told is None:
            return Stamp(started)
        earliest = told.earliest - DATE_SLACK - timedelta(seconds=elapsed)
        stamp = bounded(started, earliest, told.earliest + DATE_SLACK)
        known = abs(stamp.as_of - started) <= timedelta(seconds=self._largest_error_of(elapsed))
        return replace(stamp, clamped=stamp.clamped and not known)

    def _largest_error_of(self, elapsed: float) -> float:
        """Bound the error of what was told so long ago: another thread may have learned since."""
        mono = self._clock.monotonic()
        with self._lock:
            errors = [error for at, error in self._errors if at >= mono - elapsed]
            if self._low is not None:
                errors.append(self._error(mono))
            return max(errors, default=0.0)


FRAME_SLACK = timedelta(seconds=5)


def frame_stamp(timestamp: datetime | None, received: datetime, waited: float = 0.0) -> Stamp:
    """Date a frame by its own timestamp, held to its receipt ±5 s on the venue's clock (trap T46).

    ``waited``: so many seconds it may have lain unread on this machine, while the store was slow.
    """
    if timestamp is None:
        return Stamp(received)
    earliest = received - FRAME_SLACK - timedelta(seconds=waited)
    return bounded(timestamp, earliest, received + FRAME_SLACK)


def bounded(moment: datetime, earliest: datetime, latest: datetime) -> Stamp:
    """Hold a moment to its bounds, saying so when that changed it."""
    held = min(max(moment, earliest), latest)
    return Stamp(held, clamped=held != moment)
