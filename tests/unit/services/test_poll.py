"""The poll threads: what was answered reaches the loop, whatever else fails."""

from __future__ import annotations

from ordersync_cli.errors import VenueUnavailable
from ordersync_cli.services.ports import ClockOffset
from ordersync_cli.services.ports.messages import LookDone
from ordersync_cli.services.watch.poll import Ask, PollThreads
from tests.support.fake_venue import FakeVenue
from tests.support.venue_kit import OpenInbox


class Doubtful(FakeVenue):
    """A venue whose clock is not known, and cannot be asked for now."""

    def offset(self) -> ClockOffset:
        raise VenueUnavailable("Server time: the venue answered 503 (unavailable).")

    def known_offset(self) -> None:  # type: ignore[override]
        return None


def test_an_answer_is_heard_though_the_venue_tells_no_time() -> None:
    """The thread took the failed measurement for a bug: the answer was lost, and the watch ended with 6."""
    venue = Doubtful()
    venue.add("X")
    threads, inbox = PollThreads(lambda: venue, venue.clock, threads=1), OpenInbox()
    threads.start(inbox)
    for _ in range(2):
        threads.ask(Ask(purpose="poll", order_ids=("X",)))
    inbox.wait_for(lambda message: isinstance(message, LookDone), count=2)
    threads.end()
    threads.wait(5.0)

    assert [[seen.order_id for seen in done.orders] for done in inbox.of(LookDone)] == [["X"], ["X"]]
    assert threads.offset is None
