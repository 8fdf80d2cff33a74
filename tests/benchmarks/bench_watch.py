"""How long a frame of the user channel takes to its committed row, beside the raw limit of this machine.

Run it as `python -m tests.benchmarks.bench_watch`. A small server of the wire format sends updates
at a fixed rate; the time counts from just before a frame is sent until its trade's row is
committed (SQLite, WAL, synchronous=FULL). The raw limit is the same server and rate with
websockets, json and one sqlite3 UPDATE a frame, no ordersync code. Exit 1 when a target is missed on an idle machine.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from ordersync_cli.domain.statistics import spread
from ordersync_cli.services.watch.intake import Committed, Intake
from tests.support.live_watch import Books, LiveWatch
from tests.support.patience import within

RATE = 50
SECONDS = float(os.environ.get("BENCH_SECONDS", "10"))
TARGET_P50 = Decimal("0.003")
TARGET_P99 = Decimal("0.025")
IDLE_RAW = Decimal("0.0015")  # a raw p50 beyond this says that the disk or the processor is busy with others

# The sending side, as a process of its own so that it does not share our interpreter's lock.
SENDER = r"""
import asyncio, json, sys, time
from websockets.asyncio.server import serve
rate, count, order_ids = json.loads(sys.argv[1])
BORN = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
def frame(number, channel, event):
    return json.dumps({"channel": channel, "timestamp": stamp(), "sequence_num": number, "events": [event]})
def stamp():
    t = time.time(); return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(t)) + ".%06dZ" % (t % 1 * 1e6)
def order(order_id, size, status="OPEN"):
    client = "watched-%d" % (order_ids.index(order_id) + 1)
    return {"order_id": order_id, "client_order_id": client, "status": status, "product_id": "BTC-USD",
            "order_side": "BUY", "order_type": "Limit", "cumulative_quantity": str(size), "leaves_quantity": "1",
            "avg_price": "100", "filled_value": str(size * 100), "number_of_fills": str(size), "total_fees": "0.5",
            "limit_price": "100", "stop_price": "", "post_only": "false", "cancel_reason": "", "reject_reason": "",
            "completion_percentage": "1", "outstanding_hold_amount": "0", "total_value_after_fees": "1",
            "creation_time": BORN, "end_time": "0001-01-01T00:00:00Z", "start_time": ""}
async def talk(socket):
    number, beats, user = 0, 0, False
    async for text in socket:
        if json.loads(text)["channel"] == "user":
            break
    await socket.send(frame(number, "user", {"type": "snapshot", "orders": [order(o, 0) for o in order_ids]}))
    number += 1
    begin = time.monotonic() + 2.0
    beat = time.monotonic()
    sent = []
    for n in range(count):
        while (left := begin + n / rate - time.monotonic()) > 0:
            if time.monotonic() >= beat:
                beats += 1; beat += 1.0
                await socket.send(frame(number, "heartbeats", {"current_time": "x", "heartbeat_counter": beats}))
                number += 1
            await asyncio.sleep(min(left, max(0.0, beat - time.monotonic())))
        order_id, size = order_ids[n % len(order_ids)], n // len(order_ids) + 1
        text = frame(number, "user", {"type": "update", "orders": [order(order_id, size)]})
        number += 1
        sent.append((order_id, size, time.monotonic()))
        await socket.send(text)
    print(json.dumps(sent), flush=True)
    await asyncio.sleep(3600)
async def main():
    async with serve(talk, "127.0.0.1", 0, compression=None) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.Future()
