"""Place one order: commit the intent, send it once, and write down what came back."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ordersync_cli.domain.observations import AnswerKind, PlaceAnswer
from ordersync_cli.domain.orders import OrderStatus, Source
from ordersync_cli.domain.standing import derive, is_settled, never_left
from ordersync_cli.errors import AlreadyKnown, CredentialsRefused, OrdersyncError, OutcomeUnknown, UsageError
from ordersync_cli.services.follow import Followed, Follower
from ordersync_cli.services.intent import TAKE_NEW_ID, Intents
from ordersync_cli.services.ports import Lane

if TYPE_CHECKING:
    from ordersync_cli.clock import Chance, Clock
    from ordersync_cli.domain.trade import Standing, Trade
    from ordersync_cli.services.intent import Wanted
    from ordersync_cli.services.ports import Preview, SignedOrder, Store, Venue
    from ordersync_cli.services.record import Recorder

_log = logging.getLogger(__name__)

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
_UNFILLED = frozenset({"accepted", "cancelled", "expired"})


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
        """Validate and ask the venue for a preview; nothing is written, no order is sent.

        Refuses what `place` would refuse: the id of another request or a used one (2), a frozen store (2).
        """
        known = self._intents.known(wanted)
        if known is None or not is_answered(known):
            self._intents.refuse_when_frozen()
        self._intents.check(wanted)
        return self.venue.preview(wanted.request, Lane.PLACE)

    def place(self, wanted: Wanted) -> Placed:
        """Place the order, once, and follow it for as long as was asked.

        Raises before anything is sent: UsageError (2), PlacingFrozen (2), SettingsError (3),
        CredentialsRefused (4), VenueUnavailable (6), StoreError (9). Raises OutcomeUnknown (8)
        once the request may have left and the store could not be told.
        """
        known = self._intents.known(wanted)
        if known is not None:
            return self._answer_known(wanted, known)
        self._intents.refuse_when_frozen()
        self._intents.confirmed(wanted)
        try:
            trade, signed = self._intents.commit(wanted)
        except AlreadyKnown:
            known = self._intents.known(wanted)
            if known is None:
                raise
            return self._answer_known(wanted, known)
        return self._send(wanted, trade, signed)

    @property
    def _intents(self) -> Intents:
        return Intents(store=self.store, venue=self.venue, clock=self.clock, chance=self.chance, recorder=self.recorder)

    def _answer_known(self, wanted: Wanted, trade: Trade) -> Placed:
        """Answer from the store; only what never left this machine is sent now, once."""
        if is_answered(trade):
            return placed(wanted, Followed(trade=trade, standing=derive(trade), checks=0))
        self._intents.refuse_when_frozen()
        as_it_was = replace(wanted, request=replace(wanted.request, end_time=trade.request.end_time))
        self._intents.confirmed(as_it_was)
        sending = self._intents.commit_again(trade)
        if sending is None:  # another process was faster: what it made of it is the answer
            assert trade.trade_id is not None
            now = self._load(trade.trade_id)
            return placed(wanted, Followed(trade=now, standing=derive(now), checks=0))
        return self._send(wanted, *sending)

    def _send(self, wanted: Wanted, trade: Trade, signed: SignedOrder) -> Placed:
        wanted.say(f"client_order_id {trade.request.client_order_id}")
        said = {"client_order_id": trade.request.client_order_id}
        _log.info("the intent of trade %s is committed; sending it once", trade.trade_id, extra=said)
        answer = self._answer(trade, signed)
        _log.info("the venue's answer: %s %s", answer.kind.value, answer.reason or answer.order_id, extra=said)
        trade_id = trade.trade_id
        assert trade_id is not None
        try:
            if answer.order_id is not None:
                wanted.say(f"order_id {answer.order_id}")
            recorded = self.recorder.about(trade_id, [answer], source=Source.PLACE)
            after = recorded.changes[-1].after if recorded.changes else self._load(trade_id)
        except (Exception, KeyboardInterrupt) as problem:
            raise unknown(trade, answer, problem) from problem
        if answer.kind is not AnswerKind.ACCEPTED:
            return _unaccepted(placed(wanted, Followed(trade=after, standing=derive(after), checks=0)), answer)
        return placed(wanted, self._follow(wanted, after))

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
        return follower.follow(trade, wait=wanted.wait, at_least=1 if wanted.id_was_given else 0)

    def _load(self, trade_id: int) -> Trade:
        with self.store.read() as transaction:
            return transaction.trades.load([trade_id], lock=False)[trade_id]


def is_answered(trade: Trade) -> bool:
    """Tell whether a known intent is answered from the store; False where it never left, and may be sent now.

    Raises UsageError (2) where its id is used up: proven absent, or settled so by hand.
    """
    if never_left(trade):
        return False
    if derive(trade).order_status is not OrderStatus.NOT_PLACED:
        return True
    how = "settled by hand as not_placed" if trade.settled else "proven never to have reached the venue"
    raise UsageError(
        f"The intent {trade.request.client_order_id} (trade {trade.trade_id}) was {how}; "
        "its id is not used again. Nothing was sent.",
        TAKE_NEW_ID,
    )


def placed(wanted: Wanted, followed: Followed) -> Placed:
    """Sum up what became of an order."""
    trade, standing = followed.trade, followed.standing
    outcome = outcome_of(standing)
    short = wanted.require_fill and outcome in _UNFILLED
    return Placed(
        trade=trade,
        standing=standing,
        outcome=outcome,
        exit_code=13 if short else OUTCOME_EXITS[outcome],
        checks=followed.checks,
        filled_immediately=outcome == "filled" and followed.checks > 0,
        requires_monitoring=standing.status == "pending",
        message=message_of(trade, standing, outcome) or (_given_up(followed.problem) if followed.problem else ""),
    )


def _unaccepted(done: Placed, answer: PlaceAnswer) -> Placed:
    """Add what only the answer tells: why the outcome is unknown, and that it was the key that was refused."""
    if answer.credentials and done.outcome == "rejected":
        text = (
            f"The venue refused the key or its scope: {answer.message or answer.reason}. No order was placed; "
            f"trade {done.trade.trade_id} is rejected. Check the key with `ordersync doctor`."
        )
        return replace(done, exit_code=CredentialsRefused.exit_code, message=text)
    if done.outcome == "unknown":
        why = f"{_why_unknown(answer)}. "
        return replace(done, message=why[0].upper() + why[1:] + done.message)
    return done


def _given_up(problem: str) -> str:
    return f"The order was placed, but cannot be looked at: {problem} Next: ordersync doctor"


def _why_unknown(answer: PlaceAnswer) -> str:
    """Say in words why nothing is known of an order that was sent."""
    word, _, status = (answer.reason or "").rpartition("_")
    detail = f" ({answer.message})" if answer.message else ""
    if word == "http":
        return f"the venue answered {status}{detail}, which does not say whether it took the order"
    if word == "unreadable":
        return f"the venue answered {status}, and its answer cannot be read{detail}"
    if answer.reason == "no_answer":
        return f"the answer was lost{detail}"
    if answer.reason in {"interrupted", "failed_here"}:
        return f"sending was interrupted{detail}"
    return f"the venue answered {answer.reason or 'without a reason'}{detail}"


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
    if is_settled(trade):
        return f"Trade {trade.trade_id} was settled by hand as {outcome}: {standing.reason}. Nothing was sent."
    if outcome in {"rejected", "failed"}:
        figures = standing.figures
        if figures is not None and figures.filled_size:
            return (
                f"The venue ended the order ({standing.reason or 'no reason given'}) after a part of it: "
                f"{figures.filled_size:f} filled at {figures.average_filled_price:f}. "
                f"Trade {trade.trade_id} is {standing.status.value}."
            )
        proven = f"Nothing was bought or sold; trade {trade.trade_id} is {outcome}."
        if standing.status != "failed":
            proven = f"Trade {trade.trade_id} stays pending until a second look proves that nothing was filled."
        return f"The venue refused the order: {standing.reason or 'no reason given'}. {proven}"
    return ""


def unknown(trade: Trade, answer: PlaceAnswer, problem: BaseException) -> OutcomeUnknown:
    """Say that an order may exist whose answer could not be written down."""
    said = problem.message if isinstance(problem, OrdersyncError) else type(problem).__name__
    known = f"order_id {answer.order_id}" if answer.order_id else "no order id"
    return OutcomeUnknown(
        f"The request was sent (client_order_id {trade.request.client_order_id}, {known}), "
        f"but what came back ({answer.kind.value}) could not be written down: {said}. "
        "The order may exist.",
        f"ordersync sync {trade.request.client_order_id}",
    )
