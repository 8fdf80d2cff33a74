"""`ordersync report --audit N`: asks the venue now, and says what differed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ordersync_cli.cli.invocation import Invocation
    from ordersync_cli.services.ports.history import Scope


def audit_now(run: Invocation, scope: Scope, count: int) -> None:
    """Hold random trades of the window against the venue, and count them."""
    from ordersync_cli.services.report.audit import Auditing

    wiring = run.wiring
    service = Auditing(
        store=wiring.store,
        venue=wiring.venue,
        recorder=wiring.recorder,
        clock=wiring.clock,
        chance=wiring.chance,
    )
    done = service.audit(scope, count)
    run.output.note(
        f"Audited {done.audited} of {done.drawn} drawn trades: {done.differed} differed from the venue"
        f"{' and were repaired' if done.differed else ''}."
    )
