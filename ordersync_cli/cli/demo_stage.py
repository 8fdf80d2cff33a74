"""The demo's stage: a simulated exchange, a store of its own, and the real commands run against both."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ordersync_cli.cli.demo_fates import Fate

if TYPE_CHECKING:
    from ordersync_cli.simulator.server import SimulatorServer

_COMMAND_LIMIT = 60.0
_GOODBYE = 10.0


class Stage:
    """Runs ordersync as a user would: one process a command, told where to go by its environment."""

    def __init__(self, folder: Path, exchange: SimulatorServer) -> None:
        self.exchange = exchange
        self._folder = folder
        settings = folder / "config.toml"
        settings.touch()
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("ORDERSYNC_", "COINBASE_"))}
        self._environment = {
            **kept,
            "ORDERSYNC_VENUE": "simulator",
            "ORDERSYNC_CONFIG": str(settings),
            "ORDERSYNC_REST_URL": exchange.rest_url,
            "ORDERSYNC_WS_URL": exchange.ws_url,
            "ORDERSYNC_KEY_FILE": str(exchange.key_file),
            "ORDERSYNC_DATABASE_URL": f"sqlite:///{folder / 'demo.db'}",
            "ORDERSYNC_REQUESTS_PER_SECOND": "20",
        }

    def run(self, *words: str, module: str = "ordersync_cli") -> subprocess.CompletedProcess[str]:
        """Run one command to its end (a minute at most)."""
        return subprocess.run(  # noqa: S603 - our own commands on our own interpreter
            [sys.executable, "-m", module, *words],
            env=self._environment,
            cwd=self._folder,
            text=True,
            capture_output=True,
            timeout=_COMMAND_LIMIT,
            check=False,
        )

    def prepare(self, fate: Fate) -> None:
        """Tell the exchange what will become of this order."""
        control = self.exchange.control
        control.script(fate.steps, client_order_id=fate.client_order_id, refuse=fate.refusal)
        if fate.fault:
            control.fault(**fate.fault, client_order_id=fate.client_order_id)

    def orders(self) -> list[dict[str, Any]]:
        """Return every order as the exchange itself knows it."""
        return list(self.exchange.control.ledger()["orders"])

    def place(self, fate: Fate) -> subprocess.CompletedProcess[str]:
        """Place the order of a fate."""
        module = "ordersync_cli.cli.demo_victim" if fate.is_killed else "ordersync_cli"
        words = ("place", *fate.words, "--client-order-id", fate.client_order_id, "--yes", "--json")
        return self.run(*words, module=module)

    def watch(self, hear: Callable[[dict[str, Any]], None]) -> Watching:
        """Start `ordersync watch` beside everything else, and hear its lines."""
        words = [sys.executable, "-m", "ordersync_cli", "watch", "--json", "--light-every", "0", "--deep-every", "0"]
        process = subprocess.Popen(  # noqa: S603 - the same
            words,
            env=self._environment,
            cwd=self._folder,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        return Watching(process, hear)


class Watching:
    """A running `watch` whose lines are read by a thread."""

    def __init__(self, process: subprocess.Popen[str], hear: Callable[[dict[str, Any]], None]) -> None:
        self._process = process
        self._hear = hear
        self._live = threading.Event()
        self._thread = threading.Thread(target=self._read, name="demo-watch", daemon=True)
        self._thread.start()

    def wait_until_live(self, seconds: float) -> bool:
        """Wait until the feed said that it is live."""
        return self._live.wait(seconds)

    def stop(self) -> int:
        """End it by SIGTERM; returns its exit code (143 after a clean stop)."""
        self._process.terminate()
        try:
            code = self._process.wait(_GOODBYE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._thread.join(_GOODBYE)
        return code

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            told = json.loads(line)
            if told.get("type") == "feed" and told.get("state") == "live":
                self._live.set()
            self._hear(told)
        self._process.stdout.close()


def documents(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """Read the JSON document of a command; empty where it printed none (it was killed)."""
    return dict(json.loads(done.stdout)) if done.stdout.strip() else {}


def last_words(done: subprocess.CompletedProcess[str]) -> str:
    """Give the last line that a command said on stderr."""
    said: Sequence[str] = done.stderr.strip().splitlines()
    return said[-1] if said else ""
