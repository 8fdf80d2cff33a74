"""Several watchers on one store, and one among many orders: who drives, who waits, who is held up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ordersync_cli.services.ports import Lane
from tests.support.watch_world import WatchWorld, watch_world

TAKE_OVER = 6.0


@pytest.fixture
def world(tmp_path: Path) -> Iterator[WatchWorld]:
    with watch_world(tmp_path / "store.db") as made:
        yield made


def test_only_one_watcher_drives_and_only_that_one_connects_and_asks(world: WatchWorld) -> None:
    world.place(limit="90")
    first, second = world.watcher(), world.watcher()
    world.run(5.0)
    assert (first.crew.drives, second.crew.drives) == (1, 0)
    assert second.crew.asked == []
    with world.store.read() as transaction:
        roles = sorted(w.role for w in transaction.watchers.list())
    assert roles == ["driving", "standing_by"]


def test_who_stands_by_shows_the_drivers_feed_and_every_change(world: WatchWorld) -> None:
    order_id = world.place(limit="90")
    first, second = world.watcher(), world.watcher()
    world.run(1.0)
    first.feed.connect()
    world.run(2.5)
    assert second.audience.feed_states()[-1] == "live"
    commits = second.audience.commits
    first.feed.frame(world.fill(order_id))
    world.run(0.2)
    world.touch()
    world.run(1.2)
    assert second.audience.commits > commits
    board = second.audience.boards[0]
    assert (board.pending, board.completions[0].source) == ((), "websocket")
    assert not board.driving
    assert board.driver.startswith("host")


def test_T35_a_killed_driver_is_replaced_within_six_seconds(world: WatchWorld) -> None:
    order_ids = world.place_many(5)
    first, second = world.watcher(), world.watcher()
    world.run(3.0)
    first.kill()
    for order_id in order_ids:
        world.fill(order_id)
    took = world.until(lambda: second.state.seat.driving, within=TAKE_OVER)
    assert took > 2.9  # 4 s after its last beat, not while it might still be alive
    finished = took + world.until(lambda: world.statuses() == {"completed"}, within=2.0)
    assert finished <= 7.0


def test_T35_a_driver_that_was_paused_finds_out_and_stands_by(world: WatchWorld) -> None:
    first, second = world.watcher(), world.watcher()
    world.run(3.0)
    first.alive = False  # SIGSTOP
    world.until(lambda: second.state.seat.driving, within=TAKE_OVER)
    first.alive = True  # SIGCONT
    world.run(2.0)
    assert not first.state.seat.driving
    assert not first.crew.driving
    assert second.state.seat.driving


def test_a_watcher_that_takes_over_goes_on_with_what_was_learned(world: WatchWorld) -> None:
    first, second = world.watcher(feed_wanted=False), world.watcher(feed_wanted=False)
    world.run(1.0)
    order_id = world.place()
    world.run(0.3)
    world.fill(order_id)
    world.run(15.0)
    first.kill()
    world.until(lambda: second.state.seat.driving, within=TAKE_OVER)
    assert second.state.schedules.learned.samples == first.state.schedules.learned.samples != {}


def test_a_restart_resumes_the_schedule_of_each_order(world: WatchWorld) -> None:
    world.place(limit="90")
    first = world.watcher()
    world.run(0.5)
    first.feed.connect()
    world.run(12.0)
    looks = next(iter(first.state.roster)).looks
    first.tracker.close()
    first.alive = False
    second = world.watcher()
    world.run(0.01)
    held = next(iter(second.state.roster))
    assert looks > 0
    assert held.looks >= looks


def test_500_orders_with_the_feed_dead_stay_under_four_seconds_and_hold_up_no_place(world: WatchWorld) -> None:
    world.place_many(500)
    one = world.watcher()
    one.crew.take = world.store.budget.take
    world.run(6.0)
    ages: list[float] = []
    waits: list[float] = []

    def look() -> None:
        ages.extend(r.snapshot_age for r in one.audience.boards[0].pending if r.snapshot_age is not None)

    def place() -> None:  # as `place` does beside a watcher: key, product, the order, the first look at it
        budget, before = world.store.budget, world.clock.monotonic()
        for _ in range(2):
            budget.take(Lane.PLACE)
        budget.spend()
        budget.take(Lane.FIRST_LOOK)
        waits.append(world.clock.monotonic() - before)

    world.timeline.every(10.0, place)
    world.run(42.0, look)
    assert len(ages) > 20_000
    assert max(ages) < 4.0
    assert len(waits) == 4
    assert max(waits) == 0.0
    assert world.venue.count("order") == 0
