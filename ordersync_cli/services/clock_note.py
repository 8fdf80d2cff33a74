"""What a driving watcher knows of the venue's clock, left in the store for the next process on its machine."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ordersync_cli.services.ports import ClockOffset

if TYPE_CHECKING:
    from ordersync_cli.clock import Clock
    from ordersync_cli.services.ports.store import Notes

FRESH = 5.0  # seconds by both clocks of this machine; a watcher writes each second
JUMPED = 0.5  # seconds by which the two may disagree: one was set, or the note is another machine's

_NOTE = "venue_clock"


def keep(notes: Notes, offset: ClockOffset, host: str, clock: Clock) -> None:
    """Write down the offset as it is now."""
    now = {"host": host, "at": clock.now().isoformat(), "mono": clock.monotonic()}
    notes.set(_NOTE, json.dumps({**now, "seconds": offset.seconds, "error": offset.error}))


def recall(notes: Notes, host: str, clock: Clock) -> tuple[ClockOffset, float] | None:
    """Give the offset and the monotonic second it held at; None where it is old, or any clock speaks against it."""
    text = notes.get(_NOTE)
    if text is None:
        return None
    try:
        told = json.loads(text)
        at, mono = datetime.fromisoformat(told["at"]), float(told["mono"])
        offset = ClockOffset(seconds=float(told["seconds"]), error=float(told["error"]), measured_at=at)
        age, walked = clock.monotonic() - mono, (clock.now() - at) / timedelta(seconds=1)
    except (ValueError, TypeError, KeyError):
        return None
    is_ours = told["host"] == host and 0.0 <= age <= FRESH and abs(age - walked) <= JUMPED
    return (offset, mono) if is_ours else None