asyncio.run(main())
"""


@contextmanager
def sender(order_ids: list[str]) -> Iterator[tuple[str, Callable[[], list[Any]]]]:
    count = int(RATE * SECONDS)
    process = subprocess.Popen(
        [sys.executable, "-c", SENDER, json.dumps([RATE, count, order_ids])], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    out = process.stdout
    try:
        yield f"ws://127.0.0.1:{int(out.readline())}", lambda: json.loads(out.readline())
    finally:
        process.kill()
        process.wait()
        out.close()


def raw(folder: Path) -> list[Decimal]:
    """Measure websockets + json + one sqlite3 commit a frame."""
    order_ids = [f"order-{n}" for n in range(20)]
    sql = sqlite3.connect(folder / "raw.db", isolation_level=None, check_same_thread=False)
    for pragma in ("journal_mode=WAL", "synchronous=FULL"):
        sql.execute(f"PRAGMA {pragma}")
    sql.execute("CREATE TABLE trades (order_id TEXT PRIMARY KEY, status TEXT, filled_size TEXT)")
    sql.executemany("INSERT INTO trades VALUES (?, 'pending', '0')", [(o,) for o in order_ids])
    done: dict[tuple[str, int], float] = {}
    with sender(order_ids) as (url, sent), connect(url, compression=None, max_size=None) as socket:
        socket.send(json.dumps({"type": "subscribe", "channel": "heartbeats"}))
        socket.send(json.dumps({"type": "subscribe", "channel": "user"}))

        def read() -> None:
            try:
                for text in socket:
                    message = json.loads(text)
                    for event in message["events"]:
                        for order in event.get("orders", []):
                            sql.execute("BEGIN IMMEDIATE")
                            sql.execute(
                                "UPDATE trades SET status = ?, filled_size = ? WHERE order_id = ?",
                                (order["status"], order["cumulative_quantity"], order["order_id"]),
                            )
                            sql.execute("COMMIT")
                            done[order["order_id"], int(order["cumulative_quantity"])] = time.monotonic()
            except ConnectionClosed:
                return

        threading.Thread(target=read, daemon=True).start()
        began = sent()
        time.sleep(0.5)
    return [Decimal(str(done[o, size] - at)) for o, size, at in began if (o, size) in done]


class Exchange:
    """The simulator in a process of its own, for the look-ups beside the feed."""

    def __init__(self, rest_url: str, ws_url: str, key_file: str) -> None:
        self.rest_url, self.ws_url, self.key_file = rest_url, ws_url, Path(key_file)
        self.control = self

    def place_elsewhere(self, request: dict[str, Any], **how: Any) -> dict[str, Any]:
        answer = httpx.post(f"{self.rest_url}/_control/orders", json={"request": request, **how}, timeout=10)
        found: dict[str, Any] = answer.json()
        return found


@contextmanager
def exchange(folder: Path) -> Iterator[Exchange]:
    command = [sys.executable, "-m", "ordersync_cli", "simulator", "--json", "--state", str(folder / "exchange.db")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    try:
        told = json.loads(process.stdout.readline())
        yield Exchange(told["rest_url"], told["ws_url"], told["key_file"])
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


class Timed(Intake):
    """An intake that notes when each frame's row was committed."""

    def __init__(self, store: Any, recorder: Any, roster: Any, committed: dict[tuple[str, int], float]) -> None:
        super().__init__(store, recorder, roster)
        self._committed = committed

    def _write(self) -> Committed:
        result = super()._write()
        at = time.monotonic()
        for change in result.by_frames:
            if change.now.order_id and change.now.figures:
                self._committed.setdefault((change.now.order_id, int(change.now.figures.filled_size)), at)
        return result


def ours(folder: Path) -> list[Decimal]:
    """Measure the watcher: feed thread, inbox, loop, join, commit."""
    with exchange(folder) as server:
        books = Books(server, folder / "store.db")  # type: ignore[arg-type]
        order_ids = books.place(20)
        committed: dict[tuple[str, int], float] = {}
        with sender(order_ids) as (url, sent):
            watch = LiveWatch(books)
            watch.ws_url = url
            watch.audience.wants_board = False
            state = watch.state
            state.intake = Timed(state.store, state.recorder, state.roster, committed)
            watch.start()
            within(10, lambda: watch.feed_is("live"), "a live feed")
            began = sent()
            time.sleep(0.5)
            watch.stop()
        books.close()
    missing = [1 for o, size, _ in began if (o, size) not in committed]
    assert not missing, f"{len(missing)} frames were not committed"
    return [Decimal(str(committed[o, size] - at)) for o, size, at in began]


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        limit = spread(raw(Path(folder)))
        found = spread(ours(Path(folder)))
    idle = limit.p50 is not None and limit.p50 < IDLE_RAW
    print(f"feed frame to committed row, {RATE} updates/s for {SECONDS:g} s, SQLite synchronous=FULL")
    print(f"load of this machine {os.getloadavg()[0]:.1f}; targets hold on an idle one{'' if idle else ' (it is not)'}")
    missed = False
    for name, target in (("p50", TARGET_P50), ("p99", TARGET_P99)):
        mine, raw_limit = getattr(found, name), getattr(limit, name)
        missed = missed or mine >= target
        word = "met" if mine < target else "MISSED"
        print(
            f"  {name}: {float(mine) * 1000:6.2f} ms (target < {float(target) * 1000:g} ms: {word})"
            f"   raw limit {float(raw_limit) * 1000:6.2f} ms   ratio {float(mine / raw_limit):.2f}"
        )
    return 1 if missed and idle else 0


if __name__ == "__main__":
    raise SystemExit(main())
