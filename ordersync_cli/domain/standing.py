"""Where a trade stands, derived from its registers alone and never an input (decision record 0002)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from ordersync_cli.domain.decimals import ZERO
from ordersync_cli.domain.fills import explains, is_adjusted, last_fill_time, verified
from ordersync_cli.domain.matching import CLIENT_ORDER_ID_IN_USE, id_in_use, is_doubtful, ours
from ordersync_cli.domain.observations import CancelStep
from ordersync_cli.domain.orders import Figures, OrderStatus, Origin, Status
from ordersync_cli.domain.trade import Standing, Trade, VenueOrder, Verdict, VerdictKind
from ordersync_cli.domain.words import (
    CANCEL_QUEUED,
    FILLED,
    SETTLED_WORDS,
    order_status_of,
)

ZERO_PROOF_AFTER = timedelta(seconds=2)
CANCEL_LAG = timedelta(seconds=30)
VERDICTS = {
    VerdictKind.NOT_PLACED: OrderStatus.NOT_PLACED,
    VerdictKind.REJECTED: OrderStatus.REJECTED,
}


def derive(trade: Trade) -> Standing:
    """Derive where a trade stands."""
    own = ours(trade)
    verdict = _counting_verdict(trade)
    if is_settled(trade):
        return _settled(trade, own)
    if own:
        return _by_order(trade, own)
    if id_in_use(trade) and (verdict is None or verdict.kind is VerdictKind.NOT_PLACED):
        return _in_use(trade)
    if verdict is not None:
        return _by_verdict(trade, verdict)
    return Standing(
        status=Status.PENDING,
        order_status=OrderStatus.SUBMITTING,
        base_size=trade.request.base_size,
        limit_price=trade.request.limit_price,
    )


def is_settled(trade: Trade) -> bool:
    """Tell whether a trade stands where an operator settled it: the venue has not spoken since."""
    return trade.settled is not None and not _outranked(trade, ours(trade), _counting_verdict(trade))


def never_left(trade: Trade) -> bool:
    """Tell whether this trade's newest attempt never left this machine, so that it may be sent under its id.

    A word of an operator, or of an older attempt, is no such knowledge: the newest may be at the venue.
    """
    verdict = _counting_verdict(trade)
    if trade.settled is not None or trade.orders or verdict is None:
        return False
    return verdict.kind is VerdictKind.NOT_PLACED and not verdict.burns_id


def totals(order: VenueOrder) -> Figures | None:
    """Choose the figures in force: the largest, or newer smaller ones that the fills explain.

    A REVERSAL lowers the venue's totals; a stale or lagging look shows lower totals too, and a
    lagging list of fills agrees with it. So smaller figures count only where they are newer, an
    adjustment was booked, and the fills give exactly them under one reading.
    """
    largest, newest = order.figures, order.rest_figures
    if largest is None:
        return None
    if (
        newest is not None
        and newest.figures.filled_size < largest.figures.filled_size
        and newest.as_of > largest.as_of
        and is_adjusted(order.fills)
        and explains(order.fills, newest.figures)
    ):
        return newest.figures
    return largest.figures


def is_zero(figures: Figures) -> bool:
    """Tell whether no money moved by these figures."""
    return (
        figures.filled_size == ZERO
        and figures.number_of_fills == 0
        and figures.filled_value == ZERO
        and figures.total_fees == ZERO
    )


@dataclass(frozen=True, slots=True)
class _Proofs:
    """What is proven of one venue order."""

    final: bool  # ended, with the figures it ended with
    money_moved: bool  # it ever held a fill: then it can never become `failed`
    zero: bool  # ended without fills, and a second look agreed


def _proofs(order: VenueOrder) -> _Proofs:
    largest = order.figures.figures if order.figures is not None else None
    moved = largest is not None and largest.filled_size > ZERO
    # FILLED with zero figures is half an answer; one order may collect both from two sources.
    final = order.terminal is not None and order.final and (order.terminal != FILLED or moved)
    zero = (
        largest is not None
        and is_zero(largest)
        and not order.fills
        and order.term_at is not None
        and order.zero_look is not None
        and order.zero_look >= order.term_at + ZERO_PROOF_AFTER
    )
    return _Proofs(final=final, money_moved=moved, zero=zero)


def _by_order(trade: Trade, own: tuple[VenueOrder, ...]) -> Standing:
    order = own[0]
    proofs = _proofs(order)
    status = Status.PENDING
    doubtful = is_doubtful(order)
    if doubtful:
        pass  # whose order it is comes before what became of it: the next look by REST tells
    elif proofs.final and (order.terminal == FILLED or proofs.money_moved):
        status = Status.COMPLETED
    elif proofs.final and proofs.zero:
        status = Status.FAILED
    ended = order.terminal is not None
    figures = totals(order)
    all_there = verified(order.fills, figures)
    return Standing(
        status=status,
        order_status=_order_status(trade, order),
        order_id=order.order_id,
        venue_status=order.terminal or (order.raw.word if order.raw else None),
        figures=figures,
        fills_verified=all_there,
        reason=None if order.terminal == FILLED else order.reason,
        filled_at=_filled_at(order, all_there=all_there) if status is Status.COMPLETED else None,
        closed_at=order.term_at,
        base_size=_edited_size(trade, order),
        limit_price=_edited_price(trade, order),
        terminal=ended,
        awaits_zero_proof=proofs.final and status is Status.PENDING and not doubtful,
        fills_due=ended and not all_there,
        duplicates=tuple(other.order_id for other in own[1:]),
        accepted_at=_accepted_at(trade, order),
    )


def _order_status(trade: Trade, order: VenueOrder) -> OrderStatus:
    if order.terminal is not None:
        return order_status_of(order.terminal)
    if order.open_word is not None and order.open_word.word == CANCEL_QUEUED:
        return OrderStatus.CANCELLING
    if _cancel_stands(trade, order):
        return OrderStatus.CANCELLING
    return OrderStatus.OPEN


def _cancel_stands(trade: Trade, order: VenueOrder) -> bool:
    """Tell whether a wish to cancel is still to be believed.

    After an accepted cancel the order reads OPEN for several looks (trap T31); 30 s later an
    OPEN means that the venue has forgotten the cancel.
    """
    cancel = trade.cancel
    if cancel is None or cancel.step is CancelStep.REFUSED:
        return False
    if cancel.answered_at is None or order.open_word is None:
        return True
    return order.open_word.as_of <= cancel.answered_at + CANCEL_LAG


def _filled_at(order: VenueOrder, *, all_there: bool) -> datetime | None:
    """Tell when the last fill was: by the fills, then by REST, then by the earliest frame.

    Nothing fills after the end, so the earliest sight of that is the last resort; the figures of an
    order that has not ended (settled by hand) have no better time than their newest sight.
    """
    by_fills = last_fill_time(order.fills)
    if by_fills is not None and (all_there or order.last_fill_time is None):
        return by_fills
    seen_at = order.figures.as_of if order.figures is not None else None
    return order.last_fill_time or order.filled_frame_at or order.term_at or seen_at


def _counting_verdict(trade: Trade) -> Verdict | None:
    """Return the verdict if it is about the newest attempt: an older one says nothing of it."""
    verdict = trade.verdict
    return verdict if verdict is not None and verdict.attempt >= trade.attempts else None


def _by_verdict(trade: Trade, verdict: Verdict) -> Standing:
    return Standing(
        status=Status.FAILED,
        order_status=VERDICTS[verdict.kind],
        reason=verdict.reason,
        closed_at=verdict.at,
        base_size=trade.request.base_size,
        limit_price=trade.request.limit_price,
        terminal=True,
    )


def _in_use(trade: Trade) -> Standing:
    """Our client order id belongs to another order: the venue made none for this intent."""
    seen = [o.first_seen_at for o in trade.orders if o.first_seen_at is not None]
    return Standing(
        status=Status.FAILED,
        order_status=OrderStatus.REJECTED,
        reason=CLIENT_ORDER_ID_IN_USE,
        closed_at=min(seen, default=None),
        base_size=trade.request.base_size,
        limit_price=trade.request.limit_price,
        terminal=True,
    )


def _outranked(trade: Trade, own: tuple[VenueOrder, ...], verdict: Verdict | None) -> bool:
    """Tell whether the venue said something after an operator settled the trade by hand."""
    assert trade.settled is not None
    since = trade.settled.at
    if verdict is not None and verdict.at > since:
        return True
    return any(
        order.terminal is not None
        or (order.raw is not None and order.raw.as_of > since)
        or (order.accepted_as_of is not None and order.accepted_as_of > since)
        for order in own
    )


def _settled(trade: Trade, own: tuple[VenueOrder, ...]) -> Standing:
    assert trade.settled is not None
    word = SETTLED_WORDS[trade.settled.word]
    order = own[0] if own else None
    figures = totals(order) if order else None
    moved = order is not None and _proofs(order).money_moved
    done = word is OrderStatus.FILLED or moved
    filled_at = (_filled_at(order, all_there=False) if order else None) or trade.settled.at
    return Standing(
        status=Status.COMPLETED if done else Status.FAILED,
        order_status=word,
        order_id=order.order_id if order else None,
        venue_status=order.raw.word if order and order.raw else None,
        figures=figures,
        fills_verified=verified(order.fills, figures) if order else False,
        reason=trade.settled.reason,
        filled_at=filled_at if done else None,
        closed_at=trade.settled.at,
        base_size=_edited_size(trade, order),
        limit_price=_edited_price(trade, order),
        terminal=True,
        duplicates=tuple(other.order_id for other in own[1:]),
        accepted_at=_accepted_at(trade, order) if order else None,
    )


def _edited_size(trade: Trade, order: VenueOrder | None) -> Decimal | None:
    edit = order.edit if order else None
    return edit.size if edit and edit.size is not None else trade.request.base_size


def _edited_price(trade: Trade, order: VenueOrder | None) -> Decimal | None:
    edit = order.edit if order else None
    return edit.price if edit and edit.price is not None else trade.request.limit_price


def _accepted_at(trade: Trade, order: VenueOrder) -> datetime | None:
    """Tell when the venue took the order: its first word of it, or its birth if it was not ours."""
    return order.first_seen_at if trade.origin is Origin.PLACED else order.created_time
