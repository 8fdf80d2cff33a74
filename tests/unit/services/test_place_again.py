"""The same client order id again: one intent makes at most one order, whoever said what of it meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from ordersync_cli.domain.observations import AnswerKind, PlaceAnswer, SettledByHand
from ordersync_cli.domain.orders import OrderRequest, OrderType, Side, Source, TimeInForce
from ordersync_cli.errors import PlacingFrozen, UsageError
from ordersync_cli.services.freeze import freeze
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


def placing(world: World) -> Placing:
    return Placing(
        store=world.store, venue=world.venue, recorder=world.recorder, clock=world.clock, chance=world.chance
    )


def place(world: World, answers: AnswerKind | None = None, wanted: Wanted = WANTED) -> Placed:
    """Place it; the venue takes the order of which it answers nothing."""

    def answer(signed: SignedOrder, attempt: int) -> PlaceAnswer:
        assert answers is not None, "sent once too often"
        if answers is AnswerKind.UNKNOWN:
            world.venue.accept(signed.request, f"venue-{attempt}")
        return PlaceAnswer(kind=answers, attempt=attempt, at=world.venue.now(), reason="as told")

    world.venue.next_answer = answer
    done = placing(world).place(wanted)
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
    done = place(world)
    assert (done.outcome, done.exit_code) == ("cancelled", 0)
    assert "settled by hand" in done.message
    assert not world.venue.orders


def test_who_loses_the_race_for_a_resend_answers_what_the_other_made_of_it(world: World) -> None:
    assert place(world, AnswerKind.NOT_SENT).exit_code == 6
    sign = world.venue.sign

    def meanwhile(request: OrderRequest) -> SignedOrder:
        world.venue.sign = sign  # type: ignore[method-assign]
        assert place(world, AnswerKind.UNKNOWN).exit_code == 8
        return sign(request)

    world.venue.sign = meanwhile  # type: ignore[method-assign]
    done = place(world)
    assert (done.outcome, done.exit_code, done.trade.attempts) == ("unknown", 8, 2)
    assert len(world.venue.orders) == 1


def frozen(world: World) -> None:
    with world.store.write() as transaction:
        freeze(transaction, "somebody looks.", world.clock.now())


def test_a_frozen_store_answers_what_it_knows_and_sends_nothing(world: World) -> None:
    assert place(world, AnswerKind.UNKNOWN).exit_code == 8
    frozen(world)
    assert (place(world).outcome, place(world).exit_code) == ("unknown", 8)
    with pytest.raises(PlacingFrozen):
        place(world, wanted=replace(WANTED, request=replace(WANTED.request, client_order_id="mine-2")))


def test_a_frozen_store_does_not_send_what_never_left(world: World) -> None:
    assert place(world, AnswerKind.NOT_SENT).exit_code == 6
    frozen(world)
    with pytest.raises(PlacingFrozen):
        place(world)


def test_a_preview_refuses_what_placing_would(world: World) -> None:
    assert place(world, AnswerKind.UNKNOWN).exit_code == 8
    previewing = placing(world)
    with pytest.raises(UsageError, match="another request"):
        previewing.preview(replace(WANTED, request=replace(WANTED.request, quote_size=Decimal(26))))
    frozen(world)
    with pytest.raises(PlacingFrozen):
        previewing.preview(replace(WANTED, request=replace(WANTED.request, client_order_id="mine-2")))


def lasting(world: World, hours: int, client_order_id: str = "mine-1") -> Wanted:
    """Ask for an order that lives for so long from now, as `--end-time 1h` does."""
    life = timedelta(hours=hours)
    request = replace(
        WANTED.request,
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.GTD,
        limit_price=Decimal(10),
        quote_size=None,
        base_size=Decimal(1),
        client_order_id=client_order_id,
        end_time=world.clock.now() + life,
    )
    return replace(WANTED, request=request, ends_after=life)


def test_the_same_words_again_are_the_same_request_though_their_end_is_counted_from_now(world: World) -> None:
    assert place(world, AnswerKind.UNKNOWN, lasting(world, 1)).exit_code == 8
    world.clock.advance(600)
    assert place(world, wanted=lasting(world, 1)).exit_code == 8
    for other in (lasting(world, 2), replace(lasting(world, 1), ends_after=None)):
        with pytest.raises(UsageError, match="another request"):
            place(world, wanted=other)


def test_what_never_left_is_sent_as_it_was_asked_for_the_first_time(world: World) -> None:
    first = lasting(world, 1)
    assert place(world, AnswerKind.NOT_SENT, first).exit_code == 6
    world.clock.advance(600)
    assert place(world, AnswerKind.UNKNOWN, lasting(world, 1)).exit_code == 8
    with world.store.read() as transaction:
        (trade,) = transaction.trades.load([1]).values()
    assert (trade.attempts, trade.request.end_time) == (2, first.request.end_time)


def test_an_order_that_failed_half_way_is_not_called_unfilled(world: World) -> None:
    assert place(world, AnswerKind.UNKNOWN).exit_code == 8
    world.venue.fill("venue-1", "1", "10")
    world.venue.end("venue-1", "FAILED")
    world.passes.light()
    done = place(world)
    assert (done.outcome, done.exit_code, done.standing.status) == ("failed", 5, "completed")
    assert "1 filled at 10" in done.message
    assert "pending" not in done.message


def settled_by_hand(world: World) -> SettledByHand:
    return SettledByHand(word="cancelled", reason="by the app", at=world.clock.now())
