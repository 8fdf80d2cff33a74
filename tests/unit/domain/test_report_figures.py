"""Buckets, spans and targets: the pure parts of a report."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordersync_cli.domain.histogram import Histogram, bucket_of, coarse, lower_edge, merged
from ordersync_cli.domain.spans import clipped, seconds_of, union
from ordersync_cli.domain.targets import Bound, Target
from tests.support.virtual_clock import START

DURATIONS = st.integers(min_value=-(10**7), max_value=10**13)
SPANS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=12)


@given(DURATIONS, DURATIONS)
def test_a_longer_duration_never_has_a_smaller_bucket(one, other) -> None:
    low, high = sorted((one, other))

    assert bucket_of(low) <= bucket_of(high)


@given(st.integers(min_value=1, max_value=10**13))
def test_a_bucket_is_no_wider_than_a_sixteenth_of_its_edge(micros) -> None:
    bucket = bucket_of(micros)

    assert lower_edge(bucket) <= micros < lower_edge(bucket + 1)
    assert (lower_edge(bucket + 1) - lower_edge(bucket)) * 16 <= max(16, lower_edge(bucket))


@given(st.lists(DURATIONS, min_size=1, max_size=60), st.data())
def test_a_rank_is_found_in_the_bucket_of_its_sample(samples, data) -> None:
    counts: dict[int, int] = {}
    for sample in samples:
        counts[bucket_of(sample)] = counts.get(bucket_of(sample), 0) + 1
    rank = data.draw(st.integers(0, len(samples) - 1))

    bucket, inside = Histogram(counts).find(rank)

    assert sorted(s for s in samples if bucket_of(s) == bucket)[inside] == sorted(samples)[rank]


def test_a_rank_beyond_the_samples_is_refused() -> None:
    with pytest.raises(ValueError, match="no sample of rank 2"):
        Histogram({3: 2}).find(2)


@given(st.lists(st.lists(DURATIONS, max_size=20), max_size=4))
def test_merged_histograms_are_the_histogram_of_all(parts) -> None:
    def of(samples):
        counts: dict[int, int] = {}
        for sample in samples:
            counts[bucket_of(sample)] = counts.get(bucket_of(sample), 0) + 1
        return Histogram(counts, sum(samples), max(samples, default=None))

    every = [sample for part in parts for sample in part]

    assert merged(of(part) for part in parts) == of(every)
    assert sum(coarse(of(every).counts).values()) == len(every) == of(every).count


@given(SPANS)
def test_the_union_of_spans_counts_each_second_once(pairs) -> None:
    spans = [(START + timedelta(seconds=a), START + timedelta(seconds=b)) for a, b in pairs]
    seconds = {second for a, b in pairs for second in range(a, b)}

    assert seconds_of(spans) == len(seconds)
    assert all(a[1] < b[0] for a, b in zip(union(spans), union(spans)[1:], strict=False))


def test_spans_are_cut_to_the_window() -> None:
    hour = timedelta(hours=1)
    spans = [(START - hour, START + hour), (START + 3 * hour, START + 4 * hour)]

    assert clipped(spans, START, START + 2 * hour) == [(START, START + hour)]


@pytest.mark.parametrize(
    ("bound", "target", "actual", "met"),
    [
        (Bound.AT_MOST, 0, 0, True),
        (Bound.AT_MOST, 0, 1, False),
        (Bound.BELOW, Decimal(5), Decimal("4.999"), True),
        (Bound.BELOW, Decimal(5), Decimal(5), False),
        (Bound.AT_LEAST, Decimal("0.999"), Decimal("0.999"), True),
        (Bound.AT_LEAST, Decimal("0.999"), Decimal("0.9989"), False),
        (Bound.AT_MOST, 0, None, None),
    ],
)
def test_a_target_is_met_missed_or_not_measured(bound, target, actual, met) -> None:
    assert Target(name="t", bound=bound, target=target, actual=actual).met is met
