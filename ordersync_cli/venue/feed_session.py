"""One connection of the feed, from the subscriptions to its end."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from websockets.sync.client import ClientConnection

from ordersync_cli.clock import Clock
from ordersync_cli.services.ports.messages import FeedChanged, FeedState, Inbox, Message
from ordersync_cli.venue.feed_reader import FeedReader, Read, Receipt
from ordersync_cli.venue.feed_socket import ROOT_FAILURES, by_the_peer, end_of
from ordersync_cli.venue.tokens import Signer

WAITED = 0.002  # seconds: a receive that took longer found nothing waiting to be read
SHORTEST_WAIT = 0.05  # seconds: so that what has just arrived is read before silence is concluded


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedTimings:
    """The feed's times in seconds.

    ``heartbeat_late``: stale. ``silence``: connect anew. ``snapshot``: how long it may take to
    begin, and ``batch_pause`` from one full batch to the next. ``first_wait`` to
    ``longest_wait``: the back-off, about ``of_outage`` of what the outage lasted so far, so
    that the feed is back within a sixth of it; an outage is over once a connection stood for
    ``settled``. ``refused_wait``: before a key that was refused twice is tried again.
    """

    connect: float = 5.0
    close: float = 0.5
    heartbeat_late: float = 2.5
    silence: float = 5.0
    snapshot: float = 10.0
    batch_pause: float = 2.0
    first_wait: float = 0.25
    longest_wait: float = 30.0
    of_outage: float = 0.15
    settled: float = 30.0
    refused_wait: float = 60.0


class EndKind(Enum):
    """Why a session ended, as far as it decides what comes next."""

    LOST = "lost"
    AUTHENTICATION = "authentication"


@dataclass(frozen=True, slots=True)
class Ended:
    """How a session ended; ``was_live``: its snapshot had come."""

    kind: EndKind
    reason: str
    was_live: bool


class FeedSession:
    """Subscribes, reads, and watches the heartbeats of one open connection."""

    def __init__(
        self,
        connection: ClientConnection,
        inbox: Inbox,
        signer: Signer,
        clock: Clock,
        timings: FeedTimings,
        stopping: Callable[[], bool],
    ) -> None:
        self._connection = connection
        self._inbox = inbox
        self._signer = signer
        self._clock = clock
        self._timings = timings
        self._stopping = stopping
        self._reader = FeedReader()
        began = clock.monotonic()
        self._began = self._heard = self._batch_at = self._caught_up = began
        self._live = self._stale = False

    def run(self) -> Ended:
        """Follow the connection until it ends; never raises for what the network does."""
        try:
            self._subscribe("heartbeats")
            self._subscribe("user")
            while not self._stopping():
                ended = self._turn()
                if ended is not None:
                    return ended
        except ROOT_FAILURES as failure:
            return self._ended(end_of(failure))
        return self._ended("stopped")

    def _subscribe(self, channel: str) -> None:
        """Subscribe with a token of its own; without product_ids `user` covers every product."""
        body = {"type": "subscribe", "channel": channel, "jwt": self._signer.feed().text}
        with by_the_peer():
            self._connection.send(json.dumps(body))

    def _turn(self) -> Ended | None:
        before = self._clock.monotonic()
        try:
            wait = max(SHORTEST_WAIT, self._next_due() - before)
            with by_the_peer():
                raw = self._connection.recv(timeout=wait)
        except TimeoutError:
            return self._silent()
        receipt = self._receipt(before)
        read = self._reader.read(raw, receipt)
        if read.heartbeat:
            self._heard = receipt.mono
        if read.full_batch:
            self._batch_at = receipt.mono
        self._pass_on(read)
        if read.complaint is not None:
            said = read.complaint.said
            kind = EndKind.AUTHENTICATION if read.complaint.is_authentication else EndKind.LOST
            return Ended(kind, f"the venue says: {said}", self._live)
        return self._check(self._clock.monotonic())

    def _receipt(self, before: float) -> Receipt:
        mono = self._clock.monotonic()
        if mono - before > WAITED:
            self._caught_up = mono
        return Receipt(self._signer.clock.now(), mono, mono - self._caught_up)

    # ------------------------------------------------------------------ what is passed on

    def _pass_on(self, read: Read) -> None:
        for message in read.messages:
            self._put(message)
        if read.snapshot_ended:
            self._live = True
            self._say(FeedState.LIVE, "subscribed")
        if read.heartbeat and self._stale:
            self._stale = False
            self._say(FeedState.LIVE, "heartbeats again")

    def _say(self, state: FeedState, reason: str) -> None:
        self._put(FeedChanged(state=state, reason=reason, at=self._signer.clock.now()))

    def _put(self, message: Message) -> None:
        """Put a message, which waits while the inbox is full; that wait is not the venue's silence."""
        before = self._clock.monotonic()
        self._inbox.put(message)
        blocked = self._clock.monotonic() - before
        if blocked > SHORTEST_WAIT:
            self._heard += blocked
            self._began += blocked
            self._batch_at += blocked

    # ------------------------------------------------------------------ what does not come

    def _next_due(self) -> float:
        timings = self._timings
        lateness = timings.heartbeat_late if self._live and not self._stale else timings.silence
        dues = [self._heard + lateness]
        if not self._live:
            dues.append(self._began + timings.snapshot)
            if self._reader.waits_for_more:
                dues.append(self._batch_at + timings.batch_pause)
        return min(dues)

    def _silent(self) -> Ended | None:
        """Judge a wait that brought nothing."""
        mono = self._clock.monotonic()
        self._caught_up = mono
        return self._check(mono)

    def _check(self, mono: float) -> Ended | None:
        silence = mono - self._heard
        if silence >= self._timings.silence:
            return self._ended(f"no heartbeat for {silence:.1f} s")
        if silence >= self._timings.heartbeat_late and self._live and not self._stale:
            self._stale = True
            self._say(FeedState.STALE, f"no heartbeat for {silence:.1f} s")
        if self._live:
            return None
        if self._reader.waits_for_more and mono - self._batch_at >= self._timings.batch_pause:
            self._pass_on(self._reader.end_snapshot(Receipt(self._signer.clock.now(), mono)))
        elif mono - self._began >= self._timings.snapshot:
            if not self._reader.user_acknowledged:
                return self._ended("no snapshot of the user channel came")
            self._pass_on(self._reader.end_snapshot(Receipt(self._signer.clock.now(), mono)))
        return None

    def _ended(self, reason: str) -> Ended:
        return Ended(EndKind.LOST, reason, self._live)
