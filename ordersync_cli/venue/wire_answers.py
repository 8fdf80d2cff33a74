"""Reads what the venue answers to writes: create, cancel, preview; and the bodies of its errors."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ordersync_cli.domain.observations import AnswerKind
from ordersync_cli.services import ports
from ordersync_cli.venue.redact import redacted
from ordersync_cli.venue.wire_values import WireError, as_row, as_rows, flag, number, text, venue_id

if TYPE_CHECKING:
    from ordersync_cli.services.ports import CancelAnswer, Preview
    from ordersync_cli.venue.wire_values import Json, Row

# Read in this order: real refusals carry their reason in any one of them.
_REASON_FIELDS = ("new_order_failure_reason", "preview_failure_reason", "error", "error_details", "message")
_DUPLICATE = "DUPLICATE_CLIENT_ORDER_ID"
# Words of a venue in trouble rather than of an order refused: they do not say that no order exists.
_UNSPECIFIC = re.compile(
    r"\b(internal|time ?out|timed out|deadline|unavailable|aborted|try again|retry|unexpected|went wrong)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """What an answer to Create Order says: accepted, rejected, or nothing that can be relied on."""

    kind: AnswerKind
    order_id: str | None = None
    reason: str | None = None
    message: str = ""


def created(body: Json) -> Created:
    """Read the answer to Create Order, of today's shape and of the one before September 2024.

    Raises WireError when it says neither accepted nor refused: then the order may exist.
    """
    answer = as_row(body, "create answer")
    accepted = as_row(answer.get("success_response") or {}, "success_response")
    order_id = venue_id(accepted, "order_id") or venue_id(answer, "order_id")
    if "success" not in answer:
        raise WireError("the create answer has no success field")
    if flag(answer, "success"):
        if order_id is None:
            raise WireError("the create answer says success and names no order")
        return Created(kind=AnswerKind.ACCEPTED, order_id=order_id)
    if order_id is not None:
        raise WireError(f"the create answer says failure and names order {order_id}")
    return refusal(answer)


def refusal(answer: Row) -> Created:
    """Read why an order was refused: UNKNOWN where nothing specific is said (traps T14, T16)."""
    details = answer.get("error_response")
    row: Row = details if isinstance(details, dict) else answer
    words = [word for name in _REASON_FIELDS if (word := text(row, name)) is not None and word.strip()]
    legacy = text(answer, "failure_reason")
    if legacy is not None:
        words.append(legacy)
    message = redacted(text(row, "message") or text(row, "error_details") or "", 200)
    if any(_DUPLICATE in word.upper() for word in words):
        return Created(kind=AnswerKind.UNKNOWN, reason=_DUPLICATE, message=message)
    for word in words:
        if _is_specific(word):
            return Created(kind=AnswerKind.REJECTED, reason=redacted(word, 200), message=message)
    return Created(
        kind=AnswerKind.UNKNOWN, reason=redacted(words[0], 200) if words else "no_reason_given", message=message
    )


def _is_specific(word: str) -> bool:
    return not word.upper().startswith("UNKNOWN") and _UNSPECIFIC.search(word.replace("_", " ")) is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """The body of an HTTP error: the venue's word for it and its text."""

    word: str
    said: str


def trouble(body: Json) -> Trouble:
    """Read Coinbase's error body; raises WireError for JSON of somebody else (a proxy, say)."""
    row = as_row(body, "error body")
    errors = row.get("errors")
    if isinstance(errors, list) and errors and isinstance(errors[0], dict):
        return Trouble(word=text(errors[0], "id") or "", said=text(errors[0], "message") or "")
    details = row.get("error_response")
    if isinstance(details, dict):
        row = details
    if not any(isinstance(row.get(name), str) for name in _REASON_FIELDS):
        raise WireError("an error body without error or message")
    said = text(row, "error_details") or text(row, "message") or ""
    return Trouble(word=text(row, "error") or "", said=said)


def cancel_answers(body: Json) -> tuple[CancelAnswer, ...]:
    """Read the answers to Cancel Orders; ``failure_reason`` is filled on success too and means nothing then."""
    answers = []
    for value in as_rows(as_row(body, "cancel answer"), "results"):
        row = as_row(value, "cancel result")
        order_id = venue_id(row, "order_id")
        if order_id is None:
            raise WireError("a cancel result names no order")
        accepted = flag(row, "success")
        reason = None if accepted else text(row, "failure_reason") or "UNKNOWN_CANCEL_FAILURE_REASON"
        answers.append(ports.CancelAnswer(order_id=order_id, accepted=accepted, reason=reason))
    return tuple(answers)


def preview(body: Json) -> Preview:
    """Read the answer to Preview Order; HTTP 200 with ``errs`` filled is a refusal."""
    row = as_row(body, "preview")
    return ports.Preview(
        errors=_words(row.get("errs")),
        warnings=_words(row.get("warning")),
        order_total=number(row, "order_total"),
        commission_total=number(row, "commission_total"),
        base_size=number(row, "base_size"),
        quote_size=number(row, "quote_size"),
        average_price=number(row, "est_average_filled_price") or number(row, "average_filled_price"),
    )


def refused_preview(reason: str) -> Preview:
    """Say by a preview that the venue would not even preview this order."""
    return ports.Preview(
        errors=(reason,),
        warnings=(),
        order_total=None,
        commission_total=None,
        base_size=None,
        quote_size=None,
        average_price=None,
    )


def _words(value: Json) -> tuple[str, ...]:
    if value in (None, "", []):
        return ()
    listed = value if isinstance(value, list) else [value]
    return tuple(redacted(str(word), 200) for word in listed)
