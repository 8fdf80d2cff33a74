"""What the watcher commits in one batch locks rows as everybody does: in the order of their ids."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from decimal import Decimal

from ordersync_cli.clock import SystemClock
from ordersync_cli.domain.observations import AnswerKind, Channel, OrderSeen, PlaceAnswer
from ordersync_cli.domain.orders import Figures, OrderRequest, OrderType, Side, Source
from ordersync_cli.domain.trade import Trade
from ordersync_cli.services.ports import Store
from ordersync_cli.services.record import Recorder
from ordersync_cli.services.watch.intake import Intake
from ordersync_cli.services.watch.watching import Roster
from tests.support.stores import StorePlace

START = datetime(2026, 1, 1, tzinfo=UTC)
HALF = Figures(
    filled_size=Decimal("0.5"),
    number_of_fills=1,
    filled_value=Decimal(50),
    total_fees=Decimal("0.1"),
    average_filled_price=Decimal(100),
)


def open_order(store: Store, order_id: str) -> int:
    request = OrderRequest(
        product_id="BTC-USD",
        side=Side.BUY,
        order_type=OrderType.MARKET,
        client_order_id=f"client-{order_id}",
        base_size=Decimal(1),
    )
    with store.write() as transaction:
        trade_id = transaction.trades.add(Trade(request=request, created_at=START, attempts=1)).trade_id
    assert trade_id is not None
    answer = PlaceAnswer(kind=AnswerKind.ACCEPTED, attempt=1, at=START, order_id=order_id)
    Recorder(store=store, clock=SystemClock()).about(trade_id, [answer], source=Source.PLACE)
    return trade_id


def seen(order_id: str, channel: Channel) -> OrderSeen:
    return OrderSeen(order_id=order_id, as_of=START, channel=channel, word="OPEN", figures=HALF)


def test_T34_a_frame_of_a_newer_order_beside_a_look_at_an_older_one_deadlocks_with_nobody(place: StorePlace) -> None:
    """Frames were locked first, then looks: on Postgres 24 of 50 passes beside a watcher were broken off."""
    here, there = place.open(), place.open()
    older, newer = (open_order(here, order_id) for order_id in ("o-1", "o-2"))
    intake = Intake(here, Recorder(store=here, clock=SystemClock()), Roster())
    intake.add_frames([seen("o-2", Channel.WEBSOCKET)], 0.0)
    intake.add_looks([seen("o-1", Channel.REST)], 0.0)
    changed: list[tuple[int | None, Source]] = []

    def commit() -> None:
        committed = intake.commit(0.0)
        changed.extend((c.after.trade_id, c.source) for c in (*committed.by_frames, *committed.by_looks))

    watcher = threading.Thread(target=commit, daemon=True)
    with there.write() as transaction:
        transaction.trades.load([older])
        watcher.start()
        time.sleep(0.3)  # it waits for the older row by now, and must not hold the newer one
        transaction.trades.load([newer])
    watcher.join(15.0)

    assert changed == [(newer, Source.WEBSOCKET), (older, Source.POLL)]
