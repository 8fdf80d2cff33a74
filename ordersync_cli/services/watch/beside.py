"""The threads that work beside the loop: each does one thing again and again, until it is asked to end."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Protocol

from ordersync_cli.services.ports.messages import Inbox, ThreadDied


class Beside(Protocol):
    """A thread of the crew."""

    def start(self, inbox: Inbox) -> None:
        """Begin."""
        ...

    def end(self) -> None:
        """Ask it to end; returns at once."""
        ...

    def wait(self, seconds: float) -> None:
        """Wait for its end, at most that long."""
        ...


class Repeating(ABC):
    """A thread whose `turn` comes again and again; a bug in it is told to the loop."""

    def __init__(self, name: str, first_after: float) -> None:
        self._name = name
        self._first_after = first_after
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    @abstractmethod
    def turn(self, inbox: Inbox, stopping: Callable[[], bool], /) -> float:
        """Do it once; returns the seconds until the next turn."""

    def start(self, inbox: Inbox) -> None:
        """Begin; the first turn comes after ``first_after`` seconds."""
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._work, args=(inbox, self._ending), name=self._name, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Ask the turn under way to stop; what it leaves is done by whoever runs next."""
        self._ending.set()

    def wait(self, seconds: float) -> None:
        """Wait for the end."""
        if self._thread is not None:
            self._thread.join(timeout=seconds)

    def _work(self, inbox: Inbox, ending: threading.Event) -> None:
        try:
            pause = self._first_after
            while not ending.wait(pause):
                pause = self.turn(inbox, ending.is_set)
        except Exception as bug:  # noqa: BLE001 (a silently dead thread is the fault this project replaces)
            inbox.put(ThreadDied(name=self._name, error=bug))
