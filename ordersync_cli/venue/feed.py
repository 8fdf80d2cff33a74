"""Follows Coinbase's user channel in a thread of its own, and comes back whatever happens to it."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable

from websockets.sync.client import ClientConnection

from ordersync_cli.clock import Chance, Clock
from ordersync_cli.errors import OrdersyncError
from ordersync_cli.services.ports.messages import FeedChanged, FeedState, Inbox, ThreadDied
from ordersync_cli.venue.addresses import feed_address
from ordersync_cli.venue.backoff import Backoff
from ordersync_cli.venue.feed_session import Ended, EndKind, FeedSession, FeedTimings
from ordersync_cli.venue.feed_socket import ROOT_FAILURES, Door, by_the_peer, end_of
from ordersync_cli.venue.tokens import Signer

JOIN_TIMEOUT = 2.0  # seconds that stop() waits; the thread dies with the process in any case


class UserFeed:
    """The services' Feed.

    ``prepare`` is called before a connection while the venue's clock is not known (it may
    raise OrdersyncError, which is not fatal). A fatal end (the key refused twice) waits a minute,
    or for ``reconnect`` or ``stop``: the venue may err for a moment, and a new key may be put there.
    """

    def __init__(
        self,
        *,
        url: str,
        signer: Signer,
        clock: Clock,
        chance: Chance,
        timings: FeedTimings,
        prepare: Callable[[], object],
        ca_file: str | None = None,
    ) -> None:
        self._door = Door(feed_address(url), timings.connect, timings.close, ca_file)
        self._signer = signer
        self._clock = clock
        self._chance = chance
        self._timings = timings
        self._prepare = prepare
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._hurry = threading.Event()  # connect now: ends a wait, and is cleared by the next try
        self._dialled: socket.socket | None = None
        self._connection: ClientConnection | None = None
        self._thread: threading.Thread | None = None

    def start(self, inbox: Inbox) -> None:
        """Begin to follow, into this inbox."""
        if self._thread is not None:
            raise RuntimeError("the feed is started once")
        self._thread = threading.Thread(target=self._work, args=(inbox,), name="feed", daemon=True)
        self._thread.start()

    def reconnect(self) -> None:
        """Drop the connection, if there is one, and connect now, whatever the back-off says."""
        self._hurry.set()
        self._drop()

    def stop(self) -> None:
        """End: close the connection and wait (2 s at most) for the thread."""
        self._stopped.set()
        self._hurry.set()
        self._drop()
        if self._thread is not None:
            self._thread.join(JOIN_TIMEOUT)

    def _drop(self) -> None:
        """Close what is open; what opens later sees the flags that were set before this."""
        with self._lock:
            connection, dialled = self._connection, self._dialled
        if connection is not None:
            with contextlib.suppress(*ROOT_FAILURES), by_the_peer():
                connection.close()
        elif dialled is not None:
            with contextlib.suppress(OSError):
                dialled.shutdown(socket.SHUT_RDWR)

    # ------------------------------------------------------------------ the thread

    def _work(self, inbox: Inbox) -> None:
        try:
            self._follow(inbox)
        except Exception as bug:  # noqa: BLE001 (a silently dead thread is the fault this project replaces)
            inbox.put(ThreadDied(name="feed", error=bug))

    def _follow(self, inbox: Inbox) -> None:
        backoff = Backoff(self._timings, self._chance)
        refusals = 0
        while not self._stopped.is_set():
            self._hurry.clear()
            self._say(inbox, FeedState.CONNECTING, "connecting")
            began = self._clock.monotonic()
            ended = self._session(inbox)
            if self._stopped.is_set():
                break
            if self._hurry.is_set():
                self._say(inbox, FeedState.DOWN, "a new connection was asked for")
                continue
            wait = backoff.wait_after(began, self._clock.monotonic(), was_live=ended.was_live)
            refusals = refusals + 1 if ended.kind is EndKind.AUTHENTICATION else 0
            if refusals and not self._renewed(inbox, ended, refusals):
                self._hurry.wait(self._timings.refused_wait)
                refusals = 0
                continue
            self._say(inbox, FeedState.DOWN, ended.reason)
            self._hurry.wait(wait)
        self._say(inbox, FeedState.DOWN, "stopped")

    def _wanted_anew(self) -> bool:
        return self._hurry.is_set() or self._stopped.is_set()

    def _renewed(self, inbox: Inbox, ended: Ended, refusals: int) -> bool:
        """Read the key again after the first refusal; after the second nothing but a new key helps."""
        reason = ended.reason
        if refusals == 1:
            try:
                self._signer.reload()
            except OrdersyncError as problem:
                reason = f"{reason}; {problem.message}"
            else:
                self._signer.clock.forget()  # or was it the times in the token?
                return True
        again = f"The key is refused; it is tried again within {self._timings.refused_wait:.0f} s."
        self._say(inbox, FeedState.DOWN, f"{reason}. {again}", fatal=True)
        return False

    def _session(self, inbox: Inbox) -> Ended:
        if self._signer.clock.doubtful:
            with contextlib.suppress(OrdersyncError):
                self._prepare()
        try:
            connection = self._connected()
        except ROOT_FAILURES as failure:
            return Ended(EndKind.LOST, end_of(failure), was_live=False)
        try:
            return FeedSession(connection, inbox, self._signer, self._clock, self._timings, self._wanted_anew).run()
        finally:
            with self._lock:
                self._connection = None
            with contextlib.suppress(*ROOT_FAILURES), by_the_peer():
                connection.close()

    def _connected(self) -> ClientConnection:
        dialled = self._door.dial()
        with self._lock:
            self._dialled = dialled
        try:
            if self._wanted_anew():  # asked while the connection was dialled: nobody saw it to close it
                dialled.close()
                raise ConnectionAbortedError("stopped")
            connection = self._door.enter(dialled)
        finally:
            with self._lock:
                self._dialled = None
        with self._lock:
            self._connection = connection
        return connection

    def _say(self, inbox: Inbox, state: FeedState, reason: str, *, fatal: bool = False) -> None:
        inbox.put(FeedChanged(state=state, reason=reason, at=self._signer.clock.now(), fatal=fatal))
