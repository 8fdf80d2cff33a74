"""`ordersync watch` as a process of its own, against a simulator in this one."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

from ordersync_cli.simulator.server import SimulatorServer
from tests.support.patience import TooSlow

COMMAND = (sys.executable, "-m", "ordersync_cli")


def environment(server: SimulatorServer, store: Path | str, **more: str) -> dict[str, str]:
    """Give the settings of a run against this simulator, over Coinbase's wire."""
    url = store if isinstance(store, str) else f"sqlite:///{store}"
    return {
        **os.environ,
        "ORDERSYNC_VENUE": "coinbase",
        "ORDERSYNC_REST_URL": server.rest_url,
        "ORDERSYNC_WS_URL": server.ws_url,
        "ORDERSYNC_KEY_FILE": str(server.key_file),
        "ORDERSYNC_DATABASE_URL": url,
        "ORDERSYNC_REQUESTS_PER_SECOND": "50",
        **more,
    }


class WatchProcess:
    """A running watch whose JSON lines are kept."""

    def __init__(self, env: dict[str, str], *words: str) -> None:
        self.lines: list[dict[str, Any]] = []
        self.said = ""
        self._fresh: queue.Queue[dict[str, Any]] = queue.Queue()
        self.process = subprocess.Popen(
            [*COMMAND, "watch", "--json", *words], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            document = json.loads(line)
            self.lines.append(document)
            self._fresh.put(document)

    def wait_for(self, seconds: float, **wanted: Any) -> dict[str, Any]:
        """Wait for a line with these values (also among those already read)."""
        deadline = monotonic() + seconds
        seen = 0
        while monotonic() < deadline:
            for line in self.lines[seen:]:
                seen += 1
                if all(line.get(key) == value for key, value in wanted.items()):
                    return line
            try:
                self._fresh.get(timeout=0.05)
            except queue.Empty:
                continue
        raise TooSlow(f"no line {wanted} within {seconds} s among {self.lines[-5:]}")

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["type"] == kind]

    def end(self, signal_number: int | None = None, seconds: float = 10.0) -> tuple[int, str]:
        """Wait for the end (after a signal); returns exit code and stderr."""
        if signal_number is not None:
            self.process.send_signal(signal_number)
        code = self.process.wait(seconds)
        self._reader.join(5)
        assert self.process.stderr is not None
        assert self.process.stdout is not None
        if not self.process.stderr.closed:
            self.said = self.process.stderr.read()
            self.process.stderr.close()
            self.process.stdout.close()
        return code, self.said


@contextmanager
def watch_process(env: dict[str, str], *words: str) -> Iterator[WatchProcess]:
    running = WatchProcess(env, *words)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.process.kill()
        running.end()


def run(env: dict[str, str], *words: str, seconds: float = 30.0) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run([*COMMAND, *words], env=env, capture_output=True, text=True, timeout=seconds, check=False)
