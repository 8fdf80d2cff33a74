"""The simulator's answers have the fields and the types of recorded ones; skipped where no samples are at hand."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from ordersync_cli.simulator.server import SimulatorServer
from tests.support.patience import eventually
from tests.support.simulator_server import listening, token
from tests.support.simulator_world import API, limit, market, sdk_client

_BESIDE = Path(__file__).resolve().parents[2].parent / "shared" / "samples"
# Settings named ORDERSYNC_ are taken away before a test starts; those named ORDERSYNC_TEST_ stay.
SAMPLES = Path(os.environ.get("ORDERSYNC_TEST_SAMPLES") or os.environ.get("ORDERSYNC_SAMPLES") or _BESIDE)
pytestmark = pytest.mark.skipif(not SAMPLES.is_dir(), reason=f"no samples at {SAMPLES}")

# Fields whose object is a map of other people's names, not a record.
_MAPS = {"order_configuration", "subscriptions"}
# The two recordings of a trade time differ in their digits; both are printed here, one kind an order.
_TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$")
_NUMBER = re.compile(r"^-?\d+(\.\d+)?$")
_UUID = re.compile(r"^[0-9a-f-]{36}$")


def sample(name: str) -> Any:
    text = (SAMPLES / name).read_text(encoding="utf-8")
    if name.endswith("jsonl"):
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    return json.loads(text)


def kind(value: Any) -> str:
    """Name a JSON value's type, and what a string looks like."""
    if not isinstance(value, str):
        return type(value).__name__
    for name, shape in (("time", _TIME), ("number", _NUMBER), ("uuid", _UUID)):
        if shape.match(value):
            return f"{name} in a string"
    return "text" if value else "empty string"


def differences(recorded: Any, ours: Any, path: str = "") -> Iterator[str]:
    """Yield each field of the recording that ours lacks, or has with another type."""
    if isinstance(recorded, dict) and isinstance(ours, dict):
        if path.rpartition(".")[2] in _MAPS:
            return
        for name, value in recorded.items():
            if name not in ours:
                yield f"{path}.{name} is missing"
            else:
                yield from differences(value, ours[name], f"{path}.{name}")
    elif isinstance(recorded, list) and isinstance(ours, list):
        if recorded and ours:
            yield from differences(recorded[0], ours[0], f"{path}[0]")
        elif recorded:
            yield f"{path} is empty"
    elif kind(recorded) != kind(ours) and "empty string" not in (kind(recorded), kind(ours)):
        yield f"{path}: recorded {kind(recorded)} {recorded!r}, ours {kind(ours)} {ours!r}"


def test_the_comparison_sees_what_is_missing_or_of_another_type() -> None:
    recorded = {"a": "1.5", "b": [{"c": True}], "d": "2023-11-26T10:19:47.504Z", "e": 1}
    ours = {"a": 1.5, "b": [{"c": "true"}], "d": "26 November 2023"}
    assert [line.partition(":")[0].partition(" ")[0] for line in differences(recorded, ours)] == [
        ".a",
        ".b[0].c",
        ".d",
        ".e",
    ]


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[SimulatorServer]:
    with SimulatorServer(tmp_path / "exchange.db", seed=7, rate_limit=None) as server:
        yield server


@pytest.fixture
def ask(exchange: SimulatorServer) -> Iterator[Callable[..., Any]]:
    with sdk_client(exchange.rest_url, exchange.key_file) as client:

        def asked(path: str, body: Any = None, **query: Any) -> Any:
            return client.get(API + path, params=query) if body is None else client.post(API + path, data=body)

        yield asked


def order(configuration: Any, **request: Any) -> dict[str, Any]:
    body = {"client_order_id": "e5fe8482-05bb-428f-ad4d-dbc8ce39239c", "product_id": "BTC-USD", "side": "BUY"}
    return {**body, **request, "order_configuration": configuration}


def sold(ask: Callable[..., Any]) -> str:
    answer = ask("/orders", order(market(base_size="10"), side="SELL", product_id="ADA-USDT"))
    order_id = str(answer["success_response"]["order_id"])
    eventually(lambda: ask(f"/orders/historical/{order_id}")["order"]["status"] == "FILLED")
    return order_id


