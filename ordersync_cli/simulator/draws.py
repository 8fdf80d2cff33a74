"""Seeded draws: every number that looks random here is a hash of the seed and of what it is for."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def digest(seed: int, *labels: object) -> bytes:
    """Return 32 bytes that depend on the seed and the labels only."""
    text = "\x1f".join([str(seed), *(str(label) for label in labels)])
    return hashlib.blake2b(text.encode(), digest_size=32).digest()


def draw_uuid(seed: int, *labels: object) -> str:
    """Return a well-formed version 4 uuid drawn from the seed and the labels."""
    return str(uuid.UUID(bytes=digest(seed, *labels)[:16], version=4))


def draw_hex(seed: int, *labels: object) -> str:
    """Return 64 hexadecimal digits, the shape of Coinbase's entry_id."""
    return digest(seed, *labels).hex()


class Draws:
    """A stream of draws for one purpose; the same seed and labels give the same stream."""

    def __init__(self, seed: int, *labels: object) -> None:
        self._key = (seed, *labels)
        self._count = 0

    def below(self, limit: int) -> int:
        """Return an integer in [0, limit)."""
        self._count += 1
        seed, *labels = self._key
        return int.from_bytes(digest(int(str(seed)), *labels, self._count)[:8], "big") % limit

    def between(self, low: int, high: int) -> int:
        """Return an integer in [low, high]."""
        return low + self.below(high - low + 1)

    def chance(self, percent: int) -> bool:
        """Say yes in so many of a hundred draws."""
        return self.below(100) < percent

    def pick(self, choices: Sequence[T]) -> T:
        """Return one of the choices."""
        return choices[self.below(len(choices))]
