"""What a fault plan does to REST: each kind strikes as told, and the exchange's truth stays whole."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from coinbase.rest import RESTClient
from requests.exceptions import ConnectionError as Cut
from requests.exceptions import HTTPError, JSONDecodeError, ReadTimeout

from ordersync_cli.simulator.faults import Faults, load_faults
from ordersync_cli.simulator.server import SimulatorServer
from tests.support.patience import eventually, in_time
from tests.support.simulator_world import API, limit, market, sdk_client

ORDERS = f"{API}/orders"
BATCH = f"{API}/orders/historical/batch"
FILLS = f"{API}/orders/historical/fills"


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[SimulatorServer]:
    with SimulatorServer(tmp_path / "exchange.db", seed=7, rate_limit=None) as server:
        yield server


@pytest.fixture
def client(exchange: SimulatorServer) -> Iterator[RESTClient]:
    with sdk_client(exchange.rest_url, exchange.key_file) as made:
        yield made


def place(client: RESTClient, client_order_id: str = "one", configuration: dict[str, Any] | None = None) -> Any:
    body = {"client_order_id": client_order_id, "product_id": "BTC-USD", "side": "BUY"}
    return client.post(ORDERS, data={**body, "order_configuration": configuration or limit("0.001", "50000")})


def accepted(client: RESTClient, client_order_id: str = "one", configuration: dict[str, Any] | None = None) -> str:
    return str(place(client, client_order_id, configuration)["success_response"]["order_id"])


@pytest.mark.parametrize(
    ("fault", "error", "orders"),
    [
        ({"kind": "cut_before"}, Cut, 0),
        ({"kind": "cut_after"}, Cut, 1),
        ({"kind": "status", "status": 503}, HTTPError, 0),
        ({"kind": "status_after", "status": 500}, HTTPError, 1),
        ({"kind": "status_after", "status": 502}, HTTPError, 1),
        ({"kind": "rate_limit"}, HTTPError, 0),
        ({"kind": "rate_limit_after"}, HTTPError, 1),
        ({"kind": "garbage_after"}, JSONDecodeError, 1),
        ({"kind": "html", "status": 403}, HTTPError, 0),
        ({"kind": "html_after", "status": 404}, HTTPError, 1),
        ({"kind": "hang_before", "seconds": 2}, ReadTimeout, 0),
        ({"kind": "hang_after", "seconds": 2}, ReadTimeout, 1),
    ],
)
def test_T16_the_answer_is_lost_and_the_truth_is_known(
    exchange: SimulatorServer, client: RESTClient, fault: dict[str, Any], error: type[Exception], orders: int
) -> None:
    exchange.control.fault(path=ORDERS, method="POST", count=1, **fault)
    client.timeout = 0.5
    with pytest.raises(error):
        place(client)
    assert len(exchange.control.ledger()["orders"]) == orders
    assert place(client)["success"] is True
    assert exchange.control.ledger()["orders_per_client_order_id"] == {"one": 1}


def test_429_can_say_when_to_come_back(exchange: SimulatorServer, client: RESTClient) -> None:
    exchange.control.fault(kind="rate_limit", path=BATCH, retry_after=3, count=1)
    with pytest.raises(HTTPError) as caught:
        client.get(BATCH)
    assert (caught.value.response.status_code, caught.value.response.headers["Retry-After"]) == (429, "3")


def test_a_delay_holds_only_the_request_that_it_meets(exchange: SimulatorServer, client: RESTClient) -> None:
    exchange.control.fault(kind="delay", path=BATCH, seconds=0.4)
    started = time.monotonic()
    client.get(f"{API}/key_permissions")
    in_time(started, 0.3, "a request that is not held")
    client.get(BATCH)
    assert time.monotonic() - started > 0.4


def test_a_fault_can_mean_one_client_order_id(exchange: SimulatorServer, client: RESTClient) -> None:
    exchange.control.fault(kind="status", client_order_id="bad", status=500)
    accepted(client, "good")
    with pytest.raises(HTTPError):
        place(client, "bad")


def test_T15_a_new_order_is_not_found_for_a_while(exchange: SimulatorServer, client: RESTClient) -> None:
    exchange.control.fault(kind="hide_new", path=f"{API}/orders/historical/*", seconds=0.5)
    order_id = accepted(client)
    with pytest.raises(HTTPError) as caught:
        client.get(f"{API}/orders/historical/{order_id}")
    assert caught.value.response.status_code == 404
    assert client.get(BATCH)["orders"] == []
    eventually(lambda: client.get(BATCH)["orders"])
    assert client.get(f"{API}/orders/historical/{order_id}")["order"]["status"] == "OPEN"


def test_P08_look_ups_can_be_stale(exchange: SimulatorServer, client: RESTClient) -> None:
    order_id = accepted(client, configuration=market(base_size="0.01"))
    eventually(lambda: client.get(f"{API}/orders/historical/{order_id}")["order"]["status"] == "FILLED")
    exchange.control.fault(kind="stale", seconds=3600)
    assert client.get(f"{API}/orders/historical/{order_id}")["order"]["status"] == "PENDING"
    assert client.get(BATCH, params={"order_ids": [order_id]})["orders"][0]["filled_size"] == "0"


def test_T48_batched_look_ups_leave_out_and_add_orders(exchange: SimulatorServer, client: RESTClient) -> None:
    ids = [accepted(client, f"order-{number}") for number in range(4)]
    asked = {"order_ids": ids[:2]}

    def seen(**fault: Any) -> set[str]:
        exchange.control.faults.replace([{"path": BATCH, **fault}])
        return {order["order_id"] for order in client.get(BATCH, params=asked)["orders"]}

    assert seen(kind="ignore_ids") == set(ids)
    assert seen(kind="omit_ids", ids=[ids[0]]) == {ids[1]}
    assert len(seen(kind="omit_ids", number=1)) == 1
    assert len(seen(kind="extra_ids", number=1)) == 3
    exchange.control.faults.replace([])
    assert {order["order_id"] for order in client.get(BATCH, params=asked)["orders"]} == set(ids[:2])


def test_T27_a_cursor_can_repeat_itself(exchange: SimulatorServer, client: RESTClient) -> None:
    for number in range(3):
        accepted(client, f"order-{number}")
    exchange.control.fault(kind="repeat_cursor", path=BATCH)
    first = client.get(BATCH, params={"limit": 2})
    second = client.get(BATCH, params={"limit": 2, "cursor": first["cursor"]})
    assert (second["cursor"], second["has_next"]) == (first["cursor"], True)


def test_T37_one_order_of_a_page_cannot_be_read(exchange: SimulatorServer, client: RESTClient) -> None:
    for number in range(3):
        accepted(client, f"order-{number}")
    exchange.control.fault(kind="unreadable", path=BATCH, number=2)
    orders = client.get(BATCH)["orders"]
    assert [isinstance(order["status"], str) for order in orders] == [True, False, True]


def test_T24_fields_can_be_of_other_types_or_missing(exchange: SimulatorServer, client: RESTClient) -> None:
    order_id = accepted(client)
    fields = {"number_of_fills": 0, "total_fees": "", "edit_history": None, "settled": {"absent": True}}
    exchange.control.fault(kind="odd_fields", path="*/historical/*", fields=fields)
    order = client.get(f"{API}/orders/historical/{order_id}")["order"]
    assert (order["number_of_fills"], order["total_fees"], order["edit_history"]) == (0, "", None)
    assert "settled" not in order


def test_T03_fills_can_be_late(exchange: SimulatorServer, client: RESTClient) -> None:
    exchange.control.fault(kind="late_fills", path=FILLS, seconds=600)
    order_id = accepted(client, configuration=market(base_size="0.01"))
    eventually(lambda: client.get(f"{API}/orders/historical/{order_id}")["order"]["status"] == "FILLED")
    assert client.get(FILLS, params={"order_ids": [order_id]})["fills"] == []
    exchange.control.faults.replace([])
    eventually(lambda: client.get(FILLS, params={"order_ids": [order_id]})["fills"])


def test_T18_success_answers_of_2023_have_no_configuration(exchange: SimulatorServer, client: RESTClient) -> None:
    exchange.control.switch(null_configuration=True)
    assert place(client)["order_configuration"] is None


@pytest.mark.parametrize("name", ["plan.toml", "plan.json"])
def test_a_plan_is_read_from_a_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    toml = '[[faults]]\nkind = "cut_after"\nmethod = "POST"\ncount = 1\n'
    entries = [{"kind": "cut_after", "method": "POST", "count": 1}]
    path.write_text(toml if name.endswith("toml") else json.dumps(entries))
    assert load_faults(path) == entries
    with (
        SimulatorServer(tmp_path / "exchange.db", faults=load_faults(path)) as exchange,
        sdk_client(exchange.rest_url, exchange.key_file) as client,
        pytest.raises(Cut),
    ):
        place(client)


@pytest.mark.parametrize(
    "entry",
    [
        {"kind": "meteor"},
        {"path": "*"},
        {"kind": "delay", "often": 3},
        {"kind": "drop", "target": "rest"},
        {"kind": "drop", "target": "moon"},
        {"kind": "delay", "probability": 2},
        {"kind": "delay", "count": "twice"},
        {"kind": "delay", "ids": "a"},
    ],
)
def test_a_plan_that_cannot_be_is_refused(tmp_path: Path, entry: dict[str, Any]) -> None:
    path = tmp_path / "plan.json"
    path.write_text(json.dumps({"faults": [entry]}))
    with pytest.raises(ValueError, match="fault"):
        load_faults(path)


def test_chances_are_drawn_from_the_seed() -> None:
    def struck(seed: int) -> list[bool]:
        faults = Faults(seed, [{"kind": "delay", "probability": 0.5}])
        return [bool(faults.rest("GET", "/")) for _ in range(40)]

    assert struck(1) == struck(1)
    assert struck(1) != struck(2)
    assert 5 < sum(struck(1)) < 35
