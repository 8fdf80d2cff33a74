"""Several processes on one simulated exchange, and what is left after kill -9."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from requests.exceptions import RequestException

from ordersync_cli.simulator.server import SimulatorServer
from tests.support.patience import eventually, in_time
from tests.support.simulator_server import listening, token
from tests.support.simulator_world import API, limit, market, sdk_client

SERVE = """
import json, sys
from ordersync_cli.simulator.server import SimulatorServer
server = SimulatorServer(sys.argv[1], seed=7, rate_limit=None)
def say():
    urls = {"rest_url": server.rest_url, "ws_url": server.ws_url, "key_file": str(server.key_file)}
    print(json.dumps(urls), flush=True)
server.serve_forever(say)
"""


@contextmanager
def serving(state: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    process = subprocess.Popen([sys.executable, "-c", SERVE, str(state)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process, json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.communicate(timeout=10)


def body(client_order_id: str, configuration: dict[str, Any]) -> dict[str, Any]:
    request = {"client_order_id": client_order_id, "product_id": "BTC-USD", "side": "BUY"}
    return {**request, "order_configuration": configuration}


def test_two_processes_show_one_exchange(tmp_path: Path) -> None:
    state = tmp_path / "exchange.db"
    with serving(state) as (_, first), serving(state) as (_, second):
        assert first["key_file"] == second["key_file"]
        with (
            sdk_client(first["rest_url"], first["key_file"]) as here,
            sdk_client(second["rest_url"], first["key_file"]) as there,
            listening(second["ws_url"]) as listener,
        ):
            signed = token(first["key_file"], time.time())
            listener.say({"type": "subscribe", "channel": "user", "jwt": signed})
            eventually(lambda: listener.of("subscriptions"))
            answer = here.post(f"{API}/orders", data=body("one", market(base_size="0.01")))
            placed = time.monotonic()
            order_id = answer["success_response"]["order_id"]
            assert there.get(f"{API}/orders/historical/{order_id}")["order"]["client_order_id"] == "one"
            eventually(listener.orders)
            in_time(placed, 0.5, "the news of an order of the other process")
            eventually(lambda: any(order["status"] == "FILLED" for order in listener.orders()))
            assert listener.orders()[0]["status"] == "PENDING"


def test_kill_9_during_traffic_loses_no_order_that_was_answered(tmp_path: Path) -> None:
    state = tmp_path / "exchange.db"
    answered: list[str] = []

    def trade(rest_url: str, key_file: str, worker: int) -> None:
        with sdk_client(rest_url, key_file) as client:
            for number in range(10_000):
                configuration = limit("0.0001", "50000") if number % 2 else market(quote_size="5")
                try:
                    answer = client.post(f"{API}/orders", data=body(f"{worker}-{number}", configuration))
                except RequestException:
                    return
                answered.append(answer["success_response"]["order_id"])

    with serving(state) as (process, urls):
        workers = [
            threading.Thread(target=trade, args=(urls["rest_url"], urls["key_file"], worker)) for worker in range(3)
        ]
        for worker in workers:
            worker.start()
        eventually(lambda: len(answered) > 60, 30)
        process.send_signal(signal.SIGKILL)
        for worker in workers:
            worker.join(30)
    with SimulatorServer(state) as exchange:
        exchange.control.advance_clock(5)
        orders = {order["order_id"]: order for order in exchange.control.ledger()["orders"]}
        assert set(answered) <= set(orders)
        assert all(
            order["status"] == "FILLED"
            for order in orders.values()
            if "market_market_ioc" in order["order_configuration"]
        )


def test_many_processes_may_open_a_new_exchange_at_once(tmp_path: Path) -> None:
    state = tmp_path / "exchange.db"
    processes = [
        subprocess.Popen([sys.executable, "-c", SERVE, str(state)], stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    try:
        lines = [json.loads(process.stdout.readline()) for process in processes if process.stdout]
        assert len({line["key_file"] for line in lines}) == 1
        for line in lines:
            with sdk_client(line["rest_url"], line["key_file"]) as client:
                assert client.get(f"{API}/key_permissions")["can_trade"] is True
    finally:
        for process in processes:
            process.kill()
            process.communicate(timeout=10)


def test_an_order_goes_on_with_no_process_alive(tmp_path: Path) -> None:
    state = tmp_path / "exchange.db"
    with SimulatorServer(state, seed=7) as exchange:
        answer = exchange.control.place_elsewhere(body("one", market(base_size="0.01")))
    time.sleep(0.6)
    with SimulatorServer(state) as exchange, sdk_client(exchange.rest_url, exchange.key_file) as client:
        order_id = answer["success_response"]["order_id"]
        order = client.get(f"{API}/orders/historical/{order_id}")["order"]
        assert order["status"] == "FILLED"
        ended = exchange.control.ledger()["orders"][0]["ended_at"]
        assert ended is not None
        assert ended < exchange.control.ledger()["now"]
