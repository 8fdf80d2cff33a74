"""What the services need to keep of what was found wrong: breaks and incidents."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ordersync_cli.services.ports.pass_rows import Incident, StoredBreak


class BreakTable(Protocol):
    """Breaks with first seen, last seen and a resolution."""

    def see(self, found: StoredBreak) -> StoredBreak:
        """Open it, or count it again on its open row; returns the row."""
        ...

    def add(self, found: Sequence[StoredBreak]) -> None:
        """Write breaks that were closed as they were found, many at once."""
        ...

    def resolve(self, key: str, kinds: Sequence[str] | None, at: datetime, resolution: str) -> int:
        """Close the open breaks of a key (of these kinds); returns how many."""
        ...

    def open(self) -> list[StoredBreak]:
        """List the breaks that are open."""
        ...

    def between(self, since: datetime, until: datetime) -> list[StoredBreak]:
        """List the breaks seen in [since, until)."""
        ...

    def get(self, break_id: int) -> StoredBreak | None:
        """Give one break; None for an unknown number."""
        ...

    def accept(self, break_id: int, reason: str, at: datetime) -> StoredBreak | None:
        """Close a break because a person says so; None for an unknown number."""
        ...


class IncidentTable(Protocol):
    """Incidents of the alert rules."""

    def open(self) -> list[Incident]:
        """List the incidents that are open."""
        ...

    def raise_(self, incident: Incident) -> tuple[Incident, bool]:
        """Open, or count on the open one of the same rule and key; True when it is new."""
        ...

    def resolve(self, incident_id: str, at: datetime) -> None:
        """Close an incident."""
        ...

    def acknowledge(self, incident_id: str, at: datetime) -> Incident | None:
        """Note that a person has seen it; None for an unknown one."""
        ...

    def between(self, since: datetime, until: datetime) -> list[Incident]:
        """List the incidents opened in [since, until)."""
        ...
