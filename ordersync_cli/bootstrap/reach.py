"""How one run reaches the venue: its address and key, its connection, its claim on the store."""

from __future__ import annotations

import hashlib
import platform
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from ordersync_cli.errors import OrderRefused, UnreadableAnswer
from ordersync_cli.services.clock_note import recall

if TYPE_CHECKING:
    from ordersync_cli.clock import Chance, Clock
    from ordersync_cli.config import Settings
    from ordersync_cli.services.ports import ClockOffset, Store
    from ordersync_cli.simulator.server import SimulatorServer
    from ordersync_cli.venue.credentials import CredentialSource
    from ordersync_cli.venue.rest import RestVenue


@dataclass(frozen=True, slots=True)
class Access:
    """Where the venue is, and which key signs."""

    rest_url: str
    ws_url: str
    source: CredentialSource


class VenueReach:
    """How one run reaches the venue: its address and key, its connection, its claim on the store."""

    def __init__(self, settings: Settings, store: Store, clock: Clock, chance: Chance) -> None:
        self._settings = settings
        self._store = store
        self._clock = clock
        self._chance = chance
        self._simulator: SimulatorServer | None = None

    @cached_property
    def access(self) -> Access:
        """Where the venue is and which key signs; starts the embedded simulator where that is the venue."""
        from ordersync_cli.venue import key_source

        settings = self._settings
        settings.require_credentials()
        if settings.is_embedded:
            server = self._simulator = _embedded(settings).start()
            return Access(server.rest_url, server.ws_url, key_source(key_file=server.key_file))
        source = key_source(
            key_file=settings.key_file, key_name=settings.api_key or "", key_secret=settings.api_secret or ""
        )
        return Access(settings.rest_endpoint, settings.ws_endpoint, source)

    @cached_property
    def rest(self) -> RestVenue:
        """The venue by REST; sends nothing yet."""
        from ordersync_cli.venue import open_venue
        from ordersync_cli.venue.rest import Tuning
        from ordersync_cli.venue.transport import Timeouts

        settings, access = self._settings, self.access
        tuning = Tuning(
            timeouts=Timeouts(read=settings.request_timeout.total_seconds()), fills_a_page=settings.fills_page_size
        )
        return open_venue(
            rest_url=access.rest_url,
            source=access.source,
            budget=self._store.budget,
            clock=self._clock,
            chance=self._chance,
            name=settings.venue,
            simulated=settings.simulated,
            tuning=tuning,
        )

    def claim(self, store: Store, *, ask: bool, bind: bool) -> None:
        """Bind the store to this venue and the key's portfolio, or only compare; see ``Wiring.claimed``."""
        from ordersync_cli.services.ports import Lane

        key = hashlib.sha256(self.access.source.load().name.encode()).hexdigest()[:16]
        note = f"portfolio_of_key:{key}"
        with store.read() as transaction:
            known = transaction.notes.get(note)
            heard = recall(transaction.notes, platform.node(), self._clock)
        if heard is not None:
            self.rest.hear_of(heard)  # one request less before an order
        portfolio = known
        if ask or known is None:
            with suppress(OrderRefused, UnreadableAnswer):  # a server of the wire format need not know this call
                portfolio = self.rest.key_permissions(Lane.PLACE).portfolio_id or known
        store.claim(self._settings.venue, portfolio, bind=bind)
        if bind and portfolio not in (None, known):
            with store.write() as transaction:
                transaction.notes.set(note, portfolio)

    def known_offset(self) -> ClockOffset | None:
        """Tell the offset of the venue's clock where it is known already."""
        return self.rest.known_offset() if "rest" in self.__dict__ else None

    def close(self) -> None:
        """Close the connections and the embedded simulator."""
        if "rest" in self.__dict__:
            self.rest.close()
        if self._simulator is not None:
            self._simulator.close()
            self._simulator = None


def _embedded(settings: Settings) -> SimulatorServer:
    from ordersync_cli.simulator.server import SimulatorServer, load_faults

    settings.simulator_state.parent.mkdir(parents=True, exist_ok=True)
    faults = load_faults(settings.simulator_faults) if settings.simulator_faults else ()
    return SimulatorServer(settings.simulator_state, seed=settings.simulator_seed, faults=faults)
