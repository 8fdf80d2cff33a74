"""Keeps the log off the screen while a dashboard owns it, and says it afterwards."""

from __future__ import annotations

import logging
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO, cast

KEPT = 200  # lines; the newest are what explains an end


class Held:
    """What a log handler writes to meanwhile; forgets the oldest beyond its limit."""

    def __init__(self) -> None:
        self.lines: deque[str] = deque(maxlen=KEPT)

    def write(self, text: str) -> int:
        """Keep it."""
        self.lines.append(text)
        return len(text)

    def flush(self) -> None:
        """Nothing waits here."""


@contextmanager
def held_log() -> Iterator[None]:
    """Hold back what handlers of the log would write to stderr; say it at the end of the block."""
    handlers = [
        h for h in logging.getLogger().handlers if isinstance(h, logging.StreamHandler) and h.stream is sys.stderr
    ]
    held = Held()
    before = [(handler, handler.setStream(cast("TextIO", held))) for handler in handlers]
    try:
        yield
    finally:
        for handler, stream in before:
            if stream is not None:
                handler.setStream(stream)
        if held.lines:
            sys.stderr.write("".join(held.lines))
            sys.stderr.flush()
