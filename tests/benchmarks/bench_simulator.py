"""How many requests a second the simulator answers through the official SDK.

Run it as `python -m tests.benchmarks.bench_simulator [REQUESTS] [--strict]`. The rate limit is lifted; the client has
one session a thread, as the SDK wants it, and in the end there are two client processes. Beside each rate stands what
one request costs either process in CPU time: the rate on an idle machine follows from the larger. The raw limit is the
same client against a bare ASGI application that answers `{}` on the same server.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, suppress
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter

import psutil
from coinbase.rest import RESTClient
from requests.exceptions import RequestException

from tests.support.benching import Report, exchange
from tests.support.simulator_world import API, limit, sdk_client

TARGET = 500  # requests a second
REQUESTS = next((int(word) for word in sys.argv[1:] if word.isdigit()), 1_200)
BARE = """
import asyncio, sys, uvicorn
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": b"{}"})
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), lifespan="off", log_config=None, access_log=False)
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


def one_process(rest_url: str, key_file: str, path: str, first: int, count: int) -> None:
    """Be one client: look an order up (with a path) or place orders, that many times."""
    with sdk_client(rest_url, key_file) as client:
        for number in range(first, first + count):
            if path:
                client.get(path)
            elif count:
                client.post(f"{API}/orders", data=body(f"process-{number}"))


def measure_processes(rest_url: str, key_file: str, path: str, server: int) -> dict[str, float]:
    """Run the requests in two client processes, which share no interpreter lock."""
    each = REQUESTS // 2
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        list(pool.map(one_process, [rest_url] * 2, [key_file] * 2, [""] * 2, [0, 0], [0, 0]))  # both are up now
        before, started = cpu_seconds(server), perf_counter()
        list(pool.map(one_process, [rest_url] * 2, [key_file] * 2, [path] * 2, [0, each], [each] * 2))
        seconds = perf_counter() - started
    return {
        "per_second": each * 2 / seconds,
        "server_cpu_ms": (cpu_seconds(server) - before) / (each * 2) * 1e3,
    }


def bare(key_file: str) -> dict[str, float]:
    """Measure the same client against a server that does nothing."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-c", BARE, str(port)])
    try:
        with sdk_client(f"http://127.0.0.1:{port}", key_file) as client:
            for _ in range(100):
                with suppress(RequestException):
                    client.get("/")
                    break
                time.sleep(0.1)
            return measure(lambda client, _number: client.get("/"), [client], process.pid)
    finally:
        process.kill()
        process.communicate(timeout=10)


def main() -> int:
    report = Report(f"simulator requests through the SDK, {REQUESTS} each")
    best: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        venue = stack.enter_context(exchange(Path(folder) / "exchange.db"))
        clients = [stack.enter_context(sdk_client(venue.rest_url, venue.key_file)) for _ in range(2)]
        placed = clients[0].post(f"{API}/orders", data=body("one"))
        path = f"{API}/orders/historical/{placed['success_response']['order_id']}"
        for threads in (1, 2):
            for name, what in (
                ("look-ups", lambda client, _number: client.get(path)),
                (
                    "orders",
                    lambda client, n, threads=threads: client.post(f"{API}/orders", data=body(f"{threads}-{n}")),
                ),
            ):
                found = measure(what, clients[:threads], venue.pid)
                report.say(
                    f"{name}, {threads} at once: " + ", ".join(f"{key} {value:.2f}" for key, value in found.items())
                )
                if found["per_second"] > best.get(name, {}).get("per_second", 0):
                    best[name] = found
        for name, wanted in (("look-ups", path), ("orders", "")):
            found = measure_processes(venue.rest_url, venue.key_file, wanted, venue.pid)
            report.say(f"{name}, 2 processes: " + ", ".join(f"{key} {value:.2f}" for key, value in found.items()))
            if found["per_second"] > best[name]["per_second"]:
                best[name] = found
        raw = bare(venue.key_file)
    for name, found in best.items():
        report.judge(
            f"{name} a second",
            f"{found['per_second']:.0f} (server {found['server_cpu_ms']:.2f} ms each)",
            f"{raw['per_second']:.0f} of a bare server ({raw['server_cpu_ms']:.2f} ms), the SDK's own "
            f"{raw['client_cpu_ms']:.2f} ms, {raw['per_second'] / found['per_second']:.1f}x",
            target=f"{TARGET} or more",
            good=found["per_second"] >= TARGET,
        )
    return report.code()


if __name__ == "__main__":
    sys.exit(main())
