"""Alerts: hold a situation against the rules; open, count and resolve the incidents it makes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from ordersync_cli.clock import Clock
from ordersync_cli.services.alerts.calm import has_calmed, told_by_join
from ordersync_cli.services.alerts.incidents import AlertSaid, IncidentBook, cause_of
from ordersync_cli.services.alerts.rules import causes
from ordersync_cli.services.alerts.situation import (
    EACH_COUNTS,
    OUTAGE_RULES,
    RULES,
    SEVERITY,
    STATE_RULES,
    WHOLE,
    AlertLimits,
    Cause,
    Situation,
    StoreFacts,
)
from ordersync_cli.services.ports import Incident, Store, Transaction

__all__ = [
    "RULES",
    "SEVERITY",
    "AlertLimits",
    "AlertSaid",
    "Alerts",
    "Cause",
    "IncidentBook",
    "Situation",
    "StoreFacts",
    "cause_of",
]

_FACTS_KEEP = 5.0  # seconds for which breaks and runs read from the store are good enough
_UNREACHABLE = "venue_unreachable_since"


class Alerts:
    """The alert rules over one store.

    ``tick`` is cheap when nothing is wrong (one reading transaction) and may be called each
    second; it writes only when an incident opens, is counted (once a minute while its cause
    stands), or is resolved.
    """

    def __init__(self, store: Store, clock: Clock, book: IncidentBook) -> None:
        self._store = store
        self._clock = clock
        self._book = book
        self._outage_seen: float | None = None
        self._facts: tuple[float, StoreFacts] | None = None

    @property
    def limits(self) -> AlertLimits:
        """Tell the thresholds in force."""
        return self._book.limits

    def tick(self, situation: Situation) -> tuple[AlertSaid, ...]:
        """Evaluate every rule once; returns what was said since the last tick, for the screen."""
        with self._store.read() as reading:
            standing = reading.incidents.open()
            situation = self._since(reading, situation)
            facts = self._store_facts(reading, situation)
            found = self._found(situation, facts, standing)
            raised = self._to_raise(found, standing, situation.at)
            over = self._over(reading, situation, found, standing)
            held = self._book.held(reading, [i for i in standing if i not in over], situation.at)
            note = self._changed_note(reading, situation)
        if raised or over or held or note:
            with self._store.write() as writing:
                if note:
                    writing.notes.set(_UNREACHABLE, note[0])
                for cause in raised:
                    self._book.raise_(writing, cause, situation.at)
                for incident in over:
                    self._book.resolve(writing, incident, situation.at)
                self._book.say_held(writing, held, situation.at)
        return self._book.drain()

    def notice(self, found: Sequence[Cause]) -> None:
        """Raise what just happened (drift found, a run died, …) in a transaction of its own."""
        if found:
            with self._store.write() as transaction:
                self.notice_in(transaction, found)

    def notice_in(self, transaction: Transaction, found: Sequence[Cause]) -> None:
        """Raise what just happened inside the caller's transaction."""
        self._book.raise_all(transaction, found, self._clock.now())

    def acknowledge(self, incident_ids: Sequence[str]) -> list[Incident]:
        """Note that a person has seen these; what only a person can close is closed by it."""
        at = self._clock.now()
        with self._store.write() as transaction:
            found = [transaction.incidents.acknowledge(i, at) for i in incident_ids]
            seen = [i for i in found if i is not None]
            for incident in seen:
                if incident.rule in EACH_COUNTS:
                    self._book.resolve(transaction, incident, at)
        return seen

    def _since(self, transaction: Transaction, situation: Situation) -> Situation:
        """Let the store remember since when the venue is unreachable: a cron job cannot."""
        if situation.venue_reachable is not False or situation.venue_unreachable_since is not None:
            return situation
        noted = transaction.notes.get(_UNREACHABLE)
        since = datetime.fromisoformat(noted) if noted else situation.at
        return replace(situation, venue_unreachable_since=since)

    def _changed_note(self, transaction: Transaction, situation: Situation) -> tuple[str | None] | None:
        if situation.venue_reachable is None:
            return None
        noted = transaction.notes.get(_UNREACHABLE)
        if situation.venue_reachable:
            return (None,) if noted else None
        since = situation.venue_unreachable_since
        return (since.isoformat(),) if since and not noted else None

    def _store_facts(self, transaction: Transaction, situation: Situation) -> StoreFacts:
        """Read what the store adds; breaks and runs at most every 5 s, they change slowly."""
        now = self._clock.monotonic()
        count, since = transaction.outbox.undelivered()
        if self._facts is None or now - self._facts[0] >= _FACTS_KEEP:
            runs = run_facts(transaction, list(situation.run_intervals))
            self._facts = (now, replace(runs, open_breaks=transaction.breaks.open()))
        return replace(self._facts[1], undelivered=count, undelivered_since=since)

    def _found(self, situation: Situation, facts: StoreFacts, standing: Sequence[Incident]) -> list[Cause]:
        found = causes(situation, facts, self.limits, {(i.rule, i.key) for i in standing})
        if self._in_outage(situation, standing):
            return [c for c in found if c.rule not in OUTAGE_RULES]
        return found

    def _in_outage(self, situation: Situation, standing: Sequence[Incident]) -> bool:
        """Tell whether the venue is away, or came back so lately that nothing was asked again."""
        now = self._clock.monotonic()
        if situation.venue_reachable is False:
            self._outage_seen = now
            return True
        if self._outage_seen is not None and now - self._outage_seen < self.limits.after_outage:
            return True
        unasked = situation.venue_reachable is None
        return unasked and any(i.rule == "venue_unreachable" for i in standing)

    def _to_raise(self, found: Sequence[Cause], standing: Sequence[Incident], at: datetime) -> list[Cause]:
        last_seen = {(i.rule, i.key): i.last_seen for i in standing}
        result = []
        for cause in found:
            seen = last_seen.get((cause.rule, cause.key))
            if seen is None or (at - seen).total_seconds() >= self.limits.count_every:
                result.append(cause)
        return result

    def _over(
        self, transaction: Transaction, situation: Situation, found: Sequence[Cause], standing: Sequence[Incident]
    ) -> list[Incident]:
        held = {(c.rule, c.key) for c in found}
        outage = self._in_outage(situation, standing)
        over = []
        for incident in standing:
            if (incident.rule, incident.key) in held or (outage and incident.rule in OUTAGE_RULES):
                continue
            if incident.rule in STATE_RULES and not told_by_join(incident):
                if _is_judged(incident, situation):
                    over.append(incident)
            elif has_calmed(transaction, incident, situation, self.limits):
                over.append(incident)
        return over


def _is_judged(incident: Incident, situation: Situation) -> bool:
    """Tell whether this situation knows enough to say that the cause of an incident is gone."""
    match incident.rule:
        case "market_order_pending" | "snapshot_stale" | "outcome_unknown":
            return situation.pending_known
        case "feed_stale":
            return situation.feed_state == "live" or not situation.feed_wanted
        case "venue_unreachable":
            return situation.venue_reachable is True
        case "run_overdue":
            return incident.key in situation.run_intervals or incident.key == WHOLE
        case _:
            return True


def run_facts(transaction: Transaction, modes: Sequence[str]) -> StoreFacts:
    """Read what the runs of each mode tell: the last good one, since when it is tried, and its pace."""
    last = {m: transaction.runs.last(m) for m in modes}
    return StoreFacts(
        last_good_runs={m: transaction.runs.last(m, good=True) for m in modes},
        first_runs={m: run.started_at for m, run in last.items() if run is not None},
        paces={m: transaction.runs.pace(m) for m in modes},
    )
