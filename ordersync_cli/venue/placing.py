"""Signs an order and sends it, once; whatever comes back is a value."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from ordersync_cli.domain.observations import AnswerKind, PlaceAnswer
from ordersync_cli.services.ports import SignedOrder
from ordersync_cli.venue.caller import PREFIX
from ordersync_cli.venue.http_errors import is_rate_limit, retry_after
from ordersync_cli.venue.redact import redacted
from ordersync_cli.venue.tokens import ORDER_LIFE
from ordersync_cli.venue.transport import Lost, NotSent
from ordersync_cli.venue.wire_answers import Created, created, refusal, trouble
from ordersync_cli.venue.wire_requests import create_body
from ordersync_cli.venue.wire_values import WireError, as_row, parse_json

if TYPE_CHECKING:
    from ordersync_cli.clock import Clock
    from ordersync_cli.domain.orders import OrderRequest
    from ordersync_cli.venue.caller import Caller
    from ordersync_cli.venue.transport import Reply
    from ordersync_cli.venue.wire_answers import Trouble
    from ordersync_cli.venue.wire_values import Json

CREATE_PATH = f"{PREFIX}/orders"
_REFUSING = (400, 404, 422)
_CREDENTIALS = (401, 403)


class Placing:
    """The two steps of placing, with the commit of the intent between them."""

    def __init__(self, caller: Caller, clock: Clock) -> None:
        self._caller = caller
        self._clock = clock

    def sign(self, request: OrderRequest) -> SignedOrder:
        """Sign the request to place for 30 s on the venue's clock; sends no order.

        Raises VenueUnavailable where the venue's clock is not known and cannot be asked for.
        """
        body = create_body(request)
        self._caller.ensure_clock()
        token = self._caller.signer.rest("POST", CREATE_PATH, ORDER_LIFE)
        return SignedOrder(request, body, token.text, token.signed_at, token.not_after)

    def send(self, signed: SignedOrder, attempt: int) -> PlaceAnswer:
        """Send it, once, whatever the budget says; every outcome is a value."""
        before = self._clock.monotonic()
        try:
            reply = self._caller.transport.post(CREATE_PATH, signed.body, signed.token)
        except NotSent as failure:
            outcome = Created(kind=AnswerKind.NOT_SENT, reason="not_sent", message=str(failure))
        except Lost as failure:
            outcome = Created(kind=AnswerKind.UNKNOWN, reason="no_answer", message=str(failure))
        except Exception as bug:  # noqa: BLE001 (the request may have left: nothing is worse than not saying so)
            outcome = Created(kind=AnswerKind.UNKNOWN, reason="failed_here", message=f"{type(bug).__name__}: {bug}")
        else:
            outcome = outcome_of(reply)
            with contextlib.suppress(Exception):  # the outcome is known: nothing may take its place
                self._caller.learn(reply, before, self._clock.monotonic())
                if reply.asks_for_less:
                    self._caller.budget.penalise(retry_after(reply) or 1.0)
            with contextlib.suppress(Exception):  # the same
                self._caller.budget.spend()
            return self._answer(outcome, attempt, credentials=_is_credentials(reply, outcome))
        return self._answer(outcome, attempt, credentials=False)

    def _answer(self, outcome: Created, attempt: int, *, credentials: bool) -> PlaceAnswer:
        return PlaceAnswer(
            kind=outcome.kind,
            attempt=attempt,
            at=self._caller.signer.clock.now(),
            order_id=outcome.order_id,
            reason=outcome.reason,
            message=redacted(outcome.message, 200),
            credentials=credentials,
        )


def outcome_of(reply: Reply) -> Created:
    """Say what an answer to Create Order proves (decision record 0201).

    Refused is what the venue itself says it refused; whatever could have come from something
    before or behind it (HTML, 408, 409, 429, 5xx, garbage) leaves the outcome unknown.
    """
    try:
        return _outcome(reply)
    except WireError as error:
        return Created(kind=AnswerKind.UNKNOWN, reason=f"unreadable_{reply.status}", message=redacted(str(error), 200))


def _outcome(reply: Reply) -> Created:
    if reply.is_success:
        return created(parse_json(reply.body))
    if reply.status in _CREDENTIALS:
        return _refused_key(reply)
    body = _trouble(reply)
    if reply.status not in _REFUSING or body is None or is_rate_limit(reply, body):
        said = "" if body is None else f"{body.word} {body.said}".strip()
        return Created(kind=AnswerKind.UNKNOWN, reason=f"http_{reply.status}", message=said)
    return _refused_order(parse_json(reply.body), body)


def _refused_order(parsed: Json, body: Trouble) -> Created:
    row = as_row(parsed, "error body")
    if row.get("success") is True or row.get("success_response"):
        raise WireError("an error status with a success in its body")
    outcome = refusal(row)
    if outcome.kind is AnswerKind.REJECTED or outcome.reason == "DUPLICATE_CLIENT_ORDER_ID":
        return outcome
    if row.get("success") is False:  # an answer to the order itself, and one without a reason
        return outcome
    reason = redacted(body.word or body.said, 200) or "refused"
    return Created(kind=AnswerKind.REJECTED, reason=reason, message=redacted(body.said, 200))


def _refused_key(reply: Reply) -> Created:
    body = _trouble(reply)
    plain = reply.body[:400].decode("utf-8", "replace").strip()
    if body is None and not plain.lower().startswith("unauthorized"):
        return Created(kind=AnswerKind.UNKNOWN, reason=f"http_{reply.status}", message="not the venue's own words")
    said = plain if body is None else f"{body.word} {body.said}".strip()
    return Created(kind=AnswerKind.REJECTED, reason="credentials_refused", message=redacted(said, 200))


def _is_credentials(reply: Reply, outcome: Created) -> bool:
    return reply.status in _CREDENTIALS and outcome.kind is AnswerKind.REJECTED


def _trouble(reply: Reply) -> Trouble | None:
    try:
        return trouble(parse_json(reply.body))
    except WireError:
        return None
