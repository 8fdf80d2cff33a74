"""Listings of orders and fills: filters, pages, cursors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ordersync_cli.simulator.listings import BadArgument
from tests.support.simulator_world import World, limit, market, world


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path / "exchange.db") as made:
        yield made


def batch(exchange: World, **query: Any) -> dict[str, Any]:
    return dict(exchange.get("/orders/historical/batch", **query))


def ids(answer: dict[str, Any]) -> list[str]:
    return [row["order_id"] for row in answer["orders"]]


def test_T27_pages_of_orders_hold_each_order_once_newest_first(exchange: World) -> None:
    placed = [exchange.accepted(limit("0.001", "50000")) for _ in range(7)]
    seen: list[str] = []
    cursor = ""
    pages = 0
    while True:
        answer = batch(exchange, limit=3, cursor=cursor)
        seen += ids(answer)
        pages += 1
        assert answer["sequence"] == "0"
        if not answer["has_next"]:
            assert answer["cursor"] == ""
            break
        cursor = answer["cursor"]
        assert cursor.isdigit()
    assert (pages, seen) == (3, placed[::-1])


def test_T27_new_orders_between_pages_do_not_shift_them(exchange: World) -> None:
    placed = [exchange.accepted(limit("0.001", "50000")) for _ in range(4)]
    first = batch(exchange, limit=2)
    exchange.accepted(limit("0.001", "50000"))
    second = batch(exchange, limit=2, cursor=first["cursor"])
    assert ids(first) + ids(second) == placed[::-1]


def test_T27_fills_have_no_has_next_and_end_with_an_empty_cursor(exchange: World) -> None:
    order_ids = [exchange.accepted(market(base_size="0.001")) for _ in range(6)]
    exchange.wait(10)
    total = sum(int(exchange.order(order_id)["number_of_fills"]) for order_id in order_ids)
    seen: list[str] = []
    cursor = ""
    while True:
        answer = exchange.get("/orders/historical/fills", limit=2, cursor=cursor)
        assert set(answer) == {"fills", "cursor"}
        seen += [fill["entry_id"] for fill in answer["fills"]]
        assert bool(answer["cursor"]) == (len(answer["fills"]) == 2)
        if not answer["cursor"]:
            break
        cursor = answer["cursor"]
    assert (len(seen), len(set(seen))) == (total, total)


def test_T09_the_open_filter_hides_pending_orders(exchange: World) -> None:
    order_id = exchange.accepted(limit("0.001", "50000"))
    assert ids(batch(exchange, order_status="OPEN")) == []
    assert ids(batch(exchange)) == [order_id]
    exchange.wait(1)
    assert ids(batch(exchange, order_status="OPEN")) == [order_id]


def test_order_ids_are_repeated_keys(exchange: World) -> None:
    placed = [exchange.accepted(limit("0.001", "50000")) for _ in range(4)]
    assert set(ids(batch(exchange, order_ids=[placed[0], placed[2], "unknown"]))) == {placed[0], placed[2]}


def test_T27_a_singular_product_id_is_ignored_and_the_plural_is_not(exchange: World) -> None:
    one = exchange.accepted(limit("0.001", "50000"))
    two = exchange.accepted(limit("0.01", "2000"), product_id="ETH-USD")
    assert set(ids(batch(exchange, product_id="ETH-USD"))) == {one, two}
    assert ids(batch(exchange, product_ids="ETH-USD")) == [two]


def test_start_is_inclusive_and_end_exclusive_on_the_time_of_creation(exchange: World) -> None:
    placed = []
    for _ in range(3):
        placed.append(exchange.accepted(limit("0.001", "50000")))
        exchange.wait(10)
    times = [exchange.order(order_id)["created_time"] for order_id in placed]
    assert ids(batch(exchange, start_date=times[1])) == [placed[2], placed[1]]
    assert ids(batch(exchange, end_date=times[1])) == [placed[0]]
    assert ids(batch(exchange, start_date=times[0], end_date=times[2])) == [placed[1], placed[0]]


def test_fills_are_filtered_by_the_time_they_were_booked(exchange: World) -> None:
    order_id = exchange.accepted(market(base_size="0.001"))
    exchange.wait(10)
    booked = exchange.fills(order_id)[-1]["sequence_timestamp"]
    query = {"order_ids": order_id, "start_sequence_timestamp": booked}
    assert exchange.get("/orders/historical/fills", **query)["fills"]
    query = {"order_ids": order_id, "end_sequence_timestamp": booked}
    assert exchange.get("/orders/historical/fills", **query)["fills"] == []


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"order_side": "SELL"}, 1),
        ({"order_types": "MARKET"}, 1),
        ({"order_types": ["MARKET", "LIMIT"]}, 2),
        ({"time_in_forces": "GOOD_UNTIL_CANCELLED"}, 1),
        ({"product_type": "FUTURE"}, 0),
        ({"product_type": "SPOT"}, 2),
        ({"order_status": ["FILLED", "CANCELLED"]}, 1),
        ({"sort_by": "LAST_FILL_TIME"}, 2),
        ({"asset_filters": "BTC"}, 2),
        ({"asset_filters": ["ETH", "EUR"]}, 0),
    ],
)
def test_each_filter_is_honoured(exchange: World, query: dict[str, Any], expected: int) -> None:
    exchange.accepted(limit("0.001", "50000"))
    exchange.accepted(market(base_size="0.001"), side="SELL")
    exchange.wait(1)
    assert len(ids(batch(exchange, **query))) == expected


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ({"order_side": "SELL"}, True),
        ({"order_side": "BUY"}, False),
        ({"order_types": ["MARKET"]}, True),
        ({"order_types": ["LIMIT", "STOP_LIMIT"]}, False),
        ({"product_types": "SPOT"}, True),
        ({"product_types": "FUTURE"}, False),
        ({"asset_filters": "USD"}, True),
        ({"asset_filters": "ETH"}, False),
    ],
)
def test_each_filter_of_fills_is_honoured(exchange: World, query: dict[str, Any], shown: bool) -> None:
    exchange.accepted(market(base_size="0.001"), side="SELL")
    exchange.wait(10)
    assert bool(exchange.get("/orders/historical/fills", **query)["fills"]) is shown


@pytest.mark.parametrize(
    "query",
    [{"limit": "many"}, {"limit": "9" * 20}, {"start_date": "yesterday"}, {"cursor": "abc"}, {"cursor": "9" * 20}],
)
def test_a_parameter_that_cannot_be_read_is_an_error(exchange: World, query: dict[str, str]) -> None:
    with pytest.raises(BadArgument):
        batch(exchange, **query)


def test_accounts_come_in_pages(exchange: World) -> None:
    first = exchange.get("/accounts", limit=5)
    assert (len(first["accounts"]), first["has_next"], first["size"]) == (5, True, 5)
    rest = exchange.get("/accounts", limit=250, cursor=first["cursor"])
    assert (rest["has_next"], rest["cursor"]) == (False, "")
    names = [row["currency"] for row in first["accounts"] + rest["accounts"]]
    assert len(set(names)) == len(names)
    one = rest["accounts"][0]
    assert exchange.get(f"/accounts/{one['uuid']}")["account"] == one


def test_a_hold_is_seen_on_the_account(exchange: World) -> None:
    exchange.accepted(limit("0.01", "50000"))
    row = next(row for row in exchange.get("/accounts")["accounts"] if row["currency"] == "USD")
    assert (row["available_balance"]["value"], row["hold"]["value"]) == ("249494", "506")
