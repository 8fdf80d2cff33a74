"""Edits of resting orders: checked and paid for when asked, in force a little later, under the same order id."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from ordersync_cli.simulator.balances import Move, needed_hold
from ordersync_cli.simulator.effects import Effects
from ordersync_cli.simulator.lives import Step
from ordersync_cli.simulator.money import ZERO, is_multiple, minus, plus
from ordersync_cli.simulator.orders import Order
from ordersync_cli.simulator.products import CATALOGUE, Product
from ordersync_cli.simulator.session import Session
from ordersync_cli.simulator.state import State
from ordersync_cli.simulator.times import MILLISECOND, micro_text


def edit_refusal(state: State, order: Order | None, price: Decimal | None, size: Decimal | None, now: int) -> str:
    """Return why this edit cannot be, "" when it can. A missing price or size counts as 0, as the real one does."""
    if order is None:
        return "ORDER_NOT_FOUND"
    if order.is_terminal:
        return "ONLY_OPEN_ORDERS_CAN_BE_EDITED"
    if order.time_in_force != "GOOD_UNTIL_CANCELLED" or order.pending_cancel or order.base_size is None:
        return "ORDER_CANNOT_BE_EDITED"
    product = CATALOGUE[order.product_id]
    if not size or size <= 0 or not is_multiple(size, product.base_increment):
        return "INVALID_EDITED_SIZE"
    if not price or price <= 0 or not is_multiple(price, product.price_increment):
        return "INVALID_EDITED_PRICE"
    if size <= order.filled_size:
        return "CANNOT_EDIT_TO_BELOW_FILLED_SIZE"
    if size == order.base_size and price == order.limit_price:
        return "INVALID_ORIGINAL_ORDER_SAME_AS_EDITED"
    currency, missing = _missing_hold(state, order, product, price, size, now)
    return "INSUFFICIENT_FUND" if missing > state.available(currency) else ""


def _missing_hold(
    state: State, order: Order, product: Product, price: Decimal, size: Decimal, now: int
) -> tuple[str, Decimal]:
    """Return how much more money the edited order needs; what it needs less comes back when the edit is in force."""
    edited = replace(order, limit_price=price, base_size=size)
    currency, needed = needed_hold(edited, product, state.market.quote(product, now))
    return currency, max(minus(needed, order.hold), ZERO)


def edit_order(session: Session, order_id: str, price: Decimal | None, size: Decimal | None) -> str:
    """Take an edit; return the failure reason, "" when accepted."""
    order, state = session.order(order_id), session.state
    reason = edit_refusal(state, order, price, size, session.now)
    if reason or order is None or price is None or size is None:
        return reason
    currency, missing = _missing_hold(state, order, CATALOGUE[order.product_id], price, size, session.now)
    order.hold = plus(order.hold, missing)
    order.status = "EDIT_QUEUED"
    at = session.now + 20 * MILLISECOND
    step = Step(at, "edit", {"price": str(price), "size": str(size), "at_text": micro_text(at)})
    moves = [Move(currency, -missing, missing)] if missing else []
    session.write(order, Effects(moves=moves, steps=[step]), session.now)
    return ""
