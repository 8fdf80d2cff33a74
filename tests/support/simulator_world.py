"""A simulated exchange in the hand: its state, a clock that moves when told, and requests without a server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from coinbase.rest import RESTClient
from requests.adapters import HTTPAdapter

from ordersync_cli.simulator.desk import Behaviour, cancel_orders, create_order
from ordersync_cli.simulator.edits import edit_order
from ordersync_cli.simulator.ledger import ledger
from ordersync_cli.simulator.requests import Call
from ordersync_cli.simulator.routes import Exchange, find
from ordersync_cli.simulator.session import writing
from ordersync_cli.simulator.state import State

API = "/api/v3/brokerage"
OPENED_AT = 1_800_000_000_000_000


class World:
    """One exchange without a socket; `clock` is microseconds and moves only by `wait`."""

    def __init__(self, path: Path, seed: int = 7) -> None:
        self.clock = OPENED_AT
        self.state = State(path, lambda: self.clock, seed)
        self.exchange = Exchange(self.state, Behaviour())
        self.placed = 0

    def wait(self, seconds: float | str | Decimal) -> None:
        self.clock += int(Decimal(str(seconds)) * 1_000_000)

    def place(self, configuration: dict[str, Any], **request: Any) -> dict[str, Any]:
        self.placed += 1
        body = {"client_order_id": f"order-{self.placed}", "product_id": "BTC-USD", "side": "BUY", **request}
        body["order_configuration"] = configuration
        with writing(self.state) as session:
            return create_order(session, body, self.exchange.behaviour)

    def accepted(self, configuration: dict[str, Any], **request: Any) -> str:
        answer = self.place(configuration, **request)
        assert answer["success"], answer
        return str(answer["success_response"]["order_id"])

    def refused(self, configuration: dict[str, Any], **request: Any) -> dict[str, Any]:
        answer = self.place(configuration, **request)
        assert answer["success"] is False, answer
        return dict(answer["error_response"])

    def cancel(self, *order_ids: str) -> list[dict[str, Any]]:
        with writing(self.state) as session:
            return cancel_orders(session, list(order_ids))

    def edit(self, order_id: str, price: str | None, size: str | None) -> str:
        with writing(self.state) as session:
            return edit_order(
                session, order_id, None if price is None else Decimal(price), None if size is None else Decimal(size)
            )

    def get(self, path: str, **query: Any) -> Any:
        found = find("GET", API + path)
        assert found is not None, path
        route, _, argument = found
        call = Call("GET", API + path, urlencode(query, doseq=True), {}, b"", argument)
        answer = route(self.exchange, call)
        return answer if isinstance(answer, dict) else json.loads(answer.body)

    def order(self, order_id: str) -> dict[str, Any]:
        return dict(self.get(f"/orders/historical/{order_id}")["order"])

    def fills(self, order_id: str) -> list[dict[str, Any]]:
        return list(self.get("/orders/historical/fills", order_ids=order_id)["fills"])

    def ledger(self) -> dict[str, Any]:
        return ledger(self.state)


@contextmanager
def world(path: Path, seed: int = 7) -> Iterator[World]:
    made = World(path, seed)
    try:
        yield made
    finally:
        made.state.close()


def market(**size: str) -> dict[str, Any]:
    return {"market_market_ioc": size}


def limit(size: str, price: str, *, post_only: bool = False) -> dict[str, Any]:
    return {"limit_limit_gtc": {"base_size": size, "limit_price": price, "post_only": post_only}}


class PlainHTTP(HTTPAdapter):
    """Lets the official SDK, which knows only https, talk to http on loopback."""

    def send(self, request: Any, **how: Any) -> Any:
        request.url = "http://" + request.url.removeprefix("https://")
        return super().send(request, **how)


@contextmanager
def sdk_client(rest_url: str, key_file: Path | str, **options: Any) -> Iterator[RESTClient]:
    host = rest_url.removeprefix("http://")
    client = RESTClient(key_file=str(key_file), base_url=host, timeout=5, **options)
    client.session.mount(f"https://{host}", PlainHTTP())
    client.session.trust_env = False
    try:
        yield client
    finally:
        client.session.close()
