"""The control routes under /_control/: the same strings as Control, as JSON over HTTP, on loopback, without a key."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ordersync_cli.simulator.control import Control
from ordersync_cli.simulator.requests import NOT_FOUND, Answer, Call, error_answer, json_answer


def control_answer(control: Control, close_feeds: Callable[[int], None], call: Call) -> Answer:
    """Answer one control request; what cannot be read is a 400 that says why."""
    name = call.path.removeprefix("/_control/")
    try:
        body = _answer(control, close_feeds, call.method, name, call.body() if call.method == "POST" else {})
    except (ValueError, KeyError, TypeError, LookupError) as error:
        return error_answer(400, "INVALID_ARGUMENT", f"{type(error).__name__}: {error}")
    return NOT_FOUND if body is None else json_answer(body)


def _answer(control: Control, close_feeds: Callable[[int], None], method: str, name: str, body: dict[str, Any]) -> Any:
    if method == "GET":
        return _read(control, name)
    if name == "script":
        match = body.get("match", {})
        count = match.get("next", body.get("count", 1))
        control.script(
            body.get("steps", []),
            client_order_id=match.get("client_order_id"),
            product_id=match.get("product_id"),
            count=count,
            refuse=body.get("refuse"),
        )
        return {"ok": True}
    if name == "faults":
        if "faults" in body:
            control.faults.replace(body["faults"])
        else:
            control.fault(**body)
        return {"faults": control.faults.shown()}
    if name == "clock":
        if "skew_seconds" in body:
            control.set_skew(body["skew_seconds"])
        control.advance_clock(body.get("advance_seconds", 0))
        return {"ok": True}
    if name == "orders":
        return control.place_elsewhere(body["request"], **{k: v for k, v in body.items() if k != "request"})
    if name == "cancel":
        return {"results": control.cancel_elsewhere(body["order_ids"])}
    if name == "behaviour":
        return control.switch(**body)
    if name == "feed/close":
        close_feeds(int(body.get("code", 1001)))
        return {"ok": True}
    if name == "key":
        path = control.make_key_file(
            Path(body["path"]), kind=body.get("kind", "ecdsa"), scopes=tuple(body.get("scopes", ("view", "trade")))
        )
        return {"key_file": str(path)}
    return _order(control, name, body)


def _read(control: Control, name: str) -> Any:
    if name == "ledger":
        return control.ledger()
    if name == "requests":
        return control.requests()
    if name == "faults":
        return {"faults": control.faults.shown()}
    if name == "behaviour":
        return control.switch()
    return None


def _order(control: Control, name: str, body: dict[str, Any]) -> Any:
    """Answer orders/{order_id}/advance and orders/{order_id}/script."""
    kind, _, rest = name.partition("/")
    order_id, _, verb = rest.partition("/")
    if kind != "orders":
        return None
    if verb == "advance":
        return {"steps": control.advance(order_id, body.get("count"))}
    if verb == "script":
        control.continue_order(order_id, body.get("steps", []), keep_plan=bool(body.get("keep_plan")))
        return {"ok": True}
    return None
