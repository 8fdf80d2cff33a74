"""When to look at an order next, learned from how long orders of its class took to fill."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from ordersync_cli.domain.decimals import EXACT
from ordersync_cli.domain.matching import request_told
from ordersync_cli.domain.orders import OrderRequest, OrderType, Status, TimeInForce
from ordersync_cli.domain.trade import Change

AT_ONCE = "at_once"  # market, ioc, fok: filled or gone within moments
RESTING = "resting"
DISTANCES = ((Decimal("0.001"), "within_0.1%"), (Decimal("0.01"), "within_1%"), (Decimal("0.05"), "within_5%"))
FAR = "beyond_5%"

FIRST_LOOK = 0.05  # seconds after the create answer
FIRST_GAP = 0.1
GROWTH = 1.5
GROWTH_AT_ONCE = 1.2  # half of the market orders fill within 0.3 s: seen 70 ms later on average, for four more looks
GAP_AT_ONCE = 0.5
GAP_RESTING = 1.0  # snapshot age while the feed is not live, up to 100 orders
YOUNG = 10.0  # seconds in which a market order is looked at most often
AUDIT_AT_ONCE = 5.0  # while the feed is live; a market order is stale after 15 s,
AUDIT_RESTING = 30.0  # a resting one after 60 s
SHORTEST_GAP = 0.05
AFTER_QUANTILE = 0.02  # a look right at the quantile would miss half of its fills
ENOUGH = 20  # samples before a class is believed
KEPT = 200  # samples a class: enough for quantiles, soon forgetting
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)


@dataclass(frozen=True, slots=True, order=True)
class OrderClass:
    """Orders that are expected to take alike: product, type, distance from the market."""

    product_id: str
    order_type: str
    distance: str

    def __str__(self) -> str:
        """Write it as one word: the key in stored text and reports."""
        return f"{self.product_id}/{self.order_type}/{self.distance}"


@dataclass(frozen=True, slots=True)
class Learned:
    """The newest times to fill of each class, in seconds, oldest first."""

    samples: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def quantiles(self, order_class: OrderClass) -> tuple[float, ...]:
        """Tell the times by which 10, 25, 50, 75, 90, 95 and 99 % of a class were filled; few samples tell nothing."""
        ordered = sorted(self.samples.get(str(order_class), ()))
        return tuple(_quantile(ordered, part) for part in QUANTILES) if len(ordered) >= ENOUGH else ()


def class_of(request: OrderRequest, market_price: Decimal | None = None) -> OrderClass:
    """Tell the class of an order; without a market price a resting order is just resting."""
    return OrderClass(
        product_id=request.product_id,
        order_type=request.order_type.value,
        distance=_distance(request, market_price),
    )


def _distance(request: OrderRequest, market_price: Decimal | None) -> str:
    at_once = request.time_in_force in (TimeInForce.IOC, TimeInForce.FOK)
    if request.order_type is OrderType.MARKET or at_once:
        return AT_ONCE
    if request.limit_price is None or not market_price:
        return RESTING
    away = EXACT.subtract(request.limit_price, market_price).copy_abs()
    for limit, name in DISTANCES:
        if away <= EXACT.multiply(limit, market_price):
            return name
    return FAR


def learn(learned: Learned, change: Change) -> Learned:
    """Learn the time to fill of a trade that this change completed; else return it unchanged.

    Measured on the venue's clock alone: from the creation of the order to its last fill.
    """
    if change.now.status is not Status.COMPLETED or change.was.status is not Status.PENDING:
        return learned
    order = next((o for o in change.after.orders if o.order_id == change.now.order_id), None)
    if order is None or order.created_time is None or change.now.filled_at is None:
        return learned
    seconds = (change.now.filled_at - order.created_time).total_seconds()
    return with_samples(learned, class_of(request_told(change.after)), [max(0.0, seconds)])


def with_samples(learned: Learned, order_class: OrderClass, seconds: Iterable[float]) -> Learned:
    """Add times to fill of one class, forgetting all but the newest 200."""
    known = learned.samples.get(str(order_class), ())
    newest = (*known, *(round(s, 3) for s in seconds))[-KEPT:]
    return Learned({**learned.samples, str(order_class): newest})


def next_look(
    learned: Learned,
    order_class: OrderClass,
    age_seconds: float,
    *,
    looks_done: int,
    live: bool,
) -> float:
    """Tell the seconds to wait before the next look at an order of that age.

    While the feed is live, looks only audit it. Else the first look is within 100 ms, the gaps
    grow (to 0.5 s for a young order that fills at once, to 1 s otherwise). Where the past of the
    class is known, looks are spent where a fill is due, never further apart than that.
    """
    at_once = order_class.distance == AT_ONCE
    if live:
        return AUDIT_AT_ONCE if at_once else AUDIT_RESTING
    if looks_done == 0:
        return max(0.0, FIRST_LOOK - age_seconds)
    longest = GAP_AT_ONCE if at_once and age_seconds < YOUNG else GAP_RESTING
    due = _until_due(learned.quantiles(order_class), age_seconds)
    if due is not None:
        return min(due, longest)
    growth = GROWTH_AT_ONCE if at_once else GROWTH
    return min(longest, FIRST_GAP * growth ** min(looks_done - 1, 20))


def _until_due(quantiles: Sequence[float], age_seconds: float) -> float | None:
    """Tell the seconds until a next part of the class is expected to be filled.

    None where the class is not known, or nearly all of it would have been filled by now.
    """
    at = bisect_right(quantiles, age_seconds - AFTER_QUANTILE)
    if at == len(quantiles):
        return None
    return max(SHORTEST_GAP, quantiles[at] + AFTER_QUANTILE - age_seconds)


def dump_learned(learned: Learned) -> str:
    """Write what was learned as JSON text, deterministically."""
    return json.dumps(
        {name: list(seconds) for name, seconds in learned.samples.items()},
        sort_keys=True,
        separators=(",", ":"),
    )


def load_learned(text: str | None) -> Learned:
    """Read what was learned; nothing, or what cannot be read, is an empty past: only hints are lost."""
    try:
        stored = json.loads(text or "{}")
        samples = {str(name): tuple(float(s) for s in seconds) for name, seconds in stored.items()}
    except (ValueError, TypeError, AttributeError):
        samples = {}
    return Learned(samples)


def _quantile(ordered: Sequence[float], part: float) -> float:
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]
