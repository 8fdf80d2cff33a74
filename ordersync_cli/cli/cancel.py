"""`ordersync cancel`: ask the venue to cancel; only its own word ends an order."""

from __future__ import annotations

from typing import Annotated

import typer

from ordersync_cli.cli.invocation import Invocation
from ordersync_cli.cli.options import command
from ordersync_cli.cli.trades import trade_json
from ordersync_cli.errors import CredentialsRefused, UsageError

_WORDS = {
    "accepted": "cancelling; it may still fill",
    "refused": "the venue refused the cancel",
    "ended_before": "nothing to cancel",
    "waiting": "stored, and sent as soon as the order id is known",
    "key_refused": "not asked for; the wish stays stored, and is sent once the venue takes the key",
    "unknown": "the answer was lost; the wish stays stored",
    "external": "not in this store",
    "unknown_order": "neither the store nor the venue knows it",
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
    from ordersync_cli.services.ports import TradeFilter

    if not all(name.strip() for name in order_ids):
        raise UsageError("An order id is empty. Nothing was sent.", "See `ordersync list`.")
    wiring = run.wiring
    service = Cancelling(store=wiring.store, venue=wiring.venue, recorder=wiring.recorder, clock=wiring.clock)
    results = service.cancel(order_ids)
    known = [r.trade_id for r in results if r.trade_id is not None]
    with wiring.store.read() as transaction:
        views = {v.trade_id: v for v in transaction.trades.views(TradeFilter(trade_ids=known))} if known else {}
    code = next((c for c in _KINDS if any(r.exit_code == c for r in results)), 0)
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
