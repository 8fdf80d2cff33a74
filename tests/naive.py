"""The flow that ordersync replaces, kept small: what each trap must be red on.

Float money; only `filled`, `done`, `settled` and `cancelled`, `rejected` are known; what a frame
says is added up; what was seen last wins; whatever goes wrong is `failed`.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

DONE = ("filled", "done", "settled")
OVER = ("cancelled", "rejected")


class Row(SimpleNamespace):
    """A row whose unset columns are None."""

    def __getattr__(self, name: str) -> None:
        return None


class Naive:
    """One trade, kept as a bot would."""

    def __init__(self) -> None:
        self.alarms: list[str] = []
        self.row: Any = Row()

    def start(self, trade: Any) -> None:
        request = trade.request
        self.row.status = "pending"
        self.row.product_id = request.product_id
        self.row.client_order_id = request.client_order_id
        self.row.size = float(request.base_size or 0)
        self.row.filled_size = self.row.filled_value = self.row.total_fees = 0.0
        self.asked_quote = float(request.quote_size or 0)
        for order in trade.orders:
            self.row.order_id = order.order_id

    def feed(self, *observations: Any) -> None:
        for observation in observations:
            kind = type(observation).__name__
            getattr(self, f"_{kind.lower()}", lambda _: None)(observation)

    def not_found(self) -> None:
        self.row.status = "failed"

    def absent(self, looks: Any, **_: Any) -> bool:
        return len(looks) > 0

    def _placeanswer(self, answer: Any) -> None:
        if answer.kind == "accepted":
            self.row.order_id = answer.order_id
        else:
            self.row.status = "failed"

    def _orderseen(self, seen: Any) -> None:
        if seen.product_id not in (None, self.row.product_id) or seen.order_id != self.row.order_id:
            return
        word = seen.word.lower()
        self.row.venue_status = seen.word
        if seen.figures is not None:
            self._add(seen.figures.filled_size, seen.figures.filled_value, seen.figures.total_fees)
        filled_up = 0 < self.asked_quote <= self.row.filled_value * 1.01
        if word in DONE or filled_up:
            self.row.status = "completed"
        elif word in OVER or word.startswith("unknown") or (seen.reason and "error" in seen.reason):
            self.row.status = "failed"
        else:
            self.row.status = "pending"

    def _fillsseen(self, listing: Any) -> None:
        for fill in listing.fills:
            self._add(fill.size, fill.size * fill.price, fill.commission)
        self.row.fills_verified = True

    def _cancelseen(self, cancel: Any) -> None:
        if cancel.step >= 1:
            self.row.status = "failed"

    def _absenceproven(self, _: Any) -> None:
        self.row.status = "failed"

    def _add(self, size: Any, value: Any, fees: Any) -> None:
        self.row.filled_size += float(size)
        self.row.filled_value += float(value)
        self.row.total_fees += float(fees)
