"""The poll threads: they ask the venue what the loop wants to know, and put the answers into the inbox."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from queue import Empty, SimpleQueue

from ordersync_cli.clock import Clock
from ordersync_cli.domain.observations import FillsSeen, OrderSeen
from ordersync_cli.errors import OrdersyncError
from ordersync_cli.services.ports import ClockOffset, Lane, Quarantined, Venue
from ordersync_cli.services.ports.messages import Inbox, LookDone, ThreadDied
from ordersync_cli.services.reconcile.looks import Looked, Looker, merged

THREADS = 3  # so that a slow venue (a second an answer) still bounds the age of 500 snapshots
LIST_PAGES = 40  # of one listing of what was created lately; the deep pass reads the rest


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What the loop wants to know: orders by id, their fills, or everything created since a time.

    Without any of them: whether the venue is there and takes the key.
    """

    purpose: str
    order_ids: tuple[str, ...] = ()
    created_since: datetime | None = None
    fills: bool = False


def answer(ask: Ask, looker: Looker, venue: Venue, clock: Clock) -> LookDone:
    """Ask the venue, and turn whatever comes back into a message; never raises on purpose."""
    started = clock.monotonic()
    before = venue.requests_made
    parts: list[Looked] = []
    orders: list[OrderSeen] = []
    fills: list[FillsSeen] = []
    lost: list[Quarantined] = []
    failure: OrdersyncError | None = None
    try:
        if ask.fills:
            for rows in looker.fill_batches(ask.order_ids, Lane.POLL, lost):
                fills.extend(rows)
        elif ask.created_since is not None:
            _list_created(ask.created_since, venue, orders)
        elif not ask.order_ids:
            venue.key_permissions(Lane.POLL)
        else:
            parts.extend(looker.batches(ask.order_ids, Lane.POLL))  # keeps what came before a failure
    except OrdersyncError as problem:
        failure = problem
    looked = merged(parts)
    return LookDone(
        asked=ask.order_ids,
        orders=(*orders, *looked.orders),
        fills=tuple(fills),
        missing=looked.missing,
        started_mono=started,
        finished_mono=clock.monotonic(),
        purpose=ask.purpose,
        failure=failure,
        filter_ignored=looked.filter_ignored,
        requests=max(0, venue.requests_made - before),
        quarantined=tuple(f"{q.where}: {q.problem}" for q in (*looked.quarantined, *lost)),
    )


def _list_created(since: datetime, venue: Venue, into: list[OrderSeen]) -> None:
    cursor: str | None = None
    for _ in range(LIST_PAGES):
        page = venue.orders_created(since, None, Lane.POLL, cursor)
        into.extend(page.orders)
        cursor = page.next_cursor
        if cursor is None:
            return


class PollThreads:
    """Answers questions on a few threads of its own, each with its own Looker and connection."""

    def __init__(self, make_venue: Callable[[], Venue], clock: Clock, threads: int = THREADS) -> None:
        self._venues = [make_venue() for _ in range(threads)]
        self._clock = clock
        self._offset: ClockOffset | None = None
        self._questions: SimpleQueue[Ask | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    @property
    def offset(self) -> ClockOffset | None:
        """Tell the offset of the venue's clock as last measured by these threads."""
        return self._offset

    @property
    def requests(self) -> int:
        """Count the requests this process has sent."""
        return max(venue.requests_made for venue in self._venues)

    def ask(self, ask: Ask) -> None:
        """Take a question; returns at once."""
        self._questions.put(ask)

    def start(self, inbox: Inbox) -> None:
        """Begin to answer into this inbox."""
        self._questions = SimpleQueue()
        self._threads = [
            threading.Thread(
                target=self._work, args=(venue, self._questions, inbox), name=f"poll-{number}", daemon=True
            )
            for number, venue in enumerate(self._venues)
        ]
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Ask the threads to end; questions not begun are dropped."""
        try:
            while True:
                self._questions.get_nowait()
        except Empty:
            pass
        for _ in self._threads:
            self._questions.put(None)

    def wait(self, seconds: float) -> None:
        """Wait for their end; a request under way ends with its own time-out, and nobody hears it."""
        if self._threads:
            for thread in self._threads:
                thread.join(timeout=seconds / len(self._threads))

    def _work(self, venue: Venue, questions: SimpleQueue[Ask | None], inbox: Inbox) -> None:
        looker = Looker(venue, self._clock)
        while (ask := questions.get()) is not None:
            try:
                done = answer(ask, looker, venue, self._clock)
                self._offset = venue.known_offset() or self._offset
                inbox.put(done)
            except Exception as bug:  # noqa: BLE001 (a silently dead thread is the fault this project replaces)
                inbox.put(ThreadDied(name=threading.current_thread().name, error=bug))
                return
