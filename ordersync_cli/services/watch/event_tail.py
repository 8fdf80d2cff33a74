"""Follows the committed events of all processes in the order of their rows; each event once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from ordersync_cli.services.ports import TradeEvent, Transaction

PAGE = 500
# On Postgres a row number is drawn before its transaction commits, so a smaller number may
# appear later than a larger one; a gap is looked at again for this long (a rolled-back number
# never appears).
GAP_SECONDS = 10.0
GAPS_AT_MOST = 1_000


@dataclass(slots=True)
class EventTail:
    """A cursor over `trade_events` that waits for numbers not committed yet."""

    row: int = 0
    _gaps: dict[int, float] = field(default_factory=dict, init=False)
    _begun: bool = field(default=False, init=False)

    def begin(self, transaction: Transaction) -> None:
        """Stand behind the newest event."""
        self.row = transaction.trades.last_event()
        self._begun = True

    @contextmanager
    def back_on_failure(self) -> Iterator[None]:
        """Stand where it stood before, if what uses the events fails: they are read again then."""
        before = self.row, dict(self._gaps), self._begun
        try:
            yield
        except BaseException:
            self.row, self._gaps, self._begun = before
            raise

    def read(self, transaction: Transaction, mono: float, limit: int = PAGE) -> list[TradeEvent]:
        """Read what was committed since the last time, at most ``limit`` rows."""
        if not self._begun:
            self.begin(transaction)
            return []
        late = self._late(transaction, mono)
        rows = transaction.trades.events_after(self.row, limit)
        for number, _ in rows:
            for missing in range(self.row + 1, min(number, self.row + 1 + GAPS_AT_MOST)):
                self._gaps[missing] = mono + GAP_SECONDS
            self.row = number
        return [*late, *(event for _, event in rows)]

    def _late(self, transaction: Transaction, mono: float) -> list[TradeEvent]:
        """Read the events that appeared below the cursor."""
        for number in [n for n, until in self._gaps.items() if until < mono]:
            del self._gaps[number]
        if not self._gaps:
            return []
        found: list[TradeEvent] = []
        span = self.row - min(self._gaps) + 1
        for number, event in transaction.trades.events_after(min(self._gaps) - 1, min(span, PAGE)):
            if self._gaps.pop(number, None) is not None:
                found.append(event)
        return found
