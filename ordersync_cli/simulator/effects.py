"""What a change of an order does beside it: executions booked, money moved, later steps added or dropped."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from ordersync_cli.simulator.balances import Move, release_hold, settle_fill
from ordersync_cli.simulator.draws import Draws, draw_hex, draw_uuid
from ordersync_cli.simulator.lives import Planner, Step
from ordersync_cli.simulator.money import plus, text, times
from ordersync_cli.simulator.orders import Fill, Order
from ordersync_cli.simulator.times import MILLISECOND, SECOND


@dataclass(slots=True)
class Effects:
    """What one step did: rows to book, money to move, steps to add; `show` says that a frame goes out."""

    fills: list[Fill] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    drop: frozenset[str] = frozenset()  # kinds of steps of this order that no longer happen
    show: bool = False
    changed: bool = True


# What ends with the order: a script and the repeats of its last frame go on.
LIVING = frozenset({"open", "fill", "end", "search", "trigger", "expire", "cancel_queued", "cancelled", "edit"})
PLANNED = frozenset({"fill", "end", "search", "trigger"})


def book_fill(order: Order, step: Step, planner: Planner) -> Effects:
    """Book one execution: figures, money, and the row that look-ups see a little later than the order."""
    data = step.data
    size, price = Decimal(data["size"]), Decimal(data["price"])
    value = times(size, price)
    rate = order.maker_rate if data["liquidity"] == "MAKER" else order.taker_rate
    fee = Decimal(data["fee"]) if "fee" in data else times(value, rate)
    moves = settle_fill(order, planner.product, size, price, fee)
    order.filled_size = plus(order.filled_size, size)
    order.filled_value = plus(order.filled_value, value)
    order.total_fees = plus(order.total_fees, fee)
    order.number_of_fills += 1
    order.last_fill_at = step.due
    return Effects(fills=[new_row(order, planner, step, size, price, fee)], moves=moves, show=True)


def new_row(order: Order, planner: Planner, step: Step, size: Decimal, price: Decimal, fee: Decimal) -> Fill:
    """Return the next row of the fills listing for this order."""
    data = step.data
    order.fill_rows += 1
    draws = Draws(planner.seed, "booking", order.order_id, order.fill_rows)
    booked = step.due + draws.between(3_000, 100_000)
    lag = draws.between(0, 300) if draws.chance(95) else draws.between(300, 2_000)
    visible = booked + lag * MILLISECOND
    if "visible_after" in data:
        visible = step.due + int(Decimal(str(data["visible_after"])) * SECOND)
    return Fill(
        entry_id=data.get("entry_id") or draw_hex(planner.seed, "entry", order.order_id, order.fill_rows),
        trade_id=data.get("trade_id") or draw_uuid(planner.seed, "trade", order.order_id, order.fill_rows),
        order_id=order.order_id,
        product_id=order.product_id,
        side=order.side,
        trade_type=data.get("trade_type", "FILL"),
        price=price,
        size=size,
        commission=fee,
        liquidity=data["liquidity"],
        size_in_quote=bool(data.get("in_quote")),
        traded_at=step.due,
        booked_at=booked,
        visible_at=visible,
        shown=data.get("row", {}),
    )


def end(order: Order, status: str, at: int, note: str = "") -> Effects:
    """Give the order a terminal status and its money back."""
    order.status, order.ended_at, order.cancel_message = status, at, note
    return Effects(moves=release_hold(order), drop=LIVING, show=True)


def edit_terms(order: Order, price: Decimal, size: Decimal, at_text: str) -> None:
    """Write the new price and size into the order, its configuration and its history (five entries are kept)."""
    order.limit_price, order.base_size = price, size
    name, terms = next(iter(order.configuration.items()))
    order.configuration = {name: {**terms, "base_size": text(size), "limit_price": text(price)}}
    entry = {"price": text(price), "size": text(size), "replace_accept_timestamp": at_text}
    order.edit_history = [*order.edit_history, entry][-5:]
