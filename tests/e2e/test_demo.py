"""`ordersync demo`: the first thing anybody runs."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from pathlib import Path
from time import monotonic, sleep

import psutil
import pytest

from tests.support.terminal import terminal
from tests.support.watch_process import COMMAND

STYLE = re.compile(r"\x1b\[[0-9;]*m")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-")
pytestmark = pytest.mark.slow


def environment(folder: Path) -> dict[str, str]:
    """Be a user with a home of nothing, and keep what the demo leaves lying about in the folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ORDERSYNC_", "COINBASE_"))}
    return {**kept, "HOME": str(folder / "home"), "TMPDIR": str(folder)}


def alive_under(folder: Path) -> list[int]:
    """Return the processes that work in the folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()).is_relative_to(folder):
                found.append(process.pid)
        except (psutil.Error, OSError):
            continue
    return found


def wait_until_nobody_works_under(folder: Path) -> None:
    deadline = monotonic() + 30
    while alive := alive_under(folder):
        assert monotonic() < deadline, f"still alive: {alive}"
        sleep(0.1)


def test_the_story_fits_a_terminal_of_80_columns_and_ends_well(tmp_path: Path) -> None:
    with terminal(environment(tmp_path), "demo", width=80, height=200) as screen:
        screen.until(lambda text: "orders are equal" in text, 100)
        assert screen.end() == 0
    said = STYLE.sub("", screen.raw.decode()).split("\r\n")
    assert [line for line in said if len(line) > 80] == []
    assert "7 of 7 orders are equal" in screen.text
    assert not UUID.search(screen.text)
    assert "{" not in screen.text
    assert list(tmp_path.iterdir()) == []


def test_in_a_pipe_it_prints_one_document_whatever_the_settings_say(tmp_path: Path) -> None:
    settings = {"ORDERSYNC_VENUE": "coinbase", "ORDERSYNC_DATABASE_URL": f"sqlite:///{tmp_path}/mine.db"}
    done = subprocess.run(
        [*COMMAND, "demo", "--json"],
        env={**environment(tmp_path), **settings},
        capture_output=True,
        timeout=110,
        check=False,
    )
    document = json.loads(done.stdout)
    assert (done.returncode, document["equal"], document["simulated"]) == (0, True, True)
    assert len(document["orders"]) == 7
    assert b"SIMULATED" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_ended_in_the_middle_it_leaves_nobody_behind(tmp_path: Path, number: signal.Signals, code: int) -> None:
    with subprocess.Popen(
        [*COMMAND, "demo"], env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "the feed is live" in line:
                break
        process.send_signal(number)
        process.stdout.read()
        assert process.wait(30) == code
    wait_until_nobody_works_under(tmp_path)
    if number != signal.SIGKILL:
        assert list(tmp_path.iterdir()) == []
