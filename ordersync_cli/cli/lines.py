"""JSON lines of `watch`: written by a thread that reads what it prints from the store.

Commits never wait for whoever reads the lines: the loop only says that there is something new.
A reader that is slow makes the lines late, not the commits, and costs no memory, because the
events wait in `trade_events` and are read again when there is room (a page at a time). A full
disk is waited for in the same way, and said. Only a reader that is gone ends the watch.
"""

from __future__ import annotations

import errno
import json
import os
import select
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from ordersync_cli.cli.output import Output
from ordersync_cli.clock import Clock
from ordersync_cli.errors import StoreError
from ordersync_cli.services.plain import plain
from ordersync_cli.services.ports import Store, TradeEvent, TradeFilter
from ordersync_cli.services.ports.messages import Message, StopAsked, ThreadDied
from ordersync_cli.services.record import is_news, status_update
from ordersync_cli.services.watch.board import Board
from ordersync_cli.services.watch.event_tail import EventTail

PAGE = 200  # events read at once
SAID_AT_MOST = 1_000  # lines about feed, alerts and passes that wait for a slow reader; then the oldest go
WAKE_AT_LEAST = 1.0  # seconds
LAST_WORDS = 2.0  # seconds that the end of the program waits for a slow reader


READER_LEFT = frozenset({errno.EPIPE, errno.EBADF, errno.ECONNRESET})  # a pipe, a closed stdout, a socket
TRY_EVERY = 1.0  # seconds between two tries at a file that takes nothing


class FileLines:
    """Writes to a file descriptor without Python's buffers, so that nothing waits in them at the end.

    What a failure left unwritten is kept, and the next `write` begins with it: no line is cut or doubled.
    """

    def __init__(self, fd: int, put: Callable[[int, memoryview], int] = os.write) -> None:
        self._fd = fd
        self._put = put
        self._left = b""

    def write(self, data: bytes = b"") -> None:
        """Write all of it, as slowly as the reader reads. Raises OSError; BrokenPipeError when the reader is gone."""
        self._left += data
        while self._left:
            try:
                written = self._put(self._fd, memoryview(self._left))
            except BlockingIOError:  # whoever shares the pipe made it non-blocking; its reader is only slow
                self._wait_for_room()
            except OSError as error:
                if error.errno in READER_LEFT:
                    raise BrokenPipeError from error
                raise
            else:
                self._left = self._left[written:]

    def _wait_for_room(self) -> None:
        poller = select.poll()
        poller.register(self._fd, select.POLLOUT)
        poller.poll()

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
        output: Output,
        only: frozenset[int] | None,
        tell: Callable[[Message], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._out = out
        self._output = output
        self._only = only
        self._tell = tell
        self._said: deque[Mapping[str, Any]] = deque(maxlen=SAID_AT_MOST)
        self._news = threading.Event()
        self._ending = threading.Event()
        self._tail = EventTail()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Take the snapshot (raises StoreError), then begin to print."""
        first = self._line(self.snapshot())
        self._thread = threading.Thread(target=self._work, args=(first,), name="lines", daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """Print what is left, unless the reader is too slow for that."""
        self._ending.set()
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
            self._print(first)
            while True:
                self._news.wait(WAKE_AT_LEAST)
                ending = self._ending.is_set()
                self._news.clear()
                self._print_news()
                if ending:
                    return
                if self._out.gone():
                    raise BrokenPipeError
        except BrokenPipeError:
            self._tell(StopAsked(exit_code=0))
        except OSError:
            return  # only at the end: what is lost is said, and in the exit code
        except Exception as bug:  # noqa: BLE001 (a silently dead thread is the fault this project replaces)
            self._output.problem = f"the lines ended by a bug ({type(bug).__name__}: {bug})"  # the loop may be over
            self._tell(ThreadDied(name="lines", error=bug))

    def _print(self, data: bytes) -> None:
        """Write it, trying again while the file takes nothing; raises OSError at the end, when it is lost."""
        try:
            self._out.write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            self._complain(error)
            self._try_again()

    def _try_again(self) -> None:
        while True:
            last = self._ending.wait(TRY_EVERY)
            try:
                self._out.write()
            except BrokenPipeError:
                raise
            except OSError as error:
                self._complain(error)
                if last:
                    raise
            else:
                self._output.problem = None
                self._output.say("stdout takes lines again; those that waited are printed now.")
                return

    def _complain(self, error: OSError) -> None:
        """Say what keeps the lines back, once for each reason; still there at the end, it is the exit code too."""
        problem = f"stdout cannot be written: {error.strerror}"
        if problem != self._output.problem:
            self._output.problem = problem
            self._output.say(f"{problem}. The orders are followed all the same; the lines wait and are tried again.")

    def _print_news(self) -> None:
        while self._said:
            self._print(self._line(self._said.popleft()))
        while page := self._page():
            lines = [self._line(status_update(e)) for e in page if self._wanted(e)]
            if lines:
                self._print(b"".join(lines))

    def _page(self) -> list[TradeEvent]:
        try:
            with self._tail.back_on_failure(), self._store.read() as transaction:
                return self._tail.read(transaction, self._clock.monotonic(), PAGE)
        except StoreError:
            return []  # the loop says what is wrong with it; the events are still there afterwards

    def _wanted(self, event: TradeEvent) -> bool:
        return is_news(event) and (self._only is None or event.trade_id in self._only)

    def _line(self, document: Mapping[str, Any]) -> bytes:
        text = json.dumps(plain({**document, "simulated": self._output.simulated}), ensure_ascii=False)
        return text.encode() + b"\n"
