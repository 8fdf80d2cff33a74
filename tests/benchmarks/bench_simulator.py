"""How many requests a second the simulator answers through the official SDK.

Run it as `python -m tests.benchmarks.bench_simulator [REQUESTS] [--strict]`. The rate limit is lifted. The client signs
each request, which costs it more than an answer costs the exchange: one client waits for its own work, and so one, two
and four client processes ask, and the best rate is the simulator's. Beside each rate stands what one request costs the
server and its clients in CPU time, which hardly depends on what else the machine does: no rate can pass 1,000 / server
milliseconds, nor cores * 1,000 / both. The raw limit is the same clients against a bare ASGI application that answers
`{}` on the same server.
"""

from __future__ import annotations

import multiprocessing
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing.pool import Pool
from pathlib import Path
from time import perf_counter, process_time

import psutil
from coinbase.rest import RESTClient
from requests.exceptions import RequestException

from tests.support.benching import Report, exchange
from tests.support.simulator_world import API, limit, sdk_client

TARGET = 500  # requests a second
REQUESTS = next((int(word) for word in sys.argv[1:] if word.isdigit()), 1_200)
CLIENTS = (1, 2, 4)
BARE = """
import asyncio, sys, uvicorn
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": b"{}"})
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), lifespan="off", log_config=None, access_log=False)
"""
Found = dict[str, float]


def place(client: RESTClient, client_order_id: str) -> str:
    """Place an order that rests; return its id."""
    request = {"client_order_id": client_order_id, "product_id": "BTC-USD", "side": "BUY"}
    answer = client.post(f"{API}/orders", data={**request, "order_configuration": limit("0.0001", "50000")})
    return str(answer["success_response"]["order_id"])


def be_a_client(rest_url: str, key_file: str, path: str, name: str, count: int) -> float:
    """Look up what is at the path, or place orders where there is none; return the CPU seconds that it took."""
    with sdk_client(rest_url, key_file) as client:
        started = process_time()
        for number in range(count):
            if path:
                client.get(path)
            else:
                place(client, f"{name}-{number}")
        return process_time() - started


def measure(pool: Pool, clients: int, server: int, rest_url: str, key_file: str, path: str) -> Found:
    """Let so many clients share the requests; return the rate, and the CPU milliseconds of one request on each side."""
    each = REQUESTS // clients
    work = [(rest_url, key_file, path, f"{clients}-{n}", each) for n in range(clients)]
    before, started = cpu_seconds(server), perf_counter()
    spent = pool.starmap(be_a_client, work, chunksize=1)
    seconds, count = perf_counter() - started, each * clients
    return {
        "per_second": count / seconds,
        "server_cpu_ms": (cpu_seconds(server) - before) / count * 1e3,
        "client_cpu_ms": sum(spent) / count * 1e3,
    }


def cpu_seconds(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


@contextmanager
def bare(key_file: str) -> Iterator[tuple[str, int]]:
    """Serve an application that does nothing; yields its address and its process."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    process, address = subprocess.Popen([sys.executable, "-c", BARE, str(port)]), f"http://127.0.0.1:{port}"
    try:
        with sdk_client(address, key_file) as client:
            for _ in range(100):
                with suppress(RequestException):
                    client.get("/")
                    break
                time.sleep(0.1)
        yield address, process.pid
    finally:
        process.kill()
        process.communicate(timeout=10)


def main() -> int:
    report = Report(f"simulator requests through the SDK, {REQUESTS} each")
    best: dict[str, Found] = {}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        venue = stack.enter_context(exchange(Path(folder) / "exchange.db"))
        raw_url, raw_pid = stack.enter_context(bare(venue.key_file))
        with sdk_client(venue.rest_url, venue.key_file) as client:
            path = f"{API}/orders/historical/{place(client, 'one')}"
        pool = stack.enter_context(multiprocessing.get_context("spawn").Pool(max(CLIENTS)))
        warm = [(venue.rest_url, venue.key_file, path, "", 10)] * max(CLIENTS)
        pool.starmap(be_a_client, warm, chunksize=1)
        for clients in CLIENTS:
            for name, server, url, wanted in (
                ("look-ups", venue.pid, venue.rest_url, path),
                ("orders", venue.pid, venue.rest_url, ""),
                ("a bare server", raw_pid, raw_url, "/"),
            ):
                found = measure(pool, clients, server, url, venue.key_file, wanted)
                figures = ", ".join(f"{key} {value:.2f}" for key, value in found.items())
                report.say(f"{name}, clients: {clients}: {figures}")
                if found["per_second"] > best.get(name, {}).get("per_second", 0):
                    best[name] = found
    raw = best.pop("a bare server")
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
