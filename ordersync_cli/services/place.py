"""Place one order: validate, commit the intent, send once, and write down what came back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal

from ordersync_cli.clock import Chance, Clock
from ordersync_cli.domain.identity import canonical_request, tagged_id
from ordersync_cli.domain.observations import AnswerKind, PlaceAnswer
from ordersync_cli.domain.orders import OrderRequest, OrderStatus, Product, Source
from ordersync_cli.domain.standing import derive
from ordersync_cli.domain.trade import Standing, Trade
from ordersync_cli.domain.validation import notional, problems
from ordersync_cli.errors import (
    AlreadyKnown,
    CredentialsRefused,
    OrdersyncError,
    OutcomeUnknown,
    UsageError,
)
from ordersync_cli.services.follow import Followed, Follower
from ordersync_cli.services.freeze import refuse_when_frozen
from ordersync_cli.services.ports import Lane, Preview, SignedOrder, Store, Venue
from ordersync_cli.services.record import Recorder

OUTCOME_EXITS = {
    "filled": 0,
    "accepted": 0,
    "cancelled": 0,
    "expired": 0,
    "rejected": 5,
    "failed": 5,
    "not_placed": 6,
    "unknown": 8,
}
_TAKE_NEW_ID = "Place it again with another --client-order-id (or none: one is made for you)."


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """How the caller wants the order to be placed and followed; times in seconds."""

    request: OrderRequest
    wait: float = 5.0
    require_fill: bool = False
    max_notional: Decimal | None = None
    confirm: Callable[[OrderRequest, Decimal | None], None] | None = None
    say: Callable[[str], None] = lambda _: None
    id_was_given: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """What became of the order, as far as is known now."""

    trade: Trade
    standing: Standing
    outcome: str
    exit_code: int
    checks: int
    filled_immediately: bool
    requires_monitoring: bool
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Placing:
    """Places orders on one venue and one store."""

    store: Store
    venue: Venue
    recorder: Recorder
    clock: Clock
    chance: Chance

    def preview(self, wanted: Wanted) -> Preview:
        """Validate and ask the venue for a preview; nothing is written, no order is sent."""
        self._checked_product(wanted)
        return self.venue.preview(wanted.request, Lane.PLACE)

    def place(self, wanted: Wanted) -> Placed:
        """Place the order, once, and follow it for as long as was asked.

        Raises before anything is sent: UsageError (2), PlacingFrozen (2), SettingsError (3),
        CredentialsRefused (4), VenueUnavailable (6), StoreError (9). Raises OutcomeUnknown (8)
        once the request may have left and the store could not be told.
        """
        known = self._known(wanted)
        if known is not None:
            return known
        product = self._checked_product(wanted)
        if wanted.confirm is not None:
            wanted.confirm(wanted.request, notional(wanted.request, product))
        request = self._identified(wanted)
        signed = self.venue.sign(request)
        try:
            trade = self._commit_intent(request, signed)
        except AlreadyKnown:  # another process committed the same id a moment ago
            known = self._known(wanted)
            if known is None:
                raise
            return known
        wanted.say(f"client_order_id {request.client_order_id}")
        return self._send(wanted, trade, signed)

    # ------------------------------------------------------------------ before sending

    def _known(self, wanted: Wanted) -> Placed | None:
        """Answer a client order id that the store has already from the store."""
        client_order_id = wanted.request.client_order_id
        with self.store.read() as transaction:
            refuse_when_frozen(transaction)
            if client_order_id is None:
                return None
            ids = transaction.trades.ids_of(client_order_ids=[client_order_id])
            if not ids:
                return None
            trade = transaction.trades.load(ids.values(), lock=False)[ids[client_order_id]]
        if canonical_request(trade.request) != canonical_request(wanted.request):
            raise UsageError(
                f"The client order id {client_order_id} belongs to another request "
                f"(trade {trade.trade_id}). Nothing was sent.",
                _TAKE_NEW_ID,
            )
        return self._answer_known(wanted, trade)

    def _answer_known(self, wanted: Wanted, trade: Trade) -> Placed:
        standing = derive(trade)
        verdict = trade.verdict
        unsent = standing.order_status is OrderStatus.NOT_PLACED and verdict is not None
        if unsent and verdict is not None and verdict.burns_id:
            raise UsageError(
                f"The intent {trade.request.client_order_id} (trade {trade.trade_id}) was proven "
                "never to have reached the venue; its id is not used again. Nothing was sent.",
                _TAKE_NEW_ID,
            )
        if unsent:
            return self._send_again(wanted, trade)
        return self._placed(wanted, Followed(trade=trade, standing=standing, checks=0))

    def _send_again(self, wanted: Wanted, trade: Trade) -> Placed:
        """Send, once, what never left this machine; a race for it has one winner."""
        product = self._checked_product(wanted)
        if wanted.confirm is not None:
            wanted.confirm(wanted.request, notional(wanted.request, product))
        signed = self.venue.sign(trade.request)
        now = self.clock.now()
        again = replace(
            trade,
            attempts=trade.attempts + 1,
            attempt_at=signed.signed_at,
            not_after=signed.not_after,
            submitted_at=now,
        )
        with self.store.write() as transaction:
            refuse_when_frozen(transaction)
            won = transaction.trades.begin_attempt(again, expected_attempts=trade.attempts)
        if not won:
            raise OutcomeUnknown(
                f"Another process is sending trade {trade.trade_id} just now; this one sent nothing.",
                f"ordersync sync {trade.request.client_order_id}",
            )
        wanted.say(f"client_order_id {trade.request.client_order_id}")
        return self._send(wanted, again, signed)

    def _checked_product(self, wanted: Wanted) -> Product:
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
            said = "cannot be told" if worth is None else f"is about {worth:f}"
            raise UsageError(
                f"The order's value {said}, above the limit of {limit:f} (--max-notional). Nothing was sent.",
                "Place less, or raise the limit.",
            )
        return product

    def _identified(self, wanted: Wanted) -> OrderRequest:
        if wanted.request.client_order_id is not None:
            return wanted.request
        with self.store.read() as transaction:
            tag = transaction.notes.get("tag") or ""
        return replace(wanted.request, client_order_id=tagged_id(tag, self.chance.uuid()))

    def _commit_intent(self, request: OrderRequest, signed: SignedOrder) -> Trade:
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
            return transaction.trades.add(intent)

    # ------------------------------------------------------------------ once it may have left

    def _send(self, wanted: Wanted, trade: Trade, signed: SignedOrder) -> Placed:
        answer = self._answer(trade, signed)
        ids = f"client_order_id {trade.request.client_order_id}"
        if answer.order_id is not None:
            ids = f"order_id {answer.order_id}"
        try:
            wanted.say(ids)
            trade_id = trade.trade_id
            assert trade_id is not None
            recorded = self.recorder.about(trade_id, [answer], source=Source.PLACE)
            after = recorded.changes[-1].after if recorded.changes else self._load(trade_id)
        except (OrdersyncError, OSError, KeyboardInterrupt) as problem:
            raise self._unknown(trade, answer, problem) from problem
        if answer.credentials:
            raise CredentialsRefused(
                f"The venue refused the key or its scope: {answer.message or answer.reason}. "
                f"No order was placed; trade {trade_id} is rejected.",
                "Check the key with `ordersync doctor`.",
            )
        if answer.kind is not AnswerKind.ACCEPTED:
            return self._placed(wanted, Followed(trade=after, standing=derive(after), checks=0))
        return self._placed(wanted, self._follow(wanted, after))

    def _answer(self, trade: Trade, signed: SignedOrder) -> PlaceAnswer:
        try:
            return self.venue.send(signed, trade.attempts)
        except (Exception, KeyboardInterrupt) as problem:  # noqa: BLE001 - a byte may have left
            return PlaceAnswer(
                kind=AnswerKind.UNKNOWN,
                attempt=trade.attempts,
                at=self.venue.now(),
                reason="interrupted",
                message=type(problem).__name__,
            )

    def _follow(self, wanted: Wanted, trade: Trade) -> Followed:
        follower = Follower(store=self.store, venue=self.venue, recorder=self.recorder, clock=self.clock)
        looks_needed = 1 if wanted.id_was_given else 0
        return follower.follow(trade, wait=wanted.wait, at_least=looks_needed)

    def _load(self, trade_id: int) -> Trade:
        with self.store.read() as transaction:
            return transaction.trades.load([trade_id], lock=False)[trade_id]

    def _unknown(self, trade: Trade, answer: PlaceAnswer, problem: BaseException) -> OutcomeUnknown:
        said = problem.message if isinstance(problem, OrdersyncError) else type(problem).__name__
        known = f"order_id {answer.order_id}" if answer.order_id else "no order id"
        return OutcomeUnknown(
            f"The request was sent (client_order_id {trade.request.client_order_id}, {known}), "
            f"but what came back ({answer.kind.value}) could not be written down: {said}. "
            "The order may exist.",
            f"ordersync sync {trade.request.client_order_id}",
        )

    def _placed(self, wanted: Wanted, followed: Followed) -> Placed:
        trade, standing = followed.trade, followed.standing
        outcome = outcome_of(standing)
        exit_code = OUTCOME_EXITS[outcome]
        short = wanted.require_fill and outcome in {"accepted", "cancelled", "expired"}
        return Placed(
            trade=trade,
            standing=standing,
            outcome=outcome,
            exit_code=13 if short else exit_code,
            checks=followed.checks,
            filled_immediately=outcome == "filled" and followed.checks > 0,
            requires_monitoring=standing.status == "pending",
            message=message_of(trade, standing, outcome),
        )


def outcome_of(standing: Standing) -> str:
    """Name the outcome of a placed order in the contract's words."""
    word = standing.order_status
    if word is OrderStatus.SUBMITTING:
        return "unknown"
    if word in {OrderStatus.OPEN, OrderStatus.CANCELLING}:
        return "accepted"
    return word.value


def message_of(trade: Trade, standing: Standing, outcome: str) -> str:
    """Say in one line what happened and what is true now; empty when all is well."""
    name = trade.request.client_order_id
    if outcome == "unknown":
        return (
            f"The outcome is unknown: the order may exist (client_order_id {name}). "
            f"Nothing will be sent again. Next: ordersync sync {name}"
        )
    if outcome == "not_placed":
        return (
            f"Nothing left this machine ({standing.reason}); trade {trade.trade_id} is not placed. "
            f"The same command with --client-order-id {name} sends it."
        )
    if outcome in {"rejected", "failed"}:
        return f"The venue refused the order: {standing.reason or 'no reason given'}."
    return ""
