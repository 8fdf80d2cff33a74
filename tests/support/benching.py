"""What the benchmarks share: an exchange in a process of its own, and how a figure is said and judged."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

SERVE = """
import json, sys
from ordersync_cli.simulator.server import SimulatorServer
path, script = sys.argv[1], json.loads(sys.argv[2])
server = SimulatorServer(path, seed=7, rate_limit=None)
if script:
    server.control.script(script, product_id="BTC-USD", count=None)
server.serve_forever(lambda: print(json.dumps([server.rest_url, server.ws_url, str(server.key_file)]), flush=True))
"""


@dataclass(frozen=True)
class Exchange:
    """A simulated exchange without a rate limit, served by another process."""

    rest_url: str
    ws_url: str
    key_file: str
    pid: int

    def environment(self, folder: Path, requests_per_second: int = 100) -> dict[str, str]:
        """Give the environment in which ordersync works on it, with a store in the folder."""
        skipped = ("ORDERSYNC_", "COINBASE_", "PYTHON")  # without bytecode files each start would compile them anew
        kept = {name: value for name, value in os.environ.items() if not name.startswith(skipped)}
        return {
            **kept,
            "HOME": str(folder),
            "ORDERSYNC_VENUE": "coinbase",
            "ORDERSYNC_REST_URL": self.rest_url,
            "ORDERSYNC_WS_URL": self.ws_url,
            "ORDERSYNC_KEY_FILE": self.key_file,
            "ORDERSYNC_DATABASE_URL": f"sqlite:///{folder}/store.db",
            "ORDERSYNC_REQUESTS_PER_SECOND": str(requests_per_second),
        }


@contextmanager
def exchange(state: Path, script: Sequence[dict[str, str]] = ()) -> Iterator[Exchange]:
    """Serve an exchange; with a script, every order of BTC-USD lives by it."""
    command = [sys.executable, "-c", SERVE, str(state), json.dumps(list(script))]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield Exchange(*json.loads(process.stdout.readline()), pid=process.pid)
    finally:
        process.kill()
        process.communicate(timeout=10)


@dataclass
class Report:
    """Prints figures and judges them; a miss ends the process with 1 only where --strict was said."""

    title: str
    missed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        load = os.getloadavg()[0]
        print(f"== {self.title} ({os.cpu_count()} cores, load {load:.1f})")

    def say(self, text: str) -> None:
        print(f"   {text}")

    def judge(self, what: str, figure: str, raw: str, *, target: str, good: bool) -> None:
        """Print a figure beside the raw one of the same run, and whether it is as it must be."""
        print(f"{'PASS' if good else 'MISS':4} {what}: {figure}; raw: {raw}; target: {target}")
        if not good:
            self.missed.append(what)

    def code(self) -> int:
        """Say a miss loudly; give the exit code."""
        if self.missed:
            print(f"!!!! MISSED: {', '.join(self.missed)} (on a machine with a load of {os.getloadavg()[0]:.1f})")
        return int(bool(self.missed) and "--strict" in sys.argv)


def spread(seconds: Sequence[float]) -> str:
    """Write median, 90th percentile and maximum in milliseconds."""
    ordered = sorted(seconds)
    high = ordered[min(len(ordered) - 1, len(ordered) * 9 // 10)]
    return f"p50 {median(ordered) * 1e3:.1f} ms, p90 {high * 1e3:.1f} ms, max {ordered[-1] * 1e3:.1f} ms"
