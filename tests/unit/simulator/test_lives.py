"""How orders live in the simulated exchange: by state, seed and time alone."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.support.simulator_world import World, limit, market, world


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path / "exchange.db") as made:
        yield made


def ask(exchange: World, product_id: str = "BTC-USD") -> Decimal:
    return Decimal(exchange.get("/product_book", product_id=product_id)["pricebook"]["asks"][0]["price"])


def bid(exchange: World, product_id: str = "BTC-USD") -> Decimal:
    return Decimal(exchange.get("/product_book", product_id=product_id)["pricebook"]["bids"][0]["price"])


def statuses(exchange: World, order_id: str) -> list[str]:
    row = next(row for row in exchange.ledger()["orders"] if row["order_id"] == order_id)
    seen: list[str] = []
    for event in row["events"]:
        if not seen or seen[-1] != event["status"]:
            seen.append(event["status"])
    return seen


def test_market_order_is_pending_then_open_then_filled_within_half_a_second(exchange: World) -> None:
    order_id = exchange.accepted(market(base_size="0.01"))
    assert exchange.order(order_id)["status"] == "PENDING"
    exchange.wait("0.5")
    order = exchange.order(order_id)
    assert order["status"] == "FILLED"
    assert order["filled_size"] == "0.01"
    assert order["settled"] is True
    assert statuses(exchange, order_id) == ["PENDING", "OPEN", "FILLED"]


def test_an_order_moves_while_nobody_looks(exchange: World) -> None:
    order_id = exchange.accepted(market(base_size="0.01"))
    exchange.wait(3600)
    order = exchange.order(order_id)
    assert order["status"] == "FILLED"
    assert order["last_fill_time"] < "2027-01-15T08:00:01"


def test_T02_quote_sized_market_buy_ends_filled_with_internal_error_and_money_left_over(exchange: World) -> None:
    left = []
    for _ in range(12):
        order_id = exchange.accepted(market(quote_size="25"))
        exchange.wait(1)
        order = exchange.order(order_id)
        assert order["status"] == "FILLED"
        assert order["cancel_message"] == "Internal error"
        assert order["size_in_quote"] is True
        assert order["size_inclusive_of_fees"] is True
        assert order["outstanding_hold_amount"] == "0"
        left.append(Decimal(25) - Decimal(order["total_value_after_fees"]))
    assert all(rest >= 0 for rest in left)
    assert any(rest > Decimal("0.0000001") for rest in left)


def test_T05_fills_of_a_quote_sized_buy_give_their_size_in_quote(exchange: World) -> None:
    order_id = exchange.accepted(market(quote_size="25"))
    exchange.wait(5)
    order, fills = exchange.order(order_id), exchange.fills(order_id)
    assert all(fill["size_in_quote"] is True for fill in fills)
    assert sum(Decimal(fill["size"]) for fill in fills) == Decimal(order["filled_value"])
    base = sum(Decimal(fill["size"]) / Decimal(fill["price"]) for fill in fills)
    assert abs(base - Decimal(order["filled_size"])) < Decimal("1e-20")


def test_quote_sized_sell_raises_about_that_much_money(exchange: World) -> None:
    order_id = exchange.accepted(market(quote_size="100"), side="SELL")
    exchange.wait(1)
    order = exchange.order(order_id)
    assert order["status"] == "FILLED"
    assert Decimal("99.9") < Decimal(order["filled_value"]) <= 100
    assert order["size_inclusive_of_fees"] is False


def test_T02_market_order_beyond_the_depth_is_cancelled_after_a_partial_fill(exchange: World) -> None:
    order_id = exchange.accepted(market(base_size="4.5"), side="SELL")
    exchange.wait(1)
    order = exchange.order(order_id)
    assert order["status"] == "CANCELLED"
    assert 0 < Decimal(order["filled_size"]) < Decimal("4.5")
    assert order["settled"] is False


def test_limit_far_from_the_market_rests_for_ever(exchange: World) -> None:
    order_id = exchange.accepted(limit("0.01", "50000"))
    exchange.wait(86_400 * 30)
    order = exchange.order(order_id)
    assert order["status"] == "OPEN"
    assert order["filled_size"] == "0"
    assert order["last_fill_time"] is None
    assert order["outstanding_hold_amount"] == "506"


def test_limit_near_the_market_is_filled_as_maker_at_its_price_when_the_market_comes_there(exchange: World) -> None:
    price = (ask(exchange) * Decimal("0.9995")).quantize(Decimal("0.01"))
    order_id = exchange.accepted(limit("0.02", str(price)))
    exchange.wait("0.5")
    assert exchange.order(order_id)["status"] == "OPEN"
    exchange.wait(86_400)
    order = exchange.order(order_id)
    assert order["status"] == "FILLED"
    assert order["average_filled_price"] == str(price).rstrip("0").rstrip(".")
    assert {fill["liquidity_indicator"] for fill in exchange.fills(order_id)} == {"MAKER"}
    assert Decimal(order["total_fees"]) == Decimal(order["filled_value"]) * Decimal("0.006")


def test_marketable_limit_pays_the_taker_fee_and_never_more_than_its_price(exchange: World) -> None:
    price = ask(exchange) + 1
    order_id = exchange.accepted(limit("0.02", str(price)))
    exchange.wait(2)
    order = exchange.order(order_id)
    assert order["status"] == "FILLED"
    assert Decimal(order["average_filled_price"]) <= price
    assert Decimal(order["total_fees"]) == Decimal(order["filled_value"]) * Decimal("0.012")


@pytest.mark.parametrize("name", ["sor_limit_ioc", "limit_limit_fok"])
def test_immediate_order_that_meets_nobody_is_cancelled_without_fills(exchange: World, name: str) -> None:
    order_id = exchange.accepted({name: {"base_size": "0.01", "limit_price": "60000"}})
    exchange.wait(1)
    order = exchange.order(order_id)
    assert (order["status"], order["filled_size"], order["number_of_fills"]) == ("CANCELLED", "0", "0")
    assert order["average_filled_price"] == "0"


def test_ioc_beyond_the_depth_keeps_its_partial_fill(exchange: World) -> None:
    price = str(bid(exchange) - 5)
    order_id = exchange.accepted({"sor_limit_ioc": {"base_size": "4.9", "limit_price": price}}, side="SELL")
    exchange.wait(1)
    order = exchange.order(order_id)
    assert order["status"] == "CANCELLED"
    assert 0 < Decimal(order["filled_size"]) < Decimal("4.9")


def test_fok_beyond_the_depth_is_cancelled_without_fills(exchange: World) -> None:
    price = str(bid(exchange) - 5)
    order_id = exchange.accepted({"limit_limit_fok": {"base_size": "4.9", "limit_price": price}}, side="SELL")
    exchange.wait(1)
    assert exchange.order(order_id)["filled_size"] == "0"


def test_gtd_expires_at_its_end_time_and_gives_the_money_back(exchange: World) -> None:
    terms = {"base_size": "0.01", "limit_price": "50000", "end_time": "2027-01-15T08:05:00Z"}
    order_id = exchange.accepted({"limit_limit_gtd": terms})
    exchange.wait(299)
    assert exchange.order(order_id)["status"] == "OPEN"
    exchange.wait(2)
    order = exchange.order(order_id)
    assert (order["status"], order["time_in_force"]) == ("EXPIRED", "GOOD_UNTIL_DATE_TIME")
    assert exchange.ledger()["balances"]["USD"]["held"] == "0"


def test_stop_limit_waits_then_triggers_and_trades(exchange: World) -> None:
    stop = (ask(exchange) * Decimal("1.0006")).quantize(Decimal("0.01"))
    terms = {"base_size": "0.01", "limit_price": str(stop + 200), "stop_price": str(stop)}
    order_id = exchange.accepted({"stop_limit_stop_limit_gtc": {**terms, "stop_direction": "STOP_DIRECTION_STOP_UP"}})
    exchange.wait(1)
    order = exchange.order(order_id)
    assert (order["status"], order["trigger_status"], order["order_type"]) == ("OPEN", "STOP_PENDING", "STOP_LIMIT")
    exchange.wait(86_400)
    order = exchange.order(order_id)
    assert (order["status"], order["trigger_status"]) == ("FILLED", "STOP_TRIGGERED")


def test_T31_an_accepted_cancel_reads_open_for_a_while(exchange: World) -> None:
    order_id = exchange.accepted(limit("0.01", "50000"))
    exchange.wait(1)
    assert exchange.cancel(order_id)[0]["success"] is True
    order = exchange.order(order_id)
    assert (order["status"], order["pending_cancel"]) == ("OPEN", True)
    exchange.wait(1)
    order = exchange.order(order_id)
    assert (order["status"], order["cancel_message"]) == ("CANCELLED", "User requested cancel")
    assert statuses(exchange, order_id) == ["PENDING", "OPEN", "CANCEL_QUEUED", "CANCELLED"]


def test_T31_a_cancel_that_comes_too_late_loses_to_the_fill(exchange: World) -> None:
    order_id = exchange.accepted(market(base_size="0.01"))
    exchange.wait("0.13")
    exchange.cancel(order_id)
    exchange.wait(1)
    order = exchange.order(order_id)
    assert order["status"] in ("FILLED", "CANCELLED")
    if order["status"] == "FILLED":
        assert order["filled_size"] == "0.01"


def test_cancel_says_why_it_is_refused(exchange: World) -> None:
    filled = exchange.accepted(market(base_size="0.01"))
    resting = exchange.accepted(limit("0.01", "50000"))
    exchange.wait(1)
    reasons = [result["failure_reason"] for result in exchange.cancel(filled, "no-such-order", resting, resting)]
    assert reasons == [
        "ORDER_IS_FULLY_FILLED",
        "UNKNOWN_CANCEL_ORDER",
        "UNKNOWN_CANCEL_FAILURE_REASON",
        "DUPLICATE_CANCEL_REQUEST",
    ]
    exchange.wait(1)
    assert exchange.cancel(resting)[0]["failure_reason"] == "UNKNOWN_CANCEL_ORDER"


def test_T12_edit_keeps_the_id_and_is_in_force_a_little_later(exchange: World) -> None:
    order_id = exchange.accepted(limit("0.01", "50000"))
    exchange.wait(1)
    assert exchange.edit(order_id, "51000", "0.02") == ""
    assert exchange.order(order_id)["status"] == "EDIT_QUEUED"
    exchange.wait(1)
    order = exchange.order(order_id)
    assert order["status"] == "OPEN"
    terms = order["order_configuration"]["limit_limit_gtc"]
    assert (terms["base_size"], terms["limit_price"]) == ("0.02", "51000")
    assert [(entry["price"], entry["size"]) for entry in order["edit_history"]] == [("51000", "0.02")]
    assert order["outstanding_hold_amount"] == "1032.24"


def test_T12_edit_history_holds_at_most_five(exchange: World) -> None:
    order_id = exchange.accepted(limit("0.01", "50000"))
    for n in range(7):
        exchange.wait(1)
        assert exchange.edit(order_id, str(50_001 + n), "0.01") == ""
    exchange.wait(1)
    assert [entry["price"] for entry in exchange.order(order_id)["edit_history"]] == [str(50_003 + n) for n in range(5)]


@pytest.mark.parametrize(
    ("price", "size", "reason"),
    [
        ("51000", None, "INVALID_EDITED_SIZE"),
        ("51000", "0.000000001", "INVALID_EDITED_SIZE"),
        ("51000.001", "0.01", "INVALID_EDITED_PRICE"),
        ("51000", "100", "INSUFFICIENT_FUND"),
        (None, "0.02", "INVALID_EDITED_PRICE"),
        ("50000", "0.01", "INVALID_ORIGINAL_ORDER_SAME_AS_EDITED"),
    ],
)
def test_edit_is_refused_with_the_exchanges_reason(
    exchange: World, price: str | None, size: str | None, reason: str
) -> None:
    order_id = exchange.accepted(limit("0.01", "50000"))
    exchange.wait(1)
    assert exchange.edit(order_id, price, size) == reason
    assert exchange.edit("no-such-order", "1", "1") == "ORDER_NOT_FOUND"


def test_T03_fills_are_listed_later_than_the_order_shows_them(exchange: World) -> None:
    lagged = 0
    for _ in range(10):
        order_id = exchange.accepted(market(base_size="0.001"))
        for _ in range(60):
            exchange.wait("0.01")
            order = exchange.order(order_id)
            if int(order["number_of_fills"]) > len(exchange.fills(order_id)):
                lagged += 1
                break
        exchange.wait(5)
        assert len(exchange.fills(order_id)) == int(exchange.order(order_id)["number_of_fills"])
    assert lagged > 0


def test_T32_average_prices_stand_off_the_tick_with_many_digits(exchange: World) -> None:
    averages = []
    for _ in range(15):
        order_id = exchange.accepted(market(quote_size="333.33"))
        exchange.wait(1)
        averages.append(exchange.order(order_id)["average_filled_price"])
    assert any(len(average.partition(".")[2]) > 8 for average in averages)


def test_same_seed_and_same_requests_give_the_same_market(tmp_path: Path) -> None:
    def story(name: str, seed: int) -> list[object]:
        with world(tmp_path / name, seed) as made:
            made.accepted(market(quote_size="25"))
            made.wait("0.07")
            made.accepted(limit("0.01", str(ask(made) - 5)))
            made.wait("0.2")
            made.accepted(market(base_size="0.5"), side="SELL", product_id="ETH-USD")
            made.wait(900)
            return [(row, row["fills"], row["events"]) for row in made.ledger()["orders"]]

    assert story("a.db", 3) == story("b.db", 3)
    assert story("c.db", 3) != story("d.db", 4)


def test_looking_often_or_never_makes_no_difference(tmp_path: Path) -> None:
    def story(name: str, looks: int) -> list[object]:
        with world(tmp_path / name) as made:
            ids = [made.accepted(market(quote_size="25")), made.accepted(limit("0.01", str(ask(made) - 30)))]
            for _ in range(looks):
                made.wait(Decimal(600) / looks)
                for order_id in ids:
                    made.order(order_id)
            return [
                (row["status"], row["filled_value"], row["last_fill_at"], row["fills"])
                for row in made.ledger()["orders"]
            ]

    assert story("often.db", 300) == story("once.db", 1)
