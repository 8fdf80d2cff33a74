"""Makes one request to the venue: budget, token, retries of reads, errors translated, answers dated."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ordersync_cli.errors import (
    CredentialsRefused,
    SettingsError,
    UnreadableAnswer,
    VenueUnavailable,
)
from ordersync_cli.venue.http_errors import KeyRefused, Refused, error_of, retry_after
from ordersync_cli.venue.redact import redacted
from ordersync_cli.venue.retries import Left, Retrier, Retries, counted_down, unbounded
from ordersync_cli.venue.transport import Lost, NotSent, Params, Reply, Transport
from ordersync_cli.venue.wire_account import date_header, server_time
from ordersync_cli.venue.wire_values import Json, WireError, parse_json

if TYPE_CHECKING:
    from ordersync_cli.clock import Chance, Clock
    from ordersync_cli.services.ports import Budget, ClockOffset, Lane
    from ordersync_cli.venue.tokens import Signer
    from ordersync_cli.venue.wire_orders import Stamp

PREFIX = "/api/v3/brokerage"
_RUN_AGAIN = "Nothing is at stake; run it again."


@dataclass(frozen=True, slots=True)
class Answer:
    """A readable answer and when it was true."""

    body: Json
    stamp: Stamp


class Caller:
    """Asks the venue. Reads are retried within bounds, writes never; every request has a time-out."""

    def __init__(
        self,
        transport: Transport,
        signer: Signer,
        budget: Budget,
        clock: Clock,
        chance: Chance,
        retries: Retries,
    ) -> None:
        self.transport = transport
        self.signer = signer
        self.budget = budget
        self._venue_clock = signer.clock
        self._clock = clock
        self._retries = Retrier(retries, chance)
        self._measuring = threading.Lock()

    # ------------------------------------------------------------------ what lookups call

    def read(self, lane: Lane, path: str, params: Params, where: str, *, within: float | None = None) -> Answer:
        """Get something. Raises VenueUnavailable, CredentialsRefused, UnreadableAnswer or Refused.

        With ``within`` all of it, the waiting for the budget and the repeats too, is over after so
        many seconds.
        """
        left = counted_down(self._clock, within)
        return self._retries.retried(lambda: self._trusted(lane, "GET", path, params, where, left=left), left)

    def ask(self, lane: Lane, path: str, data: Mapping[str, Any], where: str) -> Answer:
        """Post a question that changes nothing at the venue; retried like a read."""
        return self._retries.retried(lambda: self._trusted(lane, "POST", path, data, where))

    def write(self, lane: Lane, path: str, data: Mapping[str, Any], where: str) -> Answer:
        """Post something that changes the venue: sent once, whatever comes back."""
        return self._trusted(lane, "POST", path, data, where)

    def offset(self) -> ClockOffset:
        """Tell the clock's offset, measured where it is not known. Raises VenueUnavailable."""
        self.ensure_clock()
        return self._venue_clock.offset()

    def ensure_clock(self) -> None:
        """Measure the venue's clock where it is not known or in doubt, by GET /time.

        The budget is not asked: an order about to be signed never waits, and this request needs
        no key.
        """
        self._retries.retried(lambda: self._measured(None))

    def _measured(self, lane: Lane | None, left: Left = unbounded) -> None:
        if not self._venue_clock.doubtful:
            return
        with self._measuring:
            if self._venue_clock.doubtful:
                self._measure(lane, left)

    # ------------------------------------------------------------------ one request

    def _trusted(
        self, lane: Lane, method: str, path: str, content: Mapping[str, Any], where: str, *, left: Left = unbounded
    ) -> Answer:
        """Make the request; where the key is refused, read it once more and try once more."""
        try:
            return self._once(lane, method, path, content, where, left=left)
        except KeyRefused as refused:  # a missing permission (403) is not cured by reading it again
            self._renew(refused)
            return self._once(lane, method, path, content, where, left=left)

    def _renew(self, refused: KeyRefused) -> None:
        try:
            self.signer.reload()
        except SettingsError as problem:
            raise CredentialsRefused(f"{refused.message} {problem.message}", problem.remedy) from None
        self._venue_clock.forget()  # or was it the times in the token?

    def _once(
        self, lane: Lane, method: str, path: str, content: Mapping[str, Any], where: str, *, left: Left
    ) -> Answer:
        self._measured(lane, left)
        self.budget.take(lane, left())
        full = PREFIX + path
        token = self.signer.rest(method, full).text
        started, before = self._venue_clock.now(), self._clock.monotonic()
        try:
            if method == "GET":
                reply = self.transport.get(full, content, token, left())
            else:
                reply = self.transport.post(full, content, token)
        except (NotSent, Lost) as lost:
            raise VenueUnavailable(f"{where}: the venue cannot be reached ({lost}).", _RUN_AGAIN) from None
        after = self._clock.monotonic()
        told = date_header(reply.headers.get("date"))
        stamp = self._venue_clock.rest_stamp(started, told, after - before)
        self.learn(reply, before, after)
        self._translate(reply, where)
        return Answer(readable(reply, where), stamp)

    def learn(self, reply: Reply, before: float, after: float) -> None:
        """Learn the venue's clock from an answer's Date."""
        told = date_header(reply.headers.get("date"))
        if told is not None:
            self._venue_clock.note(told, before, after)

    def _translate(self, reply: Reply, where: str) -> None:
        error = error_of(reply, where)
        if error is None:
            return
        if reply.asks_for_less:
            self.budget.penalise(retry_after(reply) or 1.0)
        raise error

    def _measure(self, lane: Lane | None, left: Left) -> None:
        if lane is not None:
            self.budget.take(lane, left())
        before = self._clock.monotonic()
        try:
            reply = self.transport.get(f"{PREFIX}/time", within=left())
        except (NotSent, Lost) as lost:
            raise VenueUnavailable(f"The venue cannot be reached ({lost}).", _RUN_AGAIN) from None
        after = self._clock.monotonic()
        self.learn(reply, before, after)
        try:
            self._venue_clock.note(server_time(readable(reply, "Server time")), before, after)
        except (UnreadableAnswer, WireError):
            if self._venue_clock.doubtful:  # not even a Date header told it
                with contextlib.suppress(Refused):  # of the look-up that needs the clock it would say a falsehood
                    self._translate(reply, "Server time")
                raise UnreadableAnswer("The venue's clock cannot be read.", "ordersync doctor") from None


def readable(reply: Reply, where: str) -> Json:
    """Parse an answer's body. Raises UnreadableAnswer (exit 7)."""
    try:
        return parse_json(reply.body)
    except WireError as error:
        raise UnreadableAnswer(
            f"{where}: the venue's answer cannot be read ({redacted(str(error), 160)}).",
            "Run it again; if it stays, report it.",
        ) from None
