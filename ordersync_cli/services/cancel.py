"""Ask the venue to cancel orders; the wish is stored first, and only the venue's word ends one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ordersync_cli.clock import Clock
from ordersync_cli.domain.observations import CancelSeen, CancelStep
from ordersync_cli.domain.orders import OrderStatus, Source
from ordersync_cli.domain.standing import derive
from ordersync_cli.domain.trade import Standing, Trade
from ordersync_cli.errors import (
    BreaksRemain,
    CredentialsRefused,
    OrderRefused,
    OrdersyncError,
    OutcomeUnknown,
    UnknownOrder,
    UnreadableAnswer,
    VenueUnavailable,
)
from ordersync_cli.services.find import only_trade_id_of, trade_id_of
from ordersync_cli.services.ports import CancelAnswer, Lane, Store, TradeFilter, Transaction, Venue
from ordersync_cli.services.reconcile.wishes import MOST_AT_ONCE, answered, ask_for_cancels
from ordersync_cli.services.record import Recorder
from ordersync_cli.services.sideless import sideless, way_out


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    """What became of one wish to cancel.

    ``result``: accepted (may still fill), refused, ended_before, waiting (no order id yet),
    unknown (the answer was lost), key_refused (the wish stands), external, unknown_order, not_looked_up,
    not_asked (the run was stopped before a wish was stored), unreadable (a bot's row whose side cannot be read).
    """

    wanted: str
    trade_id: int | None
    order_id: str | None
    result: str
    reason: str | None
    exit_code: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelling:
    """Cancels orders of one store at one venue."""

    store: Store
    venue: Venue
    recorder: Recorder
    clock: Clock

    def cancel(self, wanted: Sequence[str], results: dict[str, Cancelled] | None = None) -> list[Cancelled]:
        """Cancel each order named; one result a name, in the order they were named.

        Each is put into ``results`` as it becomes known, so that a run that is stopped can tell (see `stopped`).
        Raises UsageError (2) where a name means more than one trade, before anything is written or sent.
        """
        with self.store.read() as transaction:
            for name in wanted:
                only_trade_id_of(transaction, name)
        results = {} if results is None else results
        asked: dict[str, dict[str, int]] = {}  # order id: the names it was given, and its trade
        for name in dict.fromkeys(wanted):
            found = self._wish(name) or self._unheld(name)
            if isinstance(found, Cancelled):
                results[name] = found
            else:
                asked.setdefault(found[0], {})[name] = found[1]
        order_ids = list(asked)
        for start in range(0, len(order_ids), MOST_AT_ONCE):
            for done in self._ask(order_ids[start : start + MOST_AT_ONCE], asked):
                results[done.wanted] = done
        self._look(order_ids)
        return [results[name] for name in dict.fromkeys(wanted)]

    def stopped(self, wanted: Sequence[str], results: Mapping[str, Cancelled]) -> list[Cancelled]:
        """Say how far each order named has come in a run that was stopped; asks the store only.

        A wish that is stored may have been sent, by this run or any other: nobody has heard the answer.
        """
        with self.store.read() as transaction:
            return [results.get(name) or _so_far(transaction, name) for name in dict.fromkeys(wanted)]

    def _wish(self, name: str) -> Cancelled | tuple[str, int] | None:
        """Store the wish; returns the order id to ask for, or what there is to say already.

        None for an order that the store does not know: the venue is asked once the lock is free.
        """
        with self.store.write() as transaction:
            trade_id = only_trade_id_of(transaction, name)
            if trade_id is None:
                return None
            why = sideless(transaction, trade_id)
            if why is not None:
                return _unreadable(transaction, name, trade_id, why)
            trade = transaction.trades.load([trade_id])[trade_id]
            standing = derive(trade)
            ended = _ended(name, trade, standing)
            if ended is not None:
                return ended
            wish = CancelSeen(requested_at=self.venue.now(), step=CancelStep.REQUESTED)
            self.recorder.about_in(transaction, {trade_id: [wish]}, source=Source.SYNC)
        if standing.order_id is None:
            return Cancelled(
                wanted=name,
                trade_id=trade_id,
                order_id=None,
                result="waiting",
                reason="the order id is not known yet; the cancel is sent as soon as it is",
                exit_code=8,
            )
        return standing.order_id, trade_id

    def _unheld(self, name: str) -> Cancelled:
        """Say whose an order is that the store does not hold; the others named are cancelled all the same."""
        seen, result, reason, code = None, "external", "take it in with `ordersync sync ID --adopt`", 10
        try:
            seen = self.venue.order(name, Lane.SYNC)
        except OrderRefused:  # not even the form of an order id
            pass
        except (VenueUnavailable, CredentialsRefused, UnreadableAnswer) as problem:
            result, reason, code = "not_looked_up", problem.message.rstrip("."), problem.exit_code
        if seen is None and result == "external":
            result, reason, code = "unknown_order", "see `ordersync list`", UnknownOrder.exit_code
        order_id = None if seen is None else seen.order_id
        return Cancelled(wanted=name, trade_id=None, order_id=order_id, result=result, reason=reason, exit_code=code)

    def _ask(self, order_ids: Sequence[str], asked: dict[str, dict[str, int]]) -> Iterator[Cancelled]:
        unanswered = dict.fromkeys(order_ids)
        ending: OrdersyncError | None = None  # what ended the asking, where that was no answer to an order
        for answers, problem in ask_for_cancels(self.venue, order_ids, Lane.SYNC):
            ending = problem if not answers else None
            for answer in [one for one in answers if one.order_id in unanswered]:
                del unanswered[answer.order_id]
                accepted, why = self._answered(next(iter(asked[answer.order_id].values())), answer)
                result, code = ("accepted", 0) if accepted else ("refused", OrderRefused.exit_code)
                yield from _each(asked, answer.order_id, result, None if accepted else why, code)
        reason = "the venue's answer did not name this order" if ending is None else ending.message.rstrip(".")
        result, code = "unknown", OutcomeUnknown.exit_code
        if isinstance(ending, CredentialsRefused):  # it says nothing of the orders: the wishes stand
            result, code = "key_refused", ending.exit_code
        for order_id in unanswered:
            yield from _each(asked, order_id, result, reason, code)

    def _answered(self, trade_id: int, answer: CancelAnswer) -> tuple[bool, str]:
        """Write down what the venue answered; tells whether it accepted, and why not."""
        with self.store.write() as transaction:
            wish = transaction.trades.load([trade_id])[trade_id].cancel
            assert wish is not None
            said = answered(wish, answer, at=self.venue.now())
            self.recorder.about_in(transaction, {trade_id: [said]}, source=Source.SYNC)
        return said.step is CancelStep.ACCEPTED, said.reason or ""

    def _look(self, order_ids: Sequence[str]) -> None:
        """Look once at what was cancelled, so that the answer shows the venue's word."""
        for start in range(0, len(order_ids), MOST_AT_ONCE):
            batch = order_ids[start : start + MOST_AT_ONCE]
            try:
                page = self.venue.orders_by_id(batch, Lane.SYNC)
            except OrdersyncError:
                return
            wanted = [o for o in page.orders if o.order_id in batch]
            self.recorder.seen(wanted, source=Source.SYNC)


def _each(
    asked: dict[str, dict[str, int]], order_id: str, result: str, reason: str | None, code: int
) -> Iterator[Cancelled]:
    """Say the same of an order under each name it was given."""
    for name, trade_id in asked[order_id].items():
        yield Cancelled(wanted=name, trade_id=trade_id, order_id=order_id, result=result, reason=reason, exit_code=code)


def _so_far(transaction: Transaction, name: str) -> Cancelled:
    trade_id = trade_id_of(transaction, name)
    trade = None if trade_id is None else transaction.trades.load([trade_id], lock=False).get(trade_id)
    step = None if trade is None or trade.cancel is None else trade.cancel.step
    result, code = "not_asked", OutcomeUnknown.exit_code
    reason: str | None = "stopped before it was asked for"
    if step is CancelStep.ACCEPTED:
        result, reason, code = "accepted", None, 0
    elif step is CancelStep.REQUESTED:
        result, reason = "unknown", "stopped before its answer: the cancel may have been sent"
    order_id = None if trade is None else derive(trade).order_id
    return Cancelled(wanted=name, trade_id=trade_id, order_id=order_id, result=result, reason=reason, exit_code=code)


def _unreadable(transaction: Transaction, name: str, trade_id: int, why: str) -> Cancelled:
    """Refuse to cancel for a bot's row that nobody follows: whether the order ended would never be seen."""
    (view,) = transaction.trades.views(TradeFilter(trade_ids=[trade_id]))
    return Cancelled(
        wanted=name,
        trade_id=trade_id,
        order_id=view.order_id,
        result="unreadable",
        reason=f"{why}. {way_out(trade_id)}",
        exit_code=BreaksRemain.exit_code,
    )


def _ended(name: str, trade: Trade, standing: Standing) -> Cancelled | None:
    if not standing.terminal:
        return None
    refused = standing.order_status in {OrderStatus.REJECTED, OrderStatus.NOT_PLACED}
    return Cancelled(
        wanted=name,
        trade_id=trade.trade_id,
        order_id=standing.order_id,
        result="ended_before",
        reason=f"already {standing.order_status.value}" + ("" if refused else " at the venue"),
        exit_code=0,
    )
