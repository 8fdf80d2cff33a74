"""The request budget of a SQLite store in virtual time."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordersync_cli.errors import BudgetExhausted
from ordersync_cli.services.ports import Lane
from ordersync_cli.store.buckets import FileBucket
from ordersync_cli.store.budget import BURST, Bucket, SharedBudget
from ordersync_cli.store.urls import locate
from tests.support.virtual_clock import VirtualClock


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def budget(tmp_path: Path, clock: VirtualClock):
    at = locate(f"sqlite:///{tmp_path}/store.db")
    made = SharedBudget(lambda: FileBucket(at, clock), clock, 2.5)
    yield made
    made.close()


def test_two_and_a_half_requests_a_second_after_a_burst_of_ten(budget, clock) -> None:
    began = clock.monotonic()
    for _ in range(60):
        budget.take(Lane.PLACE)

    assert clock.monotonic() - began == pytest.approx((60 - 10) / 2.5, abs=0.01)


def test_a_lane_with_a_floor_waits_longer(budget, clock) -> None:
    began = clock.monotonic()
    for _ in range(4):
        budget.take(Lane.DEEP)
    assert clock.monotonic() == began
    budget.take(Lane.DEEP)

    assert clock.monotonic() - began == pytest.approx(0.4, abs=0.01)
    budget.take(Lane.PLACE)
    assert clock.monotonic() - began == pytest.approx(0.4, abs=0.01)


def test_patience_ends_at_once_where_waiting_is_hopeless(budget, clock) -> None:
    budget.penalise(15)
    began = clock.monotonic()

    with pytest.raises(BudgetExhausted) as refused:
        budget.take(Lane.PLACE)

    assert clock.monotonic() == began
    assert refused.value.retry_after == pytest.approx(15)
    assert "2.5 a second" in refused.value.message
    budget.take(Lane.SYNC)  # its patience is longer
    assert clock.monotonic() - began == pytest.approx(15, abs=0.01)


def test_the_first_look_at_an_order_waits_for_nobody_but_a_penalty(budget, clock) -> None:
    for _ in range(10):
        budget.take(Lane.PLACE)
    budget.spend()
    began = clock.monotonic()
    budget.take(Lane.FIRST_LOOK)
    assert clock.monotonic() == began
    budget.take(Lane.PLACE)
    assert clock.monotonic() - began == pytest.approx(3 / 2.5, abs=0.01), "and is paid for by the next"

    budget.penalise(5)
    began = clock.monotonic()
    budget.take(Lane.FIRST_LOOK)
    assert clock.monotonic() - began == pytest.approx(5, abs=0.01)


def test_a_shorter_penalty_does_not_end_a_longer_one(budget, clock) -> None:
    budget.penalise(20)
    budget.penalise(1)
    began = clock.monotonic()
    budget.take(Lane.SYNC)

    assert clock.monotonic() - began == pytest.approx(20, abs=0.01)


@pytest.mark.parametrize("jump", [-86_400.0, 86_400.0])
def test_T41_a_wall_clock_that_jumps_neither_stalls_nor_floods(budget, clock, jump) -> None:
    for _ in range(10):
        budget.take(Lane.PLACE)
    clock.jump_wall(jump)
    began = clock.monotonic()
    for _ in range(11):
        budget.take(Lane.PLACE)

    assert clock.monotonic() - began <= 11 / 2.5 + 0.01


def test_T41_a_clock_that_goes_back_does_not_stretch_a_penalty(budget, clock) -> None:
    budget.penalise(5)
    clock.jump_wall(-3600)
    began = clock.monotonic()
    budget.take(Lane.PLACE)

    assert clock.monotonic() - began == pytest.approx(5, abs=0.01)


@given(st.lists(st.tuples(st.floats(-100, 100), st.booleans()), max_size=40))
def test_no_history_holds_more_than_the_burst(steps: list[tuple[float, bool]]) -> None:
    bucket, passed, taken = Bucket(tokens=BURST, penalty_seconds=0), 0.0, 0
    for seconds, take in steps:
        bucket = bucket.aged(seconds, 2.5)
        passed += max(0.0, seconds)
        if take and bucket.tokens >= 1:
            bucket.tokens -= 1
            taken += 1
        assert bucket.tokens <= BURST
    assert taken <= BURST + 2.5 * passed + 1e-6


def test_who_waits_for_a_turn_is_counted_until_it_comes_or_patience_ends(budget, clock, monkeypatch) -> None:
    for _ in range(8):
        budget.take(Lane.POLL)
    seen = []
    nap = clock.sleep
    monkeypatch.setattr(clock, "sleep", lambda s: (seen.append(budget.waiting(Lane.POLL)), nap(s)))
    assert budget.waiting(Lane.POLL) == 0
    budget.take(Lane.POLL)
    assert set(seen) == {1}
    budget.penalise(1000)
    with pytest.raises(BudgetExhausted):
        budget.take(Lane.POLL)
    assert budget.waiting(Lane.POLL) == 0


def test_who_has_little_time_is_refused_at_once_where_its_turn_comes_later(budget, clock) -> None:
    budget.penalise(5)
    began = clock.monotonic()
    with pytest.raises(BudgetExhausted):
        budget.take(Lane.PLACE, 1.0)
    assert clock.monotonic() == began
    budget.take(Lane.PLACE, 6.0)
    assert clock.monotonic() - began == pytest.approx(5, abs=0.01)


def test_a_pass_gives_way_and_takes_its_turn_all_the_same(budget, clock) -> None:
    """Looks that need nearly all of the budget never leave it as full as a pass wants it."""
    for _ in range(8):
        budget.take(Lane.POLL)
    began = clock.monotonic()

    def poll() -> None:
        if budget.left() >= 3.5:
            budget.take(Lane.POLL)

    clock.on_sleep.append(poll)
    budget.take(Lane.PASS)
    assert 5.0 <= clock.monotonic() - began <= 8.0
    with pytest.raises(BudgetExhausted):
        budget.take(Lane.DEEP, within=60.0)
