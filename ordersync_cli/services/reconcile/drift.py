"""Counts what a pass found wrong that somebody should have told of, and keeps it until it was said.

The count is committed with the repairs: a pass that dies before its end leaves it to the next one,
which finds nothing to repair any more.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from ordersync_cli.services.ports import Transaction

FEED_GRACE = 5.0  # seconds that a frame may be late


@dataclass(slots=True)
class Drift:
    """Trades that passes found wrong: whose row had claimed to be final, and whose frame never came."""

    settled: int = 0
    late: int = 0
    first_settled: str = ""
    first_late: str = ""

    def add(self, what: str, *, age_seconds: float, settled: bool) -> None:
        """Count a trade."""
        if settled:
            self.settled += 1
            self.first_settled = self.first_settled or what
        elif age_seconds > FEED_GRACE:
            self.late += 1
            self.first_late = self.first_late or what

    def missed(self, *, live: bool) -> tuple[int, str]:
        """Tell how many nobody had told of, and the first; ``live``: a feed was there to tell of them."""
        if not live:
            return self.settled, self.first_settled
        return self.settled + self.late, self.first_settled or self.first_late


def left_behind(transaction: Transaction, mode: str) -> Drift:
    """Read what a pass of this mode found and never came to say."""
    return Drift(**json.loads(transaction.notes.get(_note(mode)) or "{}"))


def keep(transaction: Transaction, mode: str, drift: Drift) -> None:
    """Keep it beside the repairs."""
    transaction.notes.set(_note(mode), json.dumps(asdict(drift)))


def said(transaction: Transaction, mode: str) -> None:
    """Forget it, in the transaction that says it."""
    if transaction.notes.get(_note(mode)) is not None:
        transaction.notes.set(_note(mode), None)


def _note(mode: str) -> str:
    return f"drift:{mode}"
