"""Accepting a break: a person has looked, and what it froze is allowed again."""

from __future__ import annotations

from datetime import datetime

from ordersync_cli.errors import UsageError
from ordersync_cli.services.freeze import frozen_because, unfreeze
from ordersync_cli.services.ports import StoredBreak, Transaction

FREEZING = "unknown_tagged_order"


def accept_break(transaction: Transaction, break_id: int, reason: str, at: datetime) -> tuple[StoredBreak, bool]:
    """Close a break by its number; tells whether placing was unfrozen by that.

    Placing stays frozen while another break of that kind is open, and where a person froze it.
    Raises UsageError where there is no open break of that number.
    """
    accepted = transaction.breaks.accept(break_id, reason, at)
    if accepted is None:
        raise UsageError(f"There is no open break {break_id}. Nothing was changed.", "See `ordersync breaks list`.")
    if accepted.kind != FREEZING:
        return accepted, False
    others = any(row.kind == FREEZING for row in transaction.breaks.open())
    why = frozen_because(transaction)
    if others or why is None or "carries this store's tag" not in why:
        return accepted, False
    return accepted, unfreeze(transaction)
