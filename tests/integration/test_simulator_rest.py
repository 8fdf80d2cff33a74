"""The simulator over real HTTP: the official SDK works against it, and its gate refuses what Coinbase refuses."""

from __future__ import annotations

import json
import stat
import time
from collections.abc import Iterator
from decimal import Decimal
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from coinbase.rest import RESTClient
from requests.exceptions import HTTPError

from ordersync_cli.simulator.server import SimulatorServer
from tests.support.patience import eventually
from tests.support.simulator_server import token
from tests.support.simulator_world import API, limit, market, sdk_client


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[SimulatorServer]:
    with SimulatorServer(tmp_path / "exchange.db", seed=7, rate_limit=None) as server:
        yield server


@pytest.fixture
def client(exchange: SimulatorServer) -> Iterator[RESTClient]:
    with sdk_client(exchange.rest_url, exchange.key_file) as made:
        yield made


def get(exchange: SimulatorServer, path: str, *, signed: str | None = None, **how: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {signed}"} if signed is not None else {}
    return httpx.get(exchange.rest_url + path, headers=headers, trust_env=False, **how)


def uri(exchange: SimulatorServer, path: str, method: str = "GET") -> str:
    return f"{method} {exchange.rest_url.removeprefix('http://')}{path}"


def test_the_sdks_typed_calls_work(client: RESTClient) -> None:
    answer = client.market_order_buy(client_order_id="sdk-1", product_id="BTC-USD", quote_size="25")
    assert answer.success
    order_id = answer.success_response["order_id"]
    order = eventually(lambda: (found := client.get_order(order_id).order).status == "FILLED" and found)
    assert order.size_in_quote is True
    fills = eventually(lambda: len(client.get_fills(order_ids=[order_id]).fills) == int(order.number_of_fills))
    assert fills
    resting = client.limit_order_gtc_buy(
        client_order_id="sdk-2", product_id="BTC-USD", base_size="0.01", limit_price="50000"
    ).success_response["order_id"]
    eventually(lambda: client.get_order(resting).order.status == "OPEN")
    assert client.edit_order(resting, size="0.02", price="51000").success
    eventually(lambda: client.get_order(resting).order.status == "OPEN")
    assert client.preview_market_order_buy(product_id="BTC-USD", quote_size="25").errs == []
    assert client.preview_edit_order(resting, size="0.03", price="51000").errors == []
    assert client.cancel_orders([resting]).results[0].success
    eventually(lambda: client.get_order(resting).order.status == "CANCELLED")
    assert {order.order_id for order in client.list_orders().orders} == {order_id, resting}


def test_what_surrounds_the_orders_is_there(client: RESTClient) -> None:
    assert client.get_product("BTC-USDC").alias == "BTC-USD"
    products = client.get_products()
    assert products.num_products == len(products.products) >= 10
    assert client.get_public_products().num_products == products.num_products
    assert client.get_public_product("ETH-USD").base_increment == "0.00000001"
    assert len(client.get_product_book("BTC-USD", limit=3).pricebook.bids) == 3
    assert client.get_best_bid_ask(["BTC-USD"]).pricebooks[0].product_id == "BTC-USD"
    assert client.get_transaction_summary().fee_tier["taker_fee_rate"] == "0.012"
    permissions = client.get_api_key_permissions()
    assert (permissions.can_view, permissions.can_trade, permissions.can_transfer) == (True, True, False)
    accounts = client.get_accounts().accounts
    assert client.get_account(accounts[0]["uuid"]).account["currency"] == accounts[0]["currency"]
    clock = client.get(f"{API}/time")
    assert isinstance(clock["epochSeconds"], str)
    assert isinstance(clock["epochMillis"], str)


def test_an_ed25519_key_works_too(exchange: SimulatorServer, tmp_path: Path) -> None:
    key_file = exchange.control.make_key_file(tmp_path / "ed.json", kind="ed25519")
    assert set(json.loads(key_file.read_text())) == {"id", "privateKey"}
    with sdk_client(exchange.rest_url, key_file) as client:
        assert client.get_api_key_permissions().can_trade


def test_the_key_file_has_coinbases_shape_and_only_its_owner_reads_it(exchange: SimulatorServer) -> None:
    assert exchange.key_file.name.endswith(".json")
    assert stat.S_IMODE(exchange.key_file.stat().st_mode) == 0o600
    key = json.loads(exchange.key_file.read_text())
    assert key["name"].startswith("organizations/")
    assert key["privateKey"].startswith("-----BEGIN EC PRIVATE KEY-----\n")


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": 0},
        {"nbf_ahead": 5},
        {"iss": "somebody"},
        {"sub": "organizations/x/apiKeys/y"},
        {"uri": "GET 127.0.0.1:1/api/v3/brokerage/accounts"},
        {"uri": None},
        {"exp": None},
        {"method": "POST"},
    ],
)
def test_T26_a_token_that_is_not_for_this_request_now_is_refused(
    exchange: SimulatorServer, changes: dict[str, Any]
) -> None:
    path, now = f"{API}/accounts", time.time()
    claims: dict[str, Any] = {"uri": uri(exchange, path)}
    if "nbf_ahead" in changes:
        claims["nbf"] = int(now) + changes.pop("nbf_ahead")
    if "method" in changes:
        claims["uri"] = uri(exchange, path, changes.pop("method"))
    good = get(exchange, path, signed=token(exchange.key_file, now, uri=uri(exchange, path)))
    assert good.status_code == 200
    bad = get(exchange, path, signed=token(exchange.key_file, now, **{**claims, **changes}))
    assert (bad.status_code, bad.text) == (401, "Unauthorized")


