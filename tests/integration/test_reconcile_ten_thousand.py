"""10,000 imported trades stuck in `pending`, every one ended at the venue: one `reconcile` makes all true."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from ordersync_cli.domain.orders import Side
from ordersync_cli.domain.view import TradeView
from ordersync_cli.services.importing import Importer
from tests.support.fake_venue import FakeOrder
from tests.support.pass_world import World
from tests.support.stores import StorePlace

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]  # for a machine that does ten other things
COUNT = 10_000
WAYS = ("FILLED", "PARTLY", "CANCELLED", "EXPIRED", "FAILED")
FILLED_WAYS = {"FILLED", "PARTLY"}


@pytest.fixture
def world(place: StorePlace) -> Iterator[World]:
    made = World(url=place.url)
    yield made
    made.close()


def end_at_the_venue(world: World, number: int) -> str:
    """Let the venue hold one more order that ended three days ago, with figures of its own."""
    word = WAYS[number % len(WAYS)]
    order_id = f"{word}-{number:06}"
    side = Side.SELL if number % 2 else Side.BUY
    world.venue.add(order_id, created_time=world.clock.now() - timedelta(days=3, seconds=number % 997), side=side)
    if word in FILLED_WAYS:
        size = f"{number % 7}.{number:06}000000789012345678"
        for part in range(1 + number % 2):  # one execution, or two
            world.venue.fill(
                order_id, size, f"{60_000 + number % 89}.0{part + 1}", f"0.{number % 11}{part}1", side=side
            )
    world.venue.end(order_id, "CANCELLED" if word == "PARTLY" else word, f"why {number % 13}")
    return order_id


@dataclass(frozen=True)
class BotsTable:
    """A bot's `trades` as an import reads it: floats, naive times, all of it `pending`."""

    order_ids: Sequence[str]
    shown = identity = "a bot's table"
    columns = ("id", "bot_id", "product_id", "side", "size", "price", "order_id", "status", "created_at")

    def count(self) -> int:
        return len(self.order_ids)

    def batches(self, size: int) -> Iterator[list[dict[str, Any]]]:
        for start in range(0, len(self.order_ids), size):
            yield [self._cells(start + n, i) for n, i in enumerate(self.order_ids[start : start + size])]

    def _cells(self, number: int, order_id: str) -> dict[str, Any]:
        side = "sell" if number % 2 else "buy"
        cells = (number, number % 5, "BTC-USD", side, 0.1, 65000.01, order_id, "pending", "2026-02-20 12:00:00")
        return dict(zip(self.columns, cells, strict=True))


def take_in(world: World, order_ids: Sequence[str]) -> None:
    done = Importer(world.store, world.clock).run(BotsTable(order_ids), {}, dry_run=False, progress=lambda *_: None)
    assert (done.imported, done.pending, done.problem_count) == (len(order_ids), len(order_ids), 0)


def truth(order: FakeOrder) -> dict[str, object]:
    """What the row of an order must read, by the venue alone."""
    filled = order.figures.filled_size > 0
    return {
        "status": "completed" if filled else "failed",
        "order_status": order.word.lower(),
        "venue_status": order.word,
        "reason": None if order.word == "FILLED" else order.reason,
        "filled_size": order.figures.filled_size,
        "average_filled_price": order.figures.average_filled_price,
        "filled_value": order.figures.filled_value,
        "total_fees": order.figures.total_fees,
        "number_of_fills": order.figures.number_of_fills,
        "filled_at": order.last_fill_time if filled else None,
        "fills_verified": True,
        "sync_latency_seconds": None,
    }


def row(view: TradeView) -> dict[str, object]:
    """What the row does read; no figures are zero figures."""
    zero = {"filled_size", "average_filled_price", "filled_value", "total_fees"}
    names = (*truth(FakeOrder(order_id="", created_time=view.created_at)),)
    told = {name: getattr(view, name) for name in names}
    return {name: Decimal(0) if value is None and name in zero else value for name, value in told.items()}


def test_ten_thousand_stuck_trades_of_every_end_are_made_true_exactly_in_one_pass(world: World) -> None:
    ids = [end_at_the_venue(world, number) for number in range(COUNT)]
    take_in(world, ids)
    report = world.passes.light()
    assert (report.result, report.exit_code, report.updated_count, report.checked) == ("drift", 0, COUNT, COUNT)
    views = {view.order_id: view for view in world.views()}
    assert len(views) == COUNT
    wrong = [
        i
        for i in ids
        if row(views[i]) | {"number_of_fills": views[i].number_of_fills or 0} != truth(world.venue.orders[i])
    ]
    assert wrong == []
    executed = [fill for order in world.venue.orders.values() for fill in order.fills]
    assert report.fills_added == len(executed)

    without_fills = sum(1 for i in ids if not world.venue.orders[i].fills)
    assert world.venue.count("order") == 0
    assert world.venue.count("orders_by_id") == COUNT // 100 + without_fills // 100
    pages = world.venue.count("fills_of")
    assert pages <= COUNT // 100 + len(executed) // world.venue.fills_page_size, "what the fills need"
    assert report.requests == world.venue.count("orders_by_id") + pages

    world.venue.calls.clear()
    again = world.passes.light()
    assert (again.result, again.requests, again.updated_count) == ("in_sync", 0, 0)


def test_their_fills_are_each_there_once_and_equal(world: World) -> None:
    ids = [end_at_the_venue(world, number) for number in range(500)]
    take_in(world, ids)
    world.passes.light()
    world.passes.deep()
    with world.store.read() as transaction:
        trades = transaction.trades.load([v.trade_id for v in world.views()], lock=False)
    held = {f.entry_id: f for t in trades.values() for o in t.orders for f in o.fills}
    told = {f.entry_id: f for o in world.venue.orders.values() for f in o.fills}
    assert len(held) == sum(len(o.fills) for t in trades.values() for o in t.orders)
    assert held == told
