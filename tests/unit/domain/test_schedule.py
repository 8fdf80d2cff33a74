"""When to look next, and what other schedules would have cost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordersync_cli.domain.orders import Origin, TimeInForce
from ordersync_cli.domain.replay import FIXED_PLANS, Plan, every, learned_plan, replay
from ordersync_cli.domain.schedule import (
    Learned,
    OrderClass,
    class_of,
    dump_learned,
    learn,
    load_learned,
    next_look,
    with_samples,
)
from ordersync_cli.domain.trade import VenueOrder
from tests.unit.domain.builders import ORDER, ZEROES, D, after, answer, figures, intent, limit, look, market, s

MARKET = class_of(market())
RESTING = class_of(limit())
NOTHING = Learned()


@pytest.mark.parametrize(
    ("request_", "price", "distance"),
    [
        (market(), None, "at_once"),
        (limit(time_in_force=TimeInForce.IOC), "2", "at_once"),
        (limit(time_in_force=TimeInForce.FOK), None, "at_once"),
        (limit(), None, "resting"),
        (limit(), "2", "within_0.1%"),
        (limit(), "2.01", "within_1%"),
        (limit(), "2.1", "within_5%"),
        (limit(), "3", "beyond_5%"),
        (limit(limit_price=None), "3", "resting"),
    ],
)
def test_orders_are_classed_by_product_type_and_distance(request_: object, price: str | None, distance: str) -> None:
    order_class = class_of(request_, D(price) if price else None)  # type: ignore[arg-type]
    assert order_class.distance == distance
    assert str(order_class).startswith("BTC-USD/")


def test_the_first_look_is_within_a_hundred_milliseconds() -> None:
    for order_class in (MARKET, RESTING):
        assert next_look(NOTHING, order_class, 0.0, looks_done=0, live=False) <= 0.1
    assert next_look(NOTHING, MARKET, 5.0, looks_done=0, live=False) == 0


def gaps(order_class: OrderClass, learned: Learned = NOTHING) -> list[float]:
    age, found = 0.0, []
    for looks in range(12):
        found.append(next_look(learned, order_class, age, looks_done=looks, live=False))
        age += found[-1]
    return found


def test_gaps_grow_to_half_a_second_for_a_young_market_order() -> None:
    found = gaps(MARKET)
    assert found == sorted(found)
    assert found[1] == pytest.approx(0.1)
    assert found[-1] == 0.5
    assert next_look(NOTHING, MARKET, 11, looks_done=40, live=False) == 1.0


def test_gaps_of_a_resting_order_keep_its_snapshot_under_a_second() -> None:
    assert max(gaps(RESTING)) == 1.0


def test_beside_a_live_feed_looks_only_audit() -> None:
    assert next_look(NOTHING, MARKET, 0, looks_done=0, live=True) == 5.0
    assert next_look(NOTHING, RESTING, 0, looks_done=0, live=True) == 30.0


def test_a_look_moves_forward_to_when_a_fill_is_due() -> None:
    learned = with_samples(NOTHING, MARKET, [2.2] * 50)
    assert next_look(learned, MARKET, 0.05, looks_done=1, live=False) == 0.5
    assert next_look(learned, MARKET, 2.0, looks_done=9, live=False) == pytest.approx(0.22)
    assert next_look(learned, MARKET, 2.2, looks_done=9, live=False) == 0.05
    assert next_look(learned, MARKET, 2.3, looks_done=12, live=False) == 0.5
    assert next_look(learned, RESTING, 2.0, looks_done=9, live=False) == 1.0


@given(
    st.lists(st.floats(0, 100), max_size=30),
    st.floats(0, 1000),
    st.integers(0, 50),
    st.booleans(),
)
def test_every_look_but_the_first_lets_time_pass(samples: list[float], age: float, looks: int, live: bool) -> None:
    learned = with_samples(NOTHING, MARKET, samples)
    gap = next_look(learned, MARKET, age, looks_done=looks, live=live)
    assert 0 <= gap <= 30
    assert looks == 0 or gap >= 0.04


def test_what_a_completed_trade_took_is_learned_on_the_venues_clock() -> None:
    change = after(intent(), look("OPEN", 1), look("FILLED", 9, figures("100"), last_fill_time=s(4.2)))
    learned = learn(NOTHING, change)
    assert learned.samples == {str(RESTING): (4.0,)}
    assert learned.quantiles(RESTING) == ()
    assert with_samples(learned, RESTING, [4.0] * 19).quantiles(RESTING) == (4.0,) * 7
    assert learned.quantiles(MARKET) == ()


def test_nothing_is_learned_from_anything_else() -> None:
    first = after(intent(), look("OPEN", 1))
    assert learn(NOTHING, first) is NOTHING
    again = after(first.after, look("FILLED", 2, figures("100")), look("FILLED", 3, figures("100")))
    assert learn(NOTHING, again) is NOTHING
    unborn = after(intent(), look("FILLED", 2, figures("100"), created_time=None))
    assert learn(NOTHING, unborn) is NOTHING
    failed = after(intent(), look("CANCELLED", 1, ZEROES), look("CANCELLED", 9, ZEROES))
    assert learn(NOTHING, failed) is NOTHING
    from ordersync_cli.domain.observations import SettledByHand

    settled = after(intent(), answer("unknown"), SettledByHand(word="filled", reason="seen", at=s(9)))
    assert learn(NOTHING, settled) is NOTHING
    row = intent(origin=Origin.FOREIGN, orders=(VenueOrder(order_id=ORDER, accepted=True),))
    assert learn(NOTHING, after(row, look("FILLED", 2, figures("100")))).samples


def test_only_the_newest_samples_are_kept() -> None:
    learned = with_samples(NOTHING, MARKET, [1.0] * 150)
    learned = with_samples(learned, MARKET, [2.0] * 150)
    kept = learned.samples[str(MARKET)]
    assert (len(kept), kept[0], kept[-1]) == (200, 1.0, 2.0)


def test_what_was_learned_survives_being_written() -> None:
    learned = with_samples(with_samples(NOTHING, MARKET, [0.1234]), RESTING, [9.0])
    assert load_learned(dump_learned(learned)) == learned
    assert dump_learned(load_learned(dump_learned(learned))) == dump_learned(learned)


@pytest.mark.parametrize("text", [None, "", "{", "[]", '{"x": 1}', '{"x": ["y"]}'])
def test_a_note_that_cannot_be_read_costs_only_hints(text: str | None) -> None:
    assert load_learned(text) == NOTHING


def test_a_fixed_interval_is_replayed_exactly() -> None:
    cost = replay([0.4, 0.5, 1.2], every(0.5))
    assert (cost.orders, cost.requests, cost.missed) == (3, 1 + 1 + 3, 0)
    assert cost.delay_mean == pytest.approx((0.1 + 0.0 + 0.3) / 3)
    assert cost.delay_p99 == pytest.approx(0.3)


def test_slow_polls_miss_what_must_be_seen_within_a_second() -> None:
    assert replay([0.4, 29.5], every(30)).missed == 1
    assert replay([0.4], every(30), within=60).missed == 0


def test_an_order_that_outlives_the_horizon_is_missed() -> None:
    cost = replay([500.0], every(100), horizon=300)
    assert (cost.requests, cost.missed, cost.delay_mean, cost.delay_p99) == (3, 1, None, None)


def test_no_orders_cost_nothing() -> None:
    assert replay([], every(1)).requests == 0


def test_a_plan_that_stands_still_is_refused() -> None:
    with pytest.raises(ValueError, match="time pass"):
        replay([1.0], Plan(name="stuck", pace=lambda _age, _looks: 0.0))


def test_the_learned_plan_beats_half_a_second_where_the_past_repeats() -> None:
    times = [0.31, 0.32, 0.33] * 30
    learned = with_samples(NOTHING, MARKET, times)
    ours = replay(times, learned_plan(learned, MARKET))
    fixed = replay(times, FIXED_PLANS[0])
    assert ours.delay_mean is not None
    assert fixed.delay_mean is not None
    assert ours.delay_mean < fixed.delay_mean
    assert [plan.name for plan in FIXED_PLANS] == ["0.5 s", "2 s", "5 s", "30 s", "Hummingbot 5 s", "Hummingbot 120 s"]
