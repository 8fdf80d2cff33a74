"""The same client order id again: one intent makes at most one order, whoever said what of it meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from ordersync_cli.domain.observations import AnswerKind, PlaceAnswer, SettledByHand
from ordersync_cli.domain.orders import OrderRequest, OrderType, Side, Source
from ordersync_cli.errors import OutcomeUnknown, UsageError
from ordersync_cli.services.intent import Wanted
from ordersync_cli.services.place import Placed, Placing
from ordersync_cli.services.ports import SignedOrder
from ordersync_cli.services.resolve import Resolving
from tests.support.pass_world import World

WANTED = Wanted(
    request=OrderRequest(
        product_id="BTC-USD",
        side=Side.BUY,
        order_type=OrderType.MARKET,
        client_order_id="mine-1",
        quote_size=Decimal(25),
    ),
    wait=0.0,
    id_was_given=True,
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def place(world: World, answers: AnswerKind | None = None) -> Placed:
    """Place it; the venue takes the order of which it answers nothing."""

    def answer(signed: SignedOrder, attempt: int) -> PlaceAnswer:
        assert answers is not None, "sent once too often"
        if answers is AnswerKind.UNKNOWN:
            world.venue.accept(signed.request, f"venue-{attempt}")
        return PlaceAnswer(kind=answers, attempt=attempt, at=world.venue.now(), reason="as told")

    world.venue.next_answer = answer
    placing = Placing(
        store=world.store, venue=world.venue, recorder=world.recorder, clock=world.clock, chance=world.chance
    )
    done = placing.place(WANTED)
    world.clock.advance(5)
    return done


def resolve(world: World, word: str) -> None:
    Resolving(store=world.store, recorder=world.recorder, clock=world.clock).resolve("mine-1", word, "by the app")


@pytest.mark.parametrize("before", [(), (AnswerKind.NOT_SENT,)])
def test_what_an_operator_settled_is_not_sent_again(world: World, before: tuple[AnswerKind, ...]) -> None:
    """The word of an older attempt (it had never left) made the settled newest one be sent again: two orders."""
    for kind in before:
        assert place(world, kind).exit_code == 6
    assert place(world, AnswerKind.UNKNOWN).exit_code == 8
    resolve(world, "not_placed")

    with pytest.raises(UsageError, match="settled by hand"):
        place(world)

    assert len(world.venue.orders) == 1


def test_what_was_unknown_after_a_second_attempt_stays_unknown(world: World) -> None:
    assert place(world, AnswerKind.NOT_SENT).exit_code == 6
    assert place(world, AnswerKind.UNKNOWN).exit_code == 8
    assert place(world).exit_code == 8
    assert len(world.venue.orders) == 1


def test_what_an_operator_settled_while_it_was_signed_anew_is_not_sent(world: World) -> None:
    assert place(world, AnswerKind.NOT_SENT).exit_code == 6
    sign = world.venue.sign

    def settled_meanwhile(request: OrderRequest) -> SignedOrder:
        world.recorder.about(1, [settled_by_hand(world)], source=Source.SYNC)
        return sign(request)

    world.venue.sign = settled_meanwhile  # type: ignore[method-assign]
    with pytest.raises(OutcomeUnknown):
        place(world)
    assert not world.venue.orders


def settled_by_hand(world: World) -> SettledByHand:
    return SettledByHand(word="cancelled", reason="by the app", at=world.clock.now())
