"""Ask the venue to cancel orders; the wish is stored first, and only the venue's word ends one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ordersync_cli.clock import Clock
from ordersync_cli.domain.observations import CancelSeen, CancelStep, OrderSeen
from ordersync_cli.domain.orders import OrderStatus, Source
from ordersync_cli.domain.standing import derive
from ordersync_cli.domain.trade import Standing, Trade
from ordersync_cli.errors import OrdersyncError, UnknownOrder, VenueUnavailable
from ordersync_cli.services.find import trade_id_of
from ordersync_cli.services.ports import CancelAnswer, Lane, Store, Venue
from ordersync_cli.services.record import Recorder

MOST_AT_ONCE = 100  # Coinbase docs, Cancel Orders: at most 100 ids a request


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    """What became of one wish to cancel.

    ``result``: accepted (may still fill), refused, ended_before, waiting (no order id yet),
    unknown (the answer was lost), unknown_order.
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

    def cancel(self, wanted: Sequence[str]) -> list[Cancelled]:
        """Cancel each order named; one result a name, in the order they were named."""
        results: dict[str, Cancelled] = {}
        asked: dict[str, tuple[str, int]] = {}
        for name in dict.fromkeys(wanted):
            found = self._wish(name) or self._unheld(name)
            if isinstance(found, Cancelled):
                results[name] = found
            else:
                asked[found[0]] = (name, found[1])
        order_ids = list(asked)
        for start in range(0, len(order_ids), MOST_AT_ONCE):
            for done in self._ask(order_ids[start : start + MOST_AT_ONCE], asked):
                results[done.wanted] = done
        self._look(order_ids)
        return [results[name] for name in dict.fromkeys(wanted)]

    def _wish(self, name: str) -> Cancelled | tuple[str, int] | None:
        """Store the wish; returns the order id to ask for, or what there is to say already.

        None for an order that the store does not know: the venue is asked once the lock is free.
        """
        with self.store.write() as transaction:
            trade_id = trade_id_of(transaction, name)
            if trade_id is None:
                return None
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
        seen: OrderSeen | None = self.venue.order(name, Lane.SYNC)
        if seen is None:
            raise UnknownOrder(
                f"Neither the store nor {self.venue.name} knows the order {name}. Nothing was sent.",
                "See `ordersync list`.",
            )
        return Cancelled(
            wanted=name,
            trade_id=None,
            order_id=seen.order_id,
            result="external",
            reason="not placed through this store; take it in with `ordersync sync ID --adopt`",
            exit_code=10,
        )

    def _ask(self, order_ids: Sequence[str], asked: dict[str, tuple[str, int]]) -> list[Cancelled]:
        try:
            answers = {a.order_id: a for a in self.venue.cancel(order_ids, Lane.SYNC)}
        except VenueUnavailable as problem:
            return [
                Cancelled(
                    wanted=asked[i][0],
                    trade_id=asked[i][1],
                    order_id=i,
                    result="unknown",
                    reason=problem.message.rstrip("."),
                    exit_code=8,
                )
                for i in order_ids
            ]
        return [self._answered(i, *asked[i], answers.get(i)) for i in order_ids]

    def _answered(self, order_id: str, name: str, trade_id: int, answer: CancelAnswer | None) -> Cancelled:
        if answer is None:
            return Cancelled(
                wanted=name,
                trade_id=trade_id,
                order_id=order_id,
                result="unknown",
                reason="the venue's answer did not name this order",
                exit_code=8,
            )
        with self.store.write() as transaction:
            trade = transaction.trades.load([trade_id])[trade_id]
            wish = trade.cancel
            assert wish is not None
            step = CancelStep.ACCEPTED if answer.accepted else CancelStep.REFUSED
            said = CancelSeen(
                requested_at=wish.requested_at,
                step=step,
                answered_at=self.venue.now(),
                reason=None if answer.accepted else answer.reason,
            )
            self.recorder.about_in(transaction, {trade_id: [said]}, source=Source.SYNC)
        return Cancelled(
            wanted=name,
            trade_id=trade_id,
            order_id=order_id,
            result="accepted" if answer.accepted else "refused",
            reason=None if answer.accepted else answer.reason,
            exit_code=0 if answer.accepted else 5,
        )

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
