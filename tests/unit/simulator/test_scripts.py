"""Dictated fates: what a test writes down is what the exchange shows."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ordersync_cli.simulator.control import Control
from ordersync_cli.simulator.faults import Faults
from ordersync_cli.simulator.tally import Tally
from tests.support.simulator_world import World, limit, market, world


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path / "exchange.db") as made:
        yield made


@pytest.fixture
def control(exchange: World) -> Control:
    return Control(exchange.state, Faults(0), exchange.exchange.behaviour, Tally())


def test_a_script_replaces_the_life_of_the_order_it_names(exchange: World, control: Control) -> None:
    steps = [
        {"after_seconds": 0.1, "status": "OPEN"},
        {"after_seconds": 2, "filled_fraction": "0.4", "price": "50000"},
        {"after_seconds": 3, "status": "CANCELLED", "cancel_message": "by the desk"},
    ]
    control.script(steps, client_order_id="told")
    other = exchange.accepted(market(base_size="0.01"), client_order_id="free")
    told = exchange.accepted(market(base_size="0.01"), client_order_id="told")
    exchange.wait(1)
    assert exchange.order(other)["status"] == "FILLED"
    assert exchange.order(told)["status"] == "OPEN"
    exchange.wait("1.5")
    order = exchange.order(told)
    assert (order["status"], order["filled_size"], order["average_filled_price"]) == ("OPEN", "0.004", "50000")
    exchange.wait(1)
    order = exchange.order(told)
    assert (order["status"], order["filled_size"], order["cancel_message"]) == ("CANCELLED", "0.004", "by the desk")
    assert order["outstanding_hold_amount"] == "0"


def test_a_script_meets_the_next_orders_of_a_product_and_no_more(exchange: World, control: Control) -> None:
    control.script([{"after_seconds": 0.1, "status": "FAILED"}], product_id="ETH-USD", count=2)
    ids = [exchange.accepted(market(base_size="0.01"), product_id="ETH-USD") for _ in range(3)]
    exchange.wait(1)
    assert [exchange.order(order_id)["status"] for order_id in ids] == ["FAILED", "FAILED", "FILLED"]


def test_T11_failed_after_acceptance_gives_its_reason_and_the_money_back(exchange: World, control: Control) -> None:
    control.script(
        [{"after_seconds": 0.2, "status": "FAILED", "reject_reason": "HOLD_FAILURE", "reject_message": "no hold"}]
    )
    order_id = exchange.accepted(limit("0.01", "50000"))
    exchange.wait(1)
    order = exchange.order(order_id)
    assert (order["status"], order["reject_reason"], order["reject_message"]) == ("FAILED", "HOLD_FAILURE", "no hold")
    assert exchange.ledger()["balances"]["USD"] == {
        "available": "250000",
        "held": "0",
        "opening": "250000",
        "change": "0",
    }


@pytest.mark.parametrize("word", ["UNKNOWN_ORDER_STATUS", "QUEUED", "PAUSED_BY_MOON"])
def test_T10_an_order_can_be_stuck_in_any_word(exchange: World, control: Control, word: str) -> None:
    control.script([{"after_seconds": 0, "status": word}])
    order_id = exchange.accepted(limit("0.01", "50000"))
    exchange.wait(3600)
    assert exchange.order(order_id)["status"] == word


def test_T03_T47_a_fill_after_the_end_amends_the_figures(exchange: World, control: Control) -> None:
    control.script(
        [
            {"after_seconds": 1, "status": "CANCELLED"},
            {"after_seconds": 5, "filled_size": "0.004", "price": "50000", "entry_id": "e" * 64},
        ]
    )
    order_id = exchange.accepted(limit("0.01", "50000"))
    exchange.wait(2)
    assert exchange.order(order_id)["filled_size"] == "0"
    exchange.wait(10)
    order = exchange.order(order_id)
    assert (order["status"], order["filled_size"], order["number_of_fills"]) == ("CANCELLED", "0.004", "1")
    assert [fill["entry_id"] for fill in exchange.fills(order_id)] == ["e" * 64]


def test_T04_a_reversal_is_a_row_of_its_own_under_the_same_trade_id(exchange: World, control: Control) -> None:
    control.script(
        [
            {"after_seconds": 0, "status": "OPEN"},
            {"after_seconds": 1, "filled_size": "0.01", "price": "50000", "trade_id": "t-1", "status": "FILLED"},
            {
                "after_seconds": 60,
                "adjust": {"type": "REVERSAL", "size": "0.004", "price": "50000", "trade_id": "t-1"},
                "figures": {"filled_size": "0.006", "filled_value": "300", "total_fees": "3.6"},
            },
        ]
    )
    order_id = exchange.accepted(limit("0.01", "50000"))
    exchange.wait(100)
    order, fills = exchange.order(order_id), exchange.fills(order_id)
    assert (order["status"], order["filled_size"], order["total_fees"]) == ("FILLED", "0.006", "3.6")
    assert sorted((fill["trade_type"], fill["trade_id"]) for fill in fills) == [("FILL", "t-1"), ("REVERSAL", "t-1")]
    assert len({fill["entry_id"] for fill in fills}) == 2
    balances = exchange.ledger()["balances"]
    assert balances["BTC"]["change"] == "0.006"
    assert balances["USD"]["change"] == "-303.6"


def test_T12_an_edit_made_elsewhere_shows_under_the_same_id(exchange: World, control: Control) -> None:
    order_id = exchange.accepted(limit("0.01", "50000"))
    exchange.wait(1)
    control.continue_order(order_id, [{"edit": {"price": "49000", "size": "0.02"}}])
    order = exchange.order(order_id)
    assert order["order_configuration"]["limit_limit_gtc"]["limit_price"] == "49000"
    assert order["edit_history"][0]["size"] == "0.02"


def test_T24_fields_can_be_dictated_as_they_are_printed(exchange: World, control: Control) -> None:
    control.script([{"after_seconds": 0, "show": {"filled_size": 0, "average_filled_price": "", "order_type": None}}])
    order = exchange.order(exchange.accepted(limit("0.01", "50000")))
    assert (order["filled_size"], order["average_filled_price"], order["order_type"]) == (0, "", None)


def test_fills_can_be_kept_from_the_listing_for_a_while(exchange: World, control: Control) -> None:
    control.script([{"after_seconds": 1, "filled_fraction": "1", "status": "FILLED", "visible_after": 30}])
    order_id = exchange.accepted(market(base_size="0.01"))
    exchange.wait(30)
    assert exchange.order(order_id)["status"] == "FILLED"
    assert exchange.fills(order_id) == []
    exchange.wait(2)
    assert len(exchange.fills(order_id)) == 1


def test_a_refusal_can_be_dictated(exchange: World, control: Control) -> None:
    control.script([], refuse={"error": "UNKNOWN_FAILURE_REASON", "message": "", "error_details": ""})
    assert exchange.refused(limit("0.01", "50000"))["error"] == "UNKNOWN_FAILURE_REASON"
    exchange.accepted(limit("0.01", "50000"))


def test_advance_brings_the_next_steps_to_pass_now(exchange: World, control: Control) -> None:
    control.script(
        [
            {"after_seconds": 100, "status": "OPEN"},
            {"after_seconds": 200, "filled_fraction": "0.5"},
            {"after_seconds": 300, "filled_fraction": "1", "status": "FILLED"},
        ]
    )
    order_id = exchange.accepted(limit("0.01", "50000"))
    assert control.advance(order_id, 2) == 2
    assert exchange.order(order_id)["filled_size"] == "0.005"
    assert control.advance(order_id) == 1
    assert exchange.order(order_id)["status"] == "FILLED"


def test_T19_an_order_of_the_simple_app_is_hidden_by_default(exchange: World, control: Control) -> None:
    body = {
        "client_order_id": "app",
        "product_id": "BTC-USD",
        "side": "BUY",
        "order_configuration": market(quote_size="9"),
    }
    answer = control.place_elsewhere(body, source="RETAIL_SIMPLE")
    order_id = answer["success_response"]["order_id"]
    assert exchange.get("/orders/historical/batch")["orders"] == []
    listed = exchange.get("/orders/historical/batch", order_placement_source="RETAIL_SIMPLE")["orders"]
    assert [order["order_id"] for order in listed] == [order_id]
    assert exchange.ledger()["orders"][0]["placed_elsewhere"] is True


def test_T44_another_program_may_have_used_the_same_client_order_id(exchange: World, control: Control) -> None:
    body: dict[str, Any] = {"client_order_id": "mine", "product_id": "ETH-USD", "side": "SELL"}
    body["order_configuration"] = limit("0.1", "9000")
    for _ in range(2):
        control.place_elsewhere(body, allow_duplicate=True)
    assert exchange.ledger()["orders_per_client_order_id"] == {"mine": 2}


def test_a_script_with_an_unknown_key_is_refused(control: Control) -> None:
    with pytest.raises(ValueError, match="unknown keys: whenever"):
        control.script([{"whenever": 1}])


@pytest.mark.parametrize(
    "step",
    [
        {"after_seconds": "soon"},
        {"filled_size": "NaN"},
        {"price": None},
        {"edit": {"price": "1"}},
        {"adjust": {"size": "1"}},
        {"adjust": {"type": "REVERSAL"}},
        {"figures": {"filled_size": "many"}},
        {"figures": {"colour": "1"}},
    ],
)
def test_a_step_that_could_not_be_played_is_refused_when_it_is_given(control: Control, step: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="step 0"):
        control.script([step])


def test_control_may_be_used_from_several_threads(exchange: World, control: Control) -> None:
    def place(number: int) -> None:
        body = {"client_order_id": f"t{number}", "product_id": "BTC-USD", "side": "BUY"}
        control.place_elsewhere({**body, "order_configuration": limit("0.001", "50000")})

    threads = [threading.Thread(target=place, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    truth = control.ledger()
    assert len(truth["orders"]) == 8
    assert Decimal(truth["balances"]["USD"]["held"]) == Decimal("50.6") * 8
