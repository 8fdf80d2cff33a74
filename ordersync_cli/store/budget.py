"""The request budget that every process on one store shares: a token bucket with lanes."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ordersync_cli.errors import BudgetExhausted
from ordersync_cli.services.ports import Lane

if TYPE_CHECKING:
    from ordersync_cli.clock import Clock

BURST = 10.0
PATIENCE: Mapping[Lane, float] = {  # seconds
    Lane.FIRST_LOOK: 10.0,
    Lane.PLACE: 10.0,
    Lane.SYNC: 30.0,
    Lane.POLL: 30.0,
    Lane.LIGHT: 60.0,
    Lane.PASS: 120.0,
    Lane.DEEP: 120.0,
}
# Who gives way gives way so many seconds, then counts as that lane: a busy bucket is never as full as it wants.
_GIVES_WAY: Mapping[Lane, tuple[float, Lane]] = {Lane.PASS: (5.0, Lane.POLL)}
_LONGEST_NAP = 1.0  # seconds; somebody's penalty may end or begin meanwhile
_SHORTEST_NAP = 0.001  # seconds; clocks count microseconds, a shorter wait may not move them
_ROUNDING = 1e-6


@dataclass(slots=True)
class Bucket:
    """What is in the bucket now; both numbers already brought up to date.

    ``penalty_seconds`` is counted down like the tokens are filled up, so that a wall clock which
    jumps cannot stretch it (trap T41).
    """

    tokens: float
    penalty_seconds: float

    def aged(self, seconds: float, rate: float) -> Bucket:
        """Let time pass; a clock that went backwards counts as standing still."""
        passed = max(0.0, seconds)
        return Bucket(
            tokens=min(BURST, self.tokens + passed * rate),
            penalty_seconds=max(0.0, self.penalty_seconds - passed),
        )


class BucketStore(Protocol):
    """Where the bucket lies."""

    def opened(self, rate: float) -> AbstractContextManager[Bucket]:
        """Lock the bucket, bring it up to date, and keep what was changed of it."""
        ...

    def close(self) -> None:
        """Close it."""
        ...


class SharedBudget:
    """Takes requests out of the shared bucket, each lane leaving its floor to the others."""

    def __init__(
        self,
        bucket: Callable[[], BucketStore],
        clock: Clock,
        rate: float,
        patience: Mapping[Lane, float] = PATIENCE,
    ) -> None:
        self._make = bucket
        self._made: BucketStore | None = None
        self._clock = clock
        self._rate = rate
        self._patience = patience
        self._line: Counter[Lane] = Counter()
        self._counting = threading.Lock()

    def take(self, lane: Lane, within: float | None = None) -> None:
        """Wait until this lane may ask. Raises BudgetExhausted (exit 6) after its patience, or ``within`` seconds."""
        patience = self._patience[lane]
        ends = self._clock.monotonic() + (patience if within is None else min(patience, within))
        if (short_of := self._try(lane)) > 0:
            with self._in_line(lane):
                self._wait(lane, short_of, ends)

    def waiting(self, lane: Lane) -> int:
        """Tell how many requests of this process wait for their turn in this lane just now."""
        return self._line[lane]

    @contextmanager
    def _in_line(self, lane: Lane) -> Iterator[None]:
        with self._counting:
            self._line[lane] += 1
        try:
            yield
        finally:
            with self._counting:
                self._line[lane] -= 1

    def _wait(self, lane: Lane, short_of: float, ends: float) -> None:
        gives_way, then = _GIVES_WAY.get(lane, (float("inf"), lane))
        until = self._clock.monotonic() + gives_way
        while short_of > 0:
            if self._clock.monotonic() + short_of > ends:
                raise BudgetExhausted(
                    f"The request budget ({self._rate:g} a second, shared by every process on this "
                    f"store) leaves nothing for {lane.name.lower()} in the next {short_of:.1f} s.",
                    "Run again later, or raise ORDERSYNC_REQUESTS_PER_SECOND.",
                    retry_after=short_of,
                )
            self._clock.sleep(max(_SHORTEST_NAP, min(short_of, _LONGEST_NAP)))
            short_of = self._try(lane if self._clock.monotonic() < until else then)

    def spend(self) -> None:
        """Count a request that waits for nobody (the POST of an order); the bucket may go below zero."""
        with self._opened() as bucket:
            bucket.tokens = max(-BURST, bucket.tokens - 1)

    def penalise(self, seconds: float) -> None:
        """Let nobody ask for that many seconds: the venue said 429."""
        with self._opened() as bucket:
            bucket.penalty_seconds = max(bucket.penalty_seconds, seconds)

    def left(self) -> float:
        """Tell how many requests are in the bucket."""
        with self._opened() as bucket:
            return bucket.tokens

    def close(self) -> None:
        """Close the bucket."""
        if self._made is not None:
            self._made.close()

    def _try(self, lane: Lane) -> float:
        """Take one; else tell how many seconds are missing."""
        with self._opened() as bucket:
            if bucket.penalty_seconds > 0:
                return bucket.penalty_seconds
            missing = lane.value + 1 - bucket.tokens
            if missing <= _ROUNDING:
                bucket.tokens -= 1
                return 0.0
            return missing / self._rate

    @contextmanager
    def _opened(self) -> Iterator[Bucket]:
        if self._made is None:
            self._made = self._make()
        with self._made.opened(self._rate) as bucket:
            yield bucket
