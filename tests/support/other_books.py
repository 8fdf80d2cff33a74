"""The orders of the other exchange: what each was asked to do, and where it stands at any moment of real time."""

from __future__ import annotations

import threading
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

PRICE = Decimal("50000")
FEE_RATE = Decimal("0.006")
ENDED = ("FILLED", "CANCELLED", "EXPIRED", "FAILED")
BORN = "0001-01-01T00:00:00Z"

# A fate is a list of (seconds after acceptance, word, fraction filled).
Fate = list[tuple[float, str, str]]
FILLS = [(0.0, "PENDING", "0"), (0.02, "OPEN", "0"), (0.1, "FILLED", "1")]
FILLS_AT_ONCE = [(0.0, "FILLED", "1")]
FILLS_IN_PARTS = [(0.0, "OPEN", "0"), (0.3, "OPEN", "0.25"), (0.6, "OPEN", "0.75"), (0.9, "FILLED", "1")]
FILLS_LATE = [(0.0, "OPEN", "0"), (6.0, "FILLED", "1")]
PART_THEN_CANCELLED = [(0.0, "OPEN", "0"), (0.1, "OPEN", "0.4"), (0.3, "CANCELLED", "0.4")]
EXPIRES = [(0.0, "OPEN", "0"), (0.2, "EXPIRED", "0")]
FAILS = [(0.0, "PENDING", "0"), (0.1, "FAILED", "0")]
CANCELLED_EMPTY = [(0.0, "OPEN", "0"), (0.2, "CANCELLED", "0")]
RESTS = [(0.0, "OPEN", "0")]
QUEUES = [(0.0, "QUEUED", "0"), (0.2, "OPEN", "0"), (0.4, "EDIT_QUEUED", "0"), (0.6, "FILLED", "1")]
NEW_WORD = [(0.0, "OPEN", "0"), (0.1, "MEDITATING", "0"), (1.0, "FILLED", "1")]


@dataclass
class Fill:
    """One execution."""

    entry_id: str
    size: Decimal
    value: Decimal
    fee: Decimal
    at: datetime


@dataclass
class Look:
    """Where an order stands at one moment; every figure is cumulative."""

    word: str
    size: Decimal = Decimal(0)
    value: Decimal = Decimal(0)
    fees: Decimal = Decimal(0)
    fills: list[Fill] = field(default_factory=list)
    at: datetime = datetime(2020, 1, 1, tzinfo=UTC)

    @property
    def average(self) -> Decimal:
        return self.value / self.size if self.size else Decimal(0)


@dataclass
class OtherOrder:
    """An accepted order and the steps it will take."""

    request: dict[str, Any]
    steps: Fate
    born: datetime
    started: float
    hidden_until: float = 0.0
    order_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    source: str = "RETAIL_ADVANCED"

    @property
    def kind(self) -> str:
        return next(iter(self.request["order_configuration"]))

    @property
    def terms(self) -> dict[str, Any]:
        return dict(self.request["order_configuration"][self.kind])

    @property
    def in_quote(self) -> bool:
        return "quote_size" in self.terms

    def step_now(self) -> int:
        passed = time.monotonic() - self.started
        return max([0, *(i for i, step in enumerate(self.steps) if step[0] <= passed)])

    def look(self, step: int | None = None) -> Look:
        """Tell how it stands after that step (now, without one)."""
        last = self.step_now() if step is None else step
        seen = Look(self.steps[last][1], at=self.born + timedelta(seconds=self.steps[last][0]))
        size, value, fees = self._whole()
        before = Decimal(0)
        for number, (after, _, fraction) in enumerate(self.steps[: last + 1]):
            part = Decimal(fraction) - before
            if part <= 0:
                continue
            before = Decimal(fraction)
            entry = uuid.uuid5(uuid.UUID(self.order_id), f"{number}:{after}").hex * 2
            at = self.born + timedelta(seconds=after)
            seen.fills.append(Fill(entry, size * part, value * part, fees * part, at))
        seen.size, seen.value, seen.fees = size * before, value * before, fees * before
        return seen

    def cancel(self, lag: float) -> None:
        passed, done = time.monotonic() - self.started, self.step_now()
        fraction = self.steps[done][2]
        self.steps = [
            *self.steps[: done + 1],
            (passed, "CANCEL_QUEUED", fraction),
            (passed + lag, "CANCELLED", fraction),
        ]

    def _whole(self) -> tuple[Decimal, Decimal, Decimal]:
        """Size, value and fees of the whole order, exact."""
        price = Decimal(str(self.terms.get("limit_price", PRICE)))
        if self.in_quote:
            value = (Decimal(str(self.terms["quote_size"])) / (1 + FEE_RATE)).quantize(Decimal("1e-9"))
            return value / price, value, value * FEE_RATE
        size = Decimal(str(self.terms["base_size"]))
        return size, size * price, size * price * FEE_RATE


class OtherBooks:
    """Everything the other exchange has accepted, oldest first."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.orders: list[OtherOrder] = []
        self.fates: list[Fate] = []
        self.usual: Fate = FILLS
        self.hide_for = 0.0
        self.posts = 0

    def accept(self, request: dict[str, Any], source: str = "RETAIL_ADVANCED") -> OtherOrder:
        """Take an order; the same client order id again gives the first one."""
        with self.lock:
            for order in self.orders:
                if order.request["client_order_id"] == request["client_order_id"]:
                    return order
            fate = self.fates.pop(0) if self.fates else self.usual
            started = time.monotonic()
            order = OtherOrder(request, list(fate), datetime.now(UTC), started, started + self.hide_for, source=source)
            self.orders.append(order)
            return order

    def place_elsewhere(self, fate: Fate, product: str = "BTC-USD", client_order_id: str | None = None) -> OtherOrder:
        """Place an order as another program of the same account would."""
        terms = {"limit_limit_gtc": {"base_size": "0.01", "limit_price": "40000", "post_only": False}}
        own = {"client_order_id": client_order_id or str(uuid.uuid4()), "product_id": product, "side": "BUY"}
        with self.lock:
            self.fates.insert(0, fate)
            return self.accept({**own, "order_configuration": terms})

    def visible(self) -> list[OtherOrder]:
        with self.lock:
            return [order for order in self.orders if order.hidden_until <= time.monotonic()]

    def find(self, order_id: str) -> OtherOrder | None:
        return next((order for order in self.visible() if order.order_id == order_id), None)
