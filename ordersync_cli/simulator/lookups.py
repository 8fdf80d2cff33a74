"""Look-ups of orders with the faults that a plan puts on them: stale, incomplete, unasked-for or unreadable answers."""

from __future__ import annotations

from typing import Any

from ordersync_cli.simulator.draws import draw_uuid
from ordersync_cli.simulator.faults import Fault
from ordersync_cli.simulator.listings import Page, list_orders, order_as_of, order_page, print_version
from ordersync_cli.simulator.orders import Version
from ordersync_cli.simulator.requests import ORDER_NOT_FOUND, Call
from ordersync_cli.simulator.state import State
from ordersync_cli.simulator.times import SECOND


def faulty_order(state: State, call: Call, now: int) -> Any:
    """Answer Get Order."""
    look = order_as_of(state, call.argument, None)
    if look is None or _is_hidden(call, look, now):
        return ORDER_NOT_FOUND
    stale = call.fault("stale")
    if stale is not None:
        look = order_as_of(state, call.argument, now - int(stale.seconds * SECOND)) or _as_new(state, look)
    return {"order": _dressed(call, print_version(state, look))}


def _as_new(state: State, look: Version) -> Version:
    """Return the first version of an order: the oldest answer there can be."""
    return order_as_of(state, look.order.order_id, look.order.created_at) or look


def _is_hidden(call: Call, look: Version, now: int) -> bool:
    fault = call.fault("hide_new")
    return fault is not None and now < look.order.created_at + int(fault.seconds * SECOND)


def _dressed(call: Call, body: dict[str, Any]) -> dict[str, Any]:
    """Put the odd fields of a plan on an order; a field given as {"absent": true} is taken away."""
    fault = call.fault("odd_fields")
    return body if fault is None else with_fields(body, fault)


def with_fields(body: dict[str, Any], fault: Fault) -> dict[str, Any]:
    """Return the object with the fault's fields; {"absent": true} takes a field away."""
    changed = {**body, **fault.fields}
    return {name: value for name, value in changed.items() if value != {"absent": True}}


def faulty_page(state: State, call: Call, now: int) -> dict[str, Any]:
    """Answer List Orders."""
    query = call.query
    if call.fault("ignore_ids"):
        query = {name: values for name, values in query.items() if name != "order_ids"}
    page = list_orders(state, query)
    orders = [look for look in page.orders if not _is_hidden(call, look, now)]
    omit = call.fault("omit_ids")
    if omit is not None:
        orders = [look for look in orders if look.order.order_id not in omit.ids] if omit.ids else orders[omit.number :]
    stale = call.fault("stale")
    if stale is not None:
        at = now - int(stale.seconds * SECOND)
        orders = [order_as_of(state, look.order.order_id, at) or _as_new(state, look) for look in orders]
    extra = call.fault("extra_ids")
    if extra is not None:
        known = {look.order.order_id for look in orders}
        others = list_orders(state, {"limit": [str(len(known) + extra.number)]}).orders
        orders += [look for look in others if look.order.order_id not in known][: extra.number]
    body = order_page(state, Page(orders, page.has_next, page.cursor))
    body["orders"] = [_dressed(call, order) for order in body["orders"]]
    if call.fault("repeat_cursor"):
        body["has_next"], body["cursor"] = True, query.get("cursor", [body["cursor"] or "748000001"])[-1]
    _spoil(call, body["orders"])
    return body


def faulty_fills(call: Call, body: dict[str, Any]) -> dict[str, Any]:
    """Put the plan's faults on a List Fills answer."""
    body["fills"] = [_dressed(call, fill) for fill in body["fills"]]
    if call.fault("repeat_cursor"):
        body["cursor"] = call.query.get("cursor", [body["cursor"] or "114000001"])[-1]
    _spoil(call, body["fills"])
    return body


def _spoil(call: Call, rows: list[Any]) -> None:
    """Make one row of a page unreadable; `number` counts from 1, `fields` replaces them, else the row is nonsense."""
    fault = call.fault("unreadable")
    if fault is None or len(rows) < fault.number:
        return
    row = rows[fault.number - 1]
    junk = {"order_id": draw_uuid(0, "junk"), "status": 7, "filled_size": "not a number", "created_time": {}}
    rows[fault.number - 1] = with_fields(row, fault) if fault.fields else {**row, **junk}
