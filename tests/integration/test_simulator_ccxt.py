"""ccxt, which knows nothing of this project, trades on the simulator."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ordersync_cli.simulator.server import SimulatorServer
from tests.support.patience import eventually

ccxt = pytest.importorskip("ccxt")


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[SimulatorServer]:
    with SimulatorServer(tmp_path / "exchange.db", seed=7, rate_limit=None) as server:
        yield server


def options(exchange: SimulatorServer) -> dict[str, Any]:
    key = json.loads(exchange.key_file.read_text())
    urls = {"api": {"rest": exchange.rest_url, "ws": exchange.ws_url}}
    return {"apiKey": key["name"], "secret": key["privateKey"], "urls": urls, "enableRateLimit": False}


def test_ccxt_trades_by_rest(exchange: SimulatorServer) -> None:
    client = ccxt.coinbase(options(exchange))
    client.session.trust_env = False
    try:
        assert client.fetch_time() % 1_000 == 0  # whole seconds, in milliseconds
        client.load_markets()
        assert client.market("BTC/USD")["precision"]["price"] == 0.01
        bought = client.create_order("BTC/USD", "market", "buy", 50, None, {"createMarketBuyOrderRequiresPrice": False})
        order = eventually(
            lambda: (found := client.fetch_order(bought["id"], "BTC/USD"))["status"] == "closed" and found
        )
        assert order["filled"] > 0
        assert eventually(lambda: client.fetch_my_trades("BTC/USD"))
        resting = client.create_order("ETH/USD", "limit", "buy", 0.5, 2000)
        eventually(lambda: [found["id"] for found in client.fetch_open_orders("ETH/USD")] == [resting["id"]])
        client.cancel_order(resting["id"], "ETH/USD")
        eventually(lambda: client.fetch_order(resting["id"], "ETH/USD")["status"] == "canceled")
        assert client.fetch_balance()["USD"]["free"] == client.fetch_balance({"v3": True})["USD"]["free"] > 0
    finally:
        client.session.close()


def test_ccxt_pro_watches_orders(exchange: SimulatorServer) -> None:
    import asyncio

    import ccxt.pro as ccxtpro

    async def watched() -> str:
        client = ccxtpro.coinbase(options(exchange))
        try:
            await client.load_markets()
            watching = asyncio.create_task(client.watch_orders("BTC/USD"))
            await asyncio.sleep(0.3)
            how = {"createMarketBuyOrderRequiresPrice": False}
            await client.create_order("BTC/USD", "market", "buy", 50, None, how)
            first = (await asyncio.wait_for(watching, 5))[0]
            for _ in range(500):
                if client.orders[0]["status"] == "closed":
                    break
                await asyncio.sleep(0.01)
            assert client.orders[0]["id"] == first["id"]
            return str(client.orders[0]["status"])
        finally:
            await client.close()

    assert asyncio.run(watched()) == "closed"
