"""How long the feed waits before it connects again."""

from __future__ import annotations

from dataclasses import dataclass, field

from ordersync_cli.clock import Chance
from ordersync_cli.venue.feed_session import FeedTimings


@dataclass(slots=True)
class Backoff:
    """Waits for a share of what the outage lasted so far, with jitter.

    So a venue that comes back after 20 s is noticed within 3 s, and one that was gone for
    minutes is asked twice a minute. A connection that does not stand for long (thrown out
    again and again) does not end the outage.
    """

    timings: FeedTimings
    chance: Chance
    _down_since: float | None = field(default=None, init=False)

    def wait_after(self, began: float, ended: float, *, was_live: bool) -> float:
        """Tell how long to wait, in seconds, after a connection begun and ended at those monotonic times."""
        timings = self.timings
        if self._down_since is None or (was_live and ended - began >= timings.settled):
            self._down_since = ended
        outage = ended - self._down_since
        most = min(timings.longest_wait, max(2 * timings.first_wait, timings.of_outage * outage))
        return self.chance.uniform(max(timings.first_wait, most / 2), most)
