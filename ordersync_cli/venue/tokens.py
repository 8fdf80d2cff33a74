"""Signs JSON web tokens on the venue's clock, each with a fresh nonce and a short life."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import jwt

if TYPE_CHECKING:
    from ordersync_cli.clock import Chance
    from ordersync_cli.venue.credentials import Credentials, CredentialSource
    from ordersync_cli.venue.venue_clock import VenueClock

ORDER_LIFE = 30  # seconds: contract, "requests are signed for 30 s"
READ_LIFE = 60  # seconds; the venue allows 120
# Our reading of the venue's clock may be a fraction of a second ahead: a token must not begin later than now.
BEGIN_EARLIER = 1


@dataclass(frozen=True, slots=True)
class Token:
    """A signed token and its life on the venue's clock."""

    text: str = field(repr=False)
    signed_at: datetime
    not_after: datetime


class Signer:
    """Holds the key and signs with it; the key is read again when the venue refuses it."""

    def __init__(self, source: CredentialSource, venue_clock: VenueClock, chance: Chance, host: str) -> None:
        self._source = source
        self._clock = venue_clock
        self._chance = chance
        self._host = host
        self._lock = threading.Lock()
        self._credentials = source.load()

    @property
    def clock(self) -> VenueClock:
        """Give the clock that tokens are signed on."""
        return self._clock

    def reload(self) -> None:
        """Read the key again. Raises SettingsError when it is no longer readable."""
        fresh = self._source.load()
        with self._lock:
            self._credentials = fresh

    def rest(self, method: str, path: str, life: int = READ_LIFE) -> Token:
        """Sign one REST request, named by method, host and path without the query.

        (Coinbase docs, REST API authentication; with another host that host is named.)
        """
        return self._sign(life, {"uri": f"{method} {self._host}{path}"})

    def feed(self) -> Token:
        """Sign one subscription of the WebSocket, which names no address."""
        return self._sign(READ_LIFE, {})

    def _sign(self, life: int, claims: dict[str, Any]) -> Token:
        with self._lock:
            held: Credentials = self._credentials
        signed_at = self._clock.now()
        second = int(signed_at.timestamp())
        expiry = second + life
        nonce = (self._chance.uuid() + self._chance.uuid()).replace("-", "")
        text = jwt.encode(
            {"sub": held.name, "iss": "cdp", "nbf": second - BEGIN_EARLIER, "exp": expiry, **claims},
            held.private_key,
            algorithm=held.algorithm,
            headers={"kid": held.name, "nonce": nonce},
        )
        return Token(text, signed_at, datetime.fromtimestamp(expiry, UTC))
