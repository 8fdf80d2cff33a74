"""Exact spreads of a measure, whole and by its keys, from counts by bucket and the few buckets that matter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeAlias

from ordersync_cli.domain.histogram import Histogram, merged
from ordersync_cli.domain.statistics import Spread, rank
from ordersync_cli.services.ports.history import Cell, History, Scope

_MICRO = Decimal(1_000_000)
PERCENTILES = (50, 95, 99)
Group: TypeAlias = tuple[str, Any]  # the key's name, and its word
ALL: Group = ("", None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A spread in seconds, with what it was made of. ``error`` bounds what the clocks add to it."""

    spread: Spread = field(default_factory=lambda: Spread(count=0))
    error: Decimal | None = None
    histogram: Histogram = field(default_factory=lambda: Histogram({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Breakdown:
    """One measure, whole and by each key."""

    whole: Measured
    by: Mapping[str, Mapping[Any, Measured]]


def breakdown(history: History, scope: Scope, measure: str, by: Sequence[str], slot_seconds: float = 3600) -> Breakdown:
    """Measure a window: count, mean, nearest-rank percentiles and maximum, all exact.

    Counting by bucket tells in which bucket each percentile lies; only those are read in full.
    """
    cells = history.cells(scope, measure, by, slot_seconds)
    groups = _grouped(cells, by)
    wanted = {
        group: {percent: histogram.find(rank(histogram.count, percent)) for percent in PERCENTILES}
        for group, (histogram, _) in groups.items()
    }
    pools = _pools(wanted)
    buckets = sorted({bucket for _, bucket in pools})
    if buckets:
        _fill(pools, history.samples(scope, measure, by, buckets, slot_seconds), by)
    found = {
        group: {percent: pools[group, bucket][inside] for percent, (bucket, inside) in places.items()}
        for group, places in wanted.items()
    }
    measured = {group: _measured(*groups[group], found[group]) for group in groups}
    return Breakdown(
        whole=measured.get(ALL, Measured()),
        by={name: {word: m for (key, word), m in sorted(measured.items(), key=str) if key == name} for name in by},
    )


def _grouped(cells: Iterable[Cell], by: Sequence[str]) -> dict[Group, tuple[Histogram, int | None]]:
    members: dict[Group, list[Cell]] = {}
    for cell in cells:
        for group in (ALL, *zip(by, cell.keys, strict=True)):
            members.setdefault(group, []).append(cell)
    return {
        group: (
            merged(c.histogram for c in found),
            max((c.error_us for c in found if c.error_us is not None), default=None),
        )
        for group, found in members.items()
    }


def _pools(wanted: Mapping[Group, Mapping[int, tuple[int, int]]]) -> dict[tuple[Group, int], list[int]]:
    return {(group, bucket): [] for group, places in wanted.items() for bucket, _ in places.values()}


def _fill(pools: Mapping[tuple[Group, int], list[int]], samples: Iterable[tuple[Any, ...]], by: Sequence[str]) -> None:
    """Put each sample into the pools of its groups, where its bucket holds a percentile, and order them."""
    for *keys, bucket, micros in samples:
        for group in (ALL, *zip(by, keys, strict=True)):
            pool = pools.get((group, bucket))
            if pool is not None:
                pool.append(micros)
    for pool in pools.values():
        pool.sort()


def _measured(histogram: Histogram, error_us: int | None, found: Mapping[int, int]) -> Measured:
    count = histogram.count
    spread = Spread(
        count=count,
        mean=seconds(round(Decimal(histogram.total) / count)),
        p50=seconds(found[50]),
        p95=seconds(found[95]),
        p99=seconds(found[99]),
        max=seconds(histogram.largest or 0),
    )
    return Measured(spread=spread, error=None if error_us is None else seconds(error_us), histogram=histogram)


def seconds(micros: int) -> Decimal:
    """Turn microseconds into exact seconds."""
    return Decimal(micros) / _MICRO
