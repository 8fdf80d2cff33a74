"""Figures that a claim rests on: exact quantiles, and the exact bound of a ratio."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

CONFIDENCE = 0.95
_ALL = 100  # per cent
_STEPS = 200  # halvings of [0, 1]: far below the last digit of a double


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How samples lie, in the samples' own unit; every figure is None without samples."""

    count: int
    mean: Decimal | None = None
    p50: Decimal | None = None
    p95: Decimal | None = None
    p99: Decimal | None = None
    max: Decimal | None = None


def rank(count: int, percent: int) -> int:
    """Tell which of ``count`` ordered samples (from 0) is the nearest-rank percentile.

    The smallest sample such that at least ``percent`` per cent of all are not above it.
    """
    if count < 1 or not 0 < percent <= _ALL:
        raise ValueError(f"no percentile {percent} of {count} samples")
    return -(-count * percent // _ALL) - 1


def spread(samples: Sequence[Decimal]) -> Spread:
    """Describe samples by nearest-rank percentiles and their exact mean."""
    if not samples:
        return Spread(count=0)
    ordered = sorted(samples)
    count = len(ordered)
    return Spread(
        count=count,
        mean=sum(ordered, Decimal(0)) / count,
        p50=ordered[rank(count, 50)],
        p95=ordered[rank(count, 95)],
        p99=ordered[rank(count, 99)],
        max=ordered[-1],
    )


def lower_bound(matched: int, audited: int, confidence: float = CONFIDENCE) -> float | None:
    """Give the exact one-sided lower confidence bound of a ratio (Clopper and Pearson, 1934).

    It is the ratio at which ``matched`` or more of ``audited`` would still happen with
    probability 1 - ``confidence``. None when nothing was audited.
    """
    if not 0 <= matched <= audited:
        raise ValueError(f"{matched} of {audited} cannot have matched")
    if audited == 0:
        return None
    if matched == 0:
        return 0.0
    alpha = 1.0 - confidence
    if matched == audited:
        return float(alpha ** (1.0 / audited))
    low, high = 0.0, matched / audited
    for _ in range(_STEPS):
        middle = (low + high) / 2.0
        if _missed_at_most(audited - matched, audited, middle) < alpha:
            low = middle
        else:
            high = middle
    return low


def _missed_at_most(misses: int, count: int, ratio: float) -> float:
    """Probability of at most ``misses`` misses among ``count`` where each matches at ``ratio``, 0 < ratio < 1."""
    log_rate, log_keep = math.log1p(-ratio), math.log(ratio)
    ways = math.lgamma(count + 1)
    terms = (
        ways - math.lgamma(k + 1) - math.lgamma(count - k + 1) + k * log_rate + (count - k) * log_keep
        for k in range(misses + 1)
    )
    return math.fsum(math.exp(term) for term in terms)


def clean_audits_needed(matched: int, audited: int, claim: float, confidence: float = CONFIDENCE) -> int:
    """Tell how many more audits, all of them matching, would carry the claim.

    The claim is carried once the lower bound reaches it. Exact, by doubling and halving.
    """
    if not 0.0 < claim < 1.0:
        raise ValueError(f"a claim lies between 0 and 1, not {claim}")

    def carried(more: int) -> bool:
        bound = lower_bound(matched + more, audited + more, confidence)
        return bound is not None and bound >= claim

    if carried(0):
        return 0
    high = 1
    while not carried(high):
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if carried(middle) else (middle, high)
    return high
