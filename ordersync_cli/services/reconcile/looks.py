"""Ask the venue about many orders in few requests, and say exactly what it answered.

A failed look-up raises and is never an empty answer (trap T30). What was answered before the
failure has been yielded by then, so that the caller commits batch by batch and loses nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from ordersync_cli.clock import Clock
from ordersync_cli.domain.observations import FillsSeen, OrderSeen
from ordersync_cli.errors import OrderRefused, UnreadableAnswer
from ordersync_cli.services.ports import Lane, OrderPage, Quarantined, Venue
from ordersync_cli.services.reconcile.fill_looks import all_fills, fill_pages

BATCH = 100  # ids in one request: the venue documents no limit, clients in the field use 100
GROW_AFTER = 8  # full batches answered, before twice as many ids are tried again
GROW_AFTER_AT_MOST = 512  # the same where a venue refused that time after time
PAGES_PER_BATCH = 250  # a listing of 100 orders that goes on longer than this has no end
_ANY_TIME = datetime.min.replace(tzinfo=UTC)  # in place of when a row was said, to compare what it says


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What the venue said about the orders that were asked for.

    ``orders`` holds every row: an order that the venue listed twice is there twice (trap T27).
    ``missing`` said 404 NOT_FOUND to Get Order, one by one; ``unanswered`` could not be read
    (see ``quarantined``): nothing is concluded from those.
    """

    asked: tuple[str, ...] = ()
    orders: tuple[OrderSeen, ...] = ()
    missing: tuple[str, ...] = ()
    unanswered: tuple[str, ...] = ()
    quarantined: tuple[Quarantined, ...] = ()
    requests: int = 0
    filter_ignored: bool = False
    started_mono: float = 0.0
    finished_mono: float = 0.0


@dataclass(slots=True)
class BatchSize:
    """How many ids the venue takes in one request, as far as it has shown.

    A refusal may have been a passing one, so what became smaller grows again. A venue that does
    take no more refuses that each time, and is tried ever more rarely.
    """

    now: int = BATCH
    _answered: int = field(default=0, init=False)  # full batches since the size was changed
    _patience: int = field(default=GROW_AFTER, init=False)
    _trying_from: int = field(default=0, init=False)  # the size before a larger one that is still on trial

    def too_many(self, half: int) -> None:
        """Take note that a request was refused for the number of its ids, and half of them were not."""
        if self._trying_from:
            self._patience = min(2 * self._patience, GROW_AFTER_AT_MOST)
        self.now = max(1, min(self.now, half))
        self._answered = self._trying_from = 0

    def went_through(self, count: int) -> None:
        """Take note of a request that was answered; enough full ones let the size grow."""
        if count > self._trying_from > 0:
            self._trying_from, self._patience = 0, GROW_AFTER
        if count < self.now or self.now >= BATCH:
            return
        self._answered += 1
        if self._answered >= self._patience:
            self._trying_from, self._answered = self.now, 0
            self.now = min(2 * self.now, BATCH)


