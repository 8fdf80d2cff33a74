"""Small makers of trades, sightings and fills for tests of the store."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from ordersync_cli.domain.observations import Channel, FillsSeen, OrderSeen
from ordersync_cli.domain.orders import Figures, Fill, OrderRequest, OrderType, Side
from ordersync_cli.domain.trade import Trade
from ordersync_cli.services.record import Recorder
from ordersync_cli.store.trade_store import TradeStore
from tests.support.virtual_clock import START

FEE_RATE = Decimal("0.006")


def asked(client_order_id: str | None = "c-1", **fields: object) -> OrderRequest:
    """A market buy for 25 USD of BTC, unless told otherwise."""
    wanted: dict[str, object] = {
        "product_id": "BTC-USD",
        "side": Side.BUY,
        "order_type": OrderType.MARKET,
        "client_order_id": client_order_id,
        "quote_size": Decimal("25"),
        **fields,
    }
    return OrderRequest(**wanted)  # type: ignore[arg-type]


def intent(client_order_id: str | None = "c-1", at: datetime = START, **fields: object) -> Trade:
    """An intent that was just committed."""
    return Trade(
        request=asked(client_order_id, **fields),
        created_at=at,
        attempts=1,
        attempt_at=at,
        not_after=at + timedelta(seconds=30),
        submitted_at=at,
    )


def figures(size: str, price: str = "100", fees: str | None = None, count: int = 1) -> Figures:
    filled = Decimal(size)
    value = filled * Decimal(price)
    return Figures(
        filled_size=filled,
        number_of_fills=count if filled else 0,
        filled_value=value,
        total_fees=Decimal(fees) if fees is not None else value * FEE_RATE,
        average_filled_price=Decimal(price) if filled else Decimal(0),
    )


def seen(
    order_id: str = "o-1",
    word: str = "OPEN",
    size: str = "0",
    *,
    at: datetime = START,
    client_order_id: str | None = "c-1",
    **fields: object,
) -> OrderSeen:
    """One sight of an order by REST."""
    told: dict[str, object] = {
        "order_id": order_id,
        "as_of": at,
        "channel": Channel.REST,
        "word": word,
        "figures": figures(size),
        "client_order_id": client_order_id,
        "product_id": "BTC-USD",
        "side": Side.BUY,
        "created_time": START,
        "last_fill_time": at if Decimal(size) else None,
        **fields,
    }
    return OrderSeen(**told)  # type: ignore[arg-type]


def fill(entry_id: str, order_id: str = "o-1", size: str = "1", price: str = "100", **fields: object) -> Fill:
    told: dict[str, object] = {
        "entry_id": entry_id,
        "order_id": order_id,
        "venue_trade_id": f"t-{entry_id}",
        "trade_type": "FILL",
        "price": Decimal(price),
        "size": Decimal(size),
        "size_in_quote": False,
        "commission": Decimal(size) * Decimal(price) * FEE_RATE,
        "trade_time": START,
        "sequence_timestamp": START,
        "product_id": "BTC-USD",
        "side": Side.BUY,
        "liquidity_indicator": "TAKER",
        **fields,
    }
    return Fill(**told)  # type: ignore[arg-type]


def fills_seen(*fills: Fill, order_id: str = "o-1", at: datetime = START) -> FillsSeen:
    return FillsSeen(order_id=order_id, as_of=at, fills=fills, complete=True)


def add(store: TradeStore, trade: Trade) -> int:
    """Commit a trade; returns its id."""
    with store.write() as transaction:
        trade_id = transaction.trades.add(trade).trade_id
    assert trade_id is not None
    return trade_id


def recorder(store: TradeStore) -> Recorder:
    return Recorder(store=store, clock=store._clock)
