"""The chores of each second: say who watches, hold the alert rules against now, keep what was learned."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from ordersync_cli.errors import StoreError
from ordersync_cli.services import clock_note
from ordersync_cli.services.alerts.alert import Alerts, Situation
from ordersync_cli.services.ports import Incident, Transaction, Watcher
from ordersync_cli.services.ports.messages import FeedChanged, FeedState
from ordersync_cli.services.watch.watch_state import LAST_FRAME, WatchState
from ordersync_cli.services.watch.watching import snapshot_age

EVERY = 1.0  # seconds
SAVE_EVERY = 10.0  # seconds between two writes of the poll state
GONE_AFTER = timedelta(seconds=10)  # a driver whose row is older than this is not shown as driving


@dataclass(slots=True)
class Upkeep:
    """Does the chores when they are due; raises StoreError where the store does not let it."""

    state: WatchState
    alerts: Alerts
    next_due: float = field(default=float("-inf"), init=False)
    _next_save: float = field(default=0.0, init=False)
    _refusals_told: int = field(default=0, init=False)

    def turn(self, mono: float, *, last: bool = False) -> bool:
        """Do what is due; True when something was."""
        if mono < self.next_due and not last:
            return False
        self.next_due = mono + EVERY
        state = self.state
        now = state.clock.now()
        with state.store.write() as transaction:
            transaction.watchers.beat(self._myself(now))
            if state.seat.driving and (offset := state.crew.offset) is not None:
                clock_note.keep(transaction.notes, offset, state.me.host)
            if state.seat.driving and (mono >= self._next_save or last):
                self._save(transaction, now, mono)
                self._next_save = mono + SAVE_EVERY
        if state.seat.driving:
            self._alert(now, mono)
        with state.store.read() as transaction:
            self._incidents(transaction.incidents.open(), now)
            if not state.seat.driving:
                self._follow_driver(transaction.watchers.list(), now)
        return True

    def _myself(self, now: datetime) -> Watcher:
        state, health = self.state, self.state.health
        offset = state.crew.offset
        return Watcher(
            watcher_id=state.me.watcher_id,
            host=state.me.host,
            pid=state.me.pid,
            started_at=state.started_at,
            beat_at=now,
            role="driving" if state.seat.driving else "standing_by",
            feed_state=health.state.value,
            feed_since=health.since,
            feed_reason=health.reason,
            last_heartbeat_at=health.last_heartbeat_at,
            last_frame_at=health.last_frame_at,
            clock_offset=None if offset is None else Decimal(str(round(offset.seconds, 6))),
            stream_misses=state.completeness.misses,
        )

    def _save(self, transaction: Transaction, now: datetime, mono: float) -> None:
        state = self.state
        state.schedules.save(transaction.notes, state.roster, now, mono)
        if state.last_frame_venue is not None:
            transaction.notes.set(LAST_FRAME, state.last_frame_venue.isoformat())

    def _alert(self, now: datetime, mono: float) -> None:
        found, self.state.causes = self.state.causes, []
        try:
            self.alerts.notice(found)
        except StoreError:
            self.state.causes = found[-100:]
            raise
        self.alerts.tick(self._situation(now, mono))

    def _situation(self, now: datetime, mono: float) -> Situation:
        state = self.state
        pending = state.roster.pending()
        refusals = state.budget_refusals - self._refusals_told
        self._refusals_told = state.budget_refusals
        offset = state.crew.offset
        return Situation(
            at=now,
            pending=[state.roster.view(h) for h in pending],
            pending_known=state.refreshed,
            snapshot_ages={h.trade_id: age for h in pending if (age := snapshot_age(h, mono)) is not None},
            venue_reachable=None if state.failure is not None else state.reach.reachable,  # it refuses the key
            venue_unreachable_since=state.reach.unreachable_since,
            feed_wanted=state.plan.feed_wanted,
            feed_state=state.health.state.value,
            feed_since=state.health.since,
            feed_reason=state.health.reason,
            clock_offset=None if offset is None else offset.seconds,
            run_intervals={
                mode: every
                for mode, every in (("light", state.plan.light_every), ("deep", state.plan.deep_every))
                if every > 0
            },
            budget_refusals=refusals,
        )

    def _incidents(self, standing: list[Incident], now: datetime) -> None:
        """Say what opened and what ended since the last turn."""
        state = self.state
        before = {i.incident_id: i for i in state.incidents}
        after = {i.incident_id: i for i in standing}
        for incident_id, incident in after.items():
            if incident_id not in before:
                _say(state, incident, "opened", incident.last_seen)
        for incident_id, incident in before.items():
            if incident_id not in after:
                _say(state, incident, "resolved", now)
        state.incidents = tuple(standing)

    def _follow_driver(self, watchers: list[Watcher], now: datetime) -> None:
        """Show the feed as the driver sees it, while we stand by."""
        state = self.state
        others = [w for w in watchers if w.role == "driving" and now - w.beat_at < GONE_AFTER]
        state.driver = max(others, key=lambda w: w.beat_at, default=None)
        if state.driver is None:
            return
        told = FeedState(state.driver.feed_state)
        if told is not state.health.state:
            state.say_feed(FeedChanged(state=told, reason=state.driver.feed_reason, at=now))
        state.health.state, state.health.since = told, state.driver.feed_since
        state.health.reason = state.driver.feed_reason
        state.health.last_heartbeat_at = state.driver.last_heartbeat_at
        state.health.last_frame_at = state.driver.last_frame_at
        state.completeness.misses = state.driver.stream_misses


def _say(state: WatchState, incident: Incident, told: str, at: datetime) -> None:
    state.audience.say(
        {
            "type": "alert",
            "at": at,
            "rule": incident.rule,
            "severity": incident.severity,
            "state": told,
            "order_id": incident.order_id,
            "message": incident.message,
        }
    )
