"""Spans of time on one line: their union, and how long it is."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TypeAlias

Span: TypeAlias = tuple[datetime, datetime]


def union(spans: Iterable[Span]) -> list[Span]:
    """Join what overlaps or touches; empty spans are left out. Oldest first."""
    joined: list[Span] = []
    for start, end in sorted(s for s in spans if s[0] < s[1]):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined


def clipped(spans: Iterable[Span], since: datetime, until: datetime) -> list[Span]:
    """Cut spans to a window, leaving out what is not in it."""
    cut = ((max(start, since), min(end, until)) for start, end in spans)
    return [(start, end) for start, end in cut if start < end]


def seconds_of(spans: Iterable[Span]) -> float:
    """Tell how long the union of spans is, in seconds."""
    return sum((end - start).total_seconds() for start, end in union(spans))
