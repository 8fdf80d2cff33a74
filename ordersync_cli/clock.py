"""The only reader of time, ids and randomness; everything else is handed these."""

from __future__ import annotations

import random
import threading
import time
import uuid
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What time it is here, and how to wait."""

    def now(self) -> datetime:
        """Tell this machine's wall clock, aware UTC."""
        ...

    def monotonic(self) -> float:
        """Tell seconds on a clock that never jumps; only differences mean something."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait that many seconds (virtual ones in a simulated run)."""
        ...


class Chance(Protocol):
    """Where ids and jitter come from."""

    def uuid(self) -> str:
        """Make a fresh random id in UUID form."""
        ...

    def uniform(self, low: float, high: float) -> float:
        """Draw a number between low and high."""
        ...

    def sample(self, population: list[int], k: int) -> list[int]:
        """Draw k distinct members without replacement."""
        ...


class SystemClock:
    """This machine's clocks."""

    def __init__(self) -> None:
        self._never = threading.Event()

    def now(self) -> datetime:
        """Tell this machine's wall clock, aware UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Tell seconds since an arbitrary start; never jumps."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait that many seconds; a signal's exception ends it early."""
        if seconds > 0:
            self._never.wait(seconds)


class SystemChance:
    """The operating system's randomness, or a seeded one for repeatable runs."""

    def __init__(self, seed: int | None = None) -> None:
        self._random: random.Random = random.SystemRandom() if seed is None else random.Random(seed)

    def uuid(self) -> str:
        """Make a version 4 UUID."""
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def uniform(self, low: float, high: float) -> float:
        """Draw a number between low and high."""
        return self._random.uniform(low, high)

    def sample(self, population: list[int], k: int) -> list[int]:
        """Draw k distinct members without replacement (all of them, if there are fewer)."""
        return self._random.sample(population, min(k, len(population)))
