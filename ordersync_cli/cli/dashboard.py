"""The live dashboard of `watch`: a thread that draws the newest board on the alternate screen."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from ordersync_cli.cli.held_log import held_log
from ordersync_cli.cli.pending_rows import Look
from ordersync_cli.cli.screen import draw
from ordersync_cli.clock import Clock
from ordersync_cli.services.ports.messages import Message, StopAsked, ThreadDied
from ordersync_cli.services.watch.board import Board

DRAW_EVERY = 0.25  # seconds; a resized terminal is followed within this time
RATE_OVER = 10.0  # seconds over which the requests are counted


class Dashboard:
    """Shows boards; the loop only hands them over and is never held up by the terminal."""

    wants_board = True

    def __init__(
        self,
        console: Console,
        clock: Clock,
        *,
        venue: str,
        simulated: bool,
        requests_per_second: float,
        tell: Callable[[Message], None],
    ) -> None:
        self._console = console
        self._clock = clock
        self._venue = venue
        self._simulated = simulated
        self._limit = requests_per_second
        self._tell = tell
        self._board: Board | None = None
        self._requests: deque[tuple[float, int]] = deque()
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None
        self._held = ExitStack()
        self._live = Live(
            console=console, screen=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
        )

    def start(self) -> None:
        """Take the alternate screen, and begin to draw."""
        self._held.enter_context(held_log())
        self._live.start()
        self._thread = threading.Thread(target=self._work, name="dashboard", daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """Give the terminal back as it was."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join(timeout=2.0)
        self._live.stop()
        self._held.close()

    def committed(self) -> None:
        """Pictures come by themselves."""

    def say(self, document: Mapping[str, Any]) -> None:
        """Feed, alerts and passes are on the board."""

    def show(self, board: Board) -> None:
        """Take the newest picture."""
        self._board = board
        self._requests.append((board.mono, board.requests))
        while self._requests and board.mono - self._requests[0][0] > RATE_OVER:
            self._requests.popleft()

    def frame(self) -> Group:
        """Draw the newest board for the terminal as it is now."""
        board = self._board
        if board is None:
            return Group(Text("ordersync watch: starting, reading the store …"))
        width, height = self._console.size
        look = Look(
            width=width,
            height=height,
            venue=self._venue,
            simulated=self._simulated,
            requests_per_second=self._limit,
            plain=not self._console.encoding.startswith("utf"),
        )
        return Group(*draw(board, look, self._clock.monotonic(), self._rate()))

    def _rate(self) -> float:
        first, last = self._requests[0], self._requests[-1]
        return (last[1] - first[1]) / (last[0] - first[0]) if last[0] > first[0] else 0.0

    def _work(self) -> None:
        try:
            while not self._ending.wait(DRAW_EVERY):
                try:
                    self._live.update(self.frame(), refresh=True)
                except (
                    BlockingIOError
                ):  # somebody made the terminal non-blocking, and it is slow: the next picture is whole
                    continue
        except (OSError, SystemExit):  # the console makes an exit of a broken pipe
            self._tell(StopAsked(exit_code=0))
        except Exception as bug:  # noqa: BLE001 (a silently dead thread is the fault this project replaces)
            self._tell(ThreadDied(name="dashboard", error=bug))
