"""Cancelling by name: each wish gets its own answer, and only the venue's word about an order refuses one."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ordersync_cli.domain.orders import OrderType
from ordersync_cli.errors import CredentialsRefused, OrdersyncError, UsageError, VenueUnavailable
from ordersync_cli.services.cancel import Cancelled, Cancelling
from ordersync_cli.services.resolve import Resolving
from tests.support.pass_world import World


def cancelled(world: World, *names: str) -> list[Cancelled]:
    service = Cancelling(store=world.store, venue=world.venue, recorder=world.recorder, clock=world.clock)
    return service.cancel(names)


def resting(world: World, *order_ids: str) -> None:
    for order_id in order_ids:
        world.placed(order_id, order_type=OrderType.LIMIT, limit_price=Decimal(10))


def test_one_order_that_the_venue_minds_is_refused_and_the_others_are_cancelled(world: World) -> None:
    resting(world, "a", "b", "c", "d", "e")
    world.venue.minded = {"d"}
    results = cancelled(world, "e", "d", "c", "b", "a")
    assert [(r.wanted, r.result, r.exit_code) for r in results] == [
        ("e", "accepted", 0),
        ("d", "refused", 5),
        ("c", "accepted", 0),
        ("b", "accepted", 0),
        ("a", "accepted", 0),
    ]
    assert results[1].reason == "Cancel Orders: the venue answered 400 (INVALID_ARGUMENT: order_ids)"
    assert sorted(world.venue.cancels) == ["a", "b", "c", "e"], "each once"
    assert world.view("d").order_status == "open"


@pytest.mark.parametrize(
    ("problem", "result", "code"),
    [
        (CredentialsRefused("it refuses the key."), "key_refused", 4),
        (VenueUnavailable("503."), "unknown", 8),
    ],
)
def test_a_failure_that_says_nothing_of_the_order_leaves_its_wish_to_be_sent(
    world: World, problem: OrdersyncError, result: str, code: int
) -> None:
    resting(world, "a", "b", "c", "d")
    world.venue.minded = {"a"}
    # asked for: a b c d, a b, a, b, and the failure meets c d
    world.venue.fail(lambda: problem, call="cancel", skip=4, times=1)
    results = cancelled(world, "a", "b", "c", "d")
    said = problem.message.rstrip(".")
    assert [(r.result, r.exit_code) for r in results] == [
        ("refused", 5),
        ("accepted", 0),
        (result, code),
        (result, code),
    ]
    assert [r.reason for r in results[2:]] == [said, said]
    assert [world.view(i).order_status for i in "abcd"] == ["open", "cancelling", "cancelling", "cancelling"]
    world.clock.advance(10)
    world.passes.light()
    assert world.venue.cancels == ["b", "c", "d"]


def two_that_count_their_ids(world: World) -> tuple[int, int]:
    """Two trades whose client order ids are each other's numbers."""
    first, second = (
        world.placed(order_id, client_order_id=name, order_type=OrderType.LIMIT, limit_price=Decimal(10)).trade_id
        for order_id, name in (("a", "2"), ("b", "1"))
    )
    assert (first, second) == (1, 2)
    return 1, 2


def test_an_id_that_means_two_trades_cancels_and_settles_none(world: World) -> None:
    """The advice of `sync` settled another, live order: its client order id was the number of the trade."""
    two_that_count_their_ids(world)
    resolving = Resolving(store=world.store, recorder=world.recorder, clock=world.clock)
    with pytest.raises(UsageError, match="more than one trade"):
        cancelled(world, "a", "1")
    with pytest.raises(UsageError, match="more than one trade"):
        resolving.resolve("1", "cancelled", "by the app")
    assert world.venue.cancels == []
    assert [world.view(order_id).order_status for order_id in ("a", "b")] == ["open", "open"]
    trade_id, _ = resolving.resolve("trade:1", "cancelled", "by the app")
    assert (trade_id, world.view("a").order_status, world.view("b").order_status) == (1, "cancelled", "open")
    assert [done.trade_id for done in cancelled(world, "b")] == [2]


def test_a_cancel_that_was_stopped_tells_how_far_each_order_has_come(world: World) -> None:
    resting(world, "a", "b", "c", "d")
    world.venue.minded = {"a"}

    def stopping(call: str) -> None:
        if call == "cancel" and world.venue.cancels == ["b"]:
            raise KeyboardInterrupt

    world.venue.before_call = stopping
    service = Cancelling(store=world.store, venue=world.venue, recorder=world.recorder, clock=world.clock)
    done: dict[str, Cancelled] = {}
    with pytest.raises(KeyboardInterrupt):
        service.cancel(["a", "b", "c", "d"], done)
    world.placed("e")
    told = service.stopped(["a", "b", "c", "d", "e", "nobody"], done)
    assert [(r.wanted, r.result, r.exit_code) for r in told] == [
        ("a", "refused", 5),
        ("b", "accepted", 0),
        ("c", "unknown", 8),
        ("d", "unknown", 8),
        ("e", "not_asked", 8),
        ("nobody", "not_asked", 8),
    ]
    assert [r.order_id for r in told] == ["a", "b", "c", "d", "e", None]
