"""Leases: who may do what only one may do, fenced so that a paused holder cannot write late."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ordersync_cli.services.ports import Lease

if TYPE_CHECKING:
    from ordersync_cli.clock import Clock
    from ordersync_cli.store.database import Database

DEAD_AFTER = 4.0  # seconds without a beat, on the candidate's own monotonic clock
LOOK_EVERY = 0.25  # seconds


@dataclass(frozen=True, slots=True)
class _Sight:
    """What a candidate saw of a lease."""

    holder: str | None
    token: int
    beat: int


class StoredLeases:
    """Leases as rows; each call is a short transaction of its own.

    Nobody compares wall clocks: a candidate watches the beat stand still on its own monotonic
    clock, then takes over by compare-and-set, with a token one larger. What was seen is kept
    between calls, so a candidate that asks now and then gets there too.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._seen: dict[str, tuple[_Sight, float]] = {}

    def acquire(self, name: str, holder: str, wait: float) -> Lease | None:
        """Try for ``wait`` seconds; a holder whose beat stood still for 4 s is taken over."""
        ends = self._clock.monotonic() + wait
        while True:
            lease = self._try(name, holder)
            if lease is not None:
                return lease
            left = ends - self._clock.monotonic()
            if left <= 0:
                return None
            self._clock.sleep(min(LOOK_EVERY, left))

    def beat(self, lease: Lease) -> bool:
        """Bump the beat (each second); False when it was taken over."""
        with self._database.writing() as sql:
            count = sql.run(
                "UPDATE leases SET beat = beat + 1, beat_at = ? WHERE name = ? AND holder = ? AND token = ?",
                (sql.values.time(self._clock.now()), lease.name, lease.holder, lease.token),
            )
        return count == 1

    def release(self, lease: Lease) -> None:
        """Give it up, if it is still held; its token is never used again."""
        with self._database.writing() as sql:
            sql.run(
                "UPDATE leases SET holder = NULL, beat = beat + 1, beat_at = ? "
                "WHERE name = ? AND holder = ? AND token = ?",
                (sql.values.time(self._clock.now()), lease.name, lease.holder, lease.token),
            )

    def _try(self, name: str, holder: str) -> Lease | None:
        sight = self._look(name)
        if sight is not None and sight.holder is not None and not self._stands_still(name, sight):
            return None
        with self._database.writing() as sql:
            now = sql.values.time(self._clock.now())
            if sight is None:
                token = 1
                won = sql.run(
                    "INSERT INTO leases (name, holder, token, beat, beat_at) VALUES (?, ?, ?, 0, ?) "
                    "ON CONFLICT (name) DO NOTHING",
                    (name, holder, token, now),
                )
            else:
                token = sight.token + 1
                won = sql.run(
                    "UPDATE leases SET holder = ?, token = ?, beat = beat + 1, beat_at = ? "
                    "WHERE name = ? AND token = ? AND beat = ?",
                    (holder, token, now, name, sight.token, sight.beat),
                )
        self._seen.pop(name, None)
        return Lease(name=name, holder=holder, token=token) if won else None

    def _look(self, name: str) -> _Sight | None:
        with self._database.reading() as sql:
            row = sql.row("SELECT holder, token, beat FROM leases WHERE name = ?", (name,))
        return None if row is None else _Sight(*row)

    def _stands_still(self, name: str, sight: _Sight) -> bool:
        now = self._clock.monotonic()
        before, since = self._seen.get(name, (None, now))
        if before != sight:
            self._seen[name] = (sight, now)
            return False
        return now - since >= DEAD_AFTER
