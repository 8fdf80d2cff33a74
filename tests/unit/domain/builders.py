"""Short ways to say what was asked for and what a venue showed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from ordersync_cli.domain.lifecycle import observe
from ordersync_cli.domain.observations import (
    AnswerKind,
    CancelSeen,
    CancelStep,
    Channel,
    FillsSeen,
    Observation,
    OrderSeen,
    PlaceAnswer,
)
from ordersync_cli.domain.orders import Figures, Fill, OrderRequest, OrderType, Side, Source
from ordersync_cli.domain.trade import Change, Trade, VenueOrder

T0 = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
D = Decimal
OURS = "c-1"
ORDER = "o-1"


def s(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def market(**kw: Any) -> OrderRequest:
    asked: dict[str, Any] = {
        "product_id": "BTC-USD",
        "side": Side.BUY,
        "order_type": OrderType.MARKET,
        "client_order_id": OURS,
        "quote_size": D("100"),
    }
    return OrderRequest(**(asked | kw))


def limit(**kw: Any) -> OrderRequest:
    asked: dict[str, Any] = {"order_type": OrderType.LIMIT, "quote_size": None}
    asked |= {"base_size": D("100"), "limit_price": D("2")}
    return market(**(asked | kw))


def intent(request: OrderRequest | None = None, **kw: Any) -> Trade:
    facts: dict[str, Any] = {
        "trade_id": 7,
        "created_at": T0,
        "attempts": 1,
        "attempt_at": T0,
        "not_after": s(30),
        "submitted_at": T0,
    }
    return Trade(request=request or limit(), **(facts | kw))


def figures(size: str, n: int = 1, *, price: str = "2", fees: str = "0.1") -> Figures:
    filled = D(size)
    return Figures(
        filled_size=filled,
        number_of_fills=n if filled else 0,
        filled_value=filled * D(price),
        total_fees=D(fees) if filled else D(0),
        average_filled_price=D(price) if filled else D(0),
    )


ZEROES = figures("0")


def look(word: str, at: float, group: Figures | None = None, **kw: Any) -> OrderSeen:
    """A look by REST."""
    carried: dict[str, Any] = {
        "order_id": ORDER,
        "client_order_id": OURS,
        "product_id": "BTC-USD",
        "side": Side.BUY,
        "created_time": s(0.2),
        "channel": Channel.REST,
        "figures": group,
    }
    return OrderSeen(word=word, as_of=s(at), **(carried | kw))


def frame(word: str, at: float, group: Figures | None = None, **kw: Any) -> OrderSeen:
    """A frame of the user channel."""
    return replace(look(word, at, group, **kw), channel=Channel.WEBSOCKET)


def fill(entry_id: str, size: str, *, price: str = "2", at: float = 3, **kw: Any) -> Fill:
    row: dict[str, Any] = {
        "entry_id": entry_id,
        "order_id": ORDER,
        "venue_trade_id": f"t-{entry_id}",
        "trade_type": "FILL",
        "price": D(price),
        "size": D(size),
        "size_in_quote": False,
        "commission": D("0.1"),
        "trade_time": s(at),
        "sequence_timestamp": s(at + 0.05),
        "product_id": "BTC-USD",
        "side": Side.BUY,
        "liquidity_indicator": "TAKER",
    }
    return Fill(**(row | kw))


def listing(*rows: Fill, at: float = 10, complete: bool = True, order_id: str = ORDER) -> FillsSeen:
    return FillsSeen(order_id=order_id, as_of=s(at), fills=rows, complete=complete)


def answer(kind: str, *, at: float = 0.3, attempt: int = 1, **kw: Any) -> PlaceAnswer:
    named = {"order_id": ORDER} if kind == "accepted" else {}
    return PlaceAnswer(kind=AnswerKind(kind), attempt=attempt, at=s(at), **(named | kw))


def cancel(step: CancelStep, asked: float, answered: float | None = None) -> CancelSeen:
    return CancelSeen(requested_at=s(asked), step=step, answered_at=None if answered is None else s(answered))


def feed(trade: Trade, *observations: Observation, source: Source = Source.POLL) -> list[Change]:
    """Observe one after the other; the last change holds where the trade stands."""
    changes = []
    for observation in observations:
        changes.append(observe(trade, observation, source=source, at=s(500)))
        trade = changes[-1].after
    return changes


def after(trade: Trade, *observations: Observation) -> Change:
    return feed(trade, *observations)[-1]


def order_of(trade: Trade, order_id: str = ORDER) -> VenueOrder:
    return next(o for o in trade.orders if o.order_id == order_id)
