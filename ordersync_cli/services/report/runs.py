"""What ran, what should have run, who watches, what was wrong, and what alarms were raised."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

from ordersync_cli.services.alerts.alert import run_facts
from ordersync_cli.services.alerts.rules import due_after, overdue_by
from ordersync_cli.services.alerts.situation import AlertLimits
from ordersync_cli.services.ports import Run, StoredBreak, Watcher
from ordersync_cli.services.ports.history import Reading, Scope

MODES = ("light", "deep")
GOOD = {"in_sync", "drift", "breaks"}
ALIVE = timedelta(seconds=10)
MOST_LISTED = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class RunExpectations:
    """How often each pass is expected, in seconds (0: never), and when it is overdue."""

    intervals: Mapping[str, float] = field(default_factory=lambda: {"light": 30.0, "deep": 300.0})
    limits: AlertLimits = field(default_factory=AlertLimits)


def runs_json(
    reading: Reading, runs: Sequence[Run], at: datetime, expected: RunExpectations
) -> tuple[dict[str, Any], list[str]]:
    """Sum the runs of the window up by mode; also names the passes that are overdue now."""
    facts = run_facts(reading, MODES)
    found: dict[str, Any] = {}
    overdue = []
    for mode in MODES:
        mine = [r for r in runs if r.mode == mode]
        every = expected.intervals.get(mode, 0.0)
        late = overdue_by(mode, every, at, facts, expected.limits) if every > 0 else None
        if late is not None:
            overdue.append(f"{mode}_pass_overdue")
        limit = due_after(mode, every, facts, expected.limits)
        found[mode] = _mode_json(mine, reading.runs.last(mode), facts.last_good_runs[mode], late, limit)
    return found, overdue


def _mode_json(
    runs: Sequence[Run], last: Run | None, good: Run | None, late: float | None, limit: float
) -> dict[str, Any]:
    results = Counter(r.result or "running" for r in runs)
    lasted = [(r.finished_at - r.started_at).total_seconds() for r in runs if r.finished_at is not None]
    return {
        "count": len(runs),
        "results": dict(sorted(results.items())),
        "checked": sum(r.checked for r in runs),
        "updated_count": sum(r.updated_count for r in runs),
        "fills_added": sum(r.fills_added for r in runs),
        "adopted": sum(r.adopted for r in runs),
        "requests": sum(r.requests for r in runs),
        "longest_seconds": _seconds(max(lasted, default=None)),
        "last_started_at": last.started_at if last else None,
        "last_result": last.result if last else None,
        "last_good_at": (good.finished_at or good.started_at) if good else None,
        "overdue_seconds": _seconds(late),
        "due_after_seconds": _seconds(limit),
        "gaps": [{"since": a, "until": b} for a, b in gaps(runs, limit)],
    }


def gaps(runs: Sequence[Run], limit: float) -> list[tuple[datetime, datetime]]:
    """List when no pass ended well for longer than its limit, between the first and the last of the window."""
    if limit <= 0:
        return []
    ends = sorted(r.finished_at for r in runs if r.result in GOOD and r.finished_at is not None)
    return [(a, b) for a, b in pairwise(ends) if (b - a).total_seconds() > limit]


def watchers_json(watchers: Sequence[Watcher], at: datetime) -> list[dict[str, Any]]:
    """Tell who watches, and how each says its feed is."""
    return [
        {
            "watcher_id": w.watcher_id,
            "host": w.host,
            "pid": w.pid,
            "role": w.role,
            "alive": at - w.beat_at < ALIVE,
            "started_at": w.started_at,
            "beat_at": w.beat_at,
            "feed_state": w.feed_state,
            "feed_since": w.feed_since,
            "feed_reason": w.feed_reason,
            "last_heartbeat_at": w.last_heartbeat_at,
            "last_frame_at": w.last_frame_at,
            "clock_offset": w.clock_offset,
            "stream_misses": w.stream_misses,
        }
        for w in watchers
    ]


def breaks_json(found: Sequence[StoredBreak], scope: Scope) -> dict[str, Any]:
    """Sum the breaks of the window up, and list what is open (the newest hundred)."""
    standing = [b for b in found if b.resolved_at is None and b.severity != "repaired"]
    fresh = [b for b in found if scope.since <= b.first_seen < scope.until]
    return {
        "open": sum(b.severity == "open" for b in standing),
        "info": sum(b.severity == "info" for b in standing),
        "found": len(fresh),
        "repaired": sum(b.severity == "repaired" for b in fresh),
        "by_kind": dict(sorted(Counter(b.kind for b in fresh).items())),
        "listed": [
            {
                "break_id": b.break_id,
                "kind": b.kind,
                "severity": b.severity,
                "key": b.key,
                "order_id": b.order_id,
                "trade_id": b.trade_id,
                "stored": b.stored,
                "venue": b.venue,
                "first_seen": b.first_seen,
                "last_seen": b.last_seen,
            }
            for b in sorted(standing, key=lambda b: b.first_seen, reverse=True)[:MOST_LISTED]
        ],
    }


def alerts_json(reading: Reading, scope: Scope, waiting: Mapping[str, int]) -> dict[str, Any]:
    """Sum the incidents up that were open in the window, and what was not delivered."""
    incidents = reading.incidents.between(scope.since, scope.until)
    standing = reading.incidents.open()
    _, oldest = reading.outbox.undelivered()
    return {
        "incidents": len(incidents),
        "open": len(standing),
        "by_rule": dict(sorted(Counter(i.rule for i in incidents).items())),
        "undelivered": sum(count for sink, count in waiting.items() if sink != "notification"),
        "undelivered_notifications": waiting.get("notification", 0),
        "undelivered_since": oldest,
        "listed": [
            {
                "incident_id": i.incident_id,
                "rule": i.rule,
                "severity": i.severity,
                "order_id": i.order_id,
                "message": i.message,
                "count": i.count,
                "opened_at": i.opened_at,
                "last_seen": i.last_seen,
                "resolved_at": i.resolved_at,
            }
            for i in sorted(incidents, key=lambda i: i.opened_at, reverse=True)[:MOST_LISTED]
        ],
    }


def _seconds(value: float | None) -> Decimal | None:
    return None if value is None else Decimal(str(round(value, 3)))
