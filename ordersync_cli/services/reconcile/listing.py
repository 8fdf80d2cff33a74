"""Reads a window of the venue's orders or fills to its last page, committing page by page."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from ordersync_cli.domain.observations import FillsSeen, OrderSeen
from ordersync_cli.domain.orders import Fill
from ordersync_cli.errors import UnreadableAnswer
from ordersync_cli.services.ports import FillPage, Transaction
from ordersync_cli.services.reconcile.contradictions import note_contradictions
from ordersync_cli.services.reconcile.looks import Looked
from ordersync_cli.services.reconcile.work import Then, Work
from ordersync_cli.services.record import Recorded

MOST_PAGES = 20_000  # a window that goes on longer than this has no end
Take = Callable[[Recorded], None]
Last = Callable[[Transaction], None]


@dataclass(slots=True, kw_only=True)
class Listing:
    """A window that was read to its last page. ``started_at`` is on the venue's clock.

    ``named``: the sights of orders under the client order ids that were asked for by name.
    ``cut``: the venue said that more follows, and not where.
    """

    started_at: datetime
    window_start: datetime
    order_ids: set[str] = field(default_factory=set)
    named: list[OrderSeen] = field(default_factory=list)
    rows: int = 0
    quarantined: int = 0
    cut: bool = False


def _nothing(_: Recorded) -> None:
    return


def _no_matter(_: FillPage) -> None:
    return


def look_up(work: Work, order_ids: Iterable[str], *, each: Then | None = None) -> Iterator[tuple[Looked, Recorded]]:
    """Look orders up in batches, each committed (``each`` in its transactions) before the next is asked for."""
    for part in work.looker.batches(order_ids, work.lane):
        recorded = work.looked(part, each=each)
        note_contradictions(work, part.orders, recorded.changes)
        yield part, recorded


def list_created(
    work: Work,
    start: datetime,
    end: datetime | None,
    *,
    each: Then | None = None,
    take: Take = _nothing,
    last: Last | None = None,
    names: Collection[str | None] = (),
) -> Listing:
    """List the orders created in [start, end); ``last`` joins the last page's transaction.

    ``names`` are client order ids whose sights are kept in the listing, whoever else names their orders.
    ``each`` joins the transactions of every page; ``take`` sees a page after it is committed.
    A page is committed before the next is asked for, a failed one raises, and an order on two
    pages is one order: the join sees it twice (trap T27).
    """
    listing = Listing(started_at=work.venue.now(), window_start=start)
    cursor: str | None = None
    for _ in range(MOST_PAGES):
        work.pulse.step()
        page = work.venue.orders_created(start, end, work.lane, cursor)
        cursor = page.next_cursor
        listing.order_ids.update(o.order_id for o in page.orders)
        listing.named += [o for o in page.orders if o.client_order_id is not None and o.client_order_id in names]
        listing.rows += len(page.orders)
        listing.cut = listing.cut or page.cut
        listing.quarantined += len(page.quarantined)
        work.tally.answered.update(o.order_id for o in page.orders)
        then = _together(work.unreadable(page.quarantined), last if cursor is None else None)
        recorded = work.record(page.orders, then, each=each)
        note_contradictions(work, page.orders, recorded.changes)
        take(recorded)
        if cursor is None:
            return listing
    raise UnreadableAnswer("The listing of orders has no last page.")


def list_booked(
    work: Work,
    start: datetime,
    end: datetime | None,
    *,
    before: Callable[[FillPage], None] = _no_matter,
    take: Callable[[FillPage, Recorded], None],
    last: Last | None = None,
) -> Listing:
    """List the fills booked in [start, end); ``last`` joins the last page's transaction.

    ``before`` sees each page before it is committed, so that a watermark never passes an order
    that could not be fetched.
    """
    listing = Listing(started_at=work.venue.now(), window_start=start)
    cursor: str | None = None
    for _ in range(MOST_PAGES):
        work.pulse.step()
        page = work.venue.fills_booked(start, end, work.lane, cursor)
        cursor = page.next_cursor
        listing.rows += len(page.fills)
        listing.quarantined += len(page.quarantined)
        listing.order_ids.update(f.order_id for f in page.fills)
        before(page)
        then = _together(work.unreadable(page.quarantined), last if cursor is None else None)
        take(page, work.record(by_order(page), then))
        if cursor is None:
            return listing
    raise UnreadableAnswer("The listing of fills has no last page.")


def _together(alarms: Then | None, ending: Last | None) -> Then:
    def then(transaction: Transaction, recorded: Recorded) -> None:
        if alarms is not None:
            alarms(transaction, recorded)
        if ending is not None:
            ending(transaction)

    return then


def by_order(page: FillPage) -> tuple[FillsSeen, ...]:
    """Group the fills of a page by order; a window never holds all fills of an order for certain."""
    rows: dict[str, list[Fill]] = {}
    for fill in page.fills:
        rows.setdefault(fill.order_id, []).append(fill)
    return tuple(
        FillsSeen(order_id=order_id, as_of=page.as_of, fills=tuple(fills), complete=False)
        for order_id, fills in rows.items()
    )
