"""A clock that moves only when it is told to, so that hours of waiting take no time."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

START = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


class VirtualClock:
    """Wall clock and monotonic clock of one imagined machine; `sleep` moves both."""

    def __init__(self, start: datetime = START) -> None:
        self._now = start
        self._mono = 1000.0
        self.on_sleep: list[Callable[[], None]] = []

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._mono

    def sleep(self, seconds: float) -> None:
        if seconds > 0:
            self.advance(seconds)
        for callback in self.on_sleep:
            callback()

    def advance(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)
        self._mono += seconds

    def jump_wall(self, seconds: float) -> None:
        """Move the wall clock alone, as a bad NTP step would."""
        self._now += timedelta(seconds=seconds)


class SeededChance:
    """Ids and draws that one seed repeats."""

    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)

    def uuid(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def uniform(self, low: float, high: float) -> float:
        return self._random.uniform(low, high)

    def sample(self, population: list[int], k: int) -> list[int]:
        return self._random.sample(population, min(k, len(population)))
