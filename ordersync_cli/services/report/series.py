"""What charts need beside a report's document: figures slot by slot over the window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from ordersync_cli.domain.spans import Span
from ordersync_cli.domain.statistics import Spread
from ordersync_cli.services.ports import Incident, Run, StoredBreak
from ordersync_cli.services.ports.history import Reading, Scope
from ordersync_cli.services.report.latency import breakdown
from ordersync_cli.services.report.runs import GOOD, MODES
from ordersync_cli.services.report.window import LATENCY, Window

SLOTS = 48
STRIP = 96


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """The window cut into slots; the mappings are by slot number, and hold only slots with something in them."""

    since: datetime
    slot: timedelta
    latency: Mapping[int, Spread]
    pending_age: Mapping[int, Decimal]  # the longest that a market order was pending by the end of the slot
    breaks: Mapping[int, Mapping[str, int]]  # by severity
    passes: Mapping[str, Sequence[str]]  # by mode: good, bad, missed, none
    incidents: Sequence[Incident]
    blocked: Mapping[int | None, Sequence[Span]]
    audits: Sequence[tuple[datetime, int, int]]  # when, audited, differed


def series_of(reading: Reading, scope: Scope, window: Window, limits: Mapping[str, float], at: datetime) -> Series:
    """Cut a window into slots; ``limits`` are the seconds after which a pass of a mode is overdue."""
    slot = max((scope.until - scope.since) / SLOTS, timedelta(seconds=1))
    width = slot.total_seconds()
    latency = breakdown(reading.history, scope, LATENCY, ("slot",), width).by["slot"]
    return Series(
        since=scope.since,
        slot=slot,
        latency={int(number): measured.spread for number, measured in latency.items()},
        pending_age=_pending_age(reading, scope, window, slot),
        breaks=_breaks(window.breaks, scope, slot),
        passes={mode: strip([r for r in window.runs if r.mode == mode], scope, limits[mode], at) for mode in MODES},
        incidents=reading.incidents.between(scope.since, scope.until),
        blocked=window.blocked_bots(),
        audits=[(a.at, len(a.audited), len(a.differed)) for a in window.audits],
    )


def _pending_age(reading: Reading, scope: Scope, window: Window, slot: timedelta) -> dict[int, Decimal]:
    """Tell the longest pending age by slot: of what ended in it, and of what lasted through it."""
    found: dict[int, Decimal] = {}

    def note(number: int, age: Decimal) -> None:
        if 0 <= number < SLOTS:
            found[number] = max(age, found.get(number, age))

    for cell in reading.history.cells(scope, "status:pending", ("slot", "at_once"), slot.total_seconds()):
        if cell.keys[1] and cell.histogram.largest is not None:
            note(int(cell.keys[0]), Decimal(cell.histogram.largest) / 1_000_000)
    for one in window.waiting:
        began = one.ended_at - timedelta(seconds=float(one.pending_seconds))
        first, last = ((moment - scope.since) // slot for moment in (began, one.ended_at))
        for number in range(max(0, first), min(SLOTS - 1, last) + 1):
            until = min(scope.since + (number + 1) * slot, one.ended_at)
            note(number, Decimal(str(round((until - began).total_seconds(), 3))))
    return found


def _breaks(found: Sequence[StoredBreak], scope: Scope, slot: timedelta) -> dict[int, dict[str, int]]:
    counts: dict[int, dict[str, int]] = {}
    for one in found:
        if scope.since <= one.first_seen < scope.until:
            by_severity = counts.setdefault((one.first_seen - scope.since) // slot, {})
            by_severity[one.severity] = by_severity.get(one.severity, 0) + 1
    return counts


def strip(runs: Sequence[Run], scope: Scope, limit: float, at: datetime) -> list[str]:
    """Say of each of 96 parts of the window how the passes of a mode fared in it.

    ``missed``: after the first pass of the window none ended well for longer than its limit, and
    this part lies in that gap.
    """
    part = (scope.until - scope.since) / STRIP
    cells: list[str] = ["none"] * STRIP
    ends = sorted(r.finished_at for r in runs if r.result in GOOD and r.finished_at is not None)
    for index in range(STRIP):
        start, end = scope.since + index * part, scope.since + (index + 1) * part
        inside = [r for r in runs if start <= r.started_at < end]
        if inside:
            cells[index] = "bad" if any(r.result not in {*GOOD, None} for r in inside) else "good"
        elif limit > 0 and _in_gap(ends, start, min(end, at), limit, at):
            cells[index] = "missed"
    return cells


def _in_gap(ends: Sequence[datetime], start: datetime, end: datetime, limit: float, at: datetime) -> bool:
    before = [e for e in ends if e <= start]
    if not before or start >= at:
        return False
    after = next((e for e in ends if e > start), at)
    return (after - before[-1]).total_seconds() > limit and (end - before[-1]).total_seconds() > limit


def headline_of(document: Mapping[str, Any]) -> str:
    """Say in one sentence how the targets fared."""
    targets = document["targets"]
    measured = [t for t in targets if t["met"] is not None]
    missed = [t["name"] for t in measured if not t["met"]]
    silent = len(targets) - len(measured)
    said = f"All {len(measured)} measured targets are met"
    if missed:
        said = f"{len(missed)} of {len(measured)} measured targets are missed: {', '.join(missed).replace('_', ' ')}"
    return f"{said}; nothing was measured for {silent}." if silent else f"{said}."
