"""Takes orders, cancels and edits against the state: one call, one transaction, durable before it returns."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ordersync_cli.simulator.draws import draw_uuid
from ordersync_cli.simulator.effects import Effects
from ordersync_cli.simulator.exchange import accept, ask_cancel, paid_in, refusal_body
from ordersync_cli.simulator.intake import Refusal, read_order
from ordersync_cli.simulator.lives import Step
from ordersync_cli.simulator.orders import Order
from ordersync_cli.simulator.products import CATALOGUE
from ordersync_cli.simulator.scripts import script_steps
from ordersync_cli.simulator.session import Session

CANCEL_LIMIT = 100


@dataclass(slots=True)
class Behaviour:
    """Switches for what nobody knows about the real exchange, or what differed between recordings."""

    refuse_duplicates: bool = False  # DUPLICATE_CLIENT_ORDER_ID instead of the old order id with the new request
    client_id_in_frames: bool = True  # absent in a recording of 2026-08
    usdc_frames_as_usd: bool = False
    gtd_end: str = "EXPIRED"  # the spec says "will be cancelled"
    heartbeat_text: bool = False  # the docs print the counter as a string, recordings show a number
    null_configuration: bool = False  # success answers of 2023
    edit_errors_as_object: bool = False


def create_order(
    session: Session, body: dict[str, Any], behaviour: Behaviour, *, elsewhere: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Answer a Create Order; `elsewhere` marks an order placed by another program or in the app.

    elsewhere: {"source": "RETAIL_SIMPLE", "script": [...], "allow_duplicate": true}
    """
    client_order_id = str(body.get("client_order_id") or "")
    if not (elsewhere and elsewhere.get("allow_duplicate")):
        row = session.sql.execute(
            "SELECT order_id FROM orders WHERE client_order_id = ? ORDER BY seq LIMIT 1", (client_order_id,)
        ).fetchone()
        if row is not None:
            return _duplicate(body, row[0], behaviour)
    try:
        return _accept(session, body, behaviour, elsewhere or {})
    except Refusal as refusal:
        return refusal_body(body, refusal.response())


def _duplicate(body: dict[str, Any], order_id: str, behaviour: Behaviour) -> dict[str, Any]:
    """Answer a reused id: live, the FIRST order's id with an echo of the NEW request (SDK issues 49 and 105)."""
    if behaviour.refuse_duplicates:
        refusal = Refusal(reason="DUPLICATE_CLIENT_ORDER_ID", message="Duplicate client_order_id")
        return refusal_body(body, refusal.response())
    return success_body(body, order_id, behaviour)


def success_body(body: dict[str, Any], order_id: str, behaviour: Behaviour) -> dict[str, Any]:
    """Return the answer to an accepted Create Order: ids and an echo, no status, price or time."""
    return {
        "success": True,
        "success_response": {
            "order_id": order_id,
            "product_id": body.get("product_id"),
            "side": body.get("side"),
            "client_order_id": body.get("client_order_id"),
            "attached_order_id": "",
        },
        "order_configuration": None if behaviour.null_configuration else _echoed(body.get("order_configuration")),
    }


def _echoed(configuration: Any) -> Any:
    """Return the configuration with the keys that the exchange adds; under a reused id it may be anything."""
    if not isinstance(configuration, dict):
        return configuration
    return {name: _with_added_keys(name, terms) for name, terms in configuration.items()}


def _with_added_keys(name: str, terms: Any) -> Any:
    if not isinstance(terms, dict):
        return terms
    if name.startswith("market"):
        return {**terms, "rfq_enabled": False, "rfq_disabled": False}
    return {**terms, "rfq_disabled": False, "reduce_only": False, "currency_size": None, "oco_ref": ""}


def _accept(session: Session, body: dict[str, Any], behaviour: Behaviour, elsewhere: dict[str, Any]) -> dict[str, Any]:
    if not body.get("client_order_id"):
        raise Refusal(reason="INVALID_REQUEST", message="client_order_id is required")
    if str(body.get("product_id")) not in CATALOGUE:
        raise Refusal(reason="INVALID_PRODUCT_ID", message="The product ID was invalid")
    seq = int(session.sql.execute("SELECT COALESCE(MAX(seq), 0) + 1 FROM orders").fetchone()[0])
    order = read_order(body, seq, draw_uuid(session.state.seed, "order", seq), session.now, check_end=not elsewhere)
    planner = session.planner(order.product_id)
    script, answer = _script_for(session, order, elsewhere)
    if answer is not None:
        return refusal_body(body, answer)
    order.placement_source = elsewhere.get("source", "RETAIL_ADVANCED")
    order.placed_elsewhere = bool(elsewhere)
    available = session.state.available(paid_in(order, planner.product))
    effects = accept(order, planner, available, script)
    for step in effects.steps:
        if step.kind == "expire":
            step.data["status"] = behaviour.gtd_end
    session.insert(order, effects)
    return success_body(body, order.order_id, behaviour)


def _script_for(
    session: Session, order: Order, elsewhere: dict[str, Any]
) -> tuple[list[Step] | None, dict[str, str] | None]:
    """Return the script that dictates this order's life, or the refusal that one dictates."""
    if "script" in elsewhere:
        return script_steps(elsewhere["script"], session.now), None
    row = session.sql.execute(
        "SELECT id, remaining, steps, answer FROM scripts WHERE (client_order_id IS NULL OR client_order_id = ?)"
        " AND (product_id IS NULL OR product_id = ?) ORDER BY client_order_id IS NULL, id LIMIT 1",
        (order.client_order_id, order.product_id),
    ).fetchone()
    if row is None:
        return None, None
    number, remaining, steps, answer = row
    if remaining is not None and remaining <= 1:
        session.sql.execute("DELETE FROM scripts WHERE id = ?", (number,))
    elif remaining is not None:
        session.sql.execute("UPDATE scripts SET remaining = remaining - 1 WHERE id = ?", (number,))
    if answer is not None:
        return None, json.loads(answer)
    return script_steps(json.loads(steps), session.now), None


def cancel_orders(session: Session, order_ids: list[str]) -> list[dict[str, Any]]:
    """Answer a batch_cancel: accepted means queued, not cancelled."""
    results = []
    for order_id in order_ids:
        order = session.order(order_id)
        reason = "UNKNOWN_CANCEL_ORDER"
        if order is not None:
            reason, steps = ask_cancel(order, session.now, session.state.seed)
            if not reason:
                session.write(order, Effects(steps=steps), session.now)
        results.append(
            {"success": not reason, "failure_reason": reason or "UNKNOWN_CANCEL_FAILURE_REASON", "order_id": order_id}
        )
    return results


def advance_order(session: Session, order_id: str, count: int | None = None) -> int:
    """Bring the next `count` steps of one order (all of them by default) to pass now; return how many did."""
    done = 0
    while count is None or done < count:
        row = session.sql.execute(
            "SELECT id, kind, data FROM steps WHERE order_id = ? AND kind NOT IN ('search', 'expire')"
            " ORDER BY due, id LIMIT 1",
            (order_id,),
        ).fetchone()
        if row is None:
            return done
        session.sql.execute("DELETE FROM steps WHERE id = ?", (row[0],))
        session.run(order_id, Step(session.now, row[1], json.loads(row[2])))
        done += 1
    return done
