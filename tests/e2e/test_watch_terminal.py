"""The dashboard on a real (pseudo-)terminal, read with a terminal emulator."""

from __future__ import annotations

import json
import signal
import termios
from pathlib import Path

import pytest

from ordersync_cli.simulator.server import SimulatorServer
from tests.support.live_watch import Books
from tests.support.terminal import ALTERNATE_OFF, ALTERNATE_ON, CURSOR_SHOWN, terminal
from tests.support.watch_process import environment


@pytest.fixture
def env(server: SimulatorServer, tmp_path: Path) -> dict[str, str]:
    found = environment(server, tmp_path / "store.db")
    found.pop("PYTHONUNBUFFERED", None)
    return found


@pytest.mark.parametrize(("width", "height"), [(80, 24), (200, 60)])
def test_a_session_from_start_to_ctrl_c(
    width: int, height: int, server: SimulatorServer, books: Books, env: dict[str, str]
) -> None:
    resting, filling = books.place(2)
    with terminal(env, "watch", width=width, height=height) as screen:
        screen.until(lambda text: "PENDING 2" in text and "Feed live" in text)
        assert "All is well" in screen.text
        assert screen.text.count("BTC-USD") == 2
        if width == 200:
            assert resting in screen.text
        books.server.control.continue_order(filling, [{"after_seconds": 0, "filled_fraction": "0.4", "price": "100"}])
        screen.until(lambda text: "40%" in text)
        books.fill(filling)
        screen.until(lambda text: "PENDING 1" in text and "LAST COMPLETED" in text and "websocket" in text)
        server.stop()
        screen.until(lambda text: "unreachable" in text and "No order changes its" in text)
        server.start()
        screen.until(lambda text: "Feed live" in text and "REST answers" in text)
        screen.process.sendintr()
        assert screen.end() == 130
        assert ALTERNATE_ON in screen.raw
        assert screen.raw.rfind(ALTERNATE_OFF) > screen.raw.rfind(ALTERNATE_ON)
        assert screen.raw.rfind(CURSOR_SHOWN) > screen.raw.rfind(ALTERNATE_ON)
        assert "Traceback" not in screen.text


def test_it_follows_the_size_of_the_terminal_and_leaves_it_as_it_was(books: Books, env: dict[str, str]) -> None:
    (order_id,) = books.place()
    with terminal(env, "watch", width=80, height=24) as screen:
        screen.until(lambda text: "PENDING 1" in text)
        assert order_id not in screen.text
        screen.resize(200, 50)
        screen.until(lambda text: order_id in text)
        screen.resize(70, 20)
        screen.until(lambda text: order_id not in text and "PENDING 1" in text and "Ctrl-C stops" in text)
        attributes = termios.tcgetattr(screen.process.child_fd)
        assert attributes == screen.before
        screen.process.kill(signal.SIGTERM)
        assert screen.end() == 143
        assert screen.raw.rfind(ALTERNATE_OFF) > screen.raw.rfind(ALTERNATE_ON)


def test_no_color_draws_without_colours(books: Books, env: dict[str, str]) -> None:
    books.place()
    with terminal({**env, "NO_COLOR": "1"}, "watch") as screen:
        screen.until(lambda text: "PENDING 1" in text)
        for colour in (b"\x1b[31m", b"\x1b[32m", b"\x1b[33m", b"\x1b[36m", b"\x1b[1;32m"):
            assert colour not in screen.raw
        screen.process.sendintr()
        assert screen.end() == 130


def test_a_dumb_terminal_gets_lines(books: Books, env: dict[str, str]) -> None:
    books.place()
    with terminal({**env, "TERM": "dumb"}, "watch", "--for", "1s", width=2000) as screen:
        assert screen.end() == 0
        assert ALTERNATE_ON not in screen.raw
        lines = [json.loads(line) for line in screen.raw.decode().splitlines() if line.startswith("{")]
        assert lines[0]["type"] == "snapshot"


def test_the_embedded_simulator_is_marked(env: dict[str, str], tmp_path: Path) -> None:
    bare = {k: v for k, v in env.items() if not k.startswith(("ORDERSYNC_", "COINBASE_"))}
    with terminal({**bare, "ORDERSYNC_DATABASE_URL": f"sqlite:///{tmp_path / 'toy.db'}"}, "watch") as screen:
        screen.until(lambda text: "SIMULATED" in text and "Feed live" in text)
        screen.process.sendintr()
        assert screen.end() == 130
