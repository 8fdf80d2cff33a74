"""Accepting a break: a person has looked, and what it froze is allowed again.

What lasts is found again by every pass that looks. What was accepted is kept beside the rows, which
may be pruned, for as long as the break says the same.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime

from ordersync_cli.errors import UsageError
from ordersync_cli.services.freeze import frozen_because, unfreeze
from ordersync_cli.services.ports import StoredBreak, Transaction

FREEZING = "unknown_tagged_order"
_NOTE = "accepted_breaks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """What a person has accepted, in the break's own words."""

    kind: str
    key: str
    trade_id: int | None
    stored: str | None
    venue: str | None

    @property
    def identity(self) -> tuple[str, str]:
        """Tell which break it is; what it says may change."""
        return self.kind, self.key


def accept_break(transaction: Transaction, break_id: int, reason: str, at: datetime) -> tuple[StoredBreak, bool]:
    """Close a break by its number; tells whether placing was unfrozen by that.

    Placing stays frozen while another break of that kind is open, and where a person froze it.
    Raises UsageError where there is no open break of that number.
    """
    known = accepted_breaks(transaction, lock=True)  # before the break's row, as at a pass's end: no deadlock
    accepted = transaction.breaks.accept(break_id, reason, at)
    if accepted is None:
        raise UsageError(f"There is no open break {break_id}. Nothing was changed.", "See `ordersync breaks list`.")
    one = Accepted(
        kind=accepted.kind,
        key=accepted.key,
        trade_id=accepted.trade_id,
        stored=accepted.stored,
        venue=accepted.venue,
    )
    _keep(transaction, {**known, one.identity: one}.values())
    if accepted.kind != FREEZING:
        return accepted, False
    others = any(row.kind == FREEZING for row in transaction.breaks.open())
    why = frozen_because(transaction)
    if others or why is None or "carries this store's tag" not in why:
        return accepted, False
    return accepted, unfreeze(transaction)


def accepted_breaks(transaction: Transaction, *, lock: bool = False) -> dict[tuple[str, str], Accepted]:
    """Read what stays accepted; ``lock`` before it is changed."""
    rows = [Accepted(**row) for row in json.loads(transaction.notes.get(_NOTE, lock=lock) or "[]")]
    return {one.identity: one for one in rows}


def forget_accepted(transaction: Transaction, over: Collection[Accepted]) -> None:
    """End acceptances, but none that was given since: what is found again then is a new break."""
    if over:
        known = accepted_breaks(transaction, lock=True)
        _keep(transaction, [one for one in known.values() if one not in over])


def _keep(transaction: Transaction, accepted: Iterable[Accepted]) -> None:
    rows = [asdict(one) for one in accepted]
    transaction.notes.set(_NOTE, json.dumps(rows) if rows else None)
