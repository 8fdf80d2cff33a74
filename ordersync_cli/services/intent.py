"""Before an order is sent: what the store knows of its id, what is wrong with it, and the committed intent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from ordersync_cli.domain.identity import canonical_request, tagged_id
from ordersync_cli.domain.orders import Source
from ordersync_cli.domain.trade import Trade
from ordersync_cli.domain.validation import notional, problems
from ordersync_cli.errors import UsageError
from ordersync_cli.services.freeze import refuse_when_frozen
from ordersync_cli.services.ports import Lane

if TYPE_CHECKING:
    from ordersync_cli.clock import Chance, Clock
    from ordersync_cli.domain.orders import OrderRequest, Product
    from ordersync_cli.services.ports import SignedOrder, Store, Venue
    from ordersync_cli.services.record import Recorder

READ_BEFORE = timedelta(minutes=2)  # from reading the words to the commit: the venue is asked, and maybe a person
TAKE_NEW_ID = "Place it again with another --client-order-id (or none: one is made for you)."


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """How the caller wants the order to be placed and followed; times in seconds.

    ``ends_after``: the request's end was said as a duration from now. ``go_on`` raises where the
    caller wants to stop; it is asked once more before the intent is committed.
    """

    request: OrderRequest
    ends_after: timedelta | None = None
    wait: float = 5.0
    require_fill: bool = False
    max_notional: Decimal | None = None
    confirm: Callable[[OrderRequest, Decimal | None], None] | None = None
    say: Callable[[str], None] = lambda _: None
    go_on: Callable[[], None] = lambda: None
    id_was_given: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Intents:
    """Checks requests and commits intents on one store for one venue."""

    store: Store
    venue: Venue
    clock: Clock
    chance: Chance
    recorder: Recorder

    def known(self, wanted: Wanted) -> Trade | None:
        """Find the trade of a client order id that was given; UsageError where it is another request's."""
        client_order_id = wanted.request.client_order_id
        if client_order_id is None:
            return None
        with self.store.read() as transaction:
            ids = transaction.trades.ids_of(client_order_ids=[client_order_id])
            if not ids:
                return None
            trade = transaction.trades.load(ids.values(), lock=False)[ids[client_order_id]]
        if canonical_request(trade.request) != canonical_request(_as_before(wanted, trade)):
            raise UsageError(
                f"The client order id {client_order_id} belongs to another request "
                f"(trade {trade.trade_id}). Nothing was sent.",
                TAKE_NEW_ID,
            )
        return trade

    def refuse_when_frozen(self) -> None:
        """Raise PlacingFrozen (2) while placing is frozen: what the store knows is answered all the same."""
        with self.store.read() as transaction:
            refuse_when_frozen(transaction)

    def check(self, wanted: Wanted) -> Product:
        """Hold the request against the product and the limits; raises UsageError (2) with what would be right."""
        request = wanted.request
        product = self.venue.product(request.product_id, Lane.PLACE)
        if product is None:
            raise UsageError(
                f"{self.venue.name} does not know the product {request.product_id}. Nothing was sent.",
                "Write it like BTC-USD.",
            )
        found = problems(request, product, now=self.venue.now())
        if found:
            raise UsageError(" ".join(found) + " Nothing was sent.", "Correct the order and place it again.")
        worth = notional(request, product)
        limit = wanted.max_notional
        if limit is not None and (worth is None or worth > limit):
            said = "cannot be told, so it may be" if worth is None else f"is about {worth:f},"
            raise UsageError(
                f"The order's value {said} above the limit of {limit:f} (--max-notional). Nothing was sent.",
                "Place less, or raise the limit.",
            )
        return product

    def confirmed(self, wanted: Wanted) -> None:
        """Check the request, and have it confirmed by whoever is asked."""
        product = self.check(wanted)
        if wanted.confirm is not None:
            wanted.confirm(wanted.request, notional(wanted.request, product))
        wanted.go_on()

    def commit(self, wanted: Wanted) -> tuple[Trade, SignedOrder]:
        """Sign the request, then commit its intent with the moment its signature dies.

        The order matters: a process that is frozen after the commit sends a dead token. Raises
        AlreadyKnown where another process committed the same client order id a moment ago.
        """
        request = self._identified(wanted.request)
        signed = self.venue.sign(request)
        now = self.clock.now()
        intent = Trade(
            request=request,
            created_at=now,
            attempts=1,
            attempt_at=signed.signed_at,
            not_after=signed.not_after,
            submitted_at=now,
            source=Source.PLACE,
            updated_at=now,
        )
        with self.store.write() as transaction:
            refuse_when_frozen(transaction)
            return self.recorder.added_in(transaction, intent), signed

    def commit_again(self, trade: Trade) -> tuple[Trade, SignedOrder] | None:
        """Sign anew what never left this machine; a race for it has one winner, and None for the others."""
        signed = self.venue.sign(trade.request)
        again = replace(
            trade,
            attempts=trade.attempts + 1,
            attempt_at=signed.signed_at,
            not_after=signed.not_after,
            submitted_at=self.clock.now(),
        )
        with self.store.write() as transaction:
            refuse_when_frozen(transaction)
            won = transaction.trades.begin_attempt(again, expected_attempts=trade.attempts)
        return (again, signed) if won else None

    def _identified(self, request: OrderRequest) -> OrderRequest:
        if request.client_order_id is not None:
            return request
        with self.store.read() as transaction:
            tag = transaction.notes.get("tag") or ""
        return replace(request, client_order_id=tagged_id(tag, self.chance.uuid()))


def _as_before(wanted: Wanted, trade: Trade) -> OrderRequest:
    """Give the request with the end it had the first time, where both were said as the same duration from now."""
    end = trade.request.end_time
    if wanted.ends_after is None or end is None:
        return wanted.request
    late = trade.created_at + wanted.ends_after - end  # the words were read this long before the commit
    return replace(wanted.request, end_time=end) if timedelta() <= late <= READ_BEFORE else wanted.request
