"""What the schedule of looks has learned, and what other schedules would have cost and missed."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from functools import cache
from typing import Any

from ordersync_cli.domain.replay import FIXED_PLANS, HORIZON, Cost, Plan, learned_plan, replay
from ordersync_cli.domain.schedule import (
    AT_ONCE,
    AUDIT_AT_ONCE,
    AUDIT_RESTING,
    ENOUGH,
    GAP_AT_ONCE,
    GAP_RESTING,
    QUANTILES,
    Learned,
    OrderClass,
    load_learned,
    next_look,
)
from ordersync_cli.domain.statistics import spread as spread_of
from ordersync_cli.services.ports import Notes
from ordersync_cli.services.watch.schedules import LEARNED

WITHIN = 1.0  # seconds: a fill that is seen later counts as missed
SHOWN_LOOKS = 12
_MILLI = Decimal("0.001")


def intervals_json(notes: Notes, *, rate: Decimal, with_replay: bool) -> dict[str, Any]:
    """Tell what was learned by class; ``with_replay`` also what each plan costs on the same orders."""
    learned = load_learned(notes.get(LEARNED))
    classes = [(class_named(name), times) for name, times in sorted(learned.samples.items()) if times]
    found: dict[str, Any] = {
        "classes": [_class_json(learned, order_class, times) for order_class, times in classes],
        "gaps_seconds": {"at_once": exact(GAP_AT_ONCE), "resting": exact(GAP_RESTING)},
        "audit_seconds": {"at_once": exact(AUDIT_AT_ONCE), "resting": exact(AUDIT_RESTING)},
    }
    if with_replay:
        found["replay"] = {"missed_after_seconds": exact(WITHIN), "plans": _plans(learned, classes, rate)}
    return found


def class_named(name: str) -> OrderClass:
    """Read the name of a class as it is stored."""
    product_id, order_type, distance = ([*name.split("/"), "", ""])[:3]
    return OrderClass(product_id, order_type, distance or AT_ONCE)


def _class_json(learned: Learned, order_class: OrderClass, times: Sequence[float]) -> dict[str, Any]:
    quantiles = learned.quantiles(order_class)
    return {
        "product_id": order_class.product_id,
        "order_type": order_class.order_type,
        "distance": order_class.distance,
        "samples": len(times),
        "believed": len(times) >= ENOUGH,
        "time_to_fill_seconds": {
            f"p{part * 100:g}": exact(value) for part, value in zip(QUANTILES, quantiles, strict=False)
        },
        "looks_at_seconds": [exact(at) for at in look_times(learned, order_class)],
    }


def look_times(learned: Learned, order_class: OrderClass) -> list[float]:
    """List the ages at which an order of this class is looked at first, without a live feed."""
    age, times = 0.0, []
    for looks in range(SHOWN_LOOKS):
        age += next_look(learned, order_class, age, looks_done=looks, live=False)
        times.append(round(age, 3))
    return times


def _plans(
    learned: Learned, classes: Sequence[tuple[OrderClass, Sequence[float]]], rate: Decimal
) -> list[dict[str, Any]]:
    """Follow every recorded order by each plan; the learned one paces each class by itself."""
    followed: dict[str, list[tuple[Cost, float]]] = {name: [] for name in ("learned", *(p.name for p in FIXED_PLANS))}
    for order_class, times in classes:
        for plan in (_remembered(learned_plan(learned, order_class)), *FIXED_PLANS):
            followed[plan.name] += [(replay([seconds], plan, within=WITHIN), seconds) for seconds in times]
    return [_bill(name, costs, rate) for name, costs in followed.items()]


def _remembered(plan: Plan) -> Plan:
    """Ask a plan once for each look: it looks at all orders of a class at the same ages."""
    return Plan(name=plan.name, pace=cache(plan.pace))


def _bill(name: str, followed: Sequence[tuple[Cost, float]], rate: Decimal) -> dict[str, Any]:
    delays = [Decimal(str(round(c.delay_mean, 6))) for c, _ in followed if c.delay_mean is not None]
    spread = spread_of(delays)
    requests = sum(c.requests for c, _ in followed)
    seconds = sum(min(took, HORIZON) + (c.delay_mean or 0.0) for c, took in followed)
    return {
        "plan": name,
        "orders": len(followed),
        "requests": requests,
        "requests_per_order": ratio(requests, len(followed)),
        "delay_mean_seconds": None if spread.mean is None else exact(float(spread.mean)),
        "delay_p99_seconds": None if spread.p99 is None else exact(float(spread.p99)),
        "missed": sum(c.missed for c, _ in followed),
        # as many orders at a time does the shared request budget carry at this pace
        "orders_at_budget": None if not requests else int(float(rate) * seconds / requests),
    }


def ratio(part: int, whole: int) -> Decimal | None:
    """Divide to two places; None by nothing."""
    return None if not whole else (Decimal(part) / whole).quantize(Decimal("0.01"))


def exact(seconds: float) -> Decimal:
    """Write seconds to the millisecond."""
    return Decimal(str(round(seconds, 3))).quantize(_MILLI)
