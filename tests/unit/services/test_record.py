"""The recorder gives each observation to the trade it is about."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from ordersync_cli.domain.observations import FillsSeen
from ordersync_cli.domain.orders import Fill, Side, Source
from tests.support.pass_world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def test_fills_beside_the_first_sight_of_their_order_are_the_trades_own(world: World) -> None:
    trade = world.intent()
    world.venue.accept(trade.request, "o-1")
    seen = world.venue.orders["o-1"].seen(world.venue.now())
    fill = Fill(
        entry_id="e-1",
        order_id="o-1",
        venue_trade_id="t-1",
        trade_type="FILL",
        price=Decimal(1),
        size=Decimal(1),
        size_in_quote=False,
        commission=Decimal(0),
        trade_time=seen.as_of,
        sequence_timestamp=seen.as_of,
        product_id="BTC-USD",
        side=Side.BUY,
        liquidity_indicator="TAKER",
    )
    listed = FillsSeen(order_id="o-1", as_of=seen.as_of + timedelta(seconds=1), fills=(fill,), complete=True)
    recorded = world.recorder.seen([listed, seen], source=Source.RECONCILE)
    assert recorded.external == ()
    assert [f.entry_id for change in recorded.changes for f in change.fills_added] == ["e-1"]