def test_list_orders(ask: Callable[..., Any]) -> None:
    sold(ask)
    recorded = sample("real/list_orders_filled_market_sell_2023.json")
    assert list(differences(recorded, ask("/orders/historical/batch", limit=1))) == []


def test_get_order(ask: Callable[..., Any]) -> None:
    order_id = ask("/orders", order(limit("0.2", "50000")))["success_response"]["order_id"]
    recorded = sample("real/get_order_open_limit_2023.json")
    recorded["order"]["user_id"] = "5a1e1b4c-0000-4000-8000-000000000000"  # masked in the recording
    assert list(differences(recorded, ask(f"/orders/historical/{order_id}"))) == []


@pytest.mark.parametrize("name", ["list_fills_spot_2023.json", "list_fills_perp_2024.json"])
def test_list_fills(ask: Callable[..., Any], name: str) -> None:
    order_id = sold(ask)
    ours = eventually(lambda: (found := ask("/orders/historical/fills", order_ids=[order_id]))["fills"] and found)
    recorded = {**sample(f"real/{name}"), "cursor": ours["cursor"]}
    assert list(differences(recorded, ours)) == []
    assert re.fullmatch(r"[0-9a-f]{64}", ours["fills"][0]["entry_id"])


def test_a_full_page_of_fills_has_a_cursor(ask: Callable[..., Any]) -> None:
    order_id = sold(ask)
    eventually(lambda: ask("/orders/historical/fills", order_ids=[order_id])["fills"])
    recorded = sample("real/list_fills_spot_2023.json")
    assert list(differences(recorded, ask("/orders/historical/fills", order_ids=[order_id], limit=1))) == []


@pytest.mark.parametrize(
    ("name", "configuration"),
    [
        ("real/create_order_success_2025_perp_market.json", market(base_size="0.001")),
        ("sandbox/create_order_success.json", limit("0.1", "50000.44")),
        ("docs/create_order_success.json", limit("0.1", "50000.44")),
    ],
)
def test_create_order(ask: Callable[..., Any], name: str, configuration: Any) -> None:
    recorded, ours = sample(name), ask("/orders", order(configuration))
    recorded["success_response"] |= {name: ours["success_response"][name] for name in ("client_order_id", "order_id")}
    assert list(differences(recorded, ours)) == []
    terms, our_terms = (next(iter(body["order_configuration"].values())) for body in (recorded, ours))
    assert list(differences(terms, our_terms)) == []


def test_refused_for_the_stop_price(ask: Callable[..., Any]) -> None:
    recorded = sample("real/create_order_failure_stop_price.json")
    ours = ask("/orders", order(limit("1", "1")) | {"order_configuration": _stop_above()})
    assert ours["error_response"] == recorded["error_response"]
    assert ours["success"] is False


def _stop_above() -> dict[str, Any]:
    terms = {"base_size": "0.01", "limit_price": "79000", "stop_price": "80000"}
    return {"stop_limit_stop_limit_gtc": {**terms, "stop_direction": "STOP_DIRECTION_STOP_DOWN"}}


def test_refused_for_the_configuration(ask: Callable[..., Any]) -> None:
    recorded = sample("docs/create_order_failure.json")
    ours = ask("/orders", order({"market_market_ioc": {}}))
    assert ours["error_response"] == recorded["error_response"]


def test_refused_for_lack_of_money(ask: Callable[..., Any]) -> None:
    recorded = sample("handmade/quantconnect_create_order_failure_insufficient_fund.json")
    ours = ask("/orders", order(market(quote_size="9000000")))
    assert ours["error_response"] == recorded["error_response"]


def test_cancel_orders(ask: Callable[..., Any]) -> None:
    order_id = ask("/orders", order(limit("0.2", "50000")))["success_response"]["order_id"]
    recorded, ours = (
        sample("real/cancel_orders_success_2023.json"),
        ask("/orders/batch_cancel", {"order_ids": [order_id]}),
    )
    assert list(differences(recorded, ours)) == []
    assert ours["results"][0]["failure_reason"] == recorded["results"][0]["failure_reason"]


