"""The threads beside the loop of a driving watcher: feed, poll, passes, delivery."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from ordersync_cli.clock import Clock
from ordersync_cli.errors import StoreError
from ordersync_cli.services.alerts.deliver import Deliverer
from ordersync_cli.services.ports import ClockOffset, Feed
from ordersync_cli.services.ports.messages import Inbox
from ordersync_cli.services.watch.beside import Beside, Repeating
from ordersync_cli.services.watch.poll import Ask

DELIVER_EVERY = 0.25  # seconds
STOP_WITHIN = 1.0  # seconds that the end of all threads may take together


class Asked(Beside, Protocol):
    """The poll threads, as the crew leads them."""

    def ask(self, ask: Ask) -> None:
        """Take a question."""
        ...

    @property
    def requests(self) -> int:
        """Count the requests sent."""
        ...

    @property
    def offset(self) -> ClockOffset | None:
        """Tell the clock offset last measured."""
        ...


class DeliveryThread(Repeating):
    """Sends what the outbox holds, beside the loop: a slow webhook holds up nobody."""

    def __init__(self, deliverer: Deliverer) -> None:
        super().__init__("delivery", DELIVER_EVERY)
        self._deliverer = deliverer

    def turn(self, _: Inbox, __: Callable[[], bool], /) -> float:
        """Deliver what is due; what the store does not let it waits in the outbox, and the loop says so."""
        with suppress(StoreError):
            self._deliverer.run_once(at_most=2.0)
        return DELIVER_EVERY


@dataclass(slots=True)
class DrivingCrew:
    """Starts and stops the threads with the role: who stands by does not connect, ask or deliver."""

    poller: Asked
    make_feed: Callable[[], Feed] | None
    clock: Clock
    others: tuple[Beside, ...] = ()
    _feed: Feed | None = field(default=None, init=False)
    _driving: bool = field(default=False, init=False)

    def drive(self, inbox: Inbox) -> None:
        """Start every thread."""
        if self._driving:
            return
        self._driving = True
        self.poller.start(inbox)
        if self.make_feed is not None:
            self._feed = self.make_feed()
            self._feed.start(inbox)
        for other in self.others:
            other.start(inbox)

    def stand_by(self) -> None:
        """Stop every thread."""
        if not self._driving:
            return
        self._driving = False
        beside: tuple[Beside, ...] = (self.poller, *self.others)
        for one in beside:
            one.end()
        if self._feed is not None:
            self._feed.stop()
            self._feed = None
        deadline = self.clock.monotonic() + STOP_WITHIN
        for one in beside:  # what still waits for an answer is a daemon, and nobody hears it any more
            one.wait(max(0.0, deadline - self.clock.monotonic()))

    def ask(self, ask: Ask) -> None:
        """Hand a question to the poll threads."""
        self.poller.ask(ask)

    def reconnect(self) -> None:
        """Have the feed connect anew, now."""
        if self._feed is not None:
            self._feed.reconnect()

    @property
    def requests(self) -> int:
        """Count the requests of the poll threads."""
        return self.poller.requests

    @property
    def offset(self) -> ClockOffset | None:
        """Tell the clock offset last measured."""
        return self.poller.offset
