"""`ordersync cancel`: ask the venue to cancel; only its own word ends an order."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from ordersync_cli.cli.invocation import Invocation
from ordersync_cli.cli.options import command
from ordersync_cli.cli.trades import trade_json
from ordersync_cli.errors import CredentialsRefused, OrdersyncError, UsageError

if TYPE_CHECKING:
    from ordersync_cli.services.cancel import Cancelled, Cancelling

_WORDS = {
    "accepted": "cancelling; it may still fill",
    "refused": "the venue refused the cancel",
    "ended_before": "nothing to cancel",
    "waiting": "stored, and sent as soon as the order id is known",
    "key_refused": "not asked for; the wish stays stored, and is sent once the venue takes the key",
    "unknown": "the answer was lost; the wish stays stored",
    "external": "not in this store",
    "unreadable": "not asked for",
    "unknown_order": "neither the store nor the venue knows it",
    "not_asked": "not asked for, and no wish is stored",
    "not_looked_up": "not in this store, and the venue could not be asked",
}
_KINDS = {  # the worst first
    8: "unknown",
    4: "credentials",
    7: "unreadable",
    6: "venue_unavailable",
    11: "unknown_order",
    10: "breaks",
    5: "refused",
}


@command("cancel", shape={"results": []})
def cancel(
    run: Invocation,
    order_ids: Annotated[list[str], typer.Argument(metavar="ORDER_ID...", help="Order, client order or trade ids.")],
) -> int:
    """Cancel orders; each stays `cancelling` until the venue's word, and may still fill."""
    from ordersync_cli.services.cancel import Cancelling

    if not all(name.strip() for name in order_ids):
        raise UsageError("An order id is empty. Nothing was sent.", "See `ordersync list`.")
    wiring = run.wiring
    service = Cancelling(store=wiring.store, venue=wiring.venue, recorder=wiring.recorder, clock=wiring.clock)
    done: dict[str, Cancelled] = {}
    run.go_on()
    try:
        results = service.cancel(order_ids, done)
    except BaseException as problem:
        stop = type(problem) if isinstance(problem, KeyboardInterrupt) else run.stopped_by
        if stop is None:
            raise
        _stopped(run, service, order_ids, done, stop)
    rows = _told(run, results)
    code = next((c for c in _KINDS if any(r.exit_code == c for r in results)), 0)
    error = None
    if code:
        first = next(r for r in results if r.exit_code == code)
        remedy = (
            "ordersync doctor"
            if code == CredentialsRefused.exit_code
            else f"ordersync sync {first.order_id or first.wanted}"
        )
        message = f"{first.wanted}: {_WORDS[first.result]}" + (f" ({first.reason})" if first.reason else "")
        error = {"code": code, "kind": _KINDS[code], "message": message, "remedy": remedy}
    if run.output.as_json:
        run.output.document({"results": rows}, error=error)
    return code


def _told(run: Invocation, results: Sequence[Cancelled]) -> list[dict[str, Any]]:
    """Say in words what became of each order; returns the same for JSON."""
    from ordersync_cli.services.ports import TradeFilter

    known = [r.trade_id for r in results if r.trade_id is not None]
    with run.wiring.store.read() as transaction:
        views = {v.trade_id: v for v in transaction.trades.views(TradeFilter(trade_ids=known))} if known else {}
    rows = []
    for result in results:
        view = views.get(result.trade_id) if result.trade_id is not None else None
        rows.append(
            {
                "wanted": result.wanted,
                "order_id": result.order_id,
                "trade_id": result.trade_id,
                "result": result.result,
                "reason": result.reason,
                "trade": trade_json(view) if view else None,
            }
        )
        said = f"{result.wanted}: {_WORDS[result.result]}"
        detail = f" ({result.reason})" if result.reason and result.result != "waiting" else ""
        now = f" [{view.status}, {view.order_status}]" if view else ""
        (run.output.say if result.exit_code else run.output.text)(f"{said}{detail}{now}")
    return rows


def _stopped(
    run: Invocation,
    service: Cancelling,
    order_ids: Sequence[str],
    done: dict[str, Cancelled],
    stop: type[KeyboardInterrupt],
) -> NoReturn:
    """End a run that a signal stopped: a cancel may be on its way, so every order is named with what is known of it."""
    with suppress(OrdersyncError):  # the store may be what it was waiting for
        results = service.stopped(order_ids, done)
        run.so_far = {"results": _told(run, results)}
        asked = [r.order_id or r.wanted for r in results if r.result == "unknown"]
        if not asked:
            raise stop("No cancel is without its answer.", "")
        raise stop(
            f"The cancel of {', '.join(asked)} may have been sent; the wish is stored, and `watch` or `reconcile` "
            "sends it if it was not.",
            ", ".join(f"ordersync sync {name}" for name in asked),
        )
    raise stop(f"The cancel of {', '.join(order_ids)} may have been sent.", f"ordersync sync {order_ids[0]}")
