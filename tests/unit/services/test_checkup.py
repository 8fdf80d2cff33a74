from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from ordersync_cli.errors import CredentialsRefused, VenueUnavailable
from ordersync_cli.services import checkup
from ordersync_cli.services.alerts.situation import AlertLimits
from ordersync_cli.services.checkup import FAILED, OK, WARNING, Check
from ordersync_cli.services.ports import ClockOffset, KeyPermissions, Run, Watcher
from ordersync_cli.services.ports.messages import FeedChanged, FeedState, HeartbeatSeen
from ordersync_cli.services.watch.feed_health import ANOTHER_USER
from ordersync_cli.services.watch.inbox import BoundedInbox
from tests.support.ready_store import ready_store
from tests.support.virtual_clock import SeededChance, VirtualClock

LIMITS = AlertLimits()
INTERVALS = {"light": 30.0, "deep": 300.0}


@pytest.fixture
def clock():
    return VirtualClock()


@pytest.fixture
def store(tmp_path, clock):
    made = ready_store(tmp_path / "store.db", clock, SeededChance())
    yield made
    made.close()


class Key:
    """A venue that tells its clock and what the key may do, or raises."""

    def __init__(self, offset=0.0, error=0.05, problem=None, **may):
        self._offset = ClockOffset(seconds=offset, error=error, measured_at=VirtualClock().now())
        self._may = {"can_view": True, "can_trade": True, "can_transfer": False, **may}
        self._problem = problem

    def offset(self):
        if self._problem:
            raise self._problem
        return self._offset

    def key_permissions(self, lane):
        return KeyPermissions(portfolio_id="p", **self._may)


class FakeFeed:
    """A feed that says what it is told to, once started."""

    def __init__(self, *says):
        self.says = says
        self.stopped = False

    def start(self, inbox):
        for message in self.says:
            inbox.put(message)

    def stop(self):
        self.stopped = True


class WaitingInbox(BoundedInbox):
    """An inbox whose waiting moves a virtual clock."""

    def __init__(self, clock):
        super().__init__()
        self._clock = clock

    def receive(self, timeout):
        taken = super().receive(0)
        if not taken:
            self._clock.advance(timeout)
        return taken


def watcher(clock, **changes):
    now = clock.now()
    made = Watcher(
        watcher_id="w",
        host="h",
        pid=7,
        started_at=now,
        beat_at=now,
        role="driving",
        feed_state="live",
        feed_since=now,
        feed_reason="",
        last_heartbeat_at=now,
        last_frame_at=None,
        clock_offset=None,
    )
    return replace(made, **changes)


def run_row(store, clock, mode, result="in_sync"):
    now = clock.now()
    row = Run(run_id=f"{mode}-{now.timestamp()}", mode=mode, started_at=now, host="h", pid=1)
    with store.write() as writing:
        writing.runs.start(row, None)
        writing.runs.finish(replace(row, finished_at=now, result=result, exit_code=0), None)


def test_the_gravest_class_gives_the_exit_code():
    def failed(code):
        return Check(name="x", status=FAILED, message="", exit_code=code)

    assert checkup.exit_code_of([]) == 0
    assert checkup.exit_code_of([Check(name="x", status=WARNING, message="")]) == 0
    assert checkup.exit_code_of([failed(10), failed(6), failed(4)]) == 4


def test_what_cannot_be_checked_is_the_finding_with_its_remedy():
    def look():
        raise CredentialsRefused("The venue refuses the key.", "Make a new one.")

    found = checkup.attempt("clock", look)
    assert (found.status, found.exit_code, found.remedy) == (FAILED, 4, "Make a new one.")


def test_a_store_is_written_to_and_another_venues_is_refused(store, clock):
    assert checkup.store_is_writable(store, clock.now(), "coinbase").status == OK
    store.claim("simulator", None)
    assert checkup.store_is_writable(store, clock.now(), "simulator").status == OK
    found = checkup.store_is_writable(store, clock.now(), "coinbase")
    assert (found.status, found.exit_code) == (FAILED, 3)


def test_a_frozen_store_is_told(store, clock):
    with store.write() as writing:
        writing.notes.set("frozen", "looked odd")
    assert "unfreeze" in checkup.store_is_writable(store, clock.now(), "simulator").remedy


