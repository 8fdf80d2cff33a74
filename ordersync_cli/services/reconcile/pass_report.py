"""What a pass found and did, in the contract's shape."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A difference with a kind, found by this pass or still open from an earlier one.

    ``severity`` is info, repaired or open; ``money_effect`` is in quote currency, by how much
    the stored row was wrong (None where that cannot be told). ``lasts``: every look finds it again
    while nothing changes, so that it stays accepted; anything else happens anew each time.
    """

    kind: str
    severity: str
    key: str
    order_id: str | None
    trade_id: int | None
    stored: str | None
    venue: str | None
    age_seconds: float
    money_effect: Decimal | None = None
    fresh: bool = True  # first found by this pass
    lasts: bool = True

    def json(self) -> dict[str, Any]:
        """Give the contract's keys, values still typed."""
        return {
            "kind": self.kind,
            "severity": self.severity,
            "order_id": self.order_id,
            "trade_id": None if self.trade_id is None or self.trade_id < 0 else self.trade_id,
            "stored": self.stored,
            "venue": self.venue,
            "repaired": self.severity == "repaired",
            "age_seconds": Decimal(str(round(self.age_seconds, 3))),
            "money_effect": self.money_effect,
            "key": self.key,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """What one trade was before the pass and is after it."""

    key: str
    trade_id: int
    old_status: str
    new_status: str
    old_order_status: str
    new_order_status: str
    venue_status: str | None
    filled_size: Decimal | None
    explanation: tuple[str, ...]
    edited_to: str | None = None  # size and price, where the order was edited at the venue

    def line(self) -> str:
        """Say it in one line, with the order's id and its new status."""
        moved = self.new_status if self.old_status == self.new_status else f"{self.old_status} → {self.new_status}"
        filled = "" if self.filled_size is None else f", filled {self.filled_size:f}"
        edited = "" if self.edited_to is None else f", edited to {self.edited_to}"
        row = f" trade {self.trade_id}" if self.trade_id > 0 else ""  # a dry run cannot know a new row's id
        return f"{self.key} {moved} ({self.new_order_status}{filled}{edited}){row}"

    def json(self) -> dict[str, Any]:
        """Give the contract's keys, values still typed."""
        return {
            "trade_id": self.trade_id if self.trade_id > 0 else None,
            "old_status": self.old_status,
            "new_status": self.new_status,
            "old_order_status": self.old_order_status,
            "new_order_status": self.new_order_status,
            "venue_status": self.venue_status,
            "filled_size": self.filled_size,
            "edited_to": self.edited_to,
            "explanation": list(self.explanation),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class PassReport:
    """One run of a pass; ``result`` is in_sync, drift or breaks, None where it did not come to its end."""

    run_id: str
    mode: str
    dry_run: bool
    started_at: datetime
    finished_at: datetime
    checked: int
    details: tuple[Detail, ...]
    breaks: tuple[Found, ...]
    adopted: tuple[str, ...]  # order ids
    fills_added: int
    requests: int
    alerts: int
    result: str | None
    notes: tuple[str, ...] = field(default=())

    @property
    def updated_count(self) -> int:
        """Count the trades whose status or figures changed."""
        return len(self.details)

    @property
    def exit_code(self) -> int:
        """Tell the contract's exit code: 10 while breaks are open."""
        return 10 if self.result == "breaks" else 0

    def json(self) -> dict[str, Any]:
        """Give the contract's document, values still typed (see services/plain.py)."""
        return {
            "run_id": self.run_id,
            "mode": self.mode,
            "dry_run": self.dry_run,
            "started_at": self.started_at,
            "finished_at": self.finished_at,
            "checked": self.checked,
            "updated_count": self.updated_count,
            "details": {d.key: d.json() for d in self.details},
            "breaks": [b.json() for b in self.breaks],
            "adopted": len(self.adopted),
            "fills_added": self.fills_added,
            "requests": self.requests,
            "alerts": self.alerts,
            "result": self.result,
            "notes": list(self.notes),
        }