def test_edit_with_errors_as_an_object(exchange: SimulatorServer, ask: Callable[..., Any]) -> None:
    exchange.control.switch(edit_errors_as_object=True)
    recorded = sample("docs/edit_order_response_object_errors.json")
    ours = ask("/orders/edit", {"order_id": "nobody", "price": "1", "size": "1"})
    assert list(differences(recorded, ours)) == []


def test_product(ask: Callable[..., Any]) -> None:
    recorded = sample("real/product_BTC-USD_2026-04.json")
    ours = ask("/products/BTC-USD")
    assert list(differences(recorded, ours)) == []
    assert set(ours) == set(recorded)
    fixed = ("base_increment", "quote_increment", "price_increment", "base_min_size", "base_max_size", "quote_min_size")
    assert {name: ours[name] for name in fixed} == {name: recorded[name] for name in fixed}


def test_transaction_summary(ask: Callable[..., Any]) -> None:
    recorded = sample("real/transaction_summary_intro1.json")
    ours = ask("/transaction_summary")
    assert list(differences(recorded, ours)) == []
    assert ours["fee_tier"] == recorded["fee_tier"]


def test_account(ask: Callable[..., Any]) -> None:
    recorded = sample("sandbox/account.json")
    ours = next(row for row in ask("/accounts")["accounts"] if row["currency"] == "USDC")
    assert list(differences(recorded, ours)) == []
    assert set(ours) == set(recorded)


def test_http_errors(exchange: SimulatorServer, ask: Callable[..., Any]) -> None:
    recorded = {(entry["status"], entry["request"].split(" ")[0]): entry for entry in sample("real/http_errors.json")}
    assert len(recorded) > 4
    bodies = [entry.get("body") for entry in sample("real/http_errors.json")]
    wrong_path = httpx.get(f"{exchange.rest_url}{API}/nowhere", trust_env=False)
    assert wrong_path.json() in bodies
    unsigned = httpx.get(f"{exchange.rest_url}{API}/accounts", trust_env=False)
    assert (unsigned.status_code, unsigned.text) == (401, "Unauthorized")
    assert unsigned.headers["content-type"].startswith("text/plain")


def heard(exchange: SimulatorServer, channel: str) -> list[dict[str, Any]]:
    with listening(exchange.ws_url) as listener:
        signed = token(exchange.key_file, time.time())
        listener.say({"type": "subscribe", "channel": channel, "jwt": signed})
        eventually(lambda: len(listener.messages) >= 2)
        return listener.messages[:2]


def test_heartbeats(exchange: SimulatorServer) -> None:
    recorded = sample("real/ws_heartbeats_ack_and_first_message_2024.jsonl")
    ours = heard(exchange, "heartbeats")
    assert list(differences(recorded[0], ours[0])) == []
    assert list(differences(recorded[1], ours[1])) == []
    assert [message["sequence_num"] for message in ours] == [message["sequence_num"] for message in recorded]
    assert ours[0]["events"] == recorded[0]["events"]
    shape = re.sub(r"\d+", "0", recorded[1]["events"][0]["current_time"])
    assert re.sub(r"\d+", "0", ours[1]["events"][0]["current_time"]) == shape


def test_ack_of_the_user_channel(exchange: SimulatorServer) -> None:
    recorded = sample("real/ws_subscriptions_ack_user_2024.json")
    ack = heard(exchange, "user")[1]
    assert list(differences(recorded, ack)) == []
    assert kind(ack["events"][0]["subscriptions"]["user"][0]) == kind(recorded["events"][0]["subscriptions"]["user"][0])
    assert ack["sequence_num"] == recorded["sequence_num"]


def test_user_snapshot(exchange: SimulatorServer, ask: Callable[..., Any]) -> None:
    ask("/orders", order(limit("0.2", "50000")))
    time.sleep(0.05)
    recorded = sample("docs/ws_user_snapshot.json")
    event = recorded["events"][0]
    event["positions"] = {name: [] for name in event["positions"]}
    portfolio = "5a1e1b4c-0000-4000-8000-000000000000"
    event["orders"][0] |= {"client_order_id": portfolio, "order_id": portfolio, "retail_portfolio_id": portfolio}
    ours = heard(exchange, "user")[0]
    assert list(differences(recorded, ours)) == []
    assert set(ours["events"][0]["orders"][0]) == set(event["orders"][0])
