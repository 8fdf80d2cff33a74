"""Stop placing on a store until somebody has looked."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING

from ordersync_cli.errors import PlacingFrozen

if TYPE_CHECKING:
    from ordersync_cli.services.ports import Transaction

_NOTE = "frozen"


def freeze(transaction: Transaction, reason: str, at: datetime) -> bool:
    """Freeze placing; the first reason stays. Returns False when it was frozen already."""
    if transaction.notes.get(_NOTE) is not None:
        return False
    transaction.notes.set(_NOTE, json.dumps({"reason": reason, "at": at.isoformat()}))
    return True


def unfreeze(transaction: Transaction) -> bool:
    """Allow placing again. Returns False when it was not frozen."""
    if transaction.notes.get(_NOTE) is None:
        return False
    transaction.notes.set(_NOTE, None)
    return True


def frozen_because(transaction: Transaction) -> str | None:
    """Tell why placing is frozen; None when it is not."""
    note = transaction.notes.get(_NOTE)
    return None if note is None else str(json.loads(note)["reason"])


def refuse_when_frozen(transaction: Transaction) -> None:
    """Raise PlacingFrozen (exit 2) while placing on this store is frozen."""
    reason = frozen_because(transaction)
    if reason is not None:
        raise PlacingFrozen(
            f"Placing on this store is frozen: {reason} Nothing was sent.",
            "Look into it with `ordersync breaks list`, then `ordersync unfreeze`.",
        )
