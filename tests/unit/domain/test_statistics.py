"""The figures behind a claim are exact."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordersync_cli.domain.statistics import clean_audits_needed, lower_bound, rank, spread


def binomial_tail(matched: int, audited: int, ratio: float) -> float:
    """Probability of ``matched`` or more, summed term by term with exact binomials."""
    return math.fsum(
        math.comb(audited, k) * ratio**k * (1 - ratio) ** (audited - k) for k in range(matched, audited + 1)
    )


@given(st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(1, n), st.just(n))))
def test_at_the_bound_the_tail_has_just_the_probability_left_over(pair: tuple[int, int]) -> None:
    matched, audited = pair
    bound = lower_bound(matched, audited)
    assert bound is not None
    assert binomial_tail(matched, audited, bound) == pytest.approx(0.05, rel=1e-9)


def test_the_bound_agrees_with_published_values() -> None:
    # Rule of three's exact form: 299 clean audits carry 99 %, 2995 carry 99.9 %.
    assert lower_bound(299, 299) == pytest.approx(0.05 ** (1 / 299))
    assert clean_audits_needed(0, 0, 0.99) == 299
    assert clean_audits_needed(0, 0, 0.999) == 2995
    assert lower_bound(0, 10) == 0.0
    assert lower_bound(0, 0) is None


def test_one_miss_costs_many_more_audits() -> None:
    needed = clean_audits_needed(99, 100, 0.999)
    assert (lower_bound(99 + needed, 100 + needed) or 0) >= 0.999
    assert (lower_bound(98 + needed, 99 + needed) or 0) < 0.999
    assert clean_audits_needed(3000, 3000, 0.999) == 0


@given(st.lists(st.decimals(-1000, 1000, places=6), min_size=1, max_size=80))
def test_percentiles_are_samples_that_cover_their_share(samples: list[Decimal]) -> None:
    told = spread(samples)
    for percent, value in ((50, told.p50), (95, told.p95), (99, told.p99)):
        assert value in samples
        assert sum(s <= value for s in samples) * 100 >= percent * len(samples)
        below = [s for s in samples if s < value]
        assert len(below) * 100 < percent * len(samples)
    assert told.max == max(samples)
    assert told.count == len(samples)


def test_nothing_measured_is_none_and_not_zero() -> None:
    told = spread([])
    assert (told.count, told.mean, told.p50, told.max) == (0, None, None, None)


@pytest.mark.parametrize(("count", "percent"), [(0, 50), (5, 0), (5, 101)])
def test_a_percentile_of_nothing_is_refused(count: int, percent: int) -> None:
    with pytest.raises(ValueError, match="percentile"):
        rank(count, percent)


def test_impossible_audits_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot have matched"):
        lower_bound(2, 1)
    with pytest.raises(ValueError, match="between 0 and 1"):
        clean_audits_needed(1, 1, 1.0)