@dataclass(slots=True)
class Looker:
    """Looks orders and fills up in batches; remembers what batch size the venue takes.

    Not for two threads at once: give each thread its own.
    """

    venue: Venue
    clock: Clock
    filter_ignored: bool = field(default=False, init=False)
    refused: int = field(default=0, init=False)  # requests that the venue refused as a whole
    _size: BatchSize = field(default_factory=BatchSize, init=False)

    @property
    def batch(self) -> int:
        """Tell how many ids are asked for in one request."""
        return self._size.now

    def orders(self, order_ids: Iterable[str], lane: Lane) -> Looked:
        """Look up orders, all or nothing. Raises when any look-up failed (see `batches`)."""
        return merged(list(self.batches(order_ids, lane)))

    def batches(self, order_ids: Iterable[str], lane: Lane) -> Iterator[Looked]:
        """Look up orders, yielding what is known after each batch.

        Raises VenueUnavailable, CredentialsRefused or UnreadableAnswer at the look-up that
        failed; what was yielded before stands.
        """
        left = list(dict.fromkeys(order_ids))
        while left:
            if self.filter_ignored:
                yield from self._singly(left, lane)
                return
            chunk, left = left[: self.batch], left[self.batch :]
            before = self.refused
            yield from self._split(chunk, lane)
            if self.refused == before:
                self._size.went_through(len(chunk))

    def _split(self, chunk: Sequence[str], lane: Lane) -> Iterator[Looked]:
        """Ask for a chunk; where the venue refuses it, for its halves, down to the one that it minds."""
        try:
            yield from self._together(chunk, lane)
        except OrderRefused:
            self.refused += 1
            before, half = self.refused, len(chunk) // 2
            if half == 0:
                yield from self._singly(chunk, lane)
                return
            yield from self._split(chunk[:half], lane)
            yield from self._split(chunk[half:], lane)
            if self.refused == before:  # both halves went through: it was their number
                self._size.too_many(half)

    def _together(self, chunk: Sequence[str], lane: Lane) -> Iterator[Looked]:
        """Ask for one chunk in one request (more where it answers in pages), then for what it left out."""
        started = self.clock.monotonic()
        wanted = set(chunk)
        answered: set[str] = set()
        told: set[OrderSeen] = set()
        cursor: str | None = None
        for pages in range(1, PAGES_PER_BATCH + 2):
            if pages > PAGES_PER_BATCH:
                raise UnreadableAnswer(f"A look-up of {len(chunk)} orders has no last page.")
            page = self.venue.orders_by_id(chunk, lane, cursor)
            ignored = page.filter_ignored or any(o.order_id not in wanted for o in page.orders)
            self.filter_ignored = self.filter_ignored or ignored
            fresh = self._page(page, wanted, answered, started)
            answered.update(fresh.asked)
            yield fresh
            cursor = page.next_cursor
            # An order may be listed once more on a later page, under another word (trap T27): what is
            # answered is read to the end, or to a page that tells nothing new.
            rows = {replace(o, as_of=_ANY_TIME) for o in fresh.orders}
            if cursor is None or ignored or (answered >= wanted and rows <= told):
                break
            told |= rows
        left_out = [order_id for order_id in chunk if order_id not in answered]
        yield from self._singly(left_out, lane)

    def _page(self, page: OrderPage, wanted: set[str], answered: set[str], started: float) -> Looked:
        """Take what one page says of the orders wanted: every row, for only the join may choose between two."""
        orders = tuple(o for o in page.orders if o.order_id in wanted)
        found = dict.fromkeys(o.order_id for o in orders)
        unreadable = {q.order_id for q in page.quarantined if q.order_id in wanted} - found.keys()
        unanswered = tuple(sorted(order_id for order_id in unreadable if order_id))
        new = [order_id for order_id in (*found, *unanswered) if order_id not in answered]
        return Looked(
            asked=tuple(new),
            orders=orders,
            unanswered=unanswered,
            quarantined=page.quarantined,
            requests=1,
            filter_ignored=self.filter_ignored,
            started_mono=started,
            finished_mono=self.clock.monotonic(),
        )

    def _singly(self, order_ids: Sequence[str], lane: Lane) -> Iterator[Looked]:
        """Ask for each order by Get Order: only its 404 NOT_FOUND says that there is none."""
        for order_id in order_ids:
            started = self.clock.monotonic()
            seen: OrderSeen | None = None
            problem: Quarantined | None = None
            try:
                seen = self.venue.order(order_id, lane)
            except (UnreadableAnswer, OrderRefused) as bad:  # this one only: the others are still asked for
                problem = Quarantined(where="Get Order", problem=bad.message, order_id=order_id)
            yield Looked(
                asked=(order_id,),
                orders=(seen,) if seen is not None else (),
                missing=(order_id,) if seen is None and problem is None else (),
                unanswered=(order_id,) if problem is not None else (),
                quarantined=(problem,) if problem is not None else (),
                requests=1,
                filter_ignored=self.filter_ignored,
                started_mono=started,
                finished_mono=self.clock.monotonic(),
            )

    # ------------------------------------------------------------------ fills

    def fills(self, order_ids: Iterable[str], lane: Lane) -> tuple[FillsSeen, ...]:
        """List the fills of orders, one value an order. Raises when any page failed."""
        return all_fills(self.fill_batches(order_ids, lane))

    def fill_batches(
        self, order_ids: Iterable[str], lane: Lane, unreadable: list[Quarantined] | None = None
    ) -> Iterator[tuple[FillsSeen, ...]]:
        """List the fills of orders page by page (see `fill_pages`); rows that cannot be read go to ``unreadable``."""
        lost = [] if unreadable is None else unreadable
        left = list(dict.fromkeys(order_ids))
        while left:
            chunk, left = left[: self.batch], left[self.batch :]
            yield from fill_pages(self.venue, chunk, lane, lost)


def merged(parts: Sequence[Looked]) -> Looked:
    """Put the answers of several batches together."""
    return Looked(
        asked=tuple(dict.fromkeys(i for p in parts for i in p.asked)),
        orders=tuple(o for p in parts for o in p.orders),
        missing=tuple(i for p in parts for i in p.missing),
        unanswered=tuple(i for p in parts for i in p.unanswered),
        quarantined=tuple(q for p in parts for q in p.quarantined),
        requests=sum(p.requests for p in parts),
        filter_ignored=any(p.filter_ignored for p in parts),
        started_mono=min((p.started_mono for p in parts), default=0.0),
        finished_mono=max((p.finished_mono for p in parts), default=0.0),
    )
