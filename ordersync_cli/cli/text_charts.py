"""Small pictures made of characters: a sparkline and bars."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

_LEVELS = "▁▂▃▄▅▆▇█"
_WIDTH = 40


def sparkline(values: Sequence[Decimal | None]) -> str:
    """Draw a line of heights from zero on; a dot where nothing was measured."""
    top = max((value for value in values if value is not None), default=Decimal(0))
    return "".join("·" if value is None else _level(value, top) for value in values)


def _level(value: Decimal, top: Decimal) -> str:
    if top <= 0 or value <= 0:
        return _LEVELS[0]
    return _LEVELS[min(len(_LEVELS) - 1, int(value * len(_LEVELS) / top))]


def bars(counts: Mapping[int, int]) -> Iterator[tuple[int, int, str]]:
    """Give each key with its count and a bar as long as its share of the largest."""
    top = max(counts.values(), default=0)
    for key, count in counts.items():
        yield key, count, "█" * max(1, round(_WIDTH * count / top)) if count else ""
