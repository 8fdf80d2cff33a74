"""The join: how two states of one trade become one, whatever their order, number or source.

Every register is a maximum (or minimum, union, or) under a total order, so that joining is
commutative, associative and idempotent (decision record 0001). Nothing here asks what is
already stored before it decides: that would not be a join.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar

from ordersync_cli.domain.decimals import plain
from ordersync_cli.domain.fills import union
from ordersync_cli.domain.observations import CancelSeen, Edit, Look, SettledByHand
from ordersync_cli.domain.orders import Figures
from ordersync_cli.domain.trade import KeyedFigures, KeyedWord, Trade, VenueOrder, Verdict
from ordersync_cli.domain.words import rank

T = TypeVar("T")
LONG_AGO = datetime.min.replace(tzinfo=UTC)


def join(a: Trade, b: Trade) -> Trade:
    """Join two states of one trade (same request); the facts fixed at its start are a's."""
    newest = max(a, b, key=_attempt_key)
    return Trade(
        request=a.request,
        created_at=a.created_at,
        trade_id=a.trade_id,
        origin=a.origin,
        attempts=newest.attempts,
        attempt_at=newest.attempt_at,
        not_after=newest.not_after,
        verdict=_largest(a.verdict, b.verdict, _verdict_key),
        cancel=_largest(a.cancel, b.cancel, cancel_key),
        settled=_largest(a.settled, b.settled, _settled_key),
        orders=join_orders(a.orders, b.orders),
        source=a.source,
        submitted_at=newest.submitted_at,
        accepted_at=a.accepted_at,
        updated_at=a.updated_at,
        confirmed_at=latest(a.confirmed_at, b.confirmed_at),
        sync_latency_seconds=a.sync_latency_seconds,
    )


def join_orders(a: tuple[VenueOrder, ...], b: tuple[VenueOrder, ...]) -> tuple[VenueOrder, ...]:
    """Join the venue orders of two states, by order id."""
    by_id = {order.order_id: order for order in a}
    for order in b:
        known = by_id.get(order.order_id)
        by_id[order.order_id] = order if known is None else join_order(known, order)
    return tuple(by_id[order_id] for order_id in sorted(by_id))


def join_order(a: VenueOrder, b: VenueOrder) -> VenueOrder:
    """Join two states of one venue order, register by register."""
    edit, edit_as_of = _largest_pair((a.edit, a.edit_as_of), (b.edit, b.edit_as_of), _edit_key)
    reason, reason_as_of = _largest_pair((a.reason, a.reason_as_of), (b.reason, b.reason_as_of), _reason_key)
    return VenueOrder(
        order_id=a.order_id,
        accepted=a.accepted or b.accepted,
        accepted_as_of=latest(a.accepted_as_of, b.accepted_as_of),
        matched=a.matched or b.matched,
        mismatch=a.mismatch or b.mismatch,
        terms_differ=a.terms_differ or b.terms_differ,
        frame_differs=a.frame_differs or b.frame_differs,
        client_order_id=_largest(a.client_order_id, b.client_order_id, str),
        product_id=_largest(a.product_id, b.product_id, str),
        order_type=_largest(a.order_type, b.order_type, str),
        created_time=earliest(a.created_time, b.created_time),
        terminal=_largest(a.terminal, b.terminal, rank),
        term_at=earliest(a.term_at, b.term_at),
        open_word=_largest(a.open_word, b.open_word, _word_key),
        raw=_largest(a.raw, b.raw, _word_key),
        figures=_largest(a.figures, b.figures, figures_key, _figures_begin),
        rest_figures=_largest(a.rest_figures, b.rest_figures, rest_key, _rest_begin),
        final=a.final or b.final,
        fills=union(a.fills, b.fills),
        fills_read=latest(a.fills_read, b.fills_read),
        zero_look=latest(a.zero_look, b.zero_look),
        edit=edit,
        edit_as_of=edit_as_of,
        first_seen_at=earliest(a.first_seen_at, b.first_seen_at),
        last_fill_time=latest(a.last_fill_time, b.last_fill_time),
        filled_frame_at=earliest(a.filled_frame_at, b.filled_frame_at),
        reason=reason,
        reason_as_of=reason_as_of,
    )


