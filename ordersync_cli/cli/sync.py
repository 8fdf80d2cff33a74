"""`ordersync sync`: one order, brought up to the venue's truth by hand."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ordersync_cli.cli.invocation import Invocation
from ordersync_cli.cli.options import command

SHAPE: dict[str, Any] = {
    "success": False,
    "order_id": None,
    "trade_id": None,
    "status_change": None,
    "changed": False,
    "coinbase_status": None,
    "updated_at": None,
    "explanation": [],
    "trade": None,
}
_KINDS = {8: "unknown", 10: "breaks"}


@command("sync", shape=SHAPE)
def sync(
    run: Invocation,
    order_id: Annotated[
        str, typer.Argument(metavar="ORDER_ID", help="The venue's id, our client order id, or the trade id (trade:7).")
    ],
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what would change; write nothing.")] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Say what was stored, what was said, and why.")] = False,
    adopt: Annotated[bool, typer.Option("--adopt", help="Take in an order that the store does not know.")] = False,
) -> int:
    """Sync one order with the venue, at once.

    Exit codes: 0 settled (or open at the venue), 8 still unknown, 10 an external order without
    --adopt, 11 nobody knows it.
    """
    from ordersync_cli.services.sync import Syncing

    wiring = run.wiring
    wiring.binds = not dry_run
    service = Syncing(
        store=wiring.store, venue=wiring.venue, recorder=wiring.recorder, clock=wiring.clock, chance=wiring.chance
    )
    run.go_on()
    done = service.sync(order_id, adopt=adopt, dry_run=dry_run)
    if not dry_run:
        wiring.deliverer().run_once()
    if explain:
        for line in done.explanation:
            run.output.text(line)
    if done.view is not None and not explain:
        name = done.order_id or done.view.client_order_id or f"trade {done.view.trade_id}"
        now = f"{done.view.status} ({done.view.order_status})"
        run.output.text(f"{name} {f'{done.status_change}, ' if done.status_change else ''}{now}")
    if done.message:
        run.output.say(done.message)
    if run.output.as_json:
        error = None
        if done.exit_code:
            error = {
                "code": done.exit_code,
                "kind": _KINDS[done.exit_code],
                "message": done.message,
                "remedy": f"ordersync sync {order_id}" + (" --adopt" if done.exit_code == 10 else ""),
            }
        run.output.document(done.json(), error=error)
    return done.exit_code
