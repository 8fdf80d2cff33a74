"""The venue's clock is followed within a known error, and no foreign clock dates an observation."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordersync_cli.venue.venue_clock import VenueClock, frame_stamp
from ordersync_cli.venue.wire_account import Told, date_header, server_time
from ordersync_cli.venue.wire_values import WireError
from tests.support.virtual_clock import VirtualClock

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def hear(
    venue: VenueClock, clock: VirtualClock, skew: float, trip: float = 0.1, *, whole_seconds: bool = False
) -> None:
    """Let the venue, whose clock is off by ``skew``, tell its time in the middle of a round trip."""
    before = clock.monotonic()
    clock.advance(trip / 2)
    shown = clock.now() + timedelta(seconds=skew)
    clock.advance(trip / 2)
    if whole_seconds:
        shown = shown.replace(microsecond=0)
        venue.note(Told(shown, shown + timedelta(seconds=1)), before, clock.monotonic())
    else:
        venue.note(Told(shown, shown), before, clock.monotonic())


@given(st.floats(-1e5, 1e5), st.floats(0.001, 2.0))
def test_T26_the_offset_is_within_its_stated_error(skew: float, trip: float) -> None:
    clock = VirtualClock()
    venue = VenueClock(clock)
    hear(venue, clock, skew, trip)
    offset = venue.offset()
    assert abs(offset.seconds - skew) <= offset.error + 1e-4
    assert offset.error <= trip / 2 + 1e-3


def test_dates_cut_to_the_second_narrow_the_error_together() -> None:
    clock = VirtualClock(AT + timedelta(microseconds=123_456))
    venue = VenueClock(clock)
    errors = []
    for _ in range(12):
        clock.advance(0.37)
        hear(venue, clock, 42.0, 0.02, whole_seconds=True)
        errors.append(venue.offset().error)
        assert abs(venue.offset().seconds - 42.0) <= venue.offset().error + 1e-6
    assert errors[0] > 0.4
    assert errors[-1] < 0.25


def test_T41_a_jump_of_our_wall_clock_moves_nothing_and_raises_doubt() -> None:
    clock = VirtualClock()
    venue = VenueClock(clock)
    hear(venue, clock, 0.0)
    assert not venue.doubtful
    true = clock.now()
    clock.jump_wall(3600)
    assert abs((venue.now() - true).total_seconds()) < 0.1
    assert venue.doubtful
    hear(venue, clock, -3600.0)
    assert not venue.doubtful
    assert abs(venue.offset().seconds + 3600) < 0.1


def test_T41_a_venue_clock_that_jumped_is_believed() -> None:
    clock = VirtualClock()
    venue = VenueClock(clock)
    hear(venue, clock, 0.0)
    hear(venue, clock, 30.0, whole_seconds=True)
    assert abs(venue.offset().seconds - 30.0) < 1.2


def test_two_servers_of_one_venue_that_differ_a_little_do_not_shake_it() -> None:
    clock = VirtualClock()
    venue = VenueClock(clock)
    hear(venue, clock, 0.0, 0.01)
    for _ in range(20):
        hear(venue, clock, -0.7, 0.01, whole_seconds=True)
    assert abs(venue.offset().seconds) < 0.02


def test_an_unheard_venue_has_our_time_and_is_in_doubt() -> None:
    clock = VirtualClock()
    venue = VenueClock(clock)
    assert venue.doubtful
    assert venue.now() == clock.now()
    assert venue.offset().error >= 30
    hear(venue, clock, 5.0)
    venue.forget()
    assert venue.doubtful


def test_the_error_grows_with_the_age_of_the_measurement() -> None:
    clock = VirtualClock()
    venue = VenueClock(clock)
    hear(venue, clock, 0.0, 0.01)
    clock.advance(3600)
    assert venue.offset().error > 0.3
    clock.advance(20_000)
    assert venue.doubtful


@pytest.mark.parametrize(("ahead", "held"), [(0.5, 0.5), (-0.5, -0.5), (30.0, 1.0), (-3600.0, -1.1), (1e9, 1.0)])
def test_T46_a_rest_answer_is_dated_within_a_second_of_its_date(ahead: float, held: float) -> None:
    venue = VenueClock(VirtualClock())
    stamp = venue.rest_stamp(AT + timedelta(seconds=ahead), Told(AT, AT), 0.1)
    assert (stamp.as_of - AT).total_seconds() == pytest.approx(held)
    assert stamp.clamped is (ahead != held)


def measured_late(late: float, start: float) -> tuple[VenueClock, VirtualClock]:
    """Measure a clock equal to ours by a first request that took that long on its way out and none back."""
    clock = VirtualClock(AT + timedelta(seconds=start))
    venue = VenueClock(clock)
    before = clock.monotonic()
    clock.advance(late)
    venue.note(Told(clock.now(), clock.now()), before, clock.monotonic())
    return venue, clock


@given(st.floats(0.0, 1.9), st.floats(0.0, 1.0), st.floats(0.001, 3.0), st.booleans())
def test_no_answer_is_alerted_for_what_the_measuring_left_open(
    late: float, start: float, trip: float, heard_meanwhile: bool
) -> None:
    venue, clock = measured_late(late, start)
    started, before = venue.now(), clock.monotonic()
    if heard_meanwhile:  # another thread's answer, more exact
        venue.note(Told(clock.now(), clock.now()), before, before)
    clock.advance(trip)
    date = clock.now().replace(microsecond=0)
    stamp = venue.rest_stamp(started, Told(date, date + timedelta(seconds=1)), clock.monotonic() - before)
    assert not stamp.clamped
    assert stamp.as_of <= date + timedelta(seconds=1), "the clamp itself stays"


def test_what_is_beyond_the_error_of_the_measuring_is_alerted() -> None:
    venue, clock = measured_late(0.6, 0.0)
    started = venue.now() + timedelta(seconds=1.1)
    date = clock.now().replace(microsecond=0)
    stamp = venue.rest_stamp(started, Told(date, date + timedelta(seconds=1)), 0.0)
    assert stamp.clamped
    assert stamp.as_of == date + timedelta(seconds=1)


def test_T46_a_slow_answer_is_dated_by_its_start_without_alarm() -> None:
    venue = VenueClock(VirtualClock())
    stamp = venue.rest_stamp(AT - timedelta(seconds=4), Told(AT, AT), 4.2)
    assert stamp.as_of == AT - timedelta(seconds=4)
    assert not stamp.clamped


@pytest.mark.parametrize(("ahead", "held"), [(0.0, 0.0), (-4.9, -4.9), (4.9, 4.9), (3.2e8, 5.0), (-600.0, -5.0)])
def test_T46_a_frame_is_dated_within_five_seconds_of_its_receipt(ahead: float, held: float) -> None:
    stamp = frame_stamp(AT + timedelta(seconds=ahead), AT)
    assert (stamp.as_of - AT).total_seconds() == pytest.approx(held)
    assert stamp.clamped is (ahead != held)


def test_a_frame_that_lay_here_unread_keeps_its_own_time() -> None:
    stamp = frame_stamp(AT - timedelta(seconds=12), AT, waited=10.0)
    assert stamp.as_of == AT - timedelta(seconds=12)
    assert not stamp.clamped
    assert frame_stamp(None, AT).as_of == AT


@pytest.mark.parametrize(
    ("body", "width"),
    [
        ({"iso": "2026-03-01T12:00:00Z", "epochSeconds": "1772366400", "epochMillis": "1772366400000"}, 0.001),
        ({"epochMillis": 1772366400000}, 0.001),
        ({"epochSeconds": 1772366400}, 1.0),
        ({"iso": "2026-03-01T12:00:00Z"}, 1.0),
        ({"iso": "2026-03-01T12:00:00.000001Z", "epochMillis": ""}, 0.0),
    ],
)
def test_T24_the_venues_time_comes_as_words_or_numbers(body: dict[str, object], width: float) -> None:
    told = server_time(body)
    assert abs((told.earliest - AT).total_seconds()) < 0.001
    assert (told.latest - told.earliest).total_seconds() == pytest.approx(width)


@pytest.mark.parametrize("bad", [{}, [], {"epochMillis": "x"}, {"epochMillis": "1e60"}, {"iso": "now"}])
def test_a_time_that_cannot_be_read_is_refused(bad: object) -> None:
    with pytest.raises(WireError):
        server_time(bad)


def test_a_date_header_is_read_or_ignored() -> None:
    told = date_header("Sun, 01 Mar 2026 12:00:00 GMT")
    assert told is not None
    assert told.earliest == AT
    for bad in (None, "", "soon", "Sun, 99 Mar 2026 12:00:00 GMT"):
        assert date_header(bad) is None
