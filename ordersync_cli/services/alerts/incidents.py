"""The book of incidents: opened once, repeated as a count, resolved once, and said to the sinks."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ordersync_cli.errors import CredentialsRefused, UnreadableAnswer
from ordersync_cli.services.alerts.rules import grouped, is_quiet
from ordersync_cli.services.alerts.situation import SEVERITY, AlertLimits, Cause
from ordersync_cli.services.plain import plain
from ordersync_cli.services.ports import Incident

if TYPE_CHECKING:
    from ordersync_cli.clock import Chance
    from ordersync_cli.domain.trade import Alarm
    from ordersync_cli.errors import OrdersyncError
    from ordersync_cli.services.ports import Transaction

_SENT = "alert_messages"  # the note with the times of the last hour's messages
_HELD = "held"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSaid:
    """One message about an incident; ``state`` is opened, repeated or resolved."""

    incident_id: str
    rule: str
    severity: str
    state: str
    count: int
    order_id: str | None
    message: str
    at: datetime


def alert_body(said: AlertSaid, *, simulated: bool) -> dict[str, object]:
    """Build the contract's alert JSON, with the mark of a simulated run."""
    return {
        "incident_id": said.incident_id,
        "rule": said.rule,
        "severity": said.severity,
        "state": said.state,
        "count": said.count,
        "order_id": said.order_id,
        "message": said.message,
        "at": plain(said.at),
        "simulated": simulated,
    }


def cause_of(alarm: Alarm) -> Cause:
    """Turn what the join noticed into a cause, one for each order; it is a break where no rule names it."""
    return Cause(
        rule=alarm.rule if alarm.rule in SEVERITY else "break_open",
        key=alarm.order_id or "",
        severity=alarm.severity,
        order_id=alarm.order_id,
        message=alarm.message,
    )


def cause_of_failure(failure: OrdersyncError | None) -> Cause | None:
    """Tell what a person must hear of where asking the venue failed; an outage has its own patience."""
    if isinstance(failure, CredentialsRefused):
        return Cause(rule="venue_unreachable", message=f"the venue does not let this key in: {failure.message}")
    if isinstance(failure, UnreadableAnswer):
        return Cause(rule="unreadable_message", key="rest", message=failure.message)
    return None


@dataclass(frozen=True, slots=True)
class IncidentBook:
    """Raises and resolves incidents inside the caller's transaction.

    Messages go into the outbox for each of ``sinks`` in that same transaction. In quiet hours, or
    above the hourly limit, an incident that is not critical is held: it is said later if it still
    stands, and never if it was resolved meanwhile. ``said`` keeps what was said for the screen.
    """

    chance: Chance
    sinks: Sequence[str] = ()
    limits: AlertLimits = field(default_factory=AlertLimits)
    simulated: bool = False
    said: deque[AlertSaid] = field(default_factory=lambda: deque(maxlen=1000))

    def drain(self) -> tuple[AlertSaid, ...]:
        """Take out what was said since the last call, oldest first."""
        taken: list[AlertSaid] = []
        while self.said:
            taken.append(self.said.popleft())
        return tuple(taken)

    def raise_all(self, transaction: Transaction, found: Sequence[Cause], at: datetime) -> None:
        """Raise what happened just now, many of one rule as one incident."""
        if not found:
            return
        open_keys = {(i.rule, i.key) for i in transaction.incidents.open()}
        for cause in grouped(found, self.limits.group_above, open_keys):
            self.raise_(transaction, cause, at)

    def raise_(self, transaction: Transaction, cause: Cause, at: datetime) -> Incident:
        """Open an incident for this cause, or count it on the open one."""
        incident, new = transaction.incidents.raise_(
            Incident(
                incident_id=self.chance.uuid(),
                rule=cause.rule,
                key=cause.key,
                severity=cause.loudness,
                message=cause.message,
                order_id=cause.order_id,
                count=1,
                opened_at=at,
                last_seen=at,
            )
        )
        if new:
            self._open(transaction, incident, at)
            return incident
        last = transaction.notes.get(_note(incident))
        if last is None or last == _HELD or incident.acknowledged_at is not None:
            return incident
        if (at - datetime.fromisoformat(last)).total_seconds() >= self.limits.repeat_every:
            self._say(transaction, incident, "repeated", at)
        return incident

    def resolve(self, transaction: Transaction, incident: Incident, at: datetime) -> None:
        """Close an incident; whoever heard of it hears that it is over."""
        transaction.incidents.resolve(incident.incident_id, at)
        last = transaction.notes.get(_note(incident))
        transaction.notes.set(_note(incident), None)
        if last is not None and last != _HELD:
            self._queue(transaction, _saying(incident, "resolved", at))

    def held(self, transaction: Transaction, standing: Sequence[Incident], at: datetime) -> list[Incident]:
        """List the open incidents that were held and may be said now."""
        if is_quiet(at, self.limits):
            return []
        return [i for i in standing if i.acknowledged_at is None and transaction.notes.get(_note(i)) == _HELD]

    def say_held(self, transaction: Transaction, held: Sequence[Incident], at: datetime) -> None:
        """Say what was held, as far as the hourly limit lets us."""
        for incident in held:
            if transaction.notes.get(_note(incident)) == _HELD:
                self._open(transaction, incident, at)

    def _open(self, transaction: Transaction, incident: Incident, at: datetime) -> None:
        if self._may_speak(transaction, incident, at):
            self._say(transaction, incident, "opened", at)
        else:
            transaction.notes.set(_note(incident), _HELD)

    def _may_speak(self, transaction: Transaction, incident: Incident, at: datetime) -> bool:
        if incident.severity == "critical":
            return True
        if is_quiet(at, self.limits):
            return False
        sent = _recent(transaction, at)
        if 0 < self.limits.messages_per_hour <= len(sent):
            return False
        transaction.notes.set(_SENT, json.dumps([*sent, at.isoformat()]))
        return True

    def _say(self, transaction: Transaction, incident: Incident, state: str, at: datetime) -> None:
        transaction.notes.set(_note(incident), at.isoformat())
        self._queue(transaction, _saying(incident, state, at))

    def _queue(self, transaction: Transaction, said: AlertSaid) -> None:
        body = alert_body(said, simulated=self.simulated)
        for sink in self.sinks:
            event_id = f"{said.incident_id}:{said.state}:{said.count}"
            transaction.outbox.put(sink, said.incident_id, event_id, body, said.at)
        self.said.append(said)


def _saying(incident: Incident, state: str, at: datetime) -> AlertSaid:
    return AlertSaid(
        incident_id=incident.incident_id,
        rule=incident.rule,
        severity=incident.severity,
        state=state,
        count=incident.count,
        order_id=incident.order_id,
        message=incident.message,
        at=at,
    )


def _note(incident: Incident) -> str:
    return f"alert_said:{incident.incident_id}"


def _recent(transaction: Transaction, at: datetime) -> list[str]:
    times: list[str] = json.loads(transaction.notes.get(_SENT) or "[]")
    return [t for t in times if at - datetime.fromisoformat(t) < timedelta(hours=1)]
