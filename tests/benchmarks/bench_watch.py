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
from ordersync_cli.services.intake import Committed, Intake
from tests.support.live_watch import Books, LiveWatch, within

RATE = 50
SECONDS = float(os.environ.get("BENCH_SECONDS", "10"))
TARGET_P50 = Decimal("0.003")
TARGET_P99 = Decimal("0.025")
IDLE_RAW = Decimal("0.0015")  # a raw p50 beyond this says that the disk or the processor is busy with others
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
async def main() -> int:
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