def test_a_query_is_not_part_of_the_uri(exchange: SimulatorServer) -> None:
    path = f"{API}/accounts"
    signed = token(exchange.key_file, time.time(), uri=uri(exchange, path))
    assert get(exchange, path + "?limit=2", signed=signed).status_code == 200


def test_uris_and_the_real_host_are_accepted(exchange: SimulatorServer) -> None:
    path = f"{API}/accounts"
    signed = token(exchange.key_file, time.time(), uris=[f"GET api.coinbase.com{path}"], iss="coinbase-cloud")
    assert get(exchange, path, signed=signed).status_code == 200


def test_T43_a_token_past_its_life_is_never_accepted(exchange: SimulatorServer) -> None:
    path = f"{API}/accounts"
    signed = token(exchange.key_file, time.time(), seconds=30, uri=uri(exchange, path))
    assert get(exchange, path, signed=signed).status_code == 200
    exchange.control.advance_clock(31)
    assert get(exchange, path, signed=signed).status_code == 401


def test_a_forged_or_missing_token_is_refused(exchange: SimulatorServer) -> None:
    path = f"{API}/accounts"
    signed = token(exchange.key_file, time.time(), uri=uri(exchange, path))
    head, body, signature = signed.split(".")
    for forged in ("nonsense", "a.b.c", f"{head}.{body}.{signature[:-4]}AAAA", f"{head}.{body}."):
        assert get(exchange, path, signed=forged).status_code == 401
    assert get(exchange, path).status_code == 401


def test_a_key_without_the_scope_gets_403(exchange: SimulatorServer, tmp_path: Path) -> None:
    key_file = exchange.control.make_key_file(tmp_path / "view.json", scopes=("view",))
    with sdk_client(exchange.rest_url, key_file) as client:
        assert client.get_api_key_permissions().can_trade is False
        with pytest.raises(HTTPError, match="Missing Required Scopes") as caught:
            client.market_order_buy(client_order_id="a", product_id="BTC-USD", quote_size="25")
    assert caught.value.response.status_code == 403
    assert caught.value.response.json() == {
        "error": "PERMISSION_DENIED",
        "error_details": "Missing required scopes",
        "message": "Missing required scopes",
    }


def test_errors_have_the_real_bodies(exchange: SimulatorServer, client: RESTClient) -> None:
    with pytest.raises(HTTPError) as caught:
        client.get_order("5a1e1b4c-0000-4000-8000-000000000000")
    assert caught.value.response.status_code == 404
    assert caught.value.response.json()["error"] == "NOT_FOUND"
    assert caught.value.response.json()["message"] == "order with this orderID was not found"
    wrong = get(exchange, f"{API}/market/products/BTC-USD/spot")
    assert (wrong.status_code, wrong.json()) == (
        404,
        {"error": "unknown", "error_details": "Not Found", "message": "Not Found"},
    )
    with pytest.raises(HTTPError) as caught:
        client.cancel_orders([str(n) for n in range(101)])
    assert caught.value.response.json() == {
        "error": "InvalidArgument",
        "message": "Too many orderIDs entered, limit is 100",
    }


def test_the_rate_limit_answers_429_with_its_headers(tmp_path: Path) -> None:
    with (
        SimulatorServer(tmp_path / "exchange.db", rate_limit=5) as exchange,
        sdk_client(exchange.rest_url, exchange.key_file) as client,
    ):
        for _ in range(5):
            client.get_api_key_permissions()
        with pytest.raises(HTTPError) as caught:
            client.get_api_key_permissions()
        answer = caught.value.response
        assert answer.status_code == 429
        assert answer.json() == {"errors": [{"id": "rate_limit_exceeded", "message": "Too many requests"}]}
        assert (answer.headers["x-ratelimit-limit"], answer.headers["x-ratelimit-remaining"]) == ("5", "0")
        assert client.get_unix_time()["iso"]
        eventually(lambda: _allowed(client))


def test_what_needs_no_key_has_a_limit_of_its_own(tmp_path: Path) -> None:
    with SimulatorServer(tmp_path / "exchange.db", rate_limit=1) as exchange:
        statuses = [get(exchange, f"{API}/time").status_code for _ in range(20)]
        assert statuses[0] == 200
        assert 429 in statuses
        with sdk_client(exchange.rest_url, exchange.key_file) as client:
            assert client.get_api_key_permissions()["can_view"]


def _allowed(client: RESTClient) -> bool:
    try:
        client.get_api_key_permissions()
    except HTTPError:
        return False
    return True


