"""What a schedule of looks costs and misses on recorded times to fill: a replay, no guess."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ordersync_cli.domain.schedule import Learned, OrderClass, next_look

Pace = Callable[[float, int], float]  # (age in seconds, looks done) -> seconds to the next look

HORIZON = 300.0  # seconds an order is followed by itself
MOST_LOOKS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A named schedule of looks."""

    name: str
    pace: Pace


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a plan would have cost and missed on the same orders; delays in seconds.

    ``missed`` counts orders whose fill was seen later than the limit, or never before the
    horizon. The delays are of those seen; None where none was.
    """

    name: str
    orders: int
    requests: int
    delay_mean: float | None
    delay_p99: float | None
    missed: int


def every(seconds: float, name: str = "") -> Plan:
    """Plan a look each so many seconds."""
    return Plan(name=name or f"{seconds:g} s", pace=lambda _age, _looks: seconds)


FIXED_PLANS = (
    every(0.5),
    every(2.0),
    every(5.0),
    every(30.0),
    # Hummingbot polls each 5 s while its stream is silent and each 120 s while it talks.
    every(5.0, "Hummingbot 5 s"),
    every(120.0, "Hummingbot 120 s"),
)


def learned_plan(learned: Learned, order_class: OrderClass) -> Plan:
    """Plan looks as `place` and `watch` make them without a live feed."""
    return Plan(
        name="learned",
        pace=lambda age, looks: next_look(learned, order_class, age, looks_done=looks, live=False),
    )


def replay(times_to_fill: Sequence[float], plan: Plan, *, within: float = 1.0, horizon: float = HORIZON) -> Cost:
    """Follow each recorded order by a plan and tell the bill.

    ``within``: a fill seen later than that many seconds counts as missed. ValueError for a
    plan that does not let time pass.
    """
    requests, missed = 0, 0
    delays: list[float] = []
    for filled_after in times_to_fill:
        looks, seen_at = _follow(filled_after, plan.pace, horizon)
        requests += looks
        if seen_at is None:
            missed += 1
            continue
        delays.append(seen_at - filled_after)
        missed += delays[-1] > within
    ordered = sorted(delays)
    return Cost(
        name=plan.name,
        orders=len(times_to_fill),
        requests=requests,
        delay_mean=sum(ordered) / len(ordered) if ordered else None,
        delay_p99=ordered[-(-len(ordered) * 99 // 100) - 1] if ordered else None,
        missed=missed,
    )


def _follow(filled_after: float, pace: Pace, horizon: float) -> tuple[int, float | None]:
    """Count the looks until one sees the fill; None where the horizon came first."""
    age = 0.0
    for looks in range(MOST_LOOKS):
        pause = pace(age, looks)
        if age + pause > horizon:
            return looks, None
        age += pause
        if age >= filled_after:
            return looks + 1, age
    raise ValueError("a plan of looks must let time pass")
