"""How many requests a second the simulator answers through the official SDK.

`python -m tests.benchmarks.simulator_requests`

Two processes, the server and the client, the rate limit lifted; one session a thread, as the SDK wants it. Beside each
rate stands what one request costs either process in CPU time: the rate on an idle machine follows from the larger.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import ExitStack
from time import perf_counter

import psutil
from coinbase.rest import RESTClient

from tests.support.simulator_world import API, limit, sdk_client

REQUESTS = 1_200
SERVE = """
import json, sys
from ordersync_cli.simulator.server import SimulatorServer
server = SimulatorServer(sys.argv[1], seed=7, rate_limit=None)
server.serve_forever(lambda: print(json.dumps([server.rest_url, str(server.key_file)]), flush=True))
"""


def cpu_seconds(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def measure(what: Callable[[RESTClient, int], object], clients: list[RESTClient], server: int) -> dict[str, float]:
    """Run the requests in one thread a client; return the rate and the CPU milliseconds of a request."""
    each = REQUESTS // len(clients)

    def work(client: RESTClient, first: int) -> None:
        for number in range(first, first + each):
            what(client, number)

    threads = [threading.Thread(target=work, args=(client, n * each)) for n, client in enumerate(clients)]
    before, here, started = cpu_seconds(server), cpu_seconds(os.getpid()), perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds, count = perf_counter() - started, each * len(clients)
    return {
        "per_second": count / seconds,
        "server_cpu_ms": (cpu_seconds(server) - before) / count * 1e3,
        "client_cpu_ms": (cpu_seconds(os.getpid()) - here) / count * 1e3,
    }


def body(client_order_id: str) -> dict[str, object]:
    request = {"client_order_id": client_order_id, "product_id": "BTC-USD", "side": "BUY"}
    return {**request, "order_configuration": limit("0.0001", "50000")}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        command = [sys.executable, "-c", SERVE, f"{folder}/exchange.db"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            rest_url, key_file = json.loads(process.stdout.readline())
            clients = [stack.enter_context(sdk_client(rest_url, key_file)) for _ in range(4)]
            placed = clients[0].post(f"{API}/orders", data=body("one"))
            path = f"{API}/orders/historical/{placed['success_response']['order_id']}"
            for threads in (1, 2, 4):
                for name, what in (
                    ("look-up", lambda client, _number: client.get(path)),
                    (
                        "order",
                        lambda client, n, threads=threads: client.post(f"{API}/orders", data=body(f"{threads}-{n}")),
                    ),
                ):
                    found = measure(what, clients[:threads], process.pid)
                    print(name, f"{threads} threads", *(f"{key} {value:.2f}" for key, value in found.items()))
        finally:
            process.kill()
            process.communicate(timeout=10)


if __name__ == "__main__":
    main()
