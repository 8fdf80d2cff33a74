"""The composition root: settings become wired services; adapters are imported only when asked for."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Self

from ordersync_cli.bootstrap.reach import VenueReach
from ordersync_cli.clock import SystemChance, SystemClock
from ordersync_cli.errors import OrdersyncError, StoreError, VenueUnavailable

if TYPE_CHECKING:
    from ordersync_cli.config import Settings
    from ordersync_cli.domain.trade import Alarm
    from ordersync_cli.services.alerts.alert import AlertLimits, Alerts, IncidentBook
    from ordersync_cli.services.alerts.announce import Announcer
    from ordersync_cli.services.alerts.deliver import Deliverer, Sink
    from ordersync_cli.services.ports import ClockOffset, Feed, TradeEvent, Transaction, Venue
    from ordersync_cli.services.ports.history import HistoryStore
    from ordersync_cli.services.record import Recorder
    from ordersync_cli.venue.rest import RestVenue


class Wiring:
    """Everything one run of a command may need, made at its first use and closed at the end.

    ``binds``: a store is bound to the venue at its first use; a dry run clears it, and only compares.
    """

    binds = True

    def __init__(self, settings: Settings, *, holder: str | None = None) -> None:
        self.settings = settings
        self.clock = SystemClock()
        self.chance = SystemChance()
        self.holder = holder or self.chance.uuid()

    @cached_property
    def store(self) -> HistoryStore:
        """The trade store; raises StoreError (exit 9), SettingsError (exit 3) where it is another venue's."""
        from ordersync_cli.store import open_store

        settings = self.settings
        if settings.origins["database_url"].kind == "default":
            make_data_dir(settings)
        store = open_store(
            settings.database_url,
            clock=self.clock,
            chance=self.chance,
            requests_per_second=float(settings.requests_per_second),
        )
        try:
            store.refuse_other_venue(settings.venue)
        except OrdersyncError:
            store.close()
            raise
        return store

    @cached_property
    def venue(self) -> Venue:
        """The venue, claimed for this store; in an outage what was said of this key before still counts."""
        try:
            return self.claimed()
        except VenueUnavailable:
            return self.claimed(ask=False)

    def claimed(self, *, ask: bool = True) -> Venue:
        """Bind the store to the venue and the key's portfolio, and give the venue.

        ``ask`` for the portfolio though it was noted for this key. Raises SettingsError (exit 3)
        where the store is another's.
        """
        self._reach.claim(self.store, ask=ask, bind=self.binds)
        return self._reach.rest

    def unclaimed_venue(self) -> RestVenue:
        """Give the venue before the store is bound to it; any thread may use it."""
        return self._reach.rest

    def feed(self) -> Feed:
        """Make a user channel follower; it connects when started."""
        from ordersync_cli.venue import open_feed

        return open_feed(self._reach.rest, ws_url=self._reach.access.ws_url, clock=self.clock, chance=self.chance)

    @cached_property
    def book(self) -> IncidentBook:
        """The book of incidents, with the thresholds of the settings."""
        from ordersync_cli.services.alerts.alert import IncidentBook

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
        from ordersync_cli.services.alerts.deliver import Deliverer

        settings = self.settings
        sinks = {**self.alert_sinks, **notification_sinks(settings.webhook_url, settings.webhook_secret)}
        return Deliverer(self.store, self.clock, self.chance, sinks, self.holder)

    @cached_property
    def alerts(self) -> Alerts:
        """The alert rules over this store."""
        from ordersync_cli.services.alerts.alert import Alerts

        return Alerts(self.store, self.clock, self.book)

    @cached_property
    def recorder(self) -> Recorder:
        """The one way into the store, with alerts and notifications queued in the same transaction."""
        from ordersync_cli.services.record import Recorder

        return Recorder(store=self.store, clock=self.clock, announce=self._announce, offset=self._known_offset)

    @cached_property
    def _announcer(self) -> Announcer:
        from ordersync_cli.services.alerts.announce import Announcer

        return Announcer(clock=self.clock, book=self.book, notify=self.settings.webhook_url is not None)

    def _announce(self, transaction: Transaction, alarms: Sequence[Alarm], events: Sequence[TradeEvent]) -> None:
        """Announce what there is to announce: mostly nothing, and then the announcer is not even imported."""
        if alarms or (events and self.settings.webhook_url is not None):
            self._announcer(transaction, alarms, events)

    @cached_property
    def _reach(self) -> VenueReach:
        return VenueReach(self.settings, self.store, self.clock, self.chance)

    def _known_offset(self) -> ClockOffset | None:
        return self._reach.known_offset() if "_reach" in self.__dict__ else None

    def close(self) -> None:
        """Close what was opened; safe to call twice."""
        opened = self.__dict__
        if "_reach" in opened:
            opened.pop("_reach").close()
        if "store" in opened:
            opened.pop("store").close()

    def __enter__(self) -> Self:
        """Enter a run."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave it, closing what was opened."""
        self.close()


def make_data_dir(settings: Settings) -> None:
    """Make the directory of the default store; one that was named must be there already."""
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StoreError(
            f"The directory {settings.data_dir} cannot be made: {error.strerror}. Nothing was written.",
            "Set ORDERSYNC_DATABASE_URL to a place that can be written.",
        ) from None


def alert_limits(settings: Settings) -> AlertLimits:
    """Read the thresholds of the alert rules out of the settings."""
    from ordersync_cli.services.alerts.alert import AlertLimits

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
