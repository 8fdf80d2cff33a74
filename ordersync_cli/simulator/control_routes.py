"""The control routes under /_control/: the same strings as Control, as JSON over HTTP, on loopback, without a key."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ordersync_cli.simulator.control import Control
from ordersync_cli.simulator.requests import NOT_FOUND, Answer, Call, error_answer, json_answer

Body = dict[str, Any]


def control_answer(control: Control, close_feeds: Callable[[int], None], call: Call) -> Answer:
    """Answer one control request; what cannot be read is a 400 that says why."""
    name = call.path.removeprefix("/_control/")
    try:
        if call.method == "GET" and name in _READS:
            return json_answer(_READS[name](control))
        if call.method != "POST":
            return NOT_FOUND
        if name == "feed/close":
            close_feeds(int(call.body().get("code", 1001)))
            return json_answer({"ok": True})
        if name in _WRITES:
            return json_answer(_WRITES[name](control, call.body()))
        return _one_order(control, name, call.body())
    except (ValueError, KeyError, TypeError, LookupError) as error:
        return error_answer(400, "INVALID_ARGUMENT", f"{type(error).__name__}: {error}")


def _script(control: Control, body: Body) -> Body:
    """Take {"match": {"client_order_id", "product_id", "next": n or null}, "steps": [...], "refuse": {...}}."""
    match = body.get("match", {})
    control.script(
        body.get("steps", []),
        client_order_id=match.get("client_order_id"),
        product_id=match.get("product_id"),
        count=match.get("next", 1),
        refuse=body.get("refuse"),
    )
    return {"ok": True}


def _faults(control: Control, body: Body) -> Body:
    """Take {"faults": [...]} as the whole plan, or one line to add."""
    if "faults" in body:
        control.faults.replace(body["faults"])
    else:
        control.fault(**body)
    return {"faults": control.faults.shown()}


def _clock(control: Control, body: Body) -> Body:
    if "skew_seconds" in body:
        control.set_skew(body["skew_seconds"])
    control.advance_clock(body.get("advance_seconds", 0))
    return {"ok": True}


def _elsewhere(control: Control, body: Body) -> Body:
    """Take {"request": {Create Order}, "source", "script", "allow_duplicate"}."""
    return control.place_elsewhere(body["request"], **{name: body[name] for name in body if name != "request"})


def _key(control: Control, body: Body) -> Body:
    scopes = tuple(body.get("scopes", ("view", "trade")))
    path = control.make_key_file(Path(body["path"]), kind=body.get("kind", "ecdsa"), scopes=scopes)
    return {"key_file": str(path)}


def _one_order(control: Control, name: str, body: Body) -> Answer:
    """Answer orders/{order_id}/advance and orders/{order_id}/script."""
    kind, _, rest = name.partition("/")
    order_id, _, verb = rest.partition("/")
    if kind != "orders" or verb not in ("advance", "script"):
        return NOT_FOUND
    if verb == "advance":
        return json_answer({"steps": control.advance(order_id, body.get("count"))})
    control.continue_order(order_id, body.get("steps", []), keep_plan=bool(body.get("keep_plan")))
    return json_answer({"ok": True})


_READS: dict[str, Callable[[Control], Body]] = {
    "ledger": Control.ledger,
    "requests": Control.requests,
    "faults": lambda control: {"faults": control.faults.shown()},
    "behaviour": lambda control: control.switch(),
}
_WRITES: dict[str, Callable[[Control, Body], Body]] = {
    "script": _script,
    "faults": _faults,
    "clock": _clock,
    "orders": _elsewhere,
    "cancel": lambda control, body: {"results": control.cancel_elsewhere(body["order_ids"])},
    "behaviour": lambda control, body: control.switch(**body),
    "key": _key,
}
