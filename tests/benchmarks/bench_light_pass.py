"""How many stale trades a second a light pass settles, and in how much memory, beside the SDK reading the same.

Run it as `python -m tests.benchmarks.bench_light_pass [TRADES] [--strict]`. The store holds pending trades whose orders
the venue has filled; `ordersync reconcile` runs as a process with the request budget lifted, and in the end every
trade is completed with its fills verified. The rate counts the whole process, its start included. The raw limit asks
for the same orders and fills with the SDK, 100 ids a request, and stores nothing.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from time import perf_counter, time_ns

from ordersync_cli.bootstrap import Wiring
from ordersync_cli.config import load_settings
from ordersync_cli.domain.observations import AnswerKind, Observation, PlaceAnswer
from ordersync_cli.domain.orders import OrderRequest, OrderType, Side, Source
from ordersync_cli.domain.trade import Trade
from ordersync_cli.simulator.desk import Behaviour, create_order
from ordersync_cli.simulator.session import writing
from ordersync_cli.simulator.state import State
from tests.support.benching import Exchange, Report, exchange
from tests.support.simulator_world import API, sdk_client

TARGET = 500  # orders a second
MOST_MEGABYTES = 300
TRADES = next((int(word) for word in sys.argv[1:] if word.isdigit()), 10_000)
FILLED = [
    {"after_seconds": "0", "status": "OPEN"},
    {"after_seconds": "0.001", "filled_fraction": "1", "status": "FILLED"},
]
AGE = timedelta(minutes=10)


def placed_at_the_venue(state_path: Path) -> list[str]:
    """Place the orders without a server between; all are filled at once."""
    state = State(state_path, lambda: (time_ns() - int(AGE.total_seconds() * 1e9)) // 1000, seed=7)
    order_ids = []
    with writing(state) as session:
        for number in range(TRADES):
            body = {"client_order_id": f"stale-{number}", "product_id": "BTC-USD", "side": "BUY"}
            body["order_configuration"] = {"market_market_ioc": {"quote_size": "5"}}  # type: ignore[assignment]
            answer = create_order(session, body, Behaviour(), elsewhere={"script": FILLED})
            order_ids.append(answer["success_response"]["order_id"])
    with writing(state):  # the server would let them all fill before its first answer
        pass
    state.close()
    return order_ids


def known_to_the_store(venue: Exchange, folder: Path, order_ids: list[str]) -> None:
    """Write them as trades that were placed and never heard of again."""
    with Wiring(load_settings({}, venue.environment(folder))) as wiring:
        assert wiring.venue.name == "coinbase"  # binds the store to the venue
        at = datetime.now(UTC) - AGE - timedelta(seconds=1)
        with wiring.store.write() as transaction:
            answers: dict[int, list[Observation]] = {}
            for number, order_id in enumerate(order_ids):
                request = OrderRequest(
                    product_id="BTC-USD",
                    side=Side.BUY,
                    order_type=OrderType.MARKET,
                    quote_size=Decimal(5),
                    client_order_id=f"stale-{number}",
                )
                intent = Trade(
                    request=request,
                    created_at=at,
                    attempts=1,
                    attempt_at=at,
                    not_after=at + timedelta(seconds=30),
                    submitted_at=at,
                    source=Source.PLACE,
                    updated_at=at,
                )
                trade_id = transaction.trades.add(intent).trade_id
                assert trade_id is not None
                answers[trade_id] = [PlaceAnswer(kind=AnswerKind.ACCEPTED, attempt=1, at=at, order_id=order_id)]
            wiring.recorder.about_in(transaction, answers, source=Source.PLACE)


def reconciled(environment: dict[str, str]) -> tuple[float, resource.struct_rusage, dict[str, object]]:
    """Run the pass; return its seconds, what it used, and its document."""
    command = [sys.executable, "-m", "ordersync_cli", "reconcile", "--json"]
    started = perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    document = json.loads(said)
    assert process.returncode in (0, 10, 11), document
    return perf_counter() - started, usage, document


def raw(venue: Exchange, order_ids: list[str]) -> float:
    """Ask for the same orders and fills with the SDK; return the seconds."""
    started, orders, fills = perf_counter(), 0, 0
    with sdk_client(venue.rest_url, venue.key_file) as client:
        for start in range(0, len(order_ids), 100):
            some = order_ids[start : start + 100]
            orders += len(client.get(f"{API}/orders/historical/batch", params={"order_ids": some})["orders"])
            fills += len(client.get(f"{API}/orders/historical/fills", params={"order_ids": some})["fills"])
    assert orders == len(order_ids)
    assert fills == len(order_ids)
    return perf_counter() - started


def main() -> int:
    report = Report(f"a light pass over {TRADES} stale trades, the budget lifted")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        order_ids = placed_at_the_venue(folder / "exchange.db")
        with exchange(folder / "exchange.db") as venue:
            known_to_the_store(venue, folder, order_ids)
            alone = raw(venue, order_ids)
            seconds, usage, document = reconciled(venue.environment(folder, requests_per_second=10_000))
            with Wiring(load_settings({}, venue.environment(folder))) as wiring, wiring.store.read() as transaction:
                left = len(transaction.trades.pending_ids()) + len(transaction.trades.unverified_ids(TRADES))
    rate, limit, megabytes = TRADES / seconds, TRADES / alone, usage.ru_maxrss / 1024
    processor = usage.ru_utime + usage.ru_stime
    report.say(f"{document['result']}: {document['checked']} checked, {document['updated_count']} updated, {left} left")
    report.say(f"processor: {processor:.1f} s, which is {TRADES / processor:.0f} orders for each second of it")
    report.judge(
        "orders settled a second",
        f"{rate:.0f} ({seconds:.1f} s)",
        f"the SDK reads {limit:.0f} a second ({alone:.1f} s), {limit / rate:.1f}x",
        target=f"{TARGET} or more",
        good=rate >= TARGET and left == 0,
    )
    report.judge(
        "memory of the pass",
        f"{megabytes:.0f} MB",
        "none",
        target=f"under {MOST_MEGABYTES} MB",
        good=megabytes < MOST_MEGABYTES,
    )
    return report.code()


if __name__ == "__main__":
    sys.exit(main())
