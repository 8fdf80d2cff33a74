"""Following an order that was just placed: alone, and beside a watcher that hears its feed or polls."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ordersync_cli.domain.trade import Trade
from ordersync_cli.errors import VenueUnavailable
from ordersync_cli.services.follow import WATCHER_BEAT, Followed, Follower
from tests.support.watch_world import WatchWorld, watch_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[WatchWorld]:
    with watch_world(tmp_path / "store.db") as made:
        yield made


def trade_of(world: WatchWorld, order_id: str) -> Trade:
    with world.store.read() as transaction:
        (trade_id,) = transaction.trades.ids_of([order_id]).values()
        return transaction.trades.load([trade_id], lock=False)[trade_id]


def followed(world: WatchWorld, order_id: str, wait: float = 5.0, at_least: int = 0) -> Followed:
    follower = Follower(store=world.store, venue=world.venue, recorder=world.recorder, clock=world.clock)
    return follower.follow(trade_of(world, order_id), wait=wait, at_least=at_least)


def watched(world: WatchWorld, *, live: bool) -> None:
    """Let a watcher drive this store; from then on its time stands still."""
    one = world.watcher()
    world.run(0.2)
    if live:
        one.feed.connect()
        world.run(1.5)
    one.kill()


def test_alone_the_looks_come_ever_more_rarely(world: WatchWorld) -> None:
    done = followed(world, world.place(limit="90"))
    assert 8 <= done.checks <= 11
    assert done.standing.status == "pending"


def test_beside_a_live_feed_the_store_is_waited_on_for_a_second(world: WatchWorld) -> None:
    watched(world, live=True)
    assert followed(world, world.place(limit="90"), wait=0.9).checks == 0
    assert followed(world, world.place(limit="90"), wait=5.0).checks >= 4  # alive or not, it has said nothing


def test_beside_a_watcher_that_polls_only_every_two_seconds_are_asked_for(world: WatchWorld) -> None:
    watched(world, live=False)
    assert followed(world, world.place(limit="90")).checks == 3


def test_beside_a_watcher_that_polls_the_first_look_is_made_at_once_and_the_fills_are_left_to_it(
    world: WatchWorld,
) -> None:
    watched(world, live=False)
    order_id = world.place()
    world.fill(order_id)
    done = followed(world, order_id)
    assert (done.checks, done.standing.status) == (1, "completed")
    assert not done.standing.fills_verified
    watcher = world.watcher()
    world.clock.advance(10.0)  # the lease of the one that died
    world.until(lambda: world.view(order_id).fills_verified, within=5.0)
    watcher.kill()


def test_a_watcher_whose_beat_is_old_is_none(world: WatchWorld) -> None:
    watched(world, live=False)
    world.clock.advance(WATCHER_BEAT + 1.5)
    order_id = world.place()
    world.fill(order_id)
    done = followed(world, order_id)
    assert (done.checks, done.standing.fills_verified) == (1, True)


@pytest.mark.parametrize("wait", [1.0, 2.0, 5.0])
def test_answers_that_do_not_come_prolong_the_wait_by_a_second_at_most(world: WatchWorld, wait: float) -> None:
    order_id = world.place()
    world.fill(order_id)
    world.venue.seconds_per_request = 20.0
    began = world.clock.monotonic()
    done = followed(world, order_id, wait)
    assert world.clock.monotonic() - began <= wait + 1.0
    assert done.standing.status == "pending"
    assert world.venue.calls


def test_a_look_whose_answer_is_lost_leaves_time_for_another(world: WatchWorld) -> None:
    order_id = world.place()
    world.fill(order_id)
    world.venue.seconds_per_request = 20.0

    def second_is_quick(_: str) -> None:
        if len(world.venue.calls) == 1:
            world.venue.seconds_per_request = 0.1

    world.venue.before_call = second_is_quick
    done = followed(world, order_id, 5.0)
    assert (done.checks, done.standing.status, done.standing.fills_verified) == (2, "completed", True)


def test_fills_that_are_not_answered_prolong_the_wait_by_a_second_at_most(world: WatchWorld) -> None:
    order_id = world.place()
    world.fill(order_id)

    def fills_hang(name: str) -> None:
        world.venue.seconds_per_request = 20.0 if name == "fills_of" else 0.0

    world.venue.before_call = fills_hang
    for wait in (0.5, 3.0):
        began = world.clock.monotonic()
        done = followed(world, order_id, wait)
        assert world.clock.monotonic() - began <= max(wait, 1.0)
        assert (done.standing.status, done.standing.fills_verified) == ("completed", False)


def test_the_fills_that_a_watcher_which_polls_stores_meanwhile_are_shown(
    world: WatchWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched(world, live=False)
    world.clock.advance(10.0)  # the lease of the one that died
    world.watcher()
    world.run(5.0)
    order_id = world.place()
    world.fill(order_id)

    def watcher_works(timeout: float) -> bool:
        world.run(timeout)
        return True

    monkeypatch.setattr(world.store, "wait_for_change", watcher_works)
    lists: list[float] = []
    began = world.clock.monotonic()
    world.venue.before_call = lambda name: lists.append(world.clock.monotonic()) if name == "fills_of" else None
    done = followed(world, order_id)
    assert (done.checks, done.standing.fills_verified) == (1, True)
    assert world.clock.monotonic() - began < 1.0
    assert len(lists) == 1, "the watcher's"


@pytest.mark.parametrize(("wait", "longest"), [(5.0, 1.0), (0.4, 0.4)])
def test_the_fills_of_a_watcher_that_stores_none_are_waited_for_a_second_of_the_wait(
    world: WatchWorld, wait: float, longest: float
) -> None:
    watched(world, live=False)
    order_id = world.place()
    world.fill(order_id)
    began = world.clock.monotonic()
    done = followed(world, order_id, wait)
    assert longest - 0.11 <= world.clock.monotonic() - began <= longest + 0.01
    assert (done.standing.status, done.standing.fills_verified) == ("completed", False)
    assert world.venue.count("fills_of") == 0


def many_fills(world: WatchWorld) -> str:
    order_id = world.place(size="5")
    for _ in range(5):
        world.fill(order_id, whole=False)
    world.venue.end(order_id, "FILLED")
    world.venue.fills_page_size = 2
    return order_id


def stored_fills(world: WatchWorld, order_id: str) -> int:
    return sum(len(order.fills) for order in trade_of(world, order_id).orders)


def test_every_page_of_the_fills_is_read(world: WatchWorld) -> None:
    order_id = many_fills(world)
    done = followed(world, order_id)
    assert (done.checks, done.standing.fills_verified) == (1, True)
    assert world.venue.count("fills_of") == 3


def test_the_fills_read_before_a_page_that_failed_are_kept(world: WatchWorld) -> None:
    order_id = many_fills(world)
    world.venue.fail(lambda: VenueUnavailable("The venue is away."), call="fills_of", skip=2)
    assert not followed(world, order_id).standing.fills_verified
    assert stored_fills(world, order_id) == 4


@pytest.mark.parametrize(("wait", "pages"), [(2.0, 2), (0.5, 1)])
def test_no_page_of_the_fills_is_waited_for_after_the_wait(world: WatchWorld, wait: float, pages: int) -> None:
    order_id = many_fills(world)
    world.venue.before_call = lambda _: setattr(world.venue, "seconds_per_request", 0.6)
    began = world.clock.monotonic()
    done = followed(world, order_id, wait)
    assert world.clock.monotonic() - began <= max(wait, 0.6 + 1.0) + 0.01
    assert not done.standing.fills_verified
    assert stored_fills(world, order_id) == 2 * pages


@pytest.mark.parametrize("beside", ["nobody", "a live feed", "a watcher that polls"])
@pytest.mark.parametrize("looks", [0, 1])
def test_without_a_wait_only_the_look_that_a_given_id_demands_is_made_whoever_watches(
    world: WatchWorld, beside: str, looks: int
) -> None:
    if beside != "nobody":
        watched(world, live=beside == "a live feed")
    order_id = world.place(limit="90")
    asked, began = world.venue.count("order"), world.clock.monotonic()
    world.venue.seconds_per_request = 4.0
    done = followed(world, order_id, 0.0, at_least=looks)
    assert (done.checks, world.venue.count("order") - asked) == (looks, looks)
    assert world.clock.monotonic() - began == pytest.approx(looks * 1.0)
