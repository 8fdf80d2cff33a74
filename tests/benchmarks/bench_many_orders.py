"""How old the oldest of 500 open orders' snapshots becomes without a feed, while orders are placed beside it.

Run it as `python -m tests.benchmarks.bench_many_orders`. A simulated exchange refuses the feed; `watch` and
every `place` run as processes at the default 2.5 requests a second. What counts is the time between two
look-ups of one order, as the exchange answered them. The raw figure is what 2.5 requests a second could do
for these orders if nobody else asked anything. Exit 1 when the target is missed.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

from ordersync_cli.simulator.application import Application
from ordersync_cli.simulator.requests import Answer, Call
from ordersync_cli.simulator.server import SimulatorServer
from tests.support.live_watch import Books
from tests.support.watch_process import environment, run, watch_process

OPEN = int(os.environ.get("BENCH_OPEN", "500"))
PLACES = int(os.environ.get("BENCH_PLACES", "4"))
EVERY = float(os.environ.get("BENCH_EVERY", "10"))  # seconds from one `place` to the next
WARM = 14.0  # seconds for the first light and deep pass to begin
TARGET = 4.0  # seconds
RATE = 2.5

_asked: list[tuple[float, list[str]]] = []
_answer = Application.answer


def noted(self: Application, call: Call) -> Answer:
    """Keep which orders were asked for, and when."""
    if call.path.endswith("/historical/batch"):
        _asked.append((time.monotonic(), call.query.get("order_ids", [])))
    return _answer(self, call)


def gaps(order_ids: list[str], since: float, until: float) -> list[float]:
    """List the times between two look-ups of each order, the last one still open."""
    times: dict[str, list[float]] = defaultdict(list)
    for at, asked in _asked:
        for order_id in asked:
            if at <= until:
                times[order_id].append(at)
    return [b - a for order_id in order_ids for a, b in pairwise([*times[order_id], until]) if b > since]


def main() -> int:
    Application.answer = noted  # type: ignore[method-assign]
    took: list[float] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        SimulatorServer(Path(folder) / "exchange.db", seed=7, rate_limit=None) as server,
    ):
        books = Books(server, Path(folder) / "store.db", requests_per_second=RATE)
        order_ids = books.place(OPEN)
        books.close()
        server.control.fault(target="ws", kind="refuse", status=503)
        env = environment(server, Path(folder) / "store.db", ORDERSYNC_REQUESTS_PER_SECOND=str(RATE))
        with watch_process(env):
            time.sleep(WARM)
            began = time.monotonic()
            for number in range(PLACES):
                time.sleep(max(0.0, began + number * EVERY - time.monotonic()))
                before = time.monotonic()
                done = run(env, "place", "buy", "BTC-USD", "--quote-size", "25", "--yes", "--json")
                took.append(time.monotonic() - before)
                assert done.returncode == 0, done.stderr
            time.sleep(EVERY)
            ended = time.monotonic()
    worst = max(gaps(order_ids, began, ended))
    print(f"{OPEN} open orders without a feed, {RATE} requests a second, a `place` every {EVERY:g} s ({PLACES})")
    print(f"load of this machine {os.getloadavg()[0]:.1f}")
    word = "met" if worst < TARGET else "MISSED"
    print(f"  oldest snapshot {worst:.2f} s (target < {TARGET:g} s: {word})   raw limit {-(-OPEN // 100) / RATE:.2f} s")
    print(f"  `place` to filled, as a process: {', '.join(f'{t:.2f}' for t in took)} s")
    return 0 if worst < TARGET else 1


if __name__ == "__main__":
    raise SystemExit(main())
