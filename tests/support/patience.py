"""Waiting in real time, with a limit: a claim in seconds that fails says so by a name of its own.

Such a claim is about the program and about the machine. pyproject.toml lets a test that failed by
`TooSlow`, and by nothing else, run again, and the summary names it: a wrong value never gets a
second chance, and what is always too slow fails.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic, sleep
from typing import Any


class TooSlow(AssertionError):
    """What had to come within some seconds did not."""


def eventually(check: Callable[[], Any], seconds: float = 5.0, what: str = "it") -> Any:
    """Return the first true answer of `check`, or fail."""
    ends = monotonic() + seconds
    while not (answer := check()):
        if monotonic() >= ends:
            raise TooSlow(f"{what} did not come within {seconds} s")
        sleep(0.005)
    return answer


def within(seconds: float, check: Callable[[], Any], what: str = "it") -> float:
    """Wait until it is true; returns the seconds that took, or fails."""
    began = monotonic()
    eventually(check, seconds, what)
    return monotonic() - began


def in_time(began: float, seconds: float, what: str = "it") -> None:
    """Fail when so many seconds have passed since `began` (of `monotonic`)."""
    fast_enough(monotonic() - began, seconds, what)


def fast_enough(took: float, seconds: float, what: str = "it") -> None:
    """Fail when a duration that was measured is not below its limit."""
    if took >= seconds:
        raise TooSlow(f"{what} took {took:.2f} s, and {seconds} s were allowed")
