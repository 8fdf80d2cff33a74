"""The composition root: settings become wired services; adapters are imported only when asked for."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import TYPE_CHECKING

from ordersync_cli.clock import SystemChance, SystemClock
from ordersync_cli.errors import OrderRefused, UnreadableAnswer

if TYPE_CHECKING:
    from ordersync_cli.config import Settings
    from ordersync_cli.services.alert import AlertLimits, Alerts, IncidentBook
    from ordersync_cli.services.deliver import Deliverer, Sink
    from ordersync_cli.services.ports import Feed, Store, Venue
    from ordersync_cli.services.record import Recorder
    from ordersync_cli.simulator import SimulatorServer
    from ordersync_cli.venue import Access


class Wiring:
    """Everything one run of a command may need, made at its first use and closed at the end."""

    def __init__(self, settings: Settings, *, holder: str | None = None) -> None:
        self.settings = settings
        self.clock = SystemClock()
        self.chance = SystemChance()
        self.holder = holder or self.chance.uuid()
        self._simulator: SimulatorServer | None = None
        self._opened: list[str] = []

    @cached_property
    def store(self) -> Store:
        """The trade store; raises StoreError (exit 9)."""
        from ordersync_cli.store import open_store

        store = open_store(
            self.settings.database_url,
            clock=self.clock,
            chance=self.chance,
            requests_per_second=self.settings.requests_per_second,
        )
        self._opened.append("store")
        return store

    @cached_property
    def access(self) -> Access:
        """Where the venue is and how to sign; starts the embedded simulator where that is the venue."""
        from ordersync_cli.venue import Access, read_credentials

        settings = self.settings
        settings.require_credentials()
        if settings.is_embedded:
            server = self._embedded()
            return Access(
                name=settings.venue,
                simulated=True,
                rest_url=server.rest_url,
                ws_url=server.ws_url,
                credentials=read_credentials(key_file=server.key_file),
                timeout=settings.request_timeout.total_seconds(),
            )
        return Access(
            name=settings.venue,
            simulated=settings.simulated,
            rest_url=settings.rest_endpoint,
            ws_url=settings.ws_endpoint,
            credentials=read_credentials(
                key_file=settings.key_file, api_key=settings.api_key, api_secret=settings.api_secret
            ),
            timeout=settings.request_timeout.total_seconds(),
        )

    @cached_property
    def venue(self) -> Venue:
        """The venue, claimed for this store (SettingsError, exit 3, where the store is another's)."""
        venue = self.unclaimed_venue()
        self._claim(venue)
        return venue

    def unclaimed_venue(self) -> Venue:
        """Open the venue with a connection of its own (one thread each); does not touch the claim."""
        from ordersync_cli.venue import open_venue

        settings = self.settings
        return open_venue(
            self.access,
            budget=self.store.budget,
            clock=self.clock,
            chance=self.chance,
            orders_page_size=settings.orders_page_size,
            fills_page_size=settings.fills_page_size,
        )

    def feed(self) -> Feed:
        """Make a user channel follower; it connects when started."""
        from ordersync_cli.venue import open_feed

        return open_feed(self.access, venue=self.venue, clock=self.clock, chance=self.chance)

    @cached_property
    def book(self) -> IncidentBook:
        """The book of incidents, with the thresholds of the settings."""
        from ordersync_cli.services.alert import IncidentBook

        return IncidentBook(
            chance=self.chance,
            limits=alert_limits(self.settings),
            sinks=tuple(self.alert_sinks),
            simulated=self.settings.simulated,
        )

    @cached_property
    def alert_sinks(self) -> dict[str, Sink]:
        """The sinks of alerts by name."""
        from ordersync_cli.notify.sinks import alert_sinks

        return alert_sinks(self.settings.alert_urls)

    def deliverer(self) -> Deliverer:
        """Make what delivers the outbox to webhooks and alert sinks."""
        from ordersync_cli.notify.sinks import notification_sinks
        from ordersync_cli.services.deliver import Deliverer

        settings = self.settings
        sinks = {**self.alert_sinks, **notification_sinks(settings.webhook_url, settings.webhook_secret)}
        return Deliverer(self.store, self.clock, self.chance, sinks, self.holder)

    @cached_property
    def alerts(self) -> Alerts:
        """The alert rules over this store."""
        from ordersync_cli.services.alert import Alerts

        return Alerts(self.store, self.clock, self.book)

    @cached_property
    def recorder(self) -> Recorder:
        """The one way into the store, with alerts and notifications queued in the same transaction."""
        from ordersync_cli.services.announce import Announcer
        from ordersync_cli.services.record import Recorder

        announce = Announcer(clock=self.clock, book=self.book, notify=self.settings.webhook_url is not None)
        return Recorder(store=self.store, clock=self.clock, announce=announce)

    def close(self) -> None:
        """Close what was opened; safe to call twice."""
        if "store" in self._opened:
            self._opened.remove("store")
            self.store.close()
        if self._simulator is not None:
            self._simulator.close()
            self._simulator = None

    def __enter__(self) -> Wiring:
        """Enter a run."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave it, closing what was opened."""
        self.close()

    def _embedded(self) -> SimulatorServer:
        from ordersync_cli.simulator import SimulatorServer, load_faults

        if self._simulator is None:
            settings = self.settings
            settings.simulator_state.parent.mkdir(parents=True, exist_ok=True)
            faults = load_faults(settings.simulator_faults) if settings.simulator_faults else ()
            server = SimulatorServer(settings.simulator_state, seed=settings.simulator_seed, faults=faults)
            self._simulator = server.start()
        return self._simulator

    def _claim(self, venue: Venue) -> None:
        """Bind the store to this venue and the key's portfolio; a known key costs no request."""
        from ordersync_cli.services.ports import Lane

        key = hashlib.sha256(self.access.credentials.name.encode()).hexdigest()[:16]
        note = f"portfolio_of_key:{key}"
        with self.store.read() as transaction:
            portfolio = transaction.notes.get(note)
        if portfolio is None:
            try:
                portfolio = venue.key_permissions(Lane.PLACE).portfolio_id or None
            except (OrderRefused, UnreadableAnswer):  # a server of the wire format need not know this call
                portfolio = None
        self.store.claim(venue.name, portfolio)
        if portfolio is not None:
            with self.store.read() as transaction:
                known = transaction.notes.get(note)
            if known is None:
                with self.store.write() as transaction:
                    transaction.notes.set(note, portfolio)


def alert_limits(settings: Settings) -> AlertLimits:
    """Read the thresholds of the alert rules out of the settings."""
    from ordersync_cli.services.alert import AlertLimits

    intervals = float(settings.alert_run_overdue_intervals)
    quiet = settings.quiet_hours or (None, None)
    return AlertLimits(
        market_order_pending=settings.alert_market_order_pending.total_seconds(),
        outcome_unknown=settings.alert_outcome_unknown.total_seconds(),
        feed_stale=settings.alert_feed_stale.total_seconds(),
        venue_unreachable=settings.alert_venue_unreachable.total_seconds(),
        stale_market=settings.stale_market.total_seconds(),
        stale_resting=settings.stale_resting.total_seconds(),
        clock_skew=settings.alert_clock_skew.total_seconds(),
        outbox_undelivered=settings.alert_outbox_undelivered.total_seconds(),
        run_overdue={
            "light": settings.light_every.total_seconds() * intervals,
            "deep": settings.deep_every.total_seconds() * intervals,
        },
        calm=settings.alert_calm.total_seconds(),
        count_every=settings.alert_count_every.total_seconds(),
        repeat_every=settings.alert_repeat_every.total_seconds(),
        group_above=settings.alert_group_above,
        messages_per_hour=settings.alert_messages_per_hour,
        quiet_from=quiet[0],
        quiet_to=quiet[1],
    )
