"""The venue's clock as a watcher left it for the next process: believed only where every clock agrees."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordersync_cli.services import clock_note
from ordersync_cli.services.ports import ClockOffset
from ordersync_cli.venue.venue_clock import VenueClock
from ordersync_cli.venue.wire_account import Told
from tests.support.virtual_clock import VirtualClock


class Notes(dict[str, str]):
    """Named values of a store."""

    def set(self, name: str, value: str | None) -> None:
        self[name] = value or ""


def left(skew: float = 0.2, error: float = 0.01) -> tuple[Notes, VirtualClock]:
    clock, notes = VirtualClock(), Notes()
    offset = ClockOffset(seconds=skew, error=error, measured_at=clock.now(), mono=clock.monotonic())
    clock_note.keep(notes, offset, "here")
    return notes, clock


@given(st.floats(-1e5, 1e5), st.floats(0.001, 0.9), st.floats(0.0, clock_note.FRESH - 0.01), st.floats(-1.0, 1.0))
def test_what_was_left_gives_the_venues_clock_within_its_error(
    skew: float, error: float, age: float, off: float
) -> None:
    notes, clock = left(skew + off * error, error)  # as wrong as it said it may be
    clock.advance(age)
    offset = clock_note.recall(notes, "here", clock)
    assert offset is not None
    venue = VenueClock(clock)
    shown, wrong = offset.measured_at + timedelta(seconds=offset.seconds), timedelta(seconds=offset.error)
    venue.note(Told(shown - wrong, shown + wrong), offset.mono, offset.mono)
    assert not venue.doubtful
    told = venue.offset()
    assert abs(told.seconds - skew) <= told.error + 1e-4


@pytest.mark.parametrize(
    "meanwhile",
    [
        lambda clock: clock.advance(clock_note.FRESH + 0.1),
        lambda clock: clock.jump_wall(0.6),
        lambda clock: clock.jump_wall(-0.6),
        lambda clock: clock.advance(-1.0),  # the machine was started anew: its monotonic clock too
    ],
    ids=["old", "set forward", "set back", "another boot"],
)
def test_T41_a_note_that_a_clock_speaks_against_is_not_believed(meanwhile: Callable[[VirtualClock], None]) -> None:
    notes, clock = left()
    meanwhile(clock)
    assert clock_note.recall(notes, "here", clock) is None


def test_a_watcher_that_hears_nothing_for_long_leaves_nothing_to_believe() -> None:
    clock, notes = VirtualClock(), Notes()
    venue = VenueClock(clock)
    venue.note(Told(clock.now(), clock.now()), clock.monotonic(), clock.monotonic())
    heard = venue.offset()
    clock.advance(3600.0)  # idle, or an outage: each second it writes what it knows
    clock_note.keep(notes, heard, "here")
    assert clock_note.recall(notes, "here", clock) is None


@pytest.mark.parametrize("jump", [0.6, -0.6])
def test_T41_a_clock_set_between_measuring_and_writing_is_noticed(jump: float) -> None:
    clock, notes = VirtualClock(), Notes()
    venue = VenueClock(clock)
    venue.note(Told(clock.now(), clock.now()), clock.monotonic(), clock.monotonic())
    heard = venue.offset()
    clock.jump_wall(jump)
    clock_note.keep(notes, heard, "here")
    assert clock_note.recall(notes, "here", clock) is None


def test_a_note_of_another_machine_is_not_believed() -> None:
    notes, clock = left()
    assert clock_note.recall(notes, "there", clock) is None
    assert clock_note.recall(Notes(), "here", clock) is None


@pytest.mark.parametrize(
    "change", [None, "x", {}, {"mono": None}, {"host": None}, {"at": 5}, {"at": "2026-03-01T12:00:00"}, []]
)
def test_a_note_that_cannot_be_read_is_none(change: Any) -> None:
    notes, clock = left()
    (name, text), *_ = notes.items()
    told = {**json.loads(text), **change} if isinstance(change, dict) and change else change
    notes[name] = change if isinstance(change, str) else json.dumps(told)
    assert clock_note.recall(notes, "here", clock) is None
