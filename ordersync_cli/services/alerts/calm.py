"""When an incident that something that happened has opened is over."""

from __future__ import annotations

from datetime import timedelta

from ordersync_cli.domain.words import is_known
from ordersync_cli.services.alerts.situation import EACH_COUNTS, WHOLE, AlertLimits, Situation
from ordersync_cli.services.ports import Incident, Transaction


def has_calmed(transaction: Transaction, incident: Incident, situation: Situation, limits: AlertLimits) -> bool:
    """Tell whether the cause of an incident is gone, by its rule's own sign or by calm."""
    if incident.rule in EACH_COUNTS or told_by_join(incident):
        return _was_settled(transaction, incident)
    if incident.rule == "unknown_venue_status":
        return _word_is_known(incident, situation)
    if incident.rule == "drift_found":
        modes: tuple[str, ...] = ("light", "deep")
        again = any(_ran_since(transaction, mode, incident, in_sync=False) for mode in modes)
        in_sync = any(_ran_since(transaction, mode, incident, in_sync=True) for mode in modes)
        return in_sync or (again and _calm_for(incident, situation, limits.calm))
    if incident.rule == "run_died":
        modes = (incident.key,) if incident.key != WHOLE else ("light", "deep")
        return any(_ran_since(transaction, mode, incident, in_sync=False) for mode in modes)
    if incident.rule == "budget_exhausted":
        return _calm_for(incident, situation, min(60.0, limits.calm))
    if incident.rule == "clock_skew" and incident.key == WHOLE:
        return situation.clock_offset is not None
    return _calm_for(incident, situation, limits.calm)


def told_by_join(incident: Incident) -> bool:
    """Tell whether a break was told of by the join, before any pass has written its row."""
    return incident.rule == "break_open" and incident.key != WHOLE and ":" not in incident.key


def _calm_for(incident: Incident, situation: Situation, seconds: float) -> bool:
    return (situation.at - incident.last_seen).total_seconds() >= seconds


def _was_settled(transaction: Transaction, incident: Incident) -> bool:
    """What contradicts a proof stays open until a person acknowledged it or its break."""
    if incident.acknowledged_at is not None:
        return True
    start = incident.opened_at - timedelta(hours=1)
    found = [
        b
        for b in transaction.breaks.between(start, incident.last_seen + timedelta(days=3650))
        if incident.rule in {b.kind, "break_open"} and (b.key == incident.key or b.order_id == incident.order_id)
    ]
    return bool(found) and all(b.resolved_at is not None for b in found)


def _word_is_known(incident: Incident, situation: Situation) -> bool:
    if not situation.pending_known:
        return False
    waiting = {v.order_id: v.venue_status for v in situation.pending}
    word = waiting.get(incident.order_id)
    return word is None or is_known(word)


def _ran_since(transaction: Transaction, mode: str, incident: Incident, *, in_sync: bool) -> bool:
    run = transaction.runs.last(mode, good=True)
    if run is None or run.started_at < incident.last_seen:
        return False
    return run.result == "in_sync" or not in_sync
