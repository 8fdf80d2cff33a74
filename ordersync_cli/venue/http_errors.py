"""Says what an HTTP error of the venue means to a look-up."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from ordersync_cli.errors import (
    CredentialsRefused,
    OrderRefused,
    UnreadableAnswer,
    VenueUnavailable,
)
from ordersync_cli.venue.redact import redacted
from ordersync_cli.venue.wire_answers import trouble
from ordersync_cli.venue.wire_values import WireError, parse_json

if TYPE_CHECKING:
    from ordersync_cli.errors import (
        OrdersyncError,
    )
    from ordersync_cli.venue.transport import Reply
    from ordersync_cli.venue.wire_answers import Trouble

LONGEST_WISH = 3600.0  # seconds: a wish to be left alone for longer is a misread header
_RATE_WORDS = ("rate_limit", "resource_exhausted", "too many requests")
_NOT_NOW = (HTTPStatus.FORBIDDEN, HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_EARLY)
_RUN_AGAIN = "Nothing is at stake; run it again."


class KeyRefused(CredentialsRefused):
    """The venue answered 401: the key, or the times in its token, are not what it takes."""


class Refused(OrderRefused):
    """The venue refused a request as it was asked: asking the same again would not help."""

    def __init__(self, message: str, status: int, body: Trouble) -> None:
        super().__init__(message)
        self.status = status
        self.body = body

    @property
    def says_no_such_order(self) -> bool:
        """Tell whether this is the venue's own word that it has no such order.

        Only its 404 NOT_FOUND is (and the older text of it): INVALID_ARGUMENT, or the 404 of a
        wrong path, proves nothing.
        """
        return self.status == HTTPStatus.NOT_FOUND and (
            self.body.word == "NOT_FOUND" or "order with this orderid was not found" in self.body.said.lower()
        )

    @property
    def says_no_such_product(self) -> bool:
        """Tell whether the venue does not know a product."""
        if self.status == HTTPStatus.NOT_FOUND:
            return self.body.word.upper() in {"NOT_FOUND", "UNKNOWN"}
        return self.status == HTTPStatus.BAD_REQUEST and "product" in self.body.said.lower()


def error_of(reply: Reply, where: str) -> OrdersyncError | None:
    """Translate a status into the error a look-up raises; None for 2xx."""
    if reply.is_success:
        return None
    body = _readable(reply)
    said = f"{where}: the venue answered {reply.status}"
    if body is not None or reply.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        said += f" ({_text(reply, body)})"
    if reply.status == HTTPStatus.UNAUTHORIZED:
        return KeyRefused(f"{said}: it refuses the key.", "Check the key, its IP list and this machine's clock.")
    if is_rate_limit(reply, body):
        return VenueUnavailable(f"{said}: too many requests.", _RUN_AGAIN, retry_after=retry_after(reply) or 1.0)
    if reply.status == HTTPStatus.FORBIDDEN and body is not None:
        return CredentialsRefused(f"{said}: the key lacks a permission.", "ordersync doctor shows what the key may do.")
    if reply.status in _NOT_NOW or reply.is_server_error:
        return VenueUnavailable(f"{said}.", _RUN_AGAIN, retry_after=retry_after(reply))
    if reply.is_client_error and body is not None:
        return Refused(f"{said}.", reply.status, body)
    return UnreadableAnswer(f"{said}, which cannot be read.", "Check the REST address.")


def is_rate_limit(reply: Reply, body: Trouble | None) -> bool:
    """Tell whether the venue asked for fewer requests."""
    if reply.asks_for_less:
        return True
    if body is None or not reply.is_client_error:
        return False
    return any(word in f"{body.word} {body.said}".lower() for word in _RATE_WORDS)


def retry_after(reply: Reply) -> float | None:
    """Read how many seconds the venue wants to be left alone."""
    for name in ("retry-after", "x-ratelimit-reset"):
        try:
            seconds = float(reply.headers.get(name, ""))
        except ValueError:
            continue
        if 0 <= seconds <= LONGEST_WISH:
            return seconds
    return None


def _readable(reply: Reply) -> Trouble | None:
    try:
        return trouble(parse_json(reply.body))
    except WireError:
        return None


def _text(reply: Reply, body: Trouble | None) -> str:
    if body is not None:
        return redacted(": ".join(part for part in (body.word, body.said) if part), 160)
    return redacted(reply.body[:400].decode("utf-8", "replace"), 80)
