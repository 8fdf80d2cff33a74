"""How often the orders are asked for: turn by turn, each turn one request of at most a hundred ids."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil

from ordersync_cli.services.reconcile.looks import BATCH
from ordersync_cli.services.watch.watching import Roster

# Decision record 0103: with the feed not live, n open orders are asked for so that no snapshot is
# older than max(1 s, ceil(n / 100) / 1.5 s) plus a round trip. A little faster than that, so that
# the wait for the next turn of the loop does not spoil the bound, nor a `place` beside many orders:
# it makes a turn late, and its order takes the room of another in each request.
REQUESTS_PER_SECOND = 1.5
MARGIN = 0.92
MARGIN_OF_MANY = 0.85
AUDIT_EVERY = 2.0  # seconds; with the grace of half a second a dead user channel is found within 3 s
AUDIT_MANY_EVERY = 1.0  # the same where one request does not hold every order
SOONEST = 0.25  # seconds between two look-ups of orders, whatever is due
MADE_UP = 2.0  # seconds of lateness that the next turns make up for, at most
NEVER = float("inf")


@dataclass(slots=True)
class Pace:
    """Tells when the next turn is; times in monotonic seconds, by whether the feed is live."""

    roster: Roster
    audit_every: float = AUDIT_EVERY
    _last_look: float = field(default=float("-inf"), init=False)
    _late: float = field(default=0.0, init=False)  # seconds that the last turn of many came after its time

    def interval(self, *, live: bool) -> float:
        """Tell the seconds between two look-ups of orders that the feed's state asks for."""
        batches = self._batches()
        if batches == 0:
            return NEVER
        if live:
            return self.audit_every if batches == 1 else min(self.audit_every, AUDIT_MANY_EVERY)
        return MARGIN if batches == 1 else MARGIN_OF_MANY / REQUESTS_PER_SECOND

    def turn(self, *, live: bool) -> float:
        """Tell when the next turn is: one that came late does not move those after it."""
        return self._last_look + self.interval(live=live) - self._late

    def soonest(self, *, live: bool) -> float:
        """Tell from when orders may be looked up, whatever is due: many orders keep to their turns."""
        return self.turn(live=live) if self.is_busy(live=live) else self._last_look + SOONEST

    def is_busy(self, *, live: bool) -> bool:
        """Tell whether the looks need most of the request budget: many orders, and no feed that tells of them."""
        return not live and self._batches() > 1

    def looked(self, mono: float, *, live: bool) -> None:
        """Take note of a look-up; where it holds every order, there is nothing to make up for."""
        busy = self.is_busy(live=live)
        self._late = min(MADE_UP, max(0.0, mono - self.turn(live=live))) if busy else 0.0
        self._last_look = mono

    def _batches(self) -> int:
        return ceil(sum(1 for h in self.roster.pending() if h.order_id is not None) / BATCH)