def latest(a: datetime | None, b: datetime | None) -> datetime | None:
    """Return the later of two times, of which either may be missing."""
    if a is None or b is None:
        return a or b
    return max(a, b)


def earliest(a: datetime | None, b: datetime | None) -> datetime | None:
    """Return the earlier of two times, of which either may be missing."""
    if a is None or b is None:
        return a or b
    return min(a, b)


def figures_text(figures: Figures) -> str:
    """Write a figure group canonically: the last word where everything else is equal."""
    return "|".join(
        (
            plain(figures.filled_size),
            str(figures.number_of_fills),
            plain(figures.filled_value),
            plain(figures.total_fees),
            plain(figures.average_filled_price),
        )
    )


def figures_key(keyed: KeyedFigures) -> tuple[Any, ...]:
    """Rank figure groups: the venue's totals only grow, whatever the time of the look."""
    return (*_figures_begin(keyed), figures_text(keyed.figures))


def _figures_begin(keyed: KeyedFigures) -> tuple[Any, ...]:
    figures = keyed.figures
    return (figures.filled_size, figures.number_of_fills, keyed.terminal, keyed.channel, keyed.as_of)


def rest_key(keyed: KeyedFigures) -> tuple[Any, ...]:
    """Rank REST figures: the newest, wherever a reversal has lowered the totals."""
    return (*_rest_begin(keyed), figures_text(keyed.figures), keyed.terminal, keyed.channel)


def _rest_begin(keyed: KeyedFigures) -> tuple[Any, ...]:
    return (keyed.as_of,)


def cancel_key(cancel: CancelSeen) -> tuple[Any, ...]:
    """Rank wishes to cancel: the newest wish, and of it the furthest step."""
    return (
        cancel.requested_at,
        cancel.step,
        cancel.answered_at or LONG_AGO,
        cancel.reason or "",
    )


def look_key(look: Look) -> tuple[Any, ...]:
    """Rank looks: by their start, then by what they covered."""
    return (look.started_at, look.window_start, look.rows, look.positive_control or "")


def _word_key(keyed: KeyedWord) -> tuple[Any, ...]:
    return (keyed.as_of, keyed.channel, keyed.position, rank(keyed.word), keyed.word.encode())


def _verdict_key(verdict: Verdict) -> tuple[Any, ...]:
    # A burnt id stays burnt: the other way round it might be sent again.
    looks = tuple(look_key(look) for look in verdict.looks)
    return (verdict.attempt, verdict.kind, verdict.burns_id, verdict.at, verdict.reason, looks)


def _settled_key(settled: SettledByHand) -> tuple[Any, ...]:
    return (settled.at, settled.word, settled.reason)


def _attempt_key(trade: Trade) -> tuple[Any, ...]:
    return (
        trade.attempts,
        trade.attempt_at or LONG_AGO,
        trade.not_after or LONG_AGO,
        trade.submitted_at or LONG_AGO,
    )


def _edit_key(pair: tuple[Edit | None, datetime | None]) -> tuple[Any, ...]:
    edit, as_of = pair
    if edit is None:
        return (LONG_AGO, LONG_AGO, "")
    return (edit.accepted_at, as_of or LONG_AGO, f"{_text(edit.size)}|{_text(edit.price)}")


def _text(value: Decimal | None) -> str:
    return "" if value is None else plain(value)


def _reason_key(pair: tuple[str | None, datetime | None]) -> tuple[Any, ...]:
    reason, as_of = pair
    return (as_of or LONG_AGO, reason or "")


def _largest(a: T | None, b: T | None, key: Callable[[T], Any], begin: Callable[[T], Any] | None = None) -> T | None:
    """Choose by key; ``begin`` is the cheap first part of it, which mostly decides alone."""
    if a is None or b is None:
        return b if a is None else a
    if begin is not None and (left := begin(a)) != (right := begin(b)):
        return a if left > right else b
    return max(a, b, key=key)


def _largest_pair(a: T, b: T, key: Callable[[T], Any]) -> T:
    return max(a, b, key=key)
