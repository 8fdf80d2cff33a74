"""The price process: pure, on the grid, and searched without missing a tick."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from ordersync_cli.simulator.market import TICK, Market
from ordersync_cli.simulator.products import CATALOGUE
from ordersync_cli.simulator.times import SECOND

moments = st.integers(min_value=0, max_value=10**13)
products = st.sampled_from(list(CATALOGUE.values()))


@given(product=products, at=moments, seed=st.integers(min_value=0, max_value=99))
def test_quotes_stand_on_the_grid_with_bid_below_ask(product, at: int, seed: int) -> None:  # type: ignore[no-untyped-def]
    quote = Market(seed, 0).quote(product, at)
    assert 0 < quote.bid < quote.ask
    assert quote.bid % product.price_increment == 0
    assert quote.ask % product.price_increment == 0


@given(at=moments, seed=st.integers(min_value=0, max_value=99))
def test_an_alias_has_the_prices_of_its_canonical_product(at: int, seed: int) -> None:
    market = Market(seed, 0)
    assert market.quote(CATALOGUE["BTC-USDC"], at) == market.quote(CATALOGUE["BTC-USD"], at)


@given(
    at=moments,
    seed=st.integers(min_value=0, max_value=9),
    away=st.integers(min_value=0, max_value=2_500),
    falling=st.booleans(),
)
def test_the_search_finds_the_first_tick_that_a_tick_by_tick_walk_finds(
    at: int, seed: int, away: int, falling: bool
) -> None:
    market, product = Market(seed, 0), CATALOGUE["BTC-USD"]
    quote = market.quote(product, at)
    shift = quote.bid * away / 1_000_000
    price = (quote.ask - shift if falling else quote.bid + shift).quantize(Decimal("0.01"))
    stop = at + 60 * SECOND

    def walked() -> int | None:
        tick = at // TICK * TICK
        while tick < stop:
            here = market.quote(product, tick)
            if (here.ask <= price) if falling else (here.bid >= price):
                return max(tick, at)
            tick += TICK
        return None

    assert market.first_crossing(product, price, falling=falling, start=at, stop=stop) == walked()
