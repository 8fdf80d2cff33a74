"""Whether the venue answers REST, since when it does not, and when to try again."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from ordersync_cli.clock import Chance
from ordersync_cli.errors import BudgetExhausted, OrdersyncError, VenueUnavailable

FIRST_PAUSE = 0.5  # seconds
# One look-up each 1.5 s costs the venue nothing and finds it again within 2 s of its return;
# after a minute, and again after ten, a longer pause is the polite one.
PAUSES = ((60.0, 1.5), (600.0, 5.0), (float("inf"), 30.0))


@dataclass(slots=True)
class Reach:
    """One outage is one incident: it has a beginning, a reason and an end, and no order changes in it."""

    chance: Chance
    unreachable_since: datetime | None = field(default=None, init=False)
    reason: str = field(default="", init=False)
    last_answer_at: datetime | None = field(default=None, init=False)
    budget_short_at: float | None = field(default=None, init=False)
    _since: float = field(default=0.0, init=False)
    _tries: int = field(default=0, init=False)
    _tried: float = field(default=float("-inf"), init=False)
    _not_before: float = field(default=float("-inf"), init=False)

    @property
    def reachable(self) -> bool:
        """Tell whether the last look-up was answered."""
        return self.unreachable_since is None

    def answered(self, now: datetime) -> bool:
        """Note an answer; True when it ended an outage."""
        ended = self.unreachable_since is not None
        self.unreachable_since = None
        self.reason = ""
        self.last_answer_at = now
        self._tries = 0
        self._not_before = float("-inf")
        return ended

    def failed(self, failure: OrdersyncError, now: datetime, mono: float, *, began: float) -> bool:
        """Note a look-up, begun at ``began``, that could not be made; True when an outage begins with it.

        Several look-ups that were under way together fail together: they count as one try.
        """
        if isinstance(failure, BudgetExhausted):
            self.budget_short_at = mono
            self._not_before = mono + FIRST_PAUSE
            return False
        begins = self.unreachable_since is None
        if begins:
            self.unreachable_since = now
            self._since = mono
        self.reason = failure.message
        if began < self._tried and not begins:
            return False
        self._tried = mono
        self._not_before = mono + self._pause(failure, mono - self._since)
        self._tries += 1
        return begins

    def _pause(self, failure: OrdersyncError, lasted: float) -> float:
        cap = next(pause for until, pause in PAUSES if lasted < until)
        pause = min(cap, FIRST_PAUSE * 2.0 ** min(self._tries, 10)) * self.chance.uniform(0.8, 1.0)
        wish = failure.retry_after if isinstance(failure, VenueUnavailable) else None
        return max(pause, wish or 0.0)

    def wait(self, mono: float) -> float:
        """Tell how many seconds to leave the venue alone, 0 when it may be asked now."""
        return max(0.0, self._not_before - mono)
