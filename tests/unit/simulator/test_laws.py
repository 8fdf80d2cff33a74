"""Laws of the simulated exchange: money is conserved, figures only grow, time alone decides."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.simulator_world import World, limit, market, world

PRICES = {"BTC-USD": 69_000, "ETH-USD": 3_500, "ADA-USDC": 0}


@contextmanager
def fresh_world(seed: int) -> Iterator[World]:
    with tempfile.TemporaryDirectory() as folder, world(Path(folder, "exchange.db"), seed) as made:
        yield made


def configurations() -> st.SearchStrategy[dict[str, Any]]:
    sizes = st.integers(min_value=1, max_value=400).map(lambda n: str(Decimal(n) / 1000))
    prices = st.integers(min_value=67_000, max_value=71_000).map(str)
    quotes = st.integers(min_value=1, max_value=30_000).map(str)
    pair = st.tuples(sizes, prices)
    return st.one_of(
        quotes.map(lambda quote: market(quote_size=quote)),
        sizes.map(lambda size: market(base_size=size)),
        pair.map(lambda p: limit(*p)),
        pair.map(lambda p: {"sor_limit_ioc": {"base_size": p[0], "limit_price": p[1]}}),
        pair.map(lambda p: {"limit_limit_fok": {"base_size": p[0], "limit_price": p[1]}}),
        pair.map(
            lambda p: {"limit_limit_gtd": {"base_size": p[0], "limit_price": p[1], "end_time": "2027-01-15T08:01:00Z"}}
        ),
    )


actions = st.lists(
    st.one_of(
        st.tuples(st.just("place"), configurations(), st.sampled_from(["BUY", "SELL"])),
        st.tuples(st.just("wait"), st.sampled_from(["0.003", "0.06", "0.2", "1", "45", "4000"])),
        st.tuples(st.just("cancel"), st.integers(min_value=0, max_value=8)),
        st.tuples(
            st.just("edit"), st.integers(min_value=0, max_value=8), st.integers(min_value=67_000, max_value=71_000)
        ),
    ),
    min_size=1,
    max_size=14,
)


def play(made: World, story: list[Any]) -> Iterator[None]:
    order_ids: list[str] = []
    for what, *how in story:
        if what == "place":
            answer = made.place(how[0], side=how[1])
            if answer["success"]:
                order_ids.append(answer["success_response"]["order_id"])
        elif what == "wait":
            made.wait(how[0])
        elif what == "cancel" and order_ids:
            made.cancel(order_ids[how[0] % len(order_ids)])
        elif what == "edit" and order_ids:
            made.edit(order_ids[how[0] % len(order_ids)], str(how[1]), "0.5")
        yield


def assert_conserved(made: World) -> None:
    """Check every account against the fills: opening + what came in - what went out = available + held."""
    truth = made.ledger()
    change: dict[str, Decimal] = {currency: Decimal(0) for currency in truth["balances"]}
    holds: dict[str, Decimal] = {currency: Decimal(0) for currency in truth["balances"]}
    with localcontext() as context:
        context.prec = 100
        for order in truth["orders"]:
            base, quote = order["product_id"].split("-")
            sign = 1 if order["side"] == "BUY" else -1
            for fill in order["fills"]:
                change[base] += sign * Decimal(fill["base_size"])
                change[quote] -= sign * Decimal(fill["base_size"]) * Decimal(fill["price"])
                change[quote] -= Decimal(fill["commission"])
            holds[quote if sign == 1 else base] += Decimal(order["outstanding_hold_amount"])
        for currency, balance in truth["balances"].items():
            assert Decimal(balance["change"]) == change[currency], currency
            assert Decimal(balance["held"]) == holds[currency], currency
            assert Decimal(balance["available"]) >= 0, currency


def assert_adds_up(order: dict[str, Any]) -> None:
    with localcontext() as context:
        context.prec = 100
        fills = order["fills"]
        assert int(order["number_of_fills"]) == len(fills)
        assert Decimal(order["filled_size"]) == sum(Decimal(fill["base_size"]) for fill in fills)
        value = sum(Decimal(fill["base_size"]) * Decimal(fill["price"]) for fill in fills)
        assert Decimal(order["filled_value"]) == value
        assert Decimal(order["total_fees"]) == sum(Decimal(fill["commission"]) for fill in fills)
        assert len({fill["entry_id"] for fill in fills}) == len(fills)
        assert all(len(fill["entry_id"]) == 64 for fill in fills)


@given(story=actions, seed=st.integers(min_value=0, max_value=50))
def test_money_is_conserved_and_figures_add_up_at_every_moment(story: list[Any], seed: int) -> None:
    with fresh_world(seed) as made:
        for _ in play(made, story):
            assert_conserved(made)
        for order in made.ledger()["orders"]:
            assert_adds_up(order)


@given(story=actions, seed=st.integers(min_value=0, max_value=50))
def test_cumulative_figures_only_grow_and_a_terminal_status_never_changes(story: list[Any], seed: int) -> None:
    with fresh_world(seed) as made:
        for _ in play(made, story):
            pass
        made.wait(5000)
        for order in made.ledger()["orders"]:
            sizes = [Decimal(event["filled_size"]) for event in order["events"]]
            assert sizes == sorted(sizes)
            words = [event["status"] for event in order["events"]]
            ended = [word for word in words if word in ("FILLED", "CANCELLED", "EXPIRED", "FAILED")]
            assert len(set(ended)) <= 1
            assert words == [word for word in words if word not in ended] + ended
            times = [event["at"] for event in order["events"]]
            assert times == sorted(times)


@settings(max_examples=25)
@given(story=actions, seed=st.integers(min_value=0, max_value=50))
def test_the_same_seed_and_requests_give_the_same_truth(story: list[Any], seed: int) -> None:
    def told() -> object:
        with fresh_world(seed) as made:
            for _ in play(made, story):
                pass
            made.wait(100)
            truth = made.ledger()
            return truth["orders"], truth["balances"]

    assert told() == told()
