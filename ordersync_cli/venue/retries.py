"""Tries reads again, within bounds and with jitter; nothing that changes the venue comes here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from ordersync_cli.errors import BudgetExhausted, VenueUnavailable

if TYPE_CHECKING:
    from ordersync_cli.clock import Chance

T = TypeVar("T")


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

    def retried(self, attempt: Callable[[], T]) -> T:
        """Call until it answers, or give up with the last VenueUnavailable."""
        try:
            return attempt()
        except VenueUnavailable as failure:
            if self.retries.attempts <= 1 or self._wait_for(failure) is False:
                raise
            return self._again(attempt, failure)

    def _again(self, attempt: Callable[[], T], failure: VenueUnavailable) -> T:
        import stamina  # 25 ms that a run without trouble need not spend

        stamina.instrumentation.set_on_retry_hooks([])  # it would log to stderr
        first: VenueUnavailable | None = failure
        for turn in stamina.retry_context(
            on=self._wait_for,
            attempts=self.retries.attempts,
            timeout=self.retries.within,
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

    def _wait_for(self, failure: BaseException) -> bool | float:
        """Tell whether to try again, and after how long where the venue named it."""
        if not isinstance(failure, VenueUnavailable) or isinstance(failure, BudgetExhausted):
            return False
        if failure.retry_after is None:
            return True
        if failure.retry_after > self.retries.within:
            return False
        return failure.retry_after + self.chance.uniform(0.0, self.retries.first_wait)
