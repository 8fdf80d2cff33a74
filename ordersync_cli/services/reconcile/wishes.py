"""Sends stored wishes to cancel whose order id became known, or whose answer was lost."""

from __future__ import annotations

from collections.abc import Sequence
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
    first: OrdersyncError | None = None
    if work.dry:
        return None
    for start in range(0, len(trade_ids), MOST_AT_ONCE):
        with work.store.read() as transaction:
            trades = transaction.trades.load(trade_ids[start : start + MOST_AT_ONCE], lock=False)
        due = {str(derive(t).order_id): t for t in trades.values() if _is_due(work, t)}
        if not due:
            continue
        work.pulse.step()
        answers, problem = ask_for_cancels(work.venue, list(due), work.lane)
        first = first or problem
        if isinstance(problem, CredentialsRefused):
            continue  # it is the key that was refused: the wish stands, and is sent with a better one
        at = work.venue.now()
        told = {}
        for answer in answers:
            trade = due.get(answer.order_id)
            if trade is not None and trade.cancel is not None and trade.trade_id is not None:
                told[trade.trade_id] = [answered(trade.cancel, answer, at=at)]
        work.record_about(told)
    return first


def ask_for_cancels(
    venue: Venue, order_ids: Sequence[str], lane: Lane
) -> tuple[tuple[CancelAnswer, ...], OrdersyncError | None]:
    """Ask, once; a refusal of the whole request is the answer to each, and any other failure leaves it unknown."""
    try:
        return venue.cancel(order_ids, lane), None
    except (OrderRefused, CredentialsRefused) as refused:
        said = refused.message.rstrip(".")
        return tuple(CancelAnswer(order_id=i, accepted=False, reason=said) for i in order_ids), refused
    except (VenueUnavailable, UnreadableAnswer) as problem:
        return (), problem


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
