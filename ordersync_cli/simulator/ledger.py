"""The exchange's full truth, for comparing with what somebody else has stored."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ordersync_cli.simulator.listings import print_order
from ordersync_cli.simulator.money import minus, plus, text
from ordersync_cli.simulator.orders import load_fill, load_order
from ordersync_cli.simulator.session import reading
from ordersync_cli.simulator.state import State
from ordersync_cli.simulator.times import micro_text
from ordersync_cli.simulator.wire import rest_fill

_EVENTS = """SELECT id, order_id, at, show, json_extract(doc, '$.status'), json_extract(doc, '$.filled_size')
FROM events ORDER BY id"""


def ledger(state: State) -> dict[str, Any]:
    """Return every order, fill, event time and balance as of now; lag and faults hide nothing here."""
    with reading(state) as now:
        orders = [load_order(row[0]) for row in state.sql.execute("SELECT doc FROM orders ORDER BY seq")]
        fills: dict[str, list[dict[str, Any]]] = {}
        for seq, doc in state.sql.execute("SELECT seq, doc FROM fills ORDER BY seq"):
            fill = load_fill(doc)
            row = rest_fill(fill, state.user_id, state.portfolio_id, str(seq))
            row |= {"base_size": text(fill.size), "visible_at": micro_text(fill.visible_at)}
            fills.setdefault(fill.order_id, []).append(row)
        events: dict[str, list[dict[str, Any]]] = {}
        for number, order_id, at, show, status, size in state.sql.execute(_EVENTS):
            entry = {"id": number, "at": micro_text(at), "status": status, "shown": bool(show)}
            events.setdefault(order_id, []).append({**entry, "filled_size": text(Decimal(size))})
        balances = list(state.sql.execute("SELECT currency, available, held, opening FROM balances ORDER BY currency"))
    rows = []
    for order in orders:
        row = print_order(state, order)
        row["placed_elsewhere"] = order.placed_elsewhere
        row["ended_at"] = None if order.ended_at is None else micro_text(order.ended_at)
        row["last_fill_at"] = None if order.last_fill_at is None else micro_text(order.last_fill_at)
        row["fills"], row["events"] = fills.get(order.order_id, []), events.get(order.order_id, [])
        rows.append(row)
    per_id: dict[str, int] = {}
    for order in orders:
        per_id[order.client_order_id] = per_id.get(order.client_order_id, 0) + 1
    return {
        "now": micro_text(now),
        "seed": state.seed,
        "orders": rows,
        "orders_per_client_order_id": per_id,
        "balances": {row[0]: _balance(row) for row in balances},
    }


def _balance(row: tuple[str, str, str, str]) -> dict[str, str]:
    available, held, opening = (Decimal(value) for value in row[1:])
    total = plus(available, held)
    return {
        "available": text(available),
        "held": text(held),
        "opening": text(opening),
        "change": text(minus(total, opening)),
    }
