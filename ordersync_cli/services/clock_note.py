"""What a driving watcher knows of the venue's clock, left in the store for the next process on its machine."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ordersync_cli.services.ports import ClockOffset

if TYPE_CHECKING:
    from ordersync_cli.clock import Clock
    from ordersync_cli.services.ports.store import Notes

FRESH = 5.0  # seconds since it was measured, by both clocks of this machine
JUMPED = 0.5  # seconds by which the two may disagree: one was set, or the note is another machine's

_NOTE = "venue_clock"


def keep(notes: Notes, offset: ClockOffset, host: str) -> None:
    """Write down the offset as it was when it was measured: a watcher that hears nothing leaves an old one."""
    when = {"host": host, "at": offset.measured_at.isoformat(), "mono": offset.mono}
    notes.set(_NOTE, json.dumps({**when, "seconds": offset.seconds, "error": offset.error}))


def recall(notes: Notes, host: str, clock: Clock) -> ClockOffset | None:
    """Give the offset; None where it is old, of another machine, or any clock speaks against it."""
    text = notes.get(_NOTE)
    if text is None:
        return None
    try:
        told = json.loads(text)
        at, mono, is_ours = datetime.fromisoformat(told["at"]), float(told["mono"]), told["host"] == host
        offset = ClockOffset(seconds=float(told["seconds"]), error=float(told["error"]), measured_at=at, mono=mono)
        age, walked = clock.monotonic() - mono, (clock.now() - at) / timedelta(seconds=1)
    except (ValueError, TypeError, KeyError):
        return None
    return offset if is_ours and 0.0 <= age <= FRESH and abs(age - walked) <= JUMPED else None
