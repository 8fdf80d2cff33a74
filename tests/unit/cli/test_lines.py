"""Lines of `watch` wait for a file that takes nothing; only a reader that is gone ends them quietly."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ordersync_cli.cli import lines
from ordersync_cli.cli.lines import FileLines, LinesThread
from ordersync_cli.cli.output import Output
from ordersync_cli.services.ports.messages import Message, StopAsked, ThreadDied
from tests.support.patience import within
from tests.support.watch_world import WatchWorld, watch_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[WatchWorld]:
    with watch_world(tmp_path / "store.db") as made:
        yield made


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "TRY_EVERY", 0.02)
    monkeypatch.setattr(lines, "WAKE_AT_LEAST", 0.02)


class Printing:
    """Lines over a pipe whose disk fails as told: by this error, or not at all: seven bytes at once."""

    def __init__(self, world: WatchWorld, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fails: int | None = None
        self.told: list[Message] = []
        self.spoken: list[str] = []
        self.reading, writing = os.pipe()
        self.output = Output(as_json=True, simulated=False)
        monkeypatch.setattr(self.output, "say", self.spoken.append)
        self.thread = LinesThread(
            world.store, world.clock, FileLines(writing, self.put), output=self.output, only=None, tell=self.told.append
        )
        self._writing = writing

    def put(self, fd: int, data: memoryview) -> int:
        if self.fails is not None:
            raise OSError(self.fails, os.strerror(self.fails))
        return os.write(fd, data[:7])

    def ended(self) -> list[dict[str, Any]]:
        self.thread.finish()
        os.close(self._writing)
        with os.fdopen(self.reading, "rb") as file:
            return [json.loads(line) for line in file]


@pytest.fixture
def printing(world: WatchWorld, monkeypatch: pytest.MonkeyPatch) -> Printing:
    return Printing(world, monkeypatch)


def test_a_full_disk_loses_nothing_once_there_is_room(printing: Printing) -> None:
    printing.thread.start()
    printing.fails = errno.ENOSPC
    for number in range(20):
        printing.thread.say({"type": "alert", "number": number})
    within(5, lambda: bool(printing.spoken), "the words")
    printing.fails = errno.EDQUOT
    within(5, lambda: len(printing.spoken) == 2, "the other reason")
    assert "No space left" in printing.spoken[0]
    assert "quota" in printing.spoken[1]
    assert printing.output.problem is not None
    printing.fails = None
    within(5, lambda: printing.output.problem is None, "room")
    assert [line.get("number") for line in printing.ended()] == [None, *range(20)]
    assert not printing.told


def test_what_is_lost_at_the_end_is_a_problem(printing: Printing) -> None:
    printing.thread.start()
    printing.fails = errno.EIO
    printing.thread.say({"type": "alert"})
    printing.thread.finish()
    assert "Input/output error" in str(printing.output.problem)
    assert len(printing.spoken) == 1


@pytest.mark.parametrize("error", [errno.EPIPE, errno.EBADF])
def test_a_reader_that_left_is_no_problem(printing: Printing, error: int) -> None:
    printing.fails = error
    printing.thread.start()
    within(5, lambda: bool(printing.told), "the end")
    assert printing.told == [StopAsked(exit_code=0)]
    assert (printing.output.problem, printing.spoken) == (None, [])
    printing.ended()


def test_a_bug_in_the_thread_is_told(printing: Printing) -> None:
    printing.thread.start()
    printing.thread.say({"type": {1, 2}, "odd": object()})
    within(5, lambda: bool(printing.told), "the bug")
    assert isinstance(printing.told[0], ThreadDied)
    printing.ended()
    assert printing.output.problem is not None
