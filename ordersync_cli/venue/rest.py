"""Coinbase Advanced Trade by REST, as the services' Venue."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ordersync_cli.venue.account import AccountLookups
from ordersync_cli.venue.addresses import rest_address
from ordersync_cli.venue.caller import Caller
from ordersync_cli.venue.lookups import FILLS_A_PAGE, OrderLookups
from ordersync_cli.venue.placing import Placing
from ordersync_cli.venue.retries import Retries
from ordersync_cli.venue.tokens import Signer
from ordersync_cli.venue.transport import Timeouts, Transport
from ordersync_cli.venue.venue_clock import VenueClock
from ordersync_cli.venue.wire_account import Told

if TYPE_CHECKING:
    from ordersync_cli.clock import Chance, Clock
    from ordersync_cli.services.ports import Budget, ClockOffset
    from ordersync_cli.venue.credentials import CredentialSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """What may be set apart from the defaults; seconds, rows, and a CA file for a private authority."""

    timeouts: Timeouts = field(default_factory=Timeouts)
    retries: Retries = field(default_factory=Retries)
    fills_a_page: int = FILLS_A_PAGE
    ca_file: str | None = None


class RestVenue(OrderLookups, AccountLookups, Placing):
    """The venue: look-ups that raise, answers to orders that are values. Safe to share between threads."""

    def __init__(
        self,
        *,
        rest_url: str,
        source: CredentialSource,
        budget: Budget,
        clock: Clock,
        chance: Chance,
        name: str,
        simulated: bool,
        tuning: Tuning,
    ) -> None:
        address = rest_address(rest_url)
        self._venue_clock = VenueClock(clock)
        self._signer = Signer(source, self._venue_clock, chance, address.netloc)
        self._transport = Transport(address, clock, tuning.timeouts, tuning.ca_file)
        self._name, self._simulated = name, simulated
        caller = Caller(self._transport, self._signer, budget, clock, chance, tuning.retries)
        OrderLookups.__init__(self, caller, tuning.fills_a_page)
        AccountLookups.__init__(self, caller, clock)
        Placing.__init__(self, caller, clock)

    @property
    def name(self) -> str:
        """Name the venue: coinbase or simulator."""
        return self._name

    @property
    def simulated(self) -> bool:
        """Tell whether no money moves there."""
        return self._simulated

    @property
    def requests_made(self) -> int:
        """Count the requests this process has sent."""
        return self._transport.requests_made

    @property
    def signer(self) -> Signer:
        """Give what signs, for the feed of the same key."""
        return self._signer

    def now(self) -> datetime:
        """Tell the venue's clock (this machine's until it was measured)."""
        return self._venue_clock.now()

    def offset(self) -> ClockOffset:
        """Tell the offset, measuring it by GET /time when it is not known yet."""
        return self._caller.offset()

    def known_offset(self) -> ClockOffset | None:
        """Tell the offset where it is known well enough; asks nobody."""
        return None if self._venue_clock.doubtful else self._venue_clock.offset()

    def hear_of(self, offset: ClockOffset) -> None:
        """Take over what another process on this machine measured."""
        shown, error = offset.measured_at + timedelta(seconds=offset.seconds), timedelta(seconds=offset.error)
        self._venue_clock.note(Told(shown - error, shown + error), offset.mono, offset.mono)

    def close(self) -> None:
        """Close every connection."""
        self._transport.close()
