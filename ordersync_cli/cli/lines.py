"""JSON lines of `watch`: written by a thread that reads what it prints from the store.

Commits never wait for whoever reads the lines: the loop only says that there is something new.
A reader that is slow makes the lines late, not the commits, and costs no memory, because the
events wait in `trade_events` and are read again when there is room (a page at a time).
"""

from __future__ import annotations

import json
import os
import select
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from ordersync_cli.clock import Clock
from ordersync_cli.errors import StoreError
from ordersync_cli.services.plain import plain
from ordersync_cli.services.ports import Store, TradeEvent, TradeFilter
from ordersync_cli.services.record import is_news, status_update
from ordersync_cli.services.watch.board import Board
from ordersync_cli.services.watch.event_tail import EventTail

PAGE = 200  # events read at once
SAID_AT_MOST = 1_000  # lines about feed, alerts and passes that wait for a slow reader; then the oldest go
WAKE_AT_LEAST = 1.0  # seconds
LAST_WORDS = 2.0  # seconds that the end of the program waits for a slow reader


class FileLines:
    """Writes to a file descriptor without Python's buffers, so that nothing waits in them at the end."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def write(self, data: bytes) -> None:
        """Write all of it, as slowly as the reader reads; BrokenPipeError when it is gone."""
        left = memoryview(data)
        while left:
            left = left[os.write(self._fd, left) :]

    def gone(self) -> bool:
        """Tell whether the reader closed its end."""
        poller = select.poll()
        poller.register(self._fd, 0)
        return any(event & (select.POLLERR | select.POLLNVAL) for _, event in poller.poll(0))


class LinesThread:
    """Prints a snapshot, then every committed change and what the loop says, one JSON object a line."""

    wants_board = False

    def __init__(
        self,
        store: Store,
        clock: Clock,
        out: FileLines,
        *,
        simulated: bool,
        only: frozenset[int] | None,
        reader_left: Callable[[], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._out = out
        self._simulated = simulated
        self._only = only
        self._reader_left = reader_left
        self._said: deque[Mapping[str, Any]] = deque(maxlen=SAID_AT_MOST)
        self._news = threading.Event()
        self._ending = False
        self._tail = EventTail()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Take the snapshot (raises StoreError), then begin to print."""
        first = self._line(self.snapshot())
        self._thread = threading.Thread(target=self._work, args=(first,), name="lines", daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """Print what is left, unless the reader is too slow for that."""
        self._ending = True
        self._news.set()
        if self._thread is not None:
            self._thread.join(timeout=LAST_WORDS)

    # ------------------------------------------------------------------ what the loop calls

    def committed(self) -> None:
        """There is something new in the store."""
        self._news.set()

    def say(self, document: Mapping[str, Any]) -> None:
        """Print a line about the feed, an alert, or a pass; never blocks."""
        self._said.append(document)
        self._news.set()

    def show(self, board: Board) -> None:
        """Lines have no picture."""

    # ------------------------------------------------------------------ the thread

    def snapshot(self) -> dict[str, Any]:
        """Read every pending trade, and stand behind the newest event in the same moment."""
        with self._store.read() as transaction:
            self._tail.begin(transaction)
            views = transaction.trades.views(TradeFilter(status="pending"))
        pending = [asdict(v) for v in reversed(views) if self._only is None or v.trade_id in self._only]
        return {"type": "snapshot", "at": self._clock.now(), "pending": pending, "error": None}

    def _work(self, first: bytes) -> None:
        try:
            self._out.write(first)
            while True:
                self._news.wait(WAKE_AT_LEAST)
                ending = self._ending
                self._news.clear()
                self._print_news()
                if ending:
                    return
                if self._out.gone():
                    raise BrokenPipeError
        except OSError:
            self._reader_left()

    def _print_news(self) -> None:
        while self._said:
            self._out.write(self._line(self._said.popleft()))
        while page := self._page():
            lines = [self._line(status_update(e)) for e in page if self._wanted(e)]
            if lines:
                self._out.write(b"".join(lines))

    def _page(self) -> list[TradeEvent]:
        try:
            with self._tail.back_on_failure(), self._store.read() as transaction:
                return self._tail.read(transaction, self._clock.monotonic(), PAGE)
        except StoreError:
            return []  # the loop says what is wrong with it; the events are still there afterwards

    def _wanted(self, event: TradeEvent) -> bool:
        return is_news(event) and (self._only is None or event.trade_id in self._only)

    def _line(self, document: Mapping[str, Any]) -> bytes:
        text = json.dumps(plain({**document, "simulated": self._simulated}), ensure_ascii=False)
        return text.encode() + b"\n"
