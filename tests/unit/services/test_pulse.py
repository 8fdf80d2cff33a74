"""A lease beats while its loop moves, and no longer."""

from __future__ import annotations

import threading

import pytest

from ordersync_cli.errors import LeaseLost
from ordersync_cli.services.ports import Lease
from ordersync_cli.services.reconcile.pulse import STEP_AT_MOST, PassStopped, Pulse, TimeIsOver
from tests.support.virtual_clock import VirtualClock

HELD = Lease(name="light", holder="me", token=1)


class CountedLeases:
    """Counts beats; says lost once told so."""

    def __init__(self) -> None:
        self.beats = 0
        self.lost = False
        self.beaten = threading.Event()

    def beat(self, lease: Lease) -> bool:
        self.beats += 1
        self.beaten.set()
        return not self.lost

    def acquire(self, name: str, holder: str, wait: float) -> Lease | None:
        return HELD

    def release(self, lease: Lease) -> None:
        return


def test_a_step_raises_again_what_python_dropped() -> None:
    def go_on() -> None:
        raise KeyboardInterrupt

    leases = CountedLeases()
    with pytest.raises(KeyboardInterrupt):
        Pulse(leases, HELD, VirtualClock(), go_on=go_on).step()
    assert leases.beats == 0


def test_a_step_beats_at_most_once_a_second() -> None:
    leases, clock = CountedLeases(), VirtualClock()
    pulse = Pulse(leases, HELD, clock)
    for _ in range(10):
        pulse.step()
        clock.advance(0.25)
    assert leases.beats == 3


def test_the_thread_beats_before_the_first_step_already() -> None:
    leases, clock = CountedLeases(), VirtualClock()
    with Pulse(leases, HELD, clock).beating():
        assert leases.beaten.wait(5)


def test_a_loop_that_hangs_beats_no_more() -> None:
    leases, clock = CountedLeases(), VirtualClock()
    pulse = Pulse(leases, HELD, clock)
    clock.advance(STEP_AT_MOST + 1)
    pulse.beat_beside()
    assert leases.beats == 0


def test_a_lost_lease_ends_the_loop_at_its_next_step() -> None:
    leases, clock = CountedLeases(), VirtualClock()
    pulse = Pulse(leases, HELD, clock)
    leases.lost = True
    pulse.beat_beside()
    with pytest.raises(LeaseLost):
        pulse.step()


def test_who_asks_it_to_stop_is_heard() -> None:
    with pytest.raises(PassStopped):
        Pulse(CountedLeases(), HELD, VirtualClock(), stopping=lambda: True).step()


def test_the_deadline_ends_it() -> None:
    clock = VirtualClock()
    pulse = Pulse(CountedLeases(), HELD, clock, deadline=clock.monotonic() + 5)
    pulse.step()
    clock.advance(5)
    with pytest.raises(TimeIsOver):
        pulse.step()
