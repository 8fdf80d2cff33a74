"""Counts of durations in buckets of equal relative width, from which exact percentiles are narrowed down."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_FINE = 16  # buckets to an octave: none is wider than a sixteenth of its lower edge
_FINE_BITS = 5  # bits of a number whose leading one is followed by four


def bucket_of(micros: int) -> int:
    """Tell the bucket of a duration in microseconds; what is not above zero shares bucket 0.

    Monotone: a longer duration never has a smaller bucket, so that ranks can be found by bucket.
    """
    if micros <= 0:
        return 0
    if micros < _FINE:
        return micros
    shift = micros.bit_length() - _FINE_BITS
    return _FINE * (shift + 1) + (micros >> shift) - _FINE


def lower_edge(bucket: int) -> int:
    """Tell the shortest duration of a bucket, in microseconds."""
    if bucket < _FINE:
        return bucket
    shift = bucket // _FINE - 1
    return (_FINE + bucket % _FINE) << shift


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many samples lie in each bucket, with their exact sum and largest, in microseconds."""

    counts: Mapping[int, int]
    total: int = 0
    largest: int | None = None

    @property
    def count(self) -> int:
        """Count the samples."""
        return sum(self.counts.values())

    def find(self, rank: int) -> tuple[int, int]:
        """Tell in which bucket the sample of this rank (from 0) lies, and its rank inside it."""
        left = rank
        for bucket in sorted(self.counts):
            if left < self.counts[bucket]:
                return bucket, left
            left -= self.counts[bucket]
        raise ValueError(f"no sample of rank {rank} among {self.count}")


def merged(parts: Iterable[Histogram]) -> Histogram:
    """Add histograms up."""
    counts: dict[int, int] = {}
    total, largest = 0, None
    for part in parts:
        for bucket, count in part.counts.items():
            counts[bucket] = counts.get(bucket, 0) + count
        total += part.total
        if part.largest is not None:
            largest = part.largest if largest is None else max(largest, part.largest)
    return Histogram(counts, total, largest)


def coarse(counts: Mapping[int, int], to_an_octave: int = 1) -> dict[int, int]:
    """Add buckets up to ``to_an_octave`` (1, 2, 4, 8 or 16) an octave, by lower edge in microseconds."""
    step = _FINE // to_an_octave
    found: dict[int, int] = {}
    for bucket, count in counts.items():
        edge = lower_edge(bucket - bucket % step) if bucket >= _FINE else 0
        found[edge] = found.get(edge, 0) + count
    return dict(sorted(found.items()))
