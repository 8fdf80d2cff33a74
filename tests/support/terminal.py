"""A terminal in memory: a command on a pseudo-terminal, and what its screen shows."""

from __future__ import annotations

import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

import pexpect
import pyte

from tests.support.patience import TooSlow
from tests.support.watch_process import COMMAND

ALTERNATE_ON, ALTERNATE_OFF = b"\x1b[?1049h", b"\x1b[?1049l"
CURSOR_SHOWN = b"\x1b[?25h"


class Terminal:
    """A command that believes to run on a terminal of this size."""

    def __init__(self, env: dict[str, str], *words: str, width: int, height: int) -> None:
        self.raw = b""
        self._screen = pyte.Screen(width, height)
        self._stream = pyte.ByteStream(self._screen)
        self.process = pexpect.spawn(COMMAND[0], [*COMMAND[1:], *words], env=env, dimensions=(height, width), timeout=5)
        self.before: list[Any] = termios.tcgetattr(self.process.child_fd)

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self._screen.display)

    def read(self, seconds: float) -> None:
        """Read for that long."""
        ends = monotonic() + seconds
        while (left := ends - monotonic()) > 0:
            try:
                data = self.process.read_nonblocking(1 << 16, timeout=min(0.05, left))
            except pexpect.TIMEOUT:
                continue
            except pexpect.EOF:
                return
            self.raw += data
            self._stream.feed(data)

    def until(self, check: Callable[[str], bool], seconds: float = 15.0) -> str:
        """Read until the screen is so; returns it."""
        ends = monotonic() + seconds
        while not check(self.text):
            if monotonic() >= ends:
                raise TooSlow(f"the screen never became so:\n{self.text}")
            self.read(0.1)
        return self.text

    def resize(self, width: int, height: int) -> None:
        self.process.setwinsize(height, width)
        self._screen.resize(height, width)

    def end(self) -> int:
        """Wait for the end; returns the exit code."""
        ends = monotonic() + 10
        while self.process.isalive() and monotonic() < ends:
            self.read(0.1)
        self.read(0.2)
        self.process.close(force=True)
        return int(
            self.process.exitstatus if self.process.exitstatus is not None else -(self.process.signalstatus or 0)
        )


@contextmanager
def terminal(env: dict[str, str], *words: str, width: int = 80, height: int = 24) -> Iterator[Terminal]:
    made = Terminal({"TERM": "xterm-256color", "LANG": "C.UTF-8", **env}, *words, width=width, height=height)
    try:
        yield made
    finally:
        made.process.close(force=True)
