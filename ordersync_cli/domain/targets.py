"""The targets that a store is held to: what was promised, what was measured, and whether it was met."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class Bound(StrEnum):
    """How a figure is held against its target."""

    AT_MOST = "at_most"
    BELOW = "below"
    AT_LEAST = "at_least"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One promise with the figure that was measured; ``actual`` is None where nothing was."""

    name: str
    bound: Bound
    target: Decimal | int
    actual: Decimal | int | None
    unit: str = ""

    @property
    def met(self) -> bool | None:
        """Tell whether it was kept; None where nothing was measured."""
        if self.actual is None:
            return None
        if self.bound is Bound.AT_MOST:
            return self.actual <= self.target
        if self.bound is Bound.BELOW:
            return self.actual < self.target
        return self.actual >= self.target
