"""Finds out that the stream is incomplete although it looks alive: what REST knew first.

Heartbeats prove that a connection is open, not that the user channel speaks (trap T20). So
each look-up made while the feed claims to be live is held against what the stream has said of
that order; news that the stream has not brought within a short grace is a stream miss.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from decimal import Decimal

from ordersync_cli.domain.observations import OrderSeen
from ordersync_cli.domain.orders import ZERO

GRACE = 0.5  # seconds that a frame may be under way when REST already knows
REMEMBERED = 5_000  # orders of whose frames the last word is kept

TERMINAL = frozenset({"FILLED", "CANCELLED", "EXPIRED", "FAILED"})


@dataclass(frozen=True, slots=True)
class Told:
    """How far an order had come in somebody's words."""

    terminal: bool
    filled_size: Decimal

    def covers(self, other: Told) -> bool:
        """Tell whether whoever said this also knew the other."""
        return self.filled_size >= other.filled_size and (self.terminal or not other.terminal)


@dataclass(slots=True)
class Completeness:
    """Holds REST against the stream, order by order."""

    misses: int = field(default=0, init=False)
    _said: OrderedDict[str, Told] = field(default_factory=OrderedDict, init=False)
    _suspects: dict[str, tuple[float, Told]] = field(default_factory=dict, init=False)

    def stream_said(self, seen: OrderSeen) -> None:
        """Note what a frame said of an order; it clears a suspicion that it covers."""
        before = self._said.pop(seen.order_id, None)
        size = seen.figures.filled_size if seen.figures else ZERO
        terminal = seen.word in TERMINAL
        if before is not None:
            size, terminal = max(size, before.filled_size), terminal or before.terminal
        self._said[seen.order_id] = Told(terminal, size)
        while len(self._said) > REMEMBERED:
            self._said.popitem(last=False)
        suspect = self._suspects.get(seen.order_id)
        if suspect is not None and self._said[seen.order_id].covers(suspect[1]):
            del self._suspects[seen.order_id]

    def rest_knew(self, order_id: str, news: Told, mono: float) -> None:
        """Note news that REST brought; a suspicion until the stream says it too, or the grace ends."""
        said = self._said.get(order_id)
        if said is not None and said.covers(news):
            return
        deadline, _ = self._suspects.get(order_id, (mono + GRACE, news))
        self._suspects[order_id] = (deadline, news)

    def missed(self, mono: float) -> list[str]:
        """List the orders whose news the stream has now missed, each once; counts them."""
        late = [order_id for order_id, (deadline, _) in self._suspects.items() if mono >= deadline]
        for order_id in late:
            deadline_and_news = self._suspects.pop(order_id)
            self._said[order_id] = deadline_and_news[1]
        self.misses += len(late)
        return late

    def next_deadline(self) -> float | None:
        """Tell when the next suspicion ends (monotonic seconds)."""
        return min((deadline for deadline, _ in self._suspects.values()), default=None)

    def forget_suspicions(self) -> None:
        """Drop open suspicions: the connection they were about is gone."""
        self._suspects.clear()
