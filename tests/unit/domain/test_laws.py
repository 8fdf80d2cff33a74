"""The laws of the join, over observation sequences from every source."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ordersync_cli.domain.codec import (
    dump_cancel,
    dump_order,
    dump_settled,
    dump_verdict,
    load_cancel,
    load_order,
    load_settled,
    load_verdict,
)
from ordersync_cli.domain.fills import content
from ordersync_cli.domain.lifecycle import observe
from ordersync_cli.domain.merge import join
from ordersync_cli.domain.observations import Channel, FillsSeen, Observation, OrderSeen
from ordersync_cli.domain.orders import OrderStatus, OrderType, Origin, Source, Status
from ordersync_cli.domain.registers import fragment
from ordersync_cli.domain.standing import ZERO_PROOF_AFTER, derive, is_zero
from ordersync_cli.domain.trade import Trade, VenueOrder
from ordersync_cli.domain.view import columns
from ordersync_cli.domain.words import TERMINAL_WORDS, is_terminal, rank
from tests.unit.domain.builders import ORDER, OURS, feed, intent, limit, look, s
from tests.unit.domain.observations_drawn import about_one_order, anything

sequences = st.lists(anything(), max_size=8)
own_sequences = st.lists(about_one_order(), min_size=1, max_size=8)
ENDED = {OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.EXPIRED, OrderStatus.FAILED}

TRADES = {
    "placed": intent(),
    "sent_twice": intent(attempts=2, attempt_at=s(40), not_after=s(70)),
    "adopted": intent(origin=Origin.ADOPTED, orders=(VenueOrder(order_id=ORDER, accepted=True),)),
    "a bot's own": intent(
        limit(order_type=OrderType.OTHER, client_order_id=None),
        origin=Origin.FOREIGN,
        orders=(VenueOrder(order_id=ORDER, accepted=True),),
    ),
}


def fold(trade: Trade, observations: list[Observation]) -> Trade:
    for number, observation in enumerate(observations):
        source = list(Source)[number % len(Source)]
        trade = observe(trade, observation, source=source, at=s(number)).after
    return trade


def content_of(trade: Trade) -> Any:
    """Everything that guarantee 4 speaks of: registers byte by byte, and the public row."""
    return (
        [(dump_order(o), [content(f) for f in o.fills]) for o in trade.orders],
        dump_verdict(trade.verdict) if trade.verdict else None,
        dump_cancel(trade.cancel) if trade.cancel else None,
        dump_settled(trade.settled) if trade.settled else None,
        columns(trade, derive(trade)),
    )


@given(data=st.data(), kind=st.sampled_from(sorted(TRADES)))
def test_any_order_and_any_number_of_times_give_the_same_row(data: st.DataObject, kind: str) -> None:
    trade = TRADES[kind]
    observations = data.draw(sequences)
    repeats = data.draw(st.lists(st.sampled_from(observations), max_size=4)) if observations else []
    shuffled = data.draw(st.permutations(observations + repeats))
    assert content_of(fold(trade, observations)) == content_of(fold(trade, shuffled))


@given(sequences, sequences, sequences)
def test_joining_states_is_commutative_associative_and_idempotent(
    first: list[Observation], second: list[Observation], third: list[Observation]
) -> None:
    a, b, c = (fold(intent(), observations) for observations in (first, second, third))
    assert content_of(join(a, b)) == content_of(join(b, a))
    assert content_of(join(join(a, b), c)) == content_of(join(a, join(b, c)))
    assert content_of(join(a, a)) == content_of(a)
    assert content_of(join(a, b)) == content_of(fold(intent(), first + second))


@given(sequences)
def test_an_attempt_begun_elsewhere_is_joined_too(observations: list[Observation]) -> None:
    here = fold(intent(), observations)
    resent = replace(intent(), attempts=2, attempt_at=s(60), not_after=s(90), submitted_at=s(60))
    one, other = join(here, resent), join(resent, here)
    assert content_of(one) == content_of(other)
    assert (one.attempts, one.attempt_at, one.not_after) == (2, s(60), s(90))


@given(sequences, anything())
def test_the_same_observation_twice_tells_nothing_new(
    observations: list[Observation], observation: Observation
) -> None:
    once = observe(fold(intent(), observations), observation, source=Source.POLL, at=s(1)).after
    again = observe(once, observation, source=Source.SYNC, at=s(2))
    assert (again.changed, again.public, again.figures_changed, again.fills_added) == (False, False, False, ())
    assert again.after == once
    assert content_of(again.after) == content_of(once)


@given(sequences)
def test_the_flags_of_a_change_say_what_moved(observations: list[Observation]) -> None:
    trade = intent()
    for observation in observations:
        change = observe(trade, observation, source=Source.SYNC, at=s(1))
        moved = columns(trade, derive(trade)) != columns(change.after, derive(change.after))
        assert change.public == moved
        assert change.changed or not change.public
        assert not change.timestamps_only or (change.changed and not change.public)
        assert change.now == derive(change.after)
        trade = change.after


@given(own_sequences)
def test_a_terminal_status_never_reopens(observations: list[Observation]) -> None:
    terminal, status, reached = 0, Status.PENDING, False
    for change in feed(intent(), *observations):
        now = change.now
        reached = reached or now.order_status in ENDED
        assert not reached or now.order_status in ENDED
        word_rank = rank(now.venue_status or "") if now.order_status in ENDED else 0
        assert word_rank >= terminal
        if status is not Status.PENDING and now.status is not status:
            assert status is Status.FAILED
            assert {a.rule for a in change.alarms} & {"failed_but_filled", "absent_order_appeared"}
        terminal, status = word_rank, now.status


@given(own_sequences)
def test_failed_needs_the_zero_proof(observations: list[Observation]) -> None:
    trade = fold(intent(), observations)
    now = derive(trade)
    if now.status is not Status.FAILED:
        return
    sights = [o for o in observations if isinstance(o, OrderSeen)]
    ended_at = min(o.as_of for o in sights if is_terminal(o.word))
    assert any(
        o.channel is Channel.REST
        and is_terminal(o.word)
        and o.figures is not None
        and is_zero(o.figures)
        and o.as_of >= ended_at + ZERO_PROOF_AFTER
        for o in sights
    )
    assert all(o.figures is None or not o.figures.filled_size for o in sights)
    assert not any(f.order_id == ORDER for o in observations if isinstance(o, FillsSeen) for f in o.fills)


@given(own_sequences)
def test_completed_only_by_a_word_of_the_venue(observations: list[Observation]) -> None:
    trade = fold(intent(), observations)
    if derive(trade).status is Status.COMPLETED:
        assert any(isinstance(o, OrderSeen) and o.word in TERMINAL_WORDS for o in observations)
        assert derive(trade).filled_at is not None


@given(own_sequences)
def test_nothing_is_added_up_twice(observations: list[Observation]) -> None:
    trade = fold(intent(), observations)
    now = derive(trade)
    told = [o.figures for o in observations if isinstance(o, OrderSeen) and o.figures is not None]
    assert now.figures is None or now.figures in told
    for order in trade.orders:
        assert len({f.entry_id for f in order.fills}) == len(order.fills)


@given(own_sequences, st.data())
def test_a_stale_look_undoes_nothing(observations: list[Observation], data: st.DataObject) -> None:
    """A repeated or older view of an order that has ended moves neither words nor figures."""
    trade = fold(intent(), observations)
    now = derive(trade)
    if not now.terminal or now.figures is None:
        return
    word = data.draw(st.sampled_from(["PENDING", "OPEN", "QUEUED", "CANCEL_QUEUED", "WHO_KNOWS"]))
    at = data.draw(st.integers(0, 400))
    for stale in (look(word, at), look(word, at, replace(now.figures))):
        then = observe(trade, stale, source=Source.POLL, at=s(1)).now
        kept = ("status", "order_status", "venue_status", "figures", "closed_at", "filled_at")
        assert [getattr(then, k) for k in kept] == [getattr(now, k) for k in kept]


@given(sequences)
def test_registers_survive_being_written_and_read(observations: list[Observation]) -> None:
    trade = fold(intent(), observations)
    for order in trade.orders:
        text = dump_order(order)
        assert load_order(text) == replace(order, fills=())
        assert dump_order(load_order(text)) == text
    if trade.verdict:
        assert load_verdict(dump_verdict(trade.verdict)) == trade.verdict
    if trade.cancel:
        assert load_cancel(dump_cancel(trade.cancel)) == trade.cancel
    if trade.settled:
        assert load_settled(dump_settled(trade.settled)) == trade.settled


@given(anything())
def test_what_an_observation_says_does_not_depend_on_what_is_stored(observation: Observation) -> None:
    earlier = fold(intent(), [look("FILLED", 5), look("OPEN", 50, order_id="o-2")])
    assert fragment(earlier, observation) == fragment(intent(), observation)


def test_twenty_thousand_shuffled_and_repeated_steps_agree() -> None:
    """One long seeded run beside the drawn ones: nothing drifts over many observations."""
    draw = Random(20_000)
    words = ["OPEN", "CANCEL_QUEUED", "FILLED", "CANCELLED", "ODD"]
    pool: list[Observation] = [
        look(draw.choice(words), draw.uniform(0, 90), channel=draw.choice(list(Channel))) for _ in range(40)
    ]
    expected = content_of(fold(intent(), pool))
    for _ in range(50):
        shuffled = pool + draw.choices(pool, k=40)
        draw.shuffle(shuffled)
        assert content_of(fold(intent(), shuffled)) == expected
    assert OURS in str(expected)
