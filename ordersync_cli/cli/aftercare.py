"""What a pass from cron does when it is over: alerts, deliveries, metrics."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from ordersync_cli.errors import BudgetExhausted, OrdersyncError

if TYPE_CHECKING:
    from ordersync_cli.bootstrap import Wiring

MODES = ("light", "deep")
DELIVER_FOR = 20.0  # seconds
LEASE_WAIT = 5.0  # seconds


def alert_and_deliver(wiring: Wiring, *, reachable: bool | None, failure: OrdersyncError | None) -> None:
    """Evaluate the alert rules once and deliver what waits; an outage is one incident (trap T30)."""
    from ordersync_cli.services.alerts.incidents import cause_of_failure
    from ordersync_cli.services.alerts.situation import Situation
    from ordersync_cli.services.ports import TradeFilter

    settings = wiring.settings
    short = isinstance(failure, BudgetExhausted) or (failure is not None and failure.kind == BudgetExhausted.kind)
    with wiring.store.read() as transaction:
        pending = transaction.trades.views(TradeFilter(status="pending"))
    deliverer = wiring.deliverer()
    # First, what `place` and others left: only what cannot be delivered now is "undelivered". Who delivered
    # before may be dead: its lease is taken over only by who waits for 4 s.
    deliverer.run_once(wait=LEASE_WAIT, at_most=DELIVER_FOR)
    told = cause_of_failure(failure)
    wiring.alerts.notice([told] if told else [])
    wiring.alerts.tick(
        Situation(
            at=wiring.clock.now(),
            pending=pending,
            venue_reachable=None if short else reachable,
            clock_offset=wiring.unclaimed_venue().offset().seconds if reachable else None,
            run_intervals={"light": settings.light_every.total_seconds(), "deep": settings.deep_every.total_seconds()},
            budget_refusals=int(short),
        )
    )
    deliverer.run_once(wait=LEASE_WAIT, at_most=DELIVER_FOR)


def measure(wiring: Wiring, path: Path) -> None:
    """Write the metrics file from what the store says; raises SettingsError where it cannot be written."""
    from ordersync_cli.domain.break_kinds import BreakKind
    from ordersync_cli.notify.metrics import PassMetrics, write_metrics
    from ordersync_cli.services.ports import TradeFilter

    with wiring.store.read() as transaction:
        last = {m: run for m in MODES if (run := transaction.runs.last(m)) is not None}
        good = {m: run for m in MODES if (run := transaction.runs.last(m, good=True)) is not None}
        pending = len(transaction.trades.views(TradeFilter(status="pending")))
        breaks = Counter({kind.value: 0 for kind in BreakKind})  # a series that is absent looks like one that is well
        breaks.update(b.kind for b in transaction.breaks.open() if b.severity == "open")
    write_metrics(
        path,
        PassMetrics(
            last=last, last_good=good, pending=pending, open_breaks=breaks, simulated=wiring.settings.simulated
        ),
    )
