"""The outbox is delivered at least once, in order for each key, and never before the commit."""

from __future__ import annotations

import itertools

import pytest

from ordersync_cli.services.alerts.deliver import OUTBOX_LEASE, Deliverer, DeliveryFailed
from tests.support.ready_store import ready_store
from tests.support.virtual_clock import SeededChance, VirtualClock


class Ear:
    """A sink that remembers, and fails as it is told."""

    def __init__(self):
        self.heard = []
        self.failures = []
        self.during = None
        self.closed = 0

    def send(self, delivery):
        if self.during:
            self.during()
        if self.failures and (failure := self.failures.pop(0)):
            raise failure
        self.heard.append(delivery.event_id)

    def close(self):
        self.closed += 1


def down(problem="no", retry_after=None):
    return DeliveryFailed(problem, sink_down=True, retry_after=retry_after)


def refused(problem="400"):
    return DeliveryFailed(problem, sink_down=False)


@pytest.fixture
def clock():
    return VirtualClock()


@pytest.fixture
def store(tmp_path, clock):
    made = ready_store(tmp_path / "store.db", clock, SeededChance())
    yield made
    made.close()


@pytest.fixture
def ear():
    return Ear()


@pytest.fixture
def deliverer(store, clock, ear):
    return Deliverer(store, clock, SeededChance(), {"ear": ear}, "here")


def put(store, clock, *events, sink="ear", key="k"):
    with store.write() as writing:
        for event in events:
            writing.outbox.put(sink, key, event, {"event": event}, clock.now())


def waiting(store):
    with store.read() as reading:
        return reading.outbox.undelivered()[0]


def test_what_waits_is_delivered_in_its_order_and_once(store, clock, ear, deliverer):
    put(store, clock, "a", "b", "c")
    done = deliverer.run_once()
    assert (ear.heard, done.delivered, waiting(store)) == (["a", "b", "c"], 3, 0)
    assert deliverer.run_once().delivered == 0
    assert ear.heard == ["a", "b", "c"]


def test_nothing_is_delivered_before_the_commit(store, clock, ear, deliverer):
    class Trouble(Exception):
        pass

    def put_and_fail():
        with store.write() as writing:
            writing.outbox.put("ear", "k", "never", {}, clock.now())
            raise Trouble

    with pytest.raises(Trouble):
        put_and_fail()
    deliverer.run_once()
    assert ear.heard == []


def test_a_later_message_of_a_key_waits_for_the_earlier_one(store, clock, ear, deliverer):
    ear.failures = [refused()]
    put(store, clock, "a1", "a2", key="a")
    put(store, clock, "b1", key="b")
    done = deliverer.run_once()
    assert (ear.heard, done.failed) == (["b1"], 1)
    clock.advance(2)
    deliverer.run_once()
    assert ear.heard == ["b1", "a1", "a2"]


def test_one_sink_that_is_down_holds_up_no_other(store, clock, ear):
    other = Ear()
    both = Deliverer(store, clock, SeededChance(), {"ear": ear, "other": other}, "here")
    ear.failures = [down()]
    for n in range(20):
        put(store, clock, f"e{n}", key=f"k{n}")
        put(store, clock, f"o{n}", key=f"k{n}", sink="other")
    done = both.run_once()
    assert (done.delivered, done.failed, done.problems) == (20, 1, {"ear": "no"})
    assert len(other.heard) == 20
    assert ear.heard == []
    clock.advance(2)
    both.run_once()
    assert sorted(ear.heard) == sorted(f"e{n}" for n in range(20))


@pytest.mark.parametrize(("attempts", "longest"), [(0, 1), (1, 2), (5, 32), (9, 300), (500, 300)])
def test_back_off_grows_with_jitter_and_has_an_end(deliverer, attempts, longest):
    pauses = {deliverer._pause(attempts, None) for _ in range(50)}
    assert all(longest / 2 <= pause <= longest for pause in pauses)
    assert len(pauses) > 10


def test_a_sink_that_is_down_is_left_alone_until_its_pause_is_over(store, clock, ear, deliverer):
    tries = []
    ear.during = lambda: tries.append(clock.monotonic())
    ear.failures = [down(), down(), down()]
    put(store, clock, "a")
    while waiting(store):
        deliverer.run_once()
        clock.advance(0.25)
    gaps = [b - a for a, b in itertools.pairwise(tries)]
    assert len(gaps) == 3
    assert 0.5 <= gaps[0] <= 1.5
    assert 1 <= gaps[1] <= 2.5
    assert 2 <= gaps[2] <= 4.5


def test_the_sinks_own_wish_to_wait_is_kept(store, clock, ear, deliverer):
    put(store, clock, "a")
    ear.failures = [down(retry_after=40)]
    deliverer.run_once()
    clock.advance(39)
    assert deliverer.run_once().delivered == 0
    clock.advance(2)
    assert deliverer.run_once().delivered == 1


def test_messages_of_a_sink_that_this_process_does_not_know_wait_for_one_that_does(store, clock, ear, deliverer):
    put(store, clock, "mine")
    put(store, clock, "theirs", sink="stranger")
    deliverer.run_once()
    assert (ear.heard, waiting(store)) == (["mine"], 1)


def test_T35_only_one_process_delivers_at_a_time(store, clock, ear, deliverer):
    put(store, clock, "a")
    held = store.leases.acquire(OUTBOX_LEASE, "elsewhere", 0.0)
    assert deliverer.run_once().skipped
    store.leases.release(held)
    assert deliverer.run_once().delivered == 1


def test_T35_the_outbox_of_a_dead_process_is_taken_over(store, clock, ear, deliverer):
    put(store, clock, "a")
    store.leases.acquire(OUTBOX_LEASE, "dead", 0.0)
    assert deliverer.run_once(wait=5.0).delivered == 1


def test_T35_a_process_that_was_overtaken_while_it_sent_marks_nothing(store, clock, ear, deliverer):
    put(store, clock, "a")
    rival = Deliverer(store, clock, SeededChance(), {"ear": Ear()}, "rival")

    def overtaken():
        ear.during = None
        rival._store.leases.acquire(OUTBOX_LEASE, "rival", 0.0)
        clock.advance(5)
        assert rival._store.leases.acquire(OUTBOX_LEASE, "rival", 0.0)

    ear.during = overtaken
    assert deliverer.run_once().skipped
    assert (ear.heard, waiting(store)) == (["a"], 1)


def test_connections_are_let_go_after_each_round(store, clock, ear, deliverer):
    put(store, clock, "a")
    deliverer.run_once()
    assert ear.closed == 1


def test_a_round_ends_when_its_time_is_over(store, clock, ear, deliverer):
    put(store, clock, *[f"e{n}" for n in range(50)])
    ear.during = lambda: clock.advance(1)
    deliverer.run_once(at_most=10)
    assert 8 <= len(ear.heard) <= 13
    assert waiting(store) == 50 - len(ear.heard)
