"""One hour of a watcher in virtual time under seeded faults: true at the end, and no larger than at the start."""

from __future__ import annotations

import gc
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from ordersync_cli.domain.orders import Status
from ordersync_cli.errors import UnreadableAnswer, VenueUnavailable
from ordersync_cli.services.ports.messages import MessageUnreadable, SequenceGap
from tests.support.watch_world import One, WatchWorld, watch_world

HOUR = 3600.0
MEMORY = Path("/dev/shm")  # a file there costs no disk: the store is real, the waiting is not


@pytest.fixture
def world() -> Iterator[WatchWorld]:
    place = MEMORY if MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(dir=place) as folder, watch_world(Path(folder) / "store.db") as made:
        yield made


class Trouble:
    """Everything that goes wrong, and everybody who trades meanwhile, by one seed."""

    def __init__(self, world: WatchWorld, one: One, seed: int) -> None:
        self.world = world
        self.one = one
        self.draws = random.Random(seed)
        self.open: list[str] = []
        self.placed: list[str] = []
        world.timeline.every(6.0, self.trade)
        world.timeline.every(45.0, self.strike)
        one.crew.on_reconnect = self.connect

    def connect(self) -> None:
        if not self.one.feed.up:
            self.one.feed.connect()

    def trade(self) -> None:
        if len(self.open) < 12:
            order_id = self.world.place(limit="90")
            self.open.append(order_id)
            self.placed.append(order_id)
        if len(self.open) > 6:
            order_id = self.open.pop(self.draws.randrange(len(self.open)))
            if self.draws.random() < 0.8:
                self.world.fill(order_id)
            else:
                self.world.venue.end(order_id, "CANCELLED")
            self.tell(order_id)

    def tell(self, order_id: str) -> None:
        order = self.world.venue.orders[order_id]
        luck = self.draws.random()
        if luck < 0.85:
            self.one.feed.frame(order)
        if luck < 0.1:
            self.one.feed.frame(order)
        if luck > 0.97:
            self.one.inbox.put(SequenceGap(expected=5, got=7, at=self.world.clock.now()))

    def strike(self) -> None:
        world, one, draws = self.world, self.one, self.draws
        lasts = draws.uniform(2.0, 25.0)
        match draws.randrange(6):
            case 0:
                one.feed.drop()
                world.timeline.after(lasts, self.connect)
            case 1:
                world.venue.fail(lambda: VenueUnavailable("The venue is away."), times=None)
                world.timeline.after(lasts, world.venue.heal)
            case 2:
                one.feed.beating = False
                world.timeline.after(lasts, lambda: setattr(one.feed, "beating", True))
            case 3:
                one.feed.delivering = False
                world.timeline.after(lasts, lambda: setattr(one.feed, "delivering", True))
            case 4:
                world.venue.fail(lambda: UnreadableAnswer("Not JSON."), times=draws.randrange(1, 4))
            case _:
                now = world.clock.now()
                one.inbox.put(MessageUnreadable(where="message", text="{", at=now))


def sizes(one: One) -> dict[str, int]:
    """Count what the loop remembers."""
    state = one.state
    return {
        "roster": len(state.roster),
        "asks": len(state.asks),
        "causes": len(state.causes),
        "own_events": len(state.own_events),
        "reminders": len(state.agenda.reminders),
        "urgent": len(state.agenda._urgent),
        "quiet": len(state.intake._quiet),
        "suspects": len(state.completeness._suspects),
        "purposes": len(state.purposes),
        "resumed": len(state.schedules._resumed),
    }


def test_an_hour_of_random_faults_ends_true_and_no_larger(world: WatchWorld) -> None:
    seed = 20261123
    one = world.watcher()
    one.audience.wants_board = False
    trouble = Trouble(world, one, seed)
    world.run(1.0)
    one.feed.connect()
    world.run(HOUR / 6)
    gc.collect()
    memory, objects = psutil.Process().memory_info().rss, len(gc.get_objects())
    world.run(HOUR * 5 / 6)
    gc.collect()
    grown, more = psutil.Process().memory_info().rss - memory, len(gc.get_objects()) - objects
    world.venue.heal()
    one.feed.beating = one.feed.delivering = True
    trouble.open.clear()
    world.run(30.0)

    print(f"seed {seed}: {len(trouble.placed)} orders, grown by {grown >> 10} KiB and {more} objects")
    assert len(trouble.placed) > 500
    for order_id in trouble.placed:
        order, view = world.venue.orders[order_id], world.view(order_id)
        if order.word == "FILLED":
            assert (view.status, view.filled_size) == (Status.COMPLETED, order.figures.filled_size), (seed, order_id)
            assert view.fills_verified
        elif order.word == "CANCELLED":
            assert view.status == Status.FAILED, (seed, order_id)
        else:
            assert view.status == Status.PENDING, (seed, order_id)
    left = sizes(one)
    assert all(size <= 60 for size in left.values()), left
    # What the imagined venue and its script keep (an order, a fill, a call) grows by itself: about 20 objects a trade.
    assert grown < 40 << 20
    assert more < 60 * len(trouble.placed)
