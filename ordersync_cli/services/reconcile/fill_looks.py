"""Ask the venue for the fills of many orders, page by page, and say which listings are complete."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from ordersync_cli.domain.observations import FillsSeen
from ordersync_cli.domain.orders import Fill
from ordersync_cli.errors import OrderRefused, UnreadableAnswer
from ordersync_cli.services.ports import FillPage, Lane, Quarantined, Venue

MOST_PAGES = 10_000  # a listing of one chunk's fills that goes on longer than this has no end


def fill_pages(
    venue: Venue, chunk: Sequence[str], lane: Lane, unreadable: list[Quarantined]
) -> Iterator[tuple[FillsSeen, ...]]:
    """List the fills of one chunk of orders, yielding each page's rows as it comes.

    The last page brings one value for each order, ``complete`` when every page was read and no
    row of it was lost; the pages before are never complete. A chunk that the venue refuses is
    asked for in halves. Rows that cannot be read are added to ``unreadable`` before their page is
    yielded. Raises what the failed page raised; what was yielded before stands.
    """
    try:
        yield from _pages(venue, chunk, lane, unreadable)
    except OrderRefused:
        half = len(chunk) // 2
        if half == 0:
            return  # nothing is concluded: these fills stay due
        yield from fill_pages(venue, chunk[:half], lane, unreadable)
        yield from fill_pages(venue, chunk[half:], lane, unreadable)


def _pages(
    venue: Venue, chunk: Sequence[str], lane: Lane, unreadable: list[Quarantined]
) -> Iterator[tuple[FillsSeen, ...]]:
    cursor: str | None = None
    first: FillPage | None = None
    held: FillPage | None = None  # the last page is often empty: it is put together with the one before
    lost: set[str | None] = set()
    for _ in range(MOST_PAGES):
        try:
            page = venue.fills_of(chunk, lane, cursor)
        except Exception:
            if first is not None and held is not None:
                yield _seen(held, first, chunk, lost, last=False)
            raise
        first = first or page
        unreadable += page.quarantined
        lost.update(q.order_id for q in page.quarantined)
        ignored = page.filter_ignored or any(f.order_id not in chunk for f in page.fills)
        if ignored:
            lost.add(None)
        cursor = None if ignored else page.next_cursor
        if cursor is None:
            whole = page if held is None else replace(page, fills=held.fills + page.fills)
            yield _seen(whole, first, chunk, lost, last=True)
            return
        if held is not None:
            yield _seen(held, first, chunk, lost, last=False)
        held = page
    raise UnreadableAnswer(f"The listing of the fills of {len(chunk)} orders has no last page.")


def _seen(
    page: FillPage, first: FillPage, chunk: Sequence[str], lost: set[str | None], *, last: bool
) -> tuple[FillsSeen, ...]:
    """Group a page by order; a lost row that names no order may be anybody's."""
    rows: dict[str, list[Fill]] = {order_id: [] for order_id in chunk}
    for fill in page.fills:
        if fill.order_id in rows:
            rows[fill.order_id].append(fill)
    return tuple(
        FillsSeen(
            order_id=order_id,
            as_of=first.as_of,
            fills=tuple(found),
            complete=last and order_id not in lost and None not in lost,
        )
        for order_id, found in rows.items()
        if last or found
    )


def all_fills(pages: Iterable[tuple[FillsSeen, ...]]) -> tuple[FillsSeen, ...]:
    """Put pages together: one value an order, complete when its last page was."""
    rows: dict[str, list[Fill]] = {}
    last: dict[str, FillsSeen] = {}
    for page in pages:
        for seen in page:
            rows.setdefault(seen.order_id, []).extend(seen.fills)
            last[seen.order_id] = seen
    return tuple(
        FillsSeen(order_id=order_id, as_of=seen.as_of, fills=tuple(rows[order_id]), complete=seen.complete)
        for order_id, seen in last.items()
    )
