"""Breaks and incidents: what was found wrong, opened once, counted, and closed once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from ordersync_cli.services.ports import Incident, StoredBreak
from ordersync_cli.store.shapes import Shape

if TYPE_CHECKING:
    from ordersync_cli.store.context import Context

_BREAK = Shape(
    "breaks",
    StoredBreak,
    frozenset({"first_seen", "last_seen", "resolved_at"}),
    frozenset({"money_effect"}),
    {"break_id": "id"},
)
_INCIDENT = Shape("incidents", Incident, frozenset({"opened_at", "last_seen", "resolved_at", "acknowledged_at"}))


class Breaks:
    """Breaks, one unresolved row for each kind and key."""

    def __init__(self, context: Context) -> None:
        self._sql = context.sql

    def see(self, found: StoredBreak) -> StoredBreak:
        """Open it, or count it again on its open row (which takes over what is known now)."""
        known = self._open_one(found)
        if known is None:
            # two processes may find it at once: one inserts, the other counts
            count = self._sql.run(
                f"{_BREAK.insert('break_id')} ON CONFLICT DO NOTHING", _BREAK.row(found, self._sql.values, "break_id")
            )
            known = self._newest(found)
            if count:
                return known
        again = replace(
            found,
            break_id=known.break_id,
            first_seen=min(known.first_seen, found.first_seen),
            last_seen=max(known.last_seen, found.last_seen),
            times=known.times + 1,
        )
        self._write(again)
        return again

    def add(self, found: Sequence[StoredBreak]) -> None:
        """Write breaks that were closed as they were found; nothing is looked for."""
        values = self._sql.values
        self._sql.many(_BREAK.insert("break_id"), [_BREAK.row(one, values, "break_id") for one in found])

    def resolve(self, key: str, kinds: Sequence[str] | None, at: datetime, resolution: str) -> int:
        """Close the open breaks of a key (of these kinds only, when given); returns how many."""
        text = "UPDATE breaks SET resolved_at = ?, resolution = ? WHERE key = ? AND resolved_at IS NULL"
        parameters = [self._sql.values.time(at), resolution, key]
        if kinds is not None:
            text += f" AND {self._sql.among('kind')}"
            parameters.append(self._sql.values.several(kinds))
        return self._sql.run(text, parameters)

    def open(self) -> list[StoredBreak]:
        """List what is not resolved, oldest first."""
        rows = self._sql.rows(f"{_BREAK.select()} WHERE resolved_at IS NULL ORDER BY first_seen, id")
        return [_BREAK.read(row, self._sql.values) for row in rows]

    def between(self, since: datetime, until: datetime) -> list[StoredBreak]:
        """List breaks that were there at some moment of [since, until), oldest first."""
        values = self._sql.values
        text = (
            f"{_BREAK.select()} WHERE first_seen < ? AND (last_seen >= ? OR resolved_at IS NULL "
            "OR resolved_at >= ?) ORDER BY first_seen, id"
        )
        rows = self._sql.rows(text, (values.time(until), values.time(since), values.time(since)))
        return [_BREAK.read(row, values) for row in rows]

    def get(self, break_id: int) -> StoredBreak | None:
        """Find a break by its number."""
        row = self._sql.row(f"{_BREAK.select()} WHERE id = ?", (break_id,))
        return None if row is None else _BREAK.read(row, self._sql.values)

    def accept(self, break_id: int, reason: str, at: datetime) -> StoredBreak | None:
        """Close a break because a person accepts it; None when there is none open of that number."""
        found = self.get(break_id)
        if found is None or found.resolved_at is not None:
            return None
        accepted = replace(found, resolved_at=at, resolution=f"accepted: {reason}")
        self._write(accepted)
        return accepted

    def _open_one(self, found: StoredBreak) -> StoredBreak | None:
        if found.resolved_at is not None:
            return None
        text = f"{_BREAK.select()} WHERE kind = ? AND key = ? AND resolved_at IS NULL{self._sql.for_update}"
        row = self._sql.row(text, (found.kind, found.key))
        return None if row is None else _BREAK.read(row, self._sql.values)

    def _newest(self, found: StoredBreak) -> StoredBreak:
        text = f"{_BREAK.select()} WHERE kind = ? AND key = ? ORDER BY id DESC LIMIT 1{self._sql.for_update}"
        return _BREAK.read(self._sql.rows(text, (found.kind, found.key))[0], self._sql.values)

    def _write(self, found: StoredBreak) -> None:
        sets = ", ".join(f"{name} = ?" for name in _BREAK.columns("break_id"))
        row = _BREAK.row(found, self._sql.values, "break_id")
        self._sql.run(f"UPDATE breaks SET {sets} WHERE id = ?", (*row, found.break_id))


class Incidents:
    """Incidents, one unresolved row for each rule and key."""

    def __init__(self, context: Context) -> None:
        self._sql = context.sql

    def open(self) -> list[Incident]:
        """List what is not resolved, oldest first."""
        text = f"{_INCIDENT.select()} WHERE resolved_at IS NULL ORDER BY opened_at, incident_id"
        return [_INCIDENT.read(row, self._sql.values) for row in self._sql.rows(text)]

    def raise_(self, incident: Incident) -> tuple[Incident, bool]:
        """Open, or count on the open one of the same rule and key; True when it is new."""
        sql, values = self._sql, self._sql.values
        text = f"{_INCIDENT.select()} WHERE rule = ? AND key = ? AND resolved_at IS NULL"
        row = sql.row(text + sql.for_update, (incident.rule, incident.key))
        if row is None:
            # two processes may raise it at once: one inserts, the other counts
            if sql.run(f"{_INCIDENT.insert()} ON CONFLICT DO NOTHING", _INCIDENT.row(incident, values)):
                return incident, True
            row = sql.rows(text + sql.for_update, (incident.rule, incident.key))[0]
        known = _INCIDENT.read(row, values)
        counted = replace(
            known,
            count=known.count + 1,
            last_seen=max(known.last_seen, incident.last_seen),
            message=incident.message,
            severity=incident.severity,
        )
        sql.run(
            "UPDATE incidents SET count = ?, last_seen = ?, message = ?, severity = ? WHERE incident_id = ?",
            (
                counted.count,
                values.time(counted.last_seen),
                counted.message,
                counted.severity,
                counted.incident_id,
            ),
        )
        return counted, False

    def resolve(self, incident_id: str, at: datetime) -> None:
        """Close an incident, once."""
        self._sql.run(
            "UPDATE incidents SET resolved_at = ? WHERE incident_id = ? AND resolved_at IS NULL",
            (self._sql.values.time(at), incident_id),
        )

    def acknowledge(self, incident_id: str, at: datetime) -> Incident | None:
        """Note that a person has seen it; None when there is no such incident."""
        self._sql.run(
            "UPDATE incidents SET acknowledged_at = ? WHERE incident_id = ? AND acknowledged_at IS NULL",
            (self._sql.values.time(at), incident_id),
        )
        row = self._sql.row(f"{_INCIDENT.select()} WHERE incident_id = ?", (incident_id,))
        return None if row is None else _INCIDENT.read(row, self._sql.values)

    def between(self, since: datetime, until: datetime) -> list[Incident]:
        """List incidents that were open at some moment of [since, until), oldest first."""
        values = self._sql.values
        text = (
            f"{_INCIDENT.select()} WHERE opened_at < ? AND (resolved_at IS NULL OR resolved_at >= ?) "
            "ORDER BY opened_at, incident_id"
        )
        rows = self._sql.rows(text, (values.time(until), values.time(since)))
        return [_INCIDENT.read(row, values) for row in rows]
