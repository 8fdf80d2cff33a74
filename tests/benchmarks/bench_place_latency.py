"""How long after its fill at the venue an order's row is committed by `place`, beside the SDK and one UPDATE.

Run it as `python -m tests.benchmarks.bench_place_latency [ORDERS] [--strict]`. The simulated exchange fills each
market order after a time of its own, as its market does; from the moment of the fill (its trade time; all clocks are
this machine's) to the return of the COMMIT that made the row `completed`. The raw limit polls Get Order every 0.1 s
with the SDK and commits one UPDATE. The process is warm: bench_place_process measures the start.
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
import time
import uuid
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any

from ordersync_cli.bootstrap import Wiring
from ordersync_cli.config import load_settings
from ordersync_cli.domain.orders import OrderRequest, OrderType, Side, Source
from ordersync_cli.services.intent import Wanted
from ordersync_cli.services.place import Placing
from ordersync_cli.services.record import Recorded, Recorder
from tests.support.benching import Exchange, Report, exchange, spread
from tests.support.simulator_world import API, sdk_client

TARGET = 0.100
ORDERS = next((int(word) for word in sys.argv[1:] if word.isdigit()), 40)
BUY = OrderRequest(product_id="BTC-USD", side=Side.BUY, order_type=OrderType.MARKET, quote_size=Decimal(25))


class Timed:
    """A recorder that notes when the commit that completed a trade returned."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self.committed: dict[str, float] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._recorder, name)

    def about(self, trade_id: int, observations: Iterable[Any], *, source: Source) -> Recorded:
        recorded = self._recorder.about(trade_id, observations, source=source)
        at = time.time()
        for change in recorded.changes:
            if change.now.status == "completed" and change.now.order_id:
                self.committed.setdefault(change.now.order_id, at)
        return recorded


def ours(venue: Exchange, folder: Path) -> list[float]:
    with Wiring(load_settings({}, venue.environment(folder))) as wiring:
        recorder = Timed(wiring.recorder)
        placing = Placing(
            store=wiring.store,
            venue=wiring.venue,
            recorder=recorder,  # type: ignore[arg-type]
            clock=wiring.clock,
            chance=wiring.chance,
        )
        for _ in range(ORDERS):
            assert placing.place(Wanted(request=replace(BUY), wait=10.0)).outcome == "filled"
    filled = fill_times(venue, set(recorder.committed))
    return [at - filled[order_id] for order_id, at in recorder.committed.items()]


def raw(venue: Exchange, folder: Path) -> list[float]:
    sql = sqlite3.connect(folder / "raw.db", isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL"):
        sql.execute(f"PRAGMA {pragma}")
    sql.execute("CREATE TABLE trades (order_id TEXT PRIMARY KEY, status TEXT)")
    committed = {}
    with sdk_client(venue.rest_url, venue.key_file) as client:
        for _ in range(ORDERS):
            body = {"client_order_id": str(uuid.uuid4()), "product_id": "BTC-USD", "side": "BUY"}
            body["order_configuration"] = {"market_market_ioc": {"quote_size": "25"}}  # type: ignore[assignment]
            order_id = client.post(f"{API}/orders", data=body)["success_response"]["order_id"]
            sql.execute("INSERT INTO trades VALUES (?, 'pending')", (order_id,))
            while client.get(f"{API}/orders/historical/{order_id}")["order"]["status"] != "FILLED":
                time.sleep(0.1)
            sql.execute("UPDATE trades SET status = 'completed' WHERE order_id = ?", (order_id,))
            committed[order_id] = time.time()
    sql.close()
    filled = fill_times(venue, set(committed))
    return [at - filled[order_id] for order_id, at in committed.items()]


def fill_times(venue: Exchange, wanted: set[str]) -> dict[str, float]:
    """Tell when the venue filled each order: the time of its last fill. List Fills lags, so it is asked again."""
    while True:
        times = listed_times(venue)
        if wanted <= times.keys():
            return times
        time.sleep(0.1)


def listed_times(venue: Exchange) -> dict[str, float]:
    """Read every page of List Fills."""
    times: dict[str, float] = {}
    with sdk_client(venue.rest_url, venue.key_file) as client:
        cursor = ""
        while True:
            page = client.get(f"{API}/orders/historical/fills", params={"limit": 100, "cursor": cursor})
            for fill in page["fills"]:
                at = datetime.fromisoformat(fill["trade_time"]).timestamp()
                times[fill["order_id"]] = max(at, times.get(fill["order_id"], 0.0))
            cursor = page["cursor"]
            if not cursor:
                return times


def main() -> int:
    report = Report(f"fill at the venue to committed row in place, {ORDERS} orders each")
    with tempfile.TemporaryDirectory() as name, exchange(Path(name) / "exchange.db") as venue:
        seconds = ours(venue, Path(name))
        alone = raw(venue, Path(name))
    report.judge(
        "fill to committed row",
        spread(seconds),
        f"SDK every 0.1 s and one UPDATE, {spread(alone)}",
        target=f"p50 under {TARGET * 1e3:.0f} ms",
        good=len(seconds) == ORDERS and median(seconds) < TARGET,
    )
    return report.code()


if __name__ == "__main__":
    sys.exit(main())