@pytest.mark.parametrize(
    ("offset", "error", "status"), [(0.2, 0.1, OK), (-5.05, 0.1, OK), (6, 0.1, FAILED), (-60, 1, FAILED)]
)
def test_T26_the_clock_is_held_against_the_venues(offset, error, status):
    found = checkup.clock_is_near(Key(offset, error), LIMITS)
    assert (found.status, bool(found.remedy)) == (status, status == FAILED)


def test_an_unreachable_venue_is_exit_6():
    found = checkup.attempt("clock", lambda: checkup.clock_is_near(Key(problem=VenueUnavailable("no")), LIMITS))
    assert (found.status, found.exit_code) == (FAILED, 6)


@pytest.mark.parametrize(
    ("may", "status", "code"),
    [
        ({}, OK, 0),
        ({"can_transfer": True}, WARNING, 0),
        ({"can_trade": False}, WARNING, 0),
        ({"can_view": False}, FAILED, 4),
    ],
)
def test_T38_what_the_key_may_do_is_judged(may, status, code):
    found = checkup.key_may(Key(**may))
    assert (found.status, found.exit_code) == (status, code)


def test_nobody_watching_means_that_the_feed_must_be_tried(clock):
    assert checkup.feed_of_watcher([], clock.now()) is None
    assert checkup.feed_of_watcher([watcher(clock, role="standing_by")], clock.now()) is None
    dead = watcher(clock, beat_at=clock.now() - timedelta(seconds=30))
    assert checkup.feed_of_watcher([dead], clock.now()) is None


@pytest.mark.parametrize(("state", "status", "code"), [("live", OK, 0), ("polling", OK, 0), ("down", FAILED, 6)])
def test_a_running_watchers_feed_is_told_rather_than_thrown_out(clock, state, status, code):
    found = checkup.feed_of_watcher([watcher(clock, feed_state=state)], clock.now())
    assert (found.status, found.exit_code) == (status, code)


def test_T50_two_watchers_that_throw_each_other_out_are_named(clock):
    flapping = watcher(
        clock, feed_state="connecting", feed_reason=f"lost again and again: {ANOTHER_USER} with this key"
    )
    found = checkup.feed_of_watcher([flapping], clock.now())
    assert (found.status, found.exit_code) == (FAILED, 10)
    assert "--no-feed" in found.remedy


def test_the_feed_is_good_when_a_heartbeat_arrives(clock):
    live = FeedChanged(state=FeedState.LIVE, reason="", at=clock.now())
    beat = HeartbeatSeen(counter=1, received_at=clock.now(), received_mono=0.0)
    feed = FakeFeed(live, beat)
    assert checkup.feed_connects(feed, WaitingInbox(clock), clock, 12).status == OK
    assert feed.stopped


def test_T20_a_feed_without_a_heartbeat_is_not_good(clock):
    live = FeedChanged(state=FeedState.LIVE, reason="subscribed", at=clock.now())
    feed = FakeFeed(live)
    found = checkup.feed_connects(feed, WaitingInbox(clock), clock, 12)
    assert (found.status, found.exit_code, feed.stopped) == (FAILED, 6, True)


def test_a_refused_feed_is_exit_4(clock):
    refused = FeedChanged(state=FeedState.DOWN, reason="authentication failure", at=clock.now(), fatal=True)
    found = checkup.feed_connects(FakeFeed(refused), WaitingInbox(clock), clock, 12)
    assert (found.exit_code, found.message) == (4, "authentication failure")


def passes(store, clock):
    with store.read() as reading:
        return checkup.passes_are_recent(reading, clock.now(), INTERVALS, LIMITS)


def test_passes_older_than_due_fail_and_none_at_all_is_a_warning(store, clock):
    assert passes(store, clock).status == WARNING
    run_row(store, clock, "light")
    run_row(store, clock, "deep")
    assert passes(store, clock).status == OK
    clock.advance(90)
    found = passes(store, clock)
    assert (found.status, found.exit_code) == (FAILED, 10)
    assert "light" in found.message
    assert "deep" not in found.message


def test_what_waits_for_delivery_fails_after_its_limit(store, clock):
    def look():
        with store.read() as reading:
            return checkup.outbox_is_empty(reading, clock.now(), LIMITS, ["log"])

    assert look().status == OK
    with store.write() as writing:
        writing.outbox.put("s", "k", "e", {}, clock.now())
    assert look().status == OK
    clock.advance(61)
    assert (look().status, look().exit_code) == (FAILED, 10)
    assert "--undelivered s" in look().remedy
