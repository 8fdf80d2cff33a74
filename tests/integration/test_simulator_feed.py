"""The simulator's WebSocket side: acks, snapshots, numbering, lives as frames, and everything that goes wrong."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from coinbase.websocket import WSUserClient
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from ordersync_cli.simulator.server import SimulatorServer
from tests.support.patience import eventually, in_time
from tests.support.simulator_server import Listener, listening, token
from tests.support.simulator_world import limit, market


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[SimulatorServer]:
    with SimulatorServer(tmp_path / "exchange.db", seed=7, rate_limit=None) as server:
        yield server


def subscribe(exchange: SimulatorServer, listener: Listener, channel: str, **more: Any) -> None:
    """Subscribe and wait for the ack, or for the end of the connection."""
    acks = len(listener.of("subscriptions"))
    signed = token(exchange.key_file, time.time())
    listener.say({"type": "subscribe", "channel": channel, "jwt": signed, **more})
    eventually(lambda: len(listener.of("subscriptions")) > acks or listener.closed is not None)


def place(exchange: SimulatorServer, client_order_id: str, configuration: dict[str, Any], **more: Any) -> str:
    body = {"client_order_id": client_order_id, "product_id": "BTC-USD", "side": "BUY", **more}
    answer = exchange.control.place_elsewhere({**body, "order_configuration": configuration})
    return str(answer["success_response"]["order_id"])


def test_the_sdks_user_client_works(exchange: SimulatorServer) -> None:
    messages: list[str] = []
    client = WSUserClient(
        key_file=str(exchange.key_file), base_url=exchange.ws_url, on_message=messages.append, retry=False
    )
    client.open()
    try:
        client.user([])
        client.heartbeats()
        eventually(lambda: any('"heartbeat_counter"' in message for message in messages))
        place(exchange, "one", market(quote_size="25"))
        eventually(lambda: any('"status":"FILLED"' in message for message in messages))
    finally:
        client.close()


def test_T21_snapshot_comes_first_then_the_ack_with_the_user_id(exchange: SimulatorServer) -> None:
    with listening(exchange.ws_url) as listener:
        subscribe(exchange, listener, "user")
        eventually(lambda: len(listener.messages) == 2)
        snapshot, ack = listener.messages
        assert (snapshot["channel"], snapshot["sequence_num"], snapshot["client_id"]) == ("user", 0, "")
        assert snapshot["events"][0]["type"] == "snapshot"
        assert snapshot["events"][0]["orders"] == []
        assert ack["sequence_num"] == 1
        assert ack["events"] == [{"subscriptions": {"user": [exchange.control.state.user_id]}}]


def test_heartbeats_count_with_numbers_and_gos_time(exchange: SimulatorServer) -> None:
    with listening(exchange.ws_url) as listener:
        subscribe(exchange, listener, "heartbeats")
        beats = eventually(lambda: len(found := listener.of("heartbeats")) >= 2 and found)
        assert listener.messages[0]["events"] == [{"subscriptions": {"heartbeats": ["heartbeats"]}}]
        first, second = (beat["events"][0] for beat in beats[:2])
        assert isinstance(first["heartbeat_counter"], int)
        assert second["heartbeat_counter"] == first["heartbeat_counter"] + 1
        assert " +0000 UTC m=+" in first["current_time"]


def test_one_counter_numbers_every_message_of_a_connection(exchange: SimulatorServer) -> None:
    with listening(exchange.ws_url) as listener:
        subscribe(exchange, listener, "heartbeats")
        subscribe(exchange, listener, "user")
        place(exchange, "one", market(quote_size="25"))
        eventually(lambda: any(order["status"] == "FILLED" for order in listener.orders()))
        assert [message["sequence_num"] for message in listener.messages] == list(range(len(listener.messages)))


def test_T07_a_life_is_told_in_cumulative_frames(exchange: SimulatorServer) -> None:
    with listening(exchange.ws_url) as listener:
        subscribe(exchange, listener, "user", product_ids=["BTC-USD"])
        place(exchange, "other", market(base_size="0.1"), product_id="ETH-USD")
        order_id = place(exchange, "one", market(quote_size="1000"))
        eventually(lambda: any(order["status"] == "FILLED" for order in listener.orders()))
        frames = listener.orders()
        assert {order["order_id"] for order in frames} == {order_id}
        words = [order["status"] for order in frames]
        assert words[:2] == ["PENDING", "OPEN"]
        sizes = [float(order["cumulative_quantity"]) for order in frames]
        assert sizes == sorted(sizes)
        last = frames[-1]
        assert (last["leaves_quantity"], last["cancel_reason"]) == ("0", "Internal error")
        assert (last["post_only"], last["order_type"], last["limit_price"]) == ("false", "Market", "0")
        assert all(isinstance(value, str) for value in last.values())


def test_T07_filled_is_repeated_up_to_three_times(exchange: SimulatorServer) -> None:
    with listening(exchange.ws_url) as listener:
        subscribe(exchange, listener, "user")
        ids = [place(exchange, f"order-{number}", market(base_size="0.001")) for number in range(8)]
        time.sleep(1.2)
        ended = [order["order_id"] for order in listener.orders() if order["status"] == "FILLED"]
        counts = {ended.count(order_id) for order_id in ids}
        assert counts <= {1, 2, 3}
        assert len(counts) > 1


@pytest.mark.parametrize(("orders", "batches"), [(49, [49]), (50, [50, 0]), (109, [50, 50, 9])])
def test_T21_snapshot_comes_in_batches_of_fifty(exchange: SimulatorServer, orders: int, batches: list[int]) -> None:
    ids = [place(exchange, f"order-{number}", limit("0.0001", "50000")) for number in range(orders)]
    place(exchange, "ended", market(quote_size="5"))
    exchange.control.advance_clock(10)
    with listening(exchange.ws_url) as listener:
        signed = token(exchange.key_file, time.time() + 10)
        listener.say({"type": "subscribe", "channel": "user", "jwt": signed})
        eventually(lambda: listener.of("subscriptions"))
        events = [message["events"][0] for message in listener.of("user")]
        assert [len(event["orders"]) for event in events] == batches
        assert [order["order_id"] for event in events for order in event["orders"]] == ids


def test_unsubscribe_ends_the_channel(exchange: SimulatorServer) -> None:
    with listening(exchange.ws_url) as listener:
        subscribe(exchange, listener, "user")
        signed = token(exchange.key_file, time.time())
        listener.say({"type": "unsubscribe", "channel": "user", "jwt": signed})
        acks = eventually(lambda: len(found := listener.of("subscriptions")) == 2 and found)
        assert acks[1]["events"] == [{"subscriptions": {}}]


@pytest.mark.parametrize("claims", [{"exp": 1}, {"uri": "GET 127.0.0.1/x"}, {"sub": "nobody"}])
def test_T26_subscribe_needs_a_good_token_without_uri(exchange: SimulatorServer, claims: dict[str, Any]) -> None:
    with listening(exchange.ws_url) as listener:
        signed = token(exchange.key_file, time.time(), **claims)
        listener.say({"type": "subscribe", "channel": "user", "jwt": signed})
        eventually(lambda: listener.messages)
        assert listener.messages == [{"type": "error", "message": "authentication failure"}]


def test_nonsense_is_answered_with_an_error(exchange: SimulatorServer) -> None:
    with listening(exchange.ws_url) as listener:
        listener.say({"type": "subscribe", "channel": "weather"})
        eventually(lambda: listener.messages)
        assert listener.messages[0]["type"] == "error"


@pytest.mark.slow
def test_who_does_not_subscribe_within_five_seconds_is_disconnected(exchange: SimulatorServer) -> None:
    started = time.monotonic()
    with listening(exchange.ws_url) as listener:
        eventually(lambda: listener.closed is not None, 8)
        assert time.monotonic() - started > 4.5
        in_time(started, 7, "the disconnect")


@pytest.mark.parametrize("code", [1000, 1001, 1008, 1011, 1013])
def test_T22_connections_close_with_the_code_of_the_plan(exchange: SimulatorServer, code: int) -> None:
    exchange.control.fault(target="ws", kind="close", channel="user", code=code, count=1)
    with listening(exchange.ws_url) as listener:
        subscribe(exchange, listener, "user")
        eventually(lambda: listener.closed is not None)
        assert listener.closed == code


def test_T22_a_connection_is_cut_without_a_word(exchange: SimulatorServer) -> None:
    with listening(exchange.ws_url) as listener:
        subscribe(exchange, listener, "user")
        exchange.close_feeds(1006)
        eventually(lambda: listener.closed is not None)
        assert listener.closed == 1006


def test_T22_the_handshake_is_refused(exchange: SimulatorServer) -> None:
    exchange.control.fault(target="ws", kind="refuse", status=503, count=1)
    with pytest.raises(InvalidStatus) as caught:
        connect(exchange.ws_url, open_timeout=5)
    assert caught.value.response.status_code == 503
    with listening(exchange.ws_url) as listener:
        subscribe(exchange, listener, "user")


def test_T23_a_lost_frame_leaves_a_gap_in_the_numbers(exchange: SimulatorServer) -> None:
    exchange.control.fault(target="ws", kind="drop", channel="user", skip=2, count=1)
    with listening(exchange.ws_url) as listener:
        subscribe(exchange, listener, "user")
        place(exchange, "one", market(quote_size="25"))
        eventually(lambda: any(order["status"] == "FILLED" for order in listener.orders()))
        numbers = [message["sequence_num"] for message in listener.messages]
        assert len(numbers) == max(numbers)
        assert numbers == sorted(numbers)


def test_T23_frames_come_twice_or_out_of_order(exchange: SimulatorServer) -> None:
    exchange.control.fault(target="ws", kind="duplicate", channel="user", skip=1, count=1)
    exchange.control.fault(target="ws", kind="reorder", channel="user", skip=2, count=1)
    with listening(exchange.ws_url) as listener:
        subscribe(exchange, listener, "user")
        place(exchange, "one", market(quote_size="25"))
        eventually(lambda: any(order["status"] == "FILLED" for order in listener.orders()))
        numbers = [message["sequence_num"] for message in listener.messages]
        assert numbers != sorted(numbers)
        assert len(set(numbers)) == len(numbers) - 1


def test_T23_a_frame_comes_late(exchange: SimulatorServer) -> None:
    exchange.control.fault(target="ws", kind="delay", channel="user", skip=1, count=1, seconds=0.6)
    with listening(exchange.ws_url) as listener:
        subscribe(exchange, listener, "user")
        place(exchange, "one", market(quote_size="25"))
        eventually(lambda: any(order["status"] == "PENDING" for order in listener.orders()))
        assert "FILLED" in [order["status"] for order in listener.orders()]


@pytest.mark.parametrize(
    ("kind", "beats", "frames"), [("silence", False, False), ("no_user", True, False), ("no_heartbeats", False, True)]
)
def test_T20_channels_fall_silent_with_the_socket_open(
    exchange: SimulatorServer, kind: str, beats: bool, frames: bool
) -> None:
    with listening(exchange.ws_url) as listener:
        subscribe(exchange, listener, "user")
        subscribe(exchange, listener, "heartbeats")
        eventually(lambda: listener.of("heartbeats"))
        exchange.control.fault(target="ws", kind=kind)
        before = len(listener.of("heartbeats"))
        place(exchange, "one", market(quote_size="25"))
        time.sleep(1.3)
        assert (len(listener.of("heartbeats")) > before) is beats
        assert bool(listener.orders()) is frames
        assert listener.closed is None


def test_error_messages_come_between_frames(exchange: SimulatorServer) -> None:
    exchange.control.fault(target="ws", kind="error", channel="user", message="failure to subscribe", count=1)
    with listening(exchange.ws_url) as listener:
        subscribe(exchange, listener, "user")
        eventually(lambda: {"type": "error", "message": "failure to subscribe"} in listener.messages)


def test_T24_frames_can_have_odd_fields(exchange: SimulatorServer) -> None:
    exchange.control.switch(client_id_in_frames=False, heartbeat_text=True)
    fields = {"total_fees": "", "order_type": "LIMIT_ORDER_TYPE", "filled_value": {"absent": True}}
    exchange.control.fault(target="ws", kind="odd_fields", fields=fields)
    with listening(exchange.ws_url) as listener:
        subscribe(exchange, listener, "user")
        subscribe(exchange, listener, "heartbeats")
        place(exchange, "one", market(quote_size="25"))
        frame = eventually(lambda: listener.orders() and listener.orders()[0])
        assert (frame["total_fees"], frame["order_type"]) == ("", "LIMIT_ORDER_TYPE")
        assert "filled_value" not in frame
        assert "client_id" not in listener.messages[0]
        beat = eventually(lambda: listener.of("heartbeats"))[0]
        assert isinstance(beat["events"][0]["heartbeat_counter"], str)


def test_T25_usdc_frames_can_come_under_usd(exchange: SimulatorServer) -> None:
    exchange.control.switch(usdc_frames_as_usd=True)
    with listening(exchange.ws_url) as listener:
        subscribe(exchange, listener, "user", product_ids=["BTC-USD"])
        place(exchange, "one", market(quote_size="25"), product_id="BTC-USDC")
        assert eventually(listener.orders)[0]["product_id"] == "BTC-USD"
