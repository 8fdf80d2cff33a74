"""Tries reads again, within bounds and with jitter; nothing that changes the venue comes here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from ordersync_cli.errors import BudgetExhausted, VenueUnavailable

if TYPE_CHECKING:
    from ordersync_cli.clock import Chance, Clock

T = TypeVar("T")

Left = Callable[[], float | None]  # the seconds that a look-up still has; None: as many as its time-outs allow


def unbounded() -> None:
    """Leave a look-up to its own time-outs."""
    return


def counted_down(clock: Clock, within: float | None) -> Left:
    """Count down from ``within`` seconds, below zero too; None bounds nothing."""
    if within is None:
        return unbounded
    ends = clock.monotonic() + within
    return lambda: ends - clock.monotonic()


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """How often and how long a read is tried; waits in seconds, with jitter."""

    attempts: int = 3
    within: float = 8.0
    first_wait: float = 0.1
    longest_wait: float = 2.0


@dataclass(frozen=True, slots=True)
class Retrier:
    """Repeats what raised VenueUnavailable, unless the budget did, honouring the venue's own wish to wait."""

    retries: Retries
    chance: Chance

    def retried(self, attempt: Callable[[], T], left: Left = unbounded) -> T:
        """Call until it answers, or give up with the last VenueUnavailable; nothing begins once nothing is left."""
        try:
            return attempt()
        except VenueUnavailable as failure:
            if self.retries.attempts <= 1 or self._wait_for(failure, left) is False:
                raise
            return self._again(attempt, failure, left)

    def _again(self, attempt: Callable[[], T], failure: VenueUnavailable, left: Left) -> T:
        import stamina  # 25 ms that a run without trouble need not spend

        stamina.instrumentation.set_on_retry_hooks([])  # it would log to stderr
        first: VenueUnavailable | None = failure
        for turn in stamina.retry_context(
            on=lambda problem: self._wait_for(problem, left),
            attempts=self.retries.attempts,
            timeout=self._within(left),
            wait_initial=self.retries.first_wait,
            wait_max=self.retries.longest_wait,
            wait_jitter=self.retries.first_wait,
        ):
            with turn:
                if first is not None:
                    known, first = first, None
                    raise known
                return attempt()
        raise AssertionError("stamina ends by returning or raising")

    def _wait_for(self, failure: BaseException, left: Left) -> bool | float:
        """Tell whether to try again, and after how long where the venue named it."""
        if not isinstance(failure, VenueUnavailable) or isinstance(failure, BudgetExhausted):
            return False
        within = self._within(left)
        if failure.retry_after is None:
            return within > 0
        if failure.retry_after > within:
            return False
        return failure.retry_after + self.chance.uniform(0.0, self.retries.first_wait)

    def _within(self, left: Left) -> float:
        seconds = left()
        return self.retries.within if seconds is None else min(self.retries.within, seconds)
