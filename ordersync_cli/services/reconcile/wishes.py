"""Sends stored wishes to cancel whose order id became known, or whose answer was lost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from ordersync_cli.domain.observations import CancelSeen, CancelStep
from ordersync_cli.domain.standing import derive
from ordersync_cli.domain.trade import Trade
from ordersync_cli.errors import CredentialsRefused, OrderRefused, OrdersyncError, UnreadableAnswer, VenueUnavailable
from ordersync_cli.services.ports import CancelAnswer, Lane, Venue
from ordersync_cli.services.reconcile.work import Work

MOST_AT_ONCE = 100  # Coinbase docs, Cancel Orders: at most 100 ids a request
IN_FLIGHT = timedelta(seconds=5)  # a younger wish is still being sent by whoever stored it
ON_ITS_WAY = "DUPLICATE_CANCEL_REQUEST"  # an earlier request was accepted: not a refusal


def send_wishes(work: Work, trade_ids: Sequence[int]) -> OrdersyncError | None:
    """Ask the venue to cancel what somebody wished to cancel; returns what went wrong, for the pass to end with.

    A dry run sends nothing. The answer is stored; only the venue's word ends an order. A cancel
    that cannot be sent must not keep the pass from the orders that nobody wants cancelled.
    """
    worst: OrdersyncError | None = None
    if work.dry:
        return None
    for start in range(0, len(trade_ids), MOST_AT_ONCE):
        with work.store.read() as transaction:
            trades = transaction.trades.load(trade_ids[start : start + MOST_AT_ONCE], lock=False)
        due = {str(derive(t).order_id): t for t in trades.values() if _is_due(work, t)}
        if not due:
            continue
        work.pulse.step()
        for answers, problem in ask_for_cancels(work.venue, list(due), work.lane):
            if worst is None or (problem is not None and isinstance(worst, OrderRefused)):
                worst = problem  # that one order cannot be cancelled is the least of them
            _write_down(work, due, answers)
    return worst


def ask_for_cancels(
    venue: Venue, order_ids: Sequence[str], lane: Lane
) -> Iterator[tuple[tuple[CancelAnswer, ...], OrdersyncError | None]]:
    """Ask, yielding after each request what it answered and what went wrong, so that the caller commits at once.

    A refused request of many may be the fault of one id: it is asked for in halves, and only of a
    single id the refusal is the answer. Any other failure, a refusal of the key too, says nothing
    of the orders and ends the asking: their wishes stand. What was taken is not asked for again.
    """
    left = [order_ids]
    while left:
        asked, *left = left
        answers: tuple[CancelAnswer, ...] = ()
        problem: OrdersyncError | None = None
        try:
            answers = venue.cancel(asked, lane)
        except OrderRefused as refused:
            half = len(asked) // 2
            if half:
                left = [asked[:half], asked[half:], *left]
            else:
                answers = (CancelAnswer(order_id=asked[0], accepted=False, reason=refused.message.rstrip(".")),)
                problem = refused
        except (VenueUnavailable, CredentialsRefused, UnreadableAnswer) as failure:
            left, problem = [], failure
        yield answers, problem


def _write_down(work: Work, due: Mapping[str, Trade], answers: Sequence[CancelAnswer]) -> None:
    at = work.venue.now()
    told = {}
    for answer in answers:
        trade = due.get(answer.order_id)
        if trade is not None and trade.cancel is not None and trade.trade_id is not None:
            told[trade.trade_id] = [answered(trade.cancel, answer, at=at)]
    if told:
        work.record_about(told)
    else:
        work.pulse.step()


def _is_due(work: Work, trade: Trade) -> bool:
    standing = derive(trade)
    cancel = trade.cancel
    if cancel is None or cancel.step is not CancelStep.REQUESTED:
        return False
    if standing.order_id is None or standing.terminal:
        return False
    if standing.accepted_at is not None and cancel.requested_at < standing.accepted_at:
        return True  # there was no order to cancel when it was wished: nobody has sent it
    age = work.venue.now() - cancel.requested_at
    # One from the future was dated by a clock that was wrong (trap T41): nobody is sending it now.
    return age >= IN_FLIGHT or age < -IN_FLIGHT


def answered(wish: CancelSeen, answer: CancelAnswer, *, at: datetime) -> CancelSeen:
    """Say what an answer makes of a wish."""
    accepted = answer.accepted or answer.reason == ON_ITS_WAY
    return CancelSeen(
        requested_at=wish.requested_at,
        step=CancelStep.ACCEPTED if accepted else CancelStep.REFUSED,
        answered_at=at,
        reason=None if accepted else answer.reason,
    )
