"""`ordersync breaks list|accept`: differences that stay until somebody looked at them."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ordersync_cli.cli.invocation import Invocation
from ordersync_cli.cli.options import LARGEST, command
from ordersync_cli.errors import UsageError

if TYPE_CHECKING:
    from ordersync_cli.services.ports import StoredBreak


@command("breaks list", shape={"breaks": []}, touches_venue=False)
def list_(run: Invocation) -> int:
    """List the breaks that are not resolved; the store only, so it works in an outage."""
    with run.wiring.store.read() as transaction:
        rows = transaction.breaks.open()
    run.document({"breaks": [_shown(row) for row in rows]})
    run.output.table(
        ("id", "kind", "severity", "order", "trade", "stored", "venue", "first seen", "times"),
        [
            (r.break_id, r.kind, r.severity, r.order_id or r.key, r.trade_id, r.stored, r.venue, r.first_seen, r.times)
            for r in rows
        ],
    )
    return 0


@command("breaks accept", shape={"break": None, "unfrozen": False}, touches_venue=False)
def accept(
    run: Invocation,
    break_id: Annotated[
        int, typer.Argument(min=0, max=LARGEST, metavar="ID", help="The break's number in `breaks list`.")
    ],
    *,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why it may stay as it is.")],
) -> int:
    """Accept a break: it no longer makes a run end with 10.

    What lasts stays accepted while the store and the venue say the same; once they do not, it is a
    new break.

    Placing that was frozen because of it is allowed again once no such break is open.
    """
    from ordersync_cli.services.reconcile.acceptance import accept_break

    if not reason.strip():
        raise UsageError("A reason is needed. Nothing was changed.", "Say why with --reason.")
    with run.wiring.store.write() as transaction:
        accepted, unfrozen = accept_break(transaction, break_id, reason.strip(), run.clock.now())
    run.document({"break": _shown(accepted), "unfrozen": unfrozen})
    run.output.text(f"accepted: {accepted.kind} on {accepted.key}")
    if unfrozen:
        run.output.note("Placing is allowed again.")
    return 0


def _shown(row: StoredBreak) -> dict[str, Any]:
    return asdict(row)
