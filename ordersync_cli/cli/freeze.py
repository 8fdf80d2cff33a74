"""`ordersync freeze` and `ordersync unfreeze`: no placing on this store, and placing again."""

from __future__ import annotations

from typing import Annotated

import typer

from ordersync_cli.cli.invocation import Invocation
from ordersync_cli.cli.options import command


@command("freeze", shape={"frozen": None, "changed": False, "reason": None}, touches_venue=False)
def freeze(
    run: Invocation,
    *,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Shown to whoever places.")] = "by hand",
) -> int:
    """Refuse every `place` on this store (exit 2) until `unfreeze`; all else goes on."""
    from ordersync_cli.services.freeze import freeze as freeze_in
    from ordersync_cli.services.freeze import frozen_because

    text = reason.strip() or "by hand"
    with run.wiring.store.write() as transaction:
        changed = freeze_in(transaction, text if text.endswith(".") else f"{text}.", run.clock.now())
        because = frozen_because(transaction)
    run.document({"frozen": True, "changed": changed, "reason": because})
    run.output.text(f"Placing is frozen: {because}" if changed else f"Placing was frozen already: {because}")
    return 0


@command("unfreeze", shape={"frozen": None, "changed": False, "reason": None}, touches_venue=False)
def unfreeze(run: Invocation) -> int:
    """Allow placing on this store again."""
    from ordersync_cli.services.freeze import unfreeze as unfreeze_in

    with run.wiring.store.write() as transaction:
        changed = unfreeze_in(transaction)
    run.document({"frozen": False, "changed": changed})
    run.output.text("Placing is allowed again." if changed else "Placing was not frozen.")
    return 0
