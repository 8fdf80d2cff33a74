"""The threads beside the loop of a driving watcher: feed, poll, passes, delivery."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from ordersync_cli.clock import Clock
from ordersync_cli.errors import StoreError
from ordersync_cli.services.alerts.deliver import Deliverer
from ordersync_cli.services.ports import ClockOffset, Feed
from ordersync_cli.services.ports.messages import Inbox, ThreadDied
from ordersync_cli.services.watch.poll import Ask

DELIVER_EVERY = 0.25  # seconds
STOP_WITHIN = 1.0  # seconds that the end of all threads may take together


class Beside(Protocol):
    """A thread of the crew."""

    def start(self, inbox: Inbox) -> None:
        """Begin."""
        ...

    def end(self) -> None:
        """Ask it to end; returns at once."""
        ...

    def wait(self, seconds: float) -> None:
        """Wait for its end, at most that long."""
        ...


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


class DeliveryThread:
    """Sends what the outbox holds, beside the loop: a slow webhook holds up nobody."""

    def __init__(self, deliverer: Deliverer) -> None:
        self._deliverer = deliverer
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, inbox: Inbox) -> None:
        """Begin."""
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._work, args=(inbox, self._ending), name="delivery", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """End after the message under way; what is left is delivered by whoever runs next."""
        self._ending.set()

    def wait(self, seconds: float) -> None:
        """Wait for the end."""
        if self._thread is not None:
            self._thread.join(timeout=seconds)

    def _work(self, inbox: Inbox, ending: threading.Event) -> None:
        try:
            while not ending.wait(DELIVER_EVERY):
                try:
                    self._deliverer.run_once(at_most=2.0)
                except StoreError:
                    continue  # it waits in the outbox; the loop says what is wrong with the store
        except Exception as bug:  # noqa: BLE001 (a silently dead thread is the fault this project replaces)
            inbox.put(ThreadDied(name="delivery", error=bug))


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
