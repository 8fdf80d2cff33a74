"""The thread that draws: only a terminal that is gone ends the watch quietly, and nothing ends it silently."""

from __future__ import annotations

import errno
import io

import pytest
from rich.console import Console

from ordersync_cli.cli.dashboard import DRAW_EVERY, Dashboard
from ordersync_cli.clock import SystemClock
from ordersync_cli.services.ports.messages import Message, StopAsked, ThreadDied
from tests.support.patience import eventually


class Terminal(io.StringIO):
    """A terminal whose next writes fail with these errors."""

    def __init__(self) -> None:
        super().__init__()
        self.failures: list[Exception] = []
        self.pictures = 0

    def write(self, text: str, /) -> int:
        if self.failures:
            raise self.failures.pop()
        self.pictures += 1
        return super().write(text)


def drawn_after(failure: Exception) -> tuple[list[Message], bool]:
    """Draw, fail once, and tell what the loop was told and whether pictures go on."""
    terminal, told = Terminal(), []  # type: tuple[Terminal, list[Message]]
    dashboard = Dashboard(
        Console(file=terminal, force_terminal=True, width=80, height=24),
        SystemClock(),
        venue="simulator",
        simulated=True,
        requests_per_second=2.5,
        tell=told.append,
    )
    dashboard.start()
    try:
        terminal.failures.append(failure)
        eventually(lambda: not terminal.failures)
        before = terminal.pictures
        try:
            eventually(lambda: terminal.pictures > before, 4 * DRAW_EVERY)
        except AssertionError:
            return told, False
        return told, True
    finally:
        dashboard.finish()


def test_a_slow_terminal_is_waited_for() -> None:
    """It passed for one that is gone, and the watch ended with 0."""
    assert drawn_after(BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")) == ([], True)


@pytest.mark.parametrize("number", [errno.EIO, errno.EPIPE])
def test_a_terminal_that_is_gone_ends_the_watch_quietly(number: int) -> None:
    assert drawn_after(OSError(number, "gone")) == ([StopAsked(exit_code=0)], False)


def test_a_bug_in_drawing_is_heard_of() -> None:
    (died,), _ = drawn_after(ValueError("a bug"))
    assert isinstance(died, ThreadDied)
    assert (died.name, str(died.error)) == ("dashboard", "a bug")
