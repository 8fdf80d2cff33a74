"""The bounded queue between the threads at the edge and the one loop that owns the store."""

from __future__ import annotations

import threading
from collections import deque

from ordersync_cli.services.ports.messages import Message, StopAsked

ROOM = 4096  # messages; a feed at 50 frames a second fills it in 80 s of a store that does not answer
BATCH = 512  # messages taken at once, so that one transaction stays short


class BoundedInbox:
    """A queue of messages with a limit: who puts more waits, nothing is dropped.

    ``StopAsked`` needs no room, so that a signal handler can put it whatever the queue holds.
    """

    def __init__(self, room: int = ROOM) -> None:
        self._room = room
        self._messages: deque[Message] = deque()
        # An RLock inside: a signal handler runs in the thread that may be waiting here.
        self._changed = threading.Condition()
        self._closed = False

    def put(self, message: Message) -> None:
        """Add a message; blocks while the queue is full, and drops it only once closed."""
        with self._changed:
            if not isinstance(message, StopAsked):
                while len(self._messages) >= self._room and not self._closed:
                    self._changed.wait()
                if self._closed:
                    return
            self._messages.append(message)
            self._changed.notify_all()

    def receive(self, timeout: float) -> list[Message]:
        """Wait up to that many seconds, then take what is there, oldest first (maybe nothing)."""
        with self._changed:
            if not self._messages and timeout > 0:
                self._changed.wait_for(lambda: bool(self._messages), timeout)
            taken = [self._messages.popleft() for _ in range(min(len(self._messages), BATCH))]
            if taken:
                self._changed.notify_all()
            return taken

    def close(self) -> None:
        """Let every waiting thread go; what is put from now on is dropped."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def __len__(self) -> int:
        return len(self._messages)
