"""The feed against the simulated exchange: whole lives of orders, and each of its faults."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ordersync_cli.clock import SystemChance, SystemClock
from ordersync_cli.domain.observations import AnswerKind, OrderSeen
from ordersync_cli.domain.orders import OrderRequest, OrderType, Side, TimeInForce
from ordersync_cli.services.ports import Lane
from ordersync_cli.services.ports.messages import FeedChanged, FeedState, FrameSeen, Message, SequenceGap, SnapshotEnded
from ordersync_cli.simulator.server import SimulatorServer
from ordersync_cli.venue import open_feed
from ordersync_cli.venue.feed_session import FeedTimings
from ordersync_cli.venue.rest import RestVenue
from tests.support.venue_kit import OpenInbox, venue_at

TIMINGS = FeedTimings(heartbeat_late=1.6, silence=2.2, snapshot=2.0, batch_pause=0.5, first_wait=0.05, longest_wait=0.3)


@dataclass
class Scene:
    exchange: SimulatorServer
    venue: RestVenue
    inbox: OpenInbox

    def place(self, client_order_id: str, **changes: Any) -> str:
        told: dict[str, Any] = {"order_type": OrderType.MARKET, "quote_size": Decimal(25), **changes}
        request = OrderRequest(product_id="BTC-USD", side=Side.BUY, client_order_id=client_order_id, **told)
        answer = self.venue.send(self.venue.sign(request), 1)
        assert answer.kind is AnswerKind.ACCEPTED, answer
        assert answer.order_id is not None
        return answer.order_id

    def rest_at_half_price(self, client_order_id: str) -> str:
        return self.place(
            client_order_id,
            order_type=OrderType.LIMIT,
            quote_size=None,
            base_size=Decimal("0.0001"),
            limit_price=Decimal(30000),
            time_in_force=TimeInForce.GTC,
        )

    def seen(self, order_id: str) -> list[OrderSeen]:
        frames = self.inbox.of(FrameSeen)
        return [one for frame in frames for one in frame.observations if one.order_id == order_id]

    def live(self, count: int = 1) -> None:
        self.inbox.wait_for(_is(FeedState.LIVE), count=count)

    def wait_for_word(self, order_id: str, word: str) -> None:
        def said(message: Message) -> bool:
            return isinstance(message, FrameSeen) and any(
                one.order_id == order_id and one.word == word for one in message.observations
            )

        self.inbox.wait_for(said)


def _is(state: FeedState) -> Any:
    return lambda message: isinstance(message, FeedChanged) and message.state is state


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with (
        SimulatorServer(tmp_path / "exchange.db", seed=5, rate_limit=None) as exchange,
        venue_at(exchange.rest_url, Path(exchange.key_file)) as venue,
    ):
        feed = open_feed(venue, ws_url=exchange.ws_url, clock=SystemClock(), chance=SystemChance(), timings=TIMINGS)
        inbox = OpenInbox()
        feed.start(inbox)
        try:
            yield Scene(exchange, venue, inbox)
        finally:
            feed.stop()


def test_T07_the_stream_ends_with_the_figures_that_rest_shows(scene: Scene) -> None:
    scene.live()
    order_id = scene.place("whole-life")
    scene.wait_for_word(order_id, "FILLED")
    stream = scene.seen(order_id)
    rest = scene.venue.order(order_id, Lane.SYNC)
    assert rest is not None
    assert rest.word == "FILLED"
    last = [one for one in stream if one.word == "FILLED"][-1]
    assert last.figures == rest.figures
    assert last.client_order_id == "whole-life"
    sizes = [one.figures.filled_size for one in stream if one.figures is not None]
    assert sizes == sorted(sizes)
    assert not any(one.clamped for one in stream)
    assert not scene.inbox.of(SequenceGap)


def test_T21_a_snapshot_of_more_than_a_hundred_orders_is_read_whole(scene: Scene) -> None:
    scene.live()
    ids = {scene.rest_at_half_price(f"resting-{number}") for number in range(109)}
    scene.exchange.control.fault(target="ws", kind="close", code=1001, count=1)
    scene.live(count=2)
    ended: Any = scene.inbox.wait_for(lambda m: isinstance(m, SnapshotEnded), count=2)
    assert ended.orders == 109
    batches = [f for f in scene.inbox.of(FrameSeen) if f.snapshot and f.observations]
    assert [len(f.observations) for f in batches] == [50, 50, 9]
    assert {one.order_id for f in batches for one in f.observations} == ids


@pytest.mark.parametrize("code", [1000, 1001, 1008, 1011, 1013])
def test_T22_each_close_code_is_survived(scene: Scene, code: int) -> None:
    scene.live()
    scene.exchange.control.fault(target="ws", kind="close", code=code, count=1)
    scene.live(count=2)
    order_id = scene.place("after-the-close")
    scene.wait_for_word(order_id, "FILLED")


@pytest.mark.parametrize("kind", ["cut", "silence", "no_heartbeats"])
def test_T22_a_connection_that_dies_without_a_word_is_found_out(scene: Scene, kind: str) -> None:
    scene.live()
    messages = 1 if kind == "cut" else 3  # three heartbeats that do not come are more than 2.2 s
    scene.exchange.control.fault(target="ws", kind=kind, channel="heartbeats", count=messages)
    down: Any = scene.inbox.wait_for(_is(FeedState.DOWN))
    assert ("lost" if kind == "cut" else "no heartbeat") in down.reason
    scene.inbox.wait_for(lambda m: isinstance(m, FeedChanged) and m.state is FeedState.LIVE and m.at > down.at)
    order_id = scene.place("after-the-silence")
    scene.wait_for_word(order_id, "FILLED")


def test_T23_a_lost_frame_is_a_gap_and_not_an_end(scene: Scene) -> None:
    scene.live()
    scene.exchange.control.fault(target="ws", kind="drop", channel="user", count=1)
    order_id = scene.place("one-frame-short")
    scene.inbox.wait_for(lambda m: isinstance(m, SequenceGap))
    scene.wait_for_word(order_id, "FILLED")
    assert len([m for m in scene.inbox.of(FeedChanged) if m.state is FeedState.LIVE]) == 1


def test_T24_odd_fields_are_read(scene: Scene) -> None:
    scene.live()
    scene.exchange.control.fault(target="ws", kind="odd_fields", channel="user")
    order_id = scene.place("odd")
    scene.wait_for_word(order_id, "FILLED")


def test_T26_a_venue_whose_clock_is_minutes_off_is_followed(tmp_path: Path) -> None:
    with (
        SimulatorServer(tmp_path / "skewed.db", seed=5, rate_limit=None, skew_seconds=-900) as exchange,
        venue_at(exchange.rest_url, Path(exchange.key_file)) as venue,
    ):
        feed = open_feed(venue, ws_url=exchange.ws_url, clock=SystemClock(), chance=SystemChance())
        inbox = OpenInbox()
        feed.start(inbox)
        try:
            inbox.wait_for(_is(FeedState.LIVE))
            assert abs(venue.offset().seconds + 900) < 1
            scene = Scene(exchange, venue, inbox)
            order_id = scene.place("skewed")
            scene.wait_for_word(order_id, "FILLED")
            assert not any(one.clamped for one in scene.seen(order_id))
        finally:
            feed.stop()


def test_frames_reach_the_inbox_within_milliseconds(scene: Scene) -> None:
    scene.live()
    order_id = scene.place("timed")
    scene.wait_for_word(order_id, "FILLED")
    frames = [f for f in scene.inbox.of(FrameSeen) if f.observations and f.timestamp is not None]
    waits = sorted((f.received_at - f.timestamp).total_seconds() for f in frames)
    assert waits[len(waits) // 2] < 0.25, "between the venue's stamp and us, on a machine that is busy"
    assert time.monotonic() > 0
