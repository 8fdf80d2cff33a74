"""Every message that others recorded, or that the venue prints, is read."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ordersync_cli.domain.observations import AnswerKind
from ordersync_cli.domain.orders import OrderRequest, OrderType, Side, StopDirection, TimeInForce
from ordersync_cli.errors import SettingsError
from ordersync_cli.services.ports.messages import FrameSeen, HeartbeatSeen, MessageUnreadable
from ordersync_cli.venue import wire_account, wire_answers
from ordersync_cli.venue.credentials import KeyFile
from ordersync_cli.venue.feed_reader import FeedReader, Receipt
from ordersync_cli.venue.http_errors import Refused, error_of
from ordersync_cli.venue.placing import outcome_of
from ordersync_cli.venue.transport import Reply
from ordersync_cli.venue.wire_fills import fill
from ordersync_cli.venue.wire_orders import Stamp, rest_order
from ordersync_cli.venue.wire_pages import page
from ordersync_cli.venue.wire_requests import create_body, preview_body
from ordersync_cli.venue.wire_values import parse_json

_BESIDE = Path(__file__).resolve().parents[4] / "shared" / "samples"
SAMPLES = Path(os.environ.get("ORDERSYNC_TEST_SAMPLES") or os.environ.get("ORDERSYNC_SAMPLES") or _BESIDE)
pytestmark = pytest.mark.skipif(not SAMPLES.is_dir(), reason=f"no samples at {SAMPLES}")
AT = Stamp(datetime(2026, 3, 1, 12, tzinfo=UTC))


def sample(name: str) -> Any:
    return parse_json((SAMPLES / name).read_text(encoding="utf-8"))


def orders(name: str) -> Any:
    return page(sample(name), "orders", name, lambda row: rest_order(row, AT), None)


def test_orders_of_rest() -> None:
    filled = orders("real/list_orders_filled_market_sell_2023.json")
    assert not filled.quarantined
    assert filled.next_cursor == "748478308"
    (sold,) = filled.read
    assert (sold.word, sold.order_type, sold.base_size, sold.reason) == ("FILLED", OrderType.MARKET, Decimal(10), None)
    assert sold.figures.total_fees == Decimal("0.03136")
    resting = rest_order(sample("real/get_order_open_limit_2023.json")["order"], AT)
    assert (resting.word, resting.limit_price, resting.last_fill_time) == ("OPEN", Decimal("0.006"), None)
    two = orders("handmade/nautilus_http_orders_list.json")
    assert (len(two.read), two.quarantined, two.next_cursor) == (2, (), None)
    assert two.read[1].quote_size == Decimal(100)
    assert rest_order(sample("handmade/nautilus_http_order.json")["order"], AT).figures is not None


@pytest.mark.parametrize(
    "name", ["real/list_fills_spot_2023.json", "real/list_fills_perp_2024.json", "handmade/nautilus_http_fills.json"]
)
def test_fills(name: str) -> None:
    found = page(sample(name), "fills", name, fill, None)
    assert found.read
    assert not found.quarantined


def test_the_recorded_order_and_its_fill_agree() -> None:
    (sold,) = orders("real/list_orders_filled_market_sell_2023.json").read
    (only,) = page(sample("real/list_fills_spot_2023.json"), "fills", "x", fill, None).read
    assert only.order_id == sold.order_id
    assert only.size == sold.figures.filled_size
    assert only.commission == sold.figures.total_fees
    assert only.trade_time == sold.last_fill_time


ACCEPTED, REJECTED = AnswerKind.ACCEPTED, AnswerKind.REJECTED


@pytest.mark.parametrize(
    ("name", "kind", "told"),
    [
        ("real/create_order_success_2025_perp_market.json", ACCEPTED, "5abcda4c-55de-4f6d-837e-7a7799bc5d52"),
        ("real/create_order_success_2023_legacy_shape.json", ACCEPTED, "52cfe5e2-0b29-4c19-a245-a6a773de5030"),
        ("sandbox/create_order_success.json", ACCEPTED, "f898eaf4-6ffc-47be-a159-7ff292e5cdcf"),
        ("docs/create_order_success.json", ACCEPTED, "11111-00000-000000"),
        ("real/create_order_failure_stop_price.json", REJECTED, "PREVIEW_STOP_PRICE_ABOVE_LAST_TRADE_PRICE"),
        ("real/create_order_failure_2023_legacy_shape.json", REJECTED, "UNSUPPORTED_ORDER_CONFIGURATION"),
        ("docs/create_order_failure.json", REJECTED, "UNSUPPORTED_ORDER_CONFIGURATION"),
        ("handmade/quantconnect_create_order_failure_insufficient_fund.json", REJECTED, "PREVIEW_INSUFFICIENT_FUND"),
    ],
)
def test_answers_to_an_order(name: str, kind: AnswerKind, told: str) -> None:
    outcome = wire_answers.created(sample(name))
    assert outcome.kind is kind
    assert told in (outcome.order_id, outcome.reason)


def test_answers_to_a_cancel() -> None:
    for name in ("real/cancel_orders_success_2023.json", "docs/cancel_orders_response.json"):
        assert all(one.accepted and one.reason is None for one in wire_answers.cancel_answers(sample(name)))


def test_products_accounts_and_the_rest_of_the_account() -> None:
    product = wire_account.product(sample("real/product_BTC-USD_2026-04.json"))
    assert (product.base_increment, product.quote_min_size) == (Decimal("0.00000001"), Decimal(1))
    assert (product.aliases, product.trading_disabled) == (("BTC-USDC",), False)
    listed = [wire_account.product(one) for one in sample("handmade/nautilus_http_products.json")["products"]]
    assert listed[1].aliases == ("BTC-USD",)
    assert wire_account.balance(sample("sandbox/account.json")).available == Decimal(100)
    held = page(sample("handmade/nautilus_http_accounts.json"), "accounts", "x", wire_account.balance, None)
    assert [one.hold for one in held.read] == [Decimal("0.00500000"), Decimal("450.00")]


def test_http_errors() -> None:
    for case in sample("real/http_errors.json"):
        body = case["body_text"] if "body_text" in case else json.dumps(case["body"])
        reply = Reply(case["status"], {}, body.encode())
        error = error_of(reply, case["request"])
        assert error is not None
        expected = {401: 4, 403: 4, 429: 6, 502: 6, 503: 6}.get(case["status"], 5)
        assert error.exit_code == expected, case
        if isinstance(error, Refused):
            assert error.says_no_such_order == ("with this orderID" in body)
        outcome = outcome_of(reply)
        unknown = case["status"] in (429, 502, 503)
        assert (outcome.kind is AnswerKind.UNKNOWN) == unknown


FEED = [
    "real/ws_heartbeats_ack_and_first_message_2024.jsonl",
    "real/ws_market_trades_ack_and_update_2024.jsonl",
    "real/ws_subscriptions_ack_user_2024.json",
    "real/ws_subscriptions_after_unsubscribe_2025.json",
    "docs/ws_user_snapshot.json",
    "docs/ws_heartbeats.json",
    "docs/ws_error.json",
    "handmade/nautilus_ws_user.json",
    "handmade/nautilus_ws_heartbeats.json",
    "handmade/nautilus_ws_subscriptions.json",
]


@pytest.mark.parametrize("name", FEED)
def test_messages_of_the_feed(name: str) -> None:
    text = (SAMPLES / name).read_text(encoding="utf-8")
    raws = text.splitlines() if name.endswith(".jsonl") else [text]
    reader = FeedReader()
    reads = [reader.read(raw, Receipt(AT.as_of, 1.0)) for raw in raws]
    messages = [message for read in reads for message in read.messages]
    assert not [message for message in messages if isinstance(message, MessageUnreadable)]
    if "heartbeats" in name:
        assert [message for message in messages if isinstance(message, HeartbeatSeen)]
    if "user" in name and "subscriptions" not in name:
        (frame,) = [message for message in messages if isinstance(message, FrameSeen)]
        assert frame.snapshot
        assert len(frame.observations) == 1
    if "error" in name:
        assert reads[0].complaint is not None


def test_every_sample_file_is_named_here() -> None:
    here = Path(__file__).read_text(encoding="utf-8")
    requests = {"docs/ws_subscribe_heartbeats_request.json", "docs/ws_subscribe_user_request.json"}
    beside = {"docs/edit_order_response_object_errors.json", "real/transaction_summary_intro1.json"}  # no call of ours
    files = {str(path.relative_to(SAMPLES)) for path in SAMPLES.rglob("*.json*")}
    assert not [name for name in files - requests - beside if name not in here]
    for name in requests | beside:
        assert isinstance(sample(name), dict)


def test_key_files_of_both_shapes_are_recognised_and_their_placeholders_refused(tmp_path: Path) -> None:
    for name in ("docs/key_file_legacy_ecdsa_shape.json", "docs/key_file_new_ed25519_shape.json"):
        path = tmp_path / "key.json"
        path.write_bytes((SAMPLES / name).read_bytes())
        path.chmod(0o600)
        with pytest.raises(SettingsError, match="private key"):
            KeyFile(path).load()


TIF = {
    "limit_limit_gtc": TimeInForce.GTC,
    "sor_limit_ioc": TimeInForce.IOC,
    "stop_limit_stop_limit_gtc": TimeInForce.GTC,
}
DIRECTIONS = {"STOP_DIRECTION_STOP_UP": StopDirection.UP, "STOP_DIRECTION_STOP_DOWN": StopDirection.DOWN}


def test_our_bodies_are_the_ones_another_client_sends() -> None:
    compared = 0
    for case in [*sample("ccxt_request_fixture_order_cases.json"), {"body": sample("docs/create_order_request.json")}]:
        body = case.get("body", {})
        if "order_configuration" not in body:
            continue
        ((key, told),) = body["order_configuration"].items()
        kind = (
            OrderType.MARKET if key.startswith("market") else OrderType.STOP_LIMIT if "stop" in key else OrderType.LIMIT
        )
        request = OrderRequest(
            product_id=body["product_id"],
            side=Side(body["side"]),
            order_type=kind,
            client_order_id=body.get("client_order_id"),
            time_in_force=TIF.get(key),
            base_size=Decimal(told["base_size"]) if "base_size" in told else None,
            quote_size=Decimal(told["quote_size"]) if "quote_size" in told else None,
            limit_price=Decimal(told["limit_price"]) if "limit_price" in told else None,
            stop_price=Decimal(told["stop_price"]) if "stop_price" in told else None,
            stop_direction=DIRECTIONS.get(told.get("stop_direction", "")),
            post_only=bool(told.get("post_only")),
        )
        assert (create_body(request) if "client_order_id" in body else preview_body(request)) == body
        compared += 1
    assert compared >= 14
