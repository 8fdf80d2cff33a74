"""The pure exchange: how an order is taken and how each step changes it; time and seed are passed in."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from ordersync_cli.simulator.balances import place_hold
from ordersync_cli.simulator.draws import Draws
from ordersync_cli.simulator.effects import LIVING, PLANNED, Effects, book_fill, edit_terms, end
from ordersync_cli.simulator.intake import check_against_market
from ordersync_cli.simulator.lives import Planner, Step, plan_life, plan_trading, search_steps
from ordersync_cli.simulator.orders import Order
from ordersync_cli.simulator.products import Product
from ordersync_cli.simulator.scripts import play
from ordersync_cli.simulator.times import MILLISECOND


def paid_in(order: Order, product: Product) -> str:
    """Return the currency that an order blocks while it lives."""
    return product.quote if order.is_buy else product.base


def accept(order: Order, planner: Planner, available: Decimal, script: list[Step] | None) -> Effects:
    """Take an order that could be read: check it, block its money, plan its life; raises Refusal.

    `available` is the free balance of the currency it is paid in. A script replaces the planned life.
    """
    quote = planner.market.quote(planner.product, order.created_at)
    check_against_market(order, planner.product, quote)
    moves = place_hold(order, planner.product, quote, available)
    order.scripted = script is not None
    steps = plan_life(order, planner) if script is None else script
    return Effects(moves=moves, steps=steps, show=True)


def apply_step(order: Order, step: Step, planner: Planner) -> Effects:
    """Change the order by one step that is due and return what else it did."""
    if order.is_terminal and step.kind in LIVING:
        return Effects(changed=False)
    return _STEPS[step.kind](order, step, planner)


def ask_cancel(order: Order, now: int, seed: int) -> tuple[str, list[Step]]:
    """Take a wish to cancel: return the failure reason ("" when accepted) and the steps that follow.

    An accepted cancel goes on reading OPEN for a while, and fills may still arrive.
    """
    if order.status == "FILLED":
        return "ORDER_IS_FULLY_FILLED", []
    if order.is_terminal:
        return "UNKNOWN_CANCEL_ORDER", []
    if order.pending_cancel:
        return "DUPLICATE_CANCEL_REQUEST", []
    draws = Draws(seed, "cancel", order.order_id, now - order.created_at)
    order.pending_cancel, order.cancel_at = True, now
    queued = now + draws.between(30, 120) * MILLISECOND
    gone = queued + draws.between(20, 180) * MILLISECOND
    return "", [Step(queued, "cancel_queued"), Step(gone, "cancelled", {"cancel_message": "User requested cancel"})]


def _open(order: Order, _step: Step, _planner: Planner) -> Effects:
    if order.status not in ("PENDING", "QUEUED"):
        return Effects(changed=False)
    order.status = "OPEN"
    return Effects(show=True)


def _end(order: Order, step: Step, _planner: Planner) -> Effects:
    effects = end(order, step.data["status"], step.due, step.data.get("cancel_message", ""))
    effects.steps = [Step(step.due + (n + 1) * 250 * MILLISECOND, "again") for n in range(step.data.get("repeats", 0))]
    return effects


def _again(_order: Order, _step: Step, _planner: Planner) -> Effects:
    return Effects(show=True, changed=False)


def _search(order: Order, step: Step, planner: Planner) -> Effects:
    return Effects(steps=search_steps(order, planner, step.due, step.data["tries"]), changed=False)


def _trigger(order: Order, step: Step, planner: Planner) -> Effects:
    order.trigger_status = "STOP_TRIGGERED"
    return Effects(steps=plan_trading(order, planner, planner.draws(order), step.due), show=True)


def _expire(order: Order, step: Step, _planner: Planner) -> Effects:
    return end(order, step.data.get("status", "EXPIRED"), step.due)


def _cancel_queued(order: Order, _step: Step, _planner: Planner) -> Effects:
    order.status = "CANCEL_QUEUED"
    return Effects(show=True)


def _cancelled(order: Order, step: Step, _planner: Planner) -> Effects:
    return end(order, "CANCELLED", step.due, step.data.get("cancel_message", ""))


def _edit(order: Order, step: Step, planner: Planner) -> Effects:
    """Put a new price and size in force under the same order id, and search the market anew."""
    edit_terms(order, Decimal(step.data["price"]), Decimal(step.data["size"]), step.data["at_text"])
    order.status = "OPEN"
    quote = planner.market.quote(planner.product, step.due)
    moves = place_hold(order, planner.product, quote, Decimal("Infinity"))
    steps = plan_trading(order, planner, planner.draws(order), step.due)
    if order.trigger_status == "STOP_PENDING":
        steps = search_steps(order, planner, step.due, 0)
    return Effects(moves=moves, steps=steps, drop=PLANNED, show=True)


_STEPS: dict[str, Callable[[Order, Step, Planner], Effects]] = {
    "open": _open,
    "fill": book_fill,
    "end": _end,
    "again": _again,
    "search": _search,
    "trigger": _trigger,
    "expire": _expire,
    "cancel_queued": _cancel_queued,
    "cancelled": _cancelled,
    "edit": _edit,
    "script": play,
}


def refusal_body(body: dict[str, Any], response: dict[str, str]) -> dict[str, Any]:
    """Return the answer to a refused Create Order: HTTP 200, success false, the configuration as it came."""
    return {"success": False, "error_response": response, "order_configuration": body.get("order_configuration")}