def test_the_date_header_is_the_exchanges_clock(exchange: SimulatorServer) -> None:
    exchange.control.set_skew(-3600)
    answer = get(exchange, f"{API}/time")
    shown = parsedate_to_datetime(answer.headers["Date"]).timestamp()
    assert abs(shown - (time.time() - 3600)) < 2
    assert abs(int(answer.json()["epochSeconds"]) - shown) <= 1


def test_the_ledger_counts_orders_and_requests(exchange: SimulatorServer, client: RESTClient) -> None:
    client.post(f"{API}/orders", data=_body("one", market(base_size="0.01")))
    client.post(f"{API}/orders", data=_body("one", market(base_size="0.01")))
    client.get(f"{API}/key_permissions")
    counts = httpx.get(f"{exchange.rest_url}/_control/requests", trust_env=False).json()
    assert counts["by_path"] == {f"POST {API}/orders": 2, f"GET {API}/key_permissions": 1}
    assert counts["total"] == 3
    truth = httpx.get(f"{exchange.rest_url}/_control/ledger", trust_env=False).json()
    assert truth["orders_per_client_order_id"] == {"one": 1}


def _body(client_order_id: str, configuration: dict[str, Any]) -> dict[str, Any]:
    request = {"client_order_id": client_order_id, "product_id": "BTC-USD", "side": "BUY"}
    return {**request, "order_configuration": configuration}


def test_the_control_routes_do_what_the_python_interface_does(
    exchange: SimulatorServer, client: RESTClient, tmp_path: Path
) -> None:
    def control(path: str, body: dict[str, Any]) -> Any:
        answer = httpx.post(f"{exchange.rest_url}/_control/{path}", json=body, trust_env=False)
        assert answer.status_code == 200, answer.text
        return answer.json()

    steps = [{"after_seconds": 50, "status": "OPEN"}, {"after_seconds": 60, "filled_fraction": "1", "status": "FILLED"}]
    control("script", {"match": {"client_order_id": "told"}, "steps": steps})
    order_id = client.post(f"{API}/orders", data=_body("told", limit("0.01", "50000")))["success_response"]["order_id"]
    control(f"orders/{order_id}/advance", {"count": 1})
    assert client.get(f"{API}/orders/historical/{order_id}")["order"]["status"] == "OPEN"
    control("clock", {"advance_seconds": 3600})
    filled = httpx.get(f"{exchange.rest_url}/_control/ledger", trust_env=False).json()["orders"][0]
    assert filled["status"] == "FILLED"
    control("clock", {"skew_seconds": 0})
    control(f"orders/{order_id}/script", {"steps": [{"status": "CANCELLED"}]})
    assert client.get(f"{API}/orders/historical/{order_id}")["order"]["status"] == "CANCELLED"
    placed = control("orders", {"request": _body("app", market(base_size="0.01")), "source": "RETAIL_SIMPLE"})
    assert placed["success"] is True
    assert control("cancel", {"order_ids": ["nobody"]})["results"][0]["success"] is False
    assert control("behaviour", {"refuse_duplicates": True})["refuse_duplicates"] is True
    refused = client.post(f"{API}/orders", data=_body("told", limit("0.01", "50000")))
    assert refused["error_response"]["new_order_failure_reason"] == "DUPLICATE_CLIENT_ORDER_ID"
    assert Path(control("key", {"path": str(tmp_path / "other.json")})["key_file"]).is_file()
    answer = httpx.post(f"{exchange.rest_url}/_control/behaviour", json={"magic": 1}, trust_env=False)
    assert answer.status_code == 400


def test_stop_and_start_keep_port_state_and_key(exchange: SimulatorServer, client: RESTClient) -> None:
    url, key_file = exchange.rest_url, exchange.key_file
    client.post(f"{API}/orders", data=_body("one", limit("0.01", "50000")))
    exchange.stop()
    with pytest.raises(httpx.ConnectError):
        get(exchange, f"{API}/time")
    exchange.start()
    assert (exchange.rest_url, exchange.key_file) == (url, key_file)
    with sdk_client(exchange.rest_url, key_file) as again:
        assert [order["client_order_id"] for order in again.get(f"{API}/orders/historical/batch")["orders"]] == ["one"]


def test_a_market_buy_moves_the_accounts_exactly(exchange: SimulatorServer, client: RESTClient) -> None:
    order_id = client.post(f"{API}/orders", data=_body("one", market(quote_size="1000")))["success_response"][
        "order_id"
    ]
    order = eventually(
        lambda: (found := client.get(f"{API}/orders/historical/{order_id}")["order"])["status"] == "FILLED" and found
    )
    rows = {row["currency"]: row for row in client.get(f"{API}/accounts")["accounts"]}
    cost = Decimal(order["filled_value"]) + Decimal(order["total_fees"])
    assert Decimal(rows["USD"]["available_balance"]["value"]) == 250_000 - cost
    assert Decimal(rows["BTC"]["available_balance"]["value"]) == 5 + Decimal(order["filled_size"])
