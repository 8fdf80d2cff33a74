"""Client order ids with a tag, and which two requests are the same."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ordersync_cli.domain.codec import dump_request, load_order, load_request
from ordersync_cli.domain.identity import canonical_request, has_tag, tagged_id
from ordersync_cli.domain.orders import OrderType, Side, StopDirection, TimeInForce
from tests.unit.domain.builders import D, limit, market, s

UUID = "3f2b8c1e-9a4d-4e6f-8b7a-0c1d2e3f4a5b"


@pytest.mark.parametrize("tag", ["a", "os7k", "0123456789", "x" * 19])
def test_a_tagged_id_is_short_and_plain(tag: str) -> None:
    made = tagged_id(tag, UUID)
    assert len(made) <= 36
    assert made.replace("-", "").isalnum()
    assert has_tag(made, tag)
    assert made.removeprefix(f"{tag}-") == UUID.replace("-", "")[: 35 - len(tag)]


@pytest.mark.parametrize("tag", ["a-b", "ä", "x" * 20, " "])
def test_not_everything_is_a_tag(tag: str) -> None:
    with pytest.raises(ValueError, match="tag"):
        tagged_id(tag, UUID)


def test_a_store_without_a_tag_knows_none() -> None:
    assert tagged_id("", UUID) == UUID
    assert not has_tag(UUID, "")
    assert not has_tag(None, "a")
    assert not has_tag("ab-1", "a")


def test_the_same_request_in_other_digits_is_the_same() -> None:
    one = canonical_request(market(quote_size=D("25"), client_order_id="x"))
    assert one == canonical_request(market(quote_size=D("25.00"), client_order_id="y"))
    assert one == canonical_request(market(quote_size=D("2.5e1"), time_in_force=TimeInForce.IOC))
    assert json.loads(one)["order_configuration"] == {"market_market_ioc": {"quote_size": "25", "post_only": False}}


@pytest.mark.parametrize(
    "other",
    [
        {"quote_size": D(26)},
        {"side": Side.SELL},
        {"product_id": "ETH-USD"},
        {"bot_id": 3},
        {"time_in_force": TimeInForce.FOK},
        {"quote_size": None, "base_size": D(25)},
    ],
)
def test_anything_else_that_differs_is_another_request(other: dict[str, Any]) -> None:
    assert canonical_request(market(quote_size=D(25))) != canonical_request(market(**({"quote_size": D(25)} | other)))


def test_every_part_of_a_resting_order_counts() -> None:
    asked = limit(
        order_type=OrderType.STOP_LIMIT,
        stop_price=D("1.90"),
        stop_direction=StopDirection.UP,
        time_in_force=TimeInForce.GTD,
        end_time=s(60),
    )
    assert json.loads(canonical_request(asked))["order_configuration"] == {
        "stop_limit_stop_limit_gtd": {
            "base_size": "100",
            "limit_price": "2",
            "stop_price": "1.9",
            "stop_direction": "up",
            "end_time": "2026-03-01T12:01:00.000000+00:00",
            "post_only": False,
        }
    }
    odd = canonical_request(limit(order_type=OrderType.OTHER))
    assert "other_gtc" in odd
    assert load_request(dump_request(asked)) == asked


def test_keys_of_a_newer_version_are_ignored() -> None:
    assert load_order('{"order_id":"o","brand_new":{"x":1}}').order_id == "o"
