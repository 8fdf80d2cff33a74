"""Leases with fencing, and the request budget, on both stores and in virtual time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ordersync_cli.errors import BudgetExhausted, LeaseLost
from ordersync_cli.services.ports import Lane
from tests.support.virtual_clock import VirtualClock


@pytest.fixture
def two(place):
    """Two hosts on one store, each with clocks of its own (one wall clock is years off)."""
    here, there = VirtualClock(), VirtualClock()
    there.jump_wall(126_230_400)
    there.advance(5000)
    return (place.open(here), here), (place.open(there), there)


def test_one_holder_at_a_time(two) -> None:
    (here, _), (there, clock) = two
    lease = here.leases.acquire("driver", "a", 0)

    assert lease.token == 1
    assert there.leases.acquire("driver", "b", 0) is None
    assert there.leases.acquire("light", "b", 0) is not None
    before = clock.monotonic()
    assert there.leases.acquire("driver", "b", 1.0) is None
    assert clock.monotonic() - before == pytest.approx(1.0)


def test_a_released_lease_is_free_at_once(two) -> None:
    (here, _), (there, _) = two
    lease = here.leases.acquire("light", "a", 0)
    here.leases.release(lease)

    taken = there.leases.acquire("light", "b", 0)
    assert taken.token == 2
    assert not here.leases.beat(lease)
    here.leases.release(lease)
    assert there.leases.beat(taken)


def test_T35_a_killed_holder_is_taken_over_within_five_seconds(two) -> None:
    (here, _), (there, clock) = two
    here.leases.acquire("light", "a", 0)
    before = clock.monotonic()

    taken = there.leases.acquire("light", "b", 5.0)

    assert taken.token == 2
    assert 4.0 <= clock.monotonic() - before < 5.0


def test_a_candidate_that_asks_now_and_then_gets_there_too(two) -> None:
    (here, _), (there, clock) = two
    here.leases.acquire("driver", "a", 0)
    for _ in range(8):
        assert there.leases.acquire("driver", "b", 0) is None
        clock.advance(0.5)

    assert there.leases.acquire("driver", "b", 0) is not None


def test_a_holder_that_beats_is_never_taken_over(two) -> None:
    (here, _), (there, clock) = two
    lease = here.leases.acquire("driver", "a", 0)
    clock.on_sleep.append(lambda: here.leases.beat(lease))

    assert there.leases.acquire("driver", "b", 30.0) is None
    assert here.leases.beat(lease)


def test_a_jump_of_the_wall_clock_takes_nothing_over(two) -> None:
    (here, _), (there, clock) = two
    here.leases.acquire("driver", "a", 0)
    assert there.leases.acquire("driver", "b", 0) is None
    clock.jump_wall(3600)

    assert there.leases.acquire("driver", "b", 0) is None


def test_T35_a_holder_that_was_paused_cannot_write_late(two) -> None:
    (here, _), (there, _) = two
    lease = here.leases.acquire("light", "a", 0)
    there.leases.acquire("light", "b", 5.0)

    with pytest.raises(LeaseLost) as lost, here.write() as transaction:  # noqa: PT012 - the whole block is the transaction
        transaction.notes.set("late", "yes")
        transaction.fence(lease)
    assert lost.value.exit_code == 12
    with there.read() as transaction:
        assert transaction.notes.get("late") is None
    assert not here.leases.beat(lease)


def test_two_candidates_for_one_dead_holder_have_one_winner(place) -> None:
    dead = place.open().leases
    dead.acquire("light", "dead", 0)
    clocks = [VirtualClock(), VirtualClock()]
    candidates = [place.open(clock).leases for clock in clocks]
    for leases in candidates:
        assert leases.acquire("light", "c", 0) is None
    for clock in clocks:
        clock.advance(4.5)

    won = [leases.acquire("light", f"c-{n}", 0) for n, leases in enumerate(candidates)]

    assert sum(lease is not None for lease in won) == 1


def test_a_fence_holds_until_the_commit(place) -> None:
    """Nobody takes over between the check and the commit."""
    store = place.open()
    lease = store.leases.acquire("light", "a", 0)
    with store.write() as transaction:
        transaction.fence(lease)
        with pytest.raises(LeaseLost):
            transaction.fence(replace(lease, holder="b"))


# ---------------------------------------------------------------------------- the budget


def taken_until_refused(budget, lane) -> int:
    count = 0
    while True:
        try:
            budget.take(lane)
        except BudgetExhausted:
            return count
        count += 1
        assert count < 1000


@pytest.fixture
def impatient(place):
    """A store whose lanes never wait, and the clock that its bucket goes by (Postgres has its own)."""
    store = place.open(rate=0.0001 if place.postgres else 2.5)
    store.budget._patience = dict.fromkeys(Lane, 0.0)
    return store


def test_each_lane_leaves_its_floor_to_the_others(impatient) -> None:
    budget = impatient.budget

    assert taken_until_refused(budget, Lane.DEEP) == 4
    assert taken_until_refused(budget, Lane.LIGHT) == 2
    assert taken_until_refused(budget, Lane.POLL) == 2
    assert taken_until_refused(budget, Lane.SYNC) == 1
    assert taken_until_refused(budget, Lane.PLACE) == 1


def test_the_bucket_is_shared_by_every_process_on_the_store(place, impatient) -> None:
    other = place.open(rate=0.0001 if place.postgres else 2.5)
    other.budget._patience = dict.fromkeys(Lane, 0.0)

    assert taken_until_refused(impatient.budget, Lane.LIGHT) == 6
    assert taken_until_refused(other.budget, Lane.PLACE) == 4


def test_a_penalty_stops_every_lane(place, impatient) -> None:
    impatient.budget.penalise(30)

    with pytest.raises(BudgetExhausted) as refused:
        place.open().budget.take(Lane.PLACE)
    assert refused.value.exit_code == 6
    assert 29 < refused.value.retry_after <= 30


def test_a_post_never_waits_and_counts(impatient) -> None:
    taken_until_refused(impatient.budget, Lane.PLACE)
    impatient.budget.spend()

    assert impatient.budget.left() < 0
    with pytest.raises(BudgetExhausted):
        impatient.budget.take(Lane.PLACE)
