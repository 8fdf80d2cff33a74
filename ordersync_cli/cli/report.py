"""`ordersync report`: what the store can prove of a window, in numbers and pictures."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ordersync_cli.cli.invocation import Invocation
from ordersync_cli.cli.options import LARGEST, command, read_past
from ordersync_cli.errors import UsageError

if TYPE_CHECKING:
    from ordersync_cli.services.ports.history import Reading, Scope
    from ordersync_cli.services.report.document import Report

FORMATS = ("table", "json", "csv", "html", "prometheus", "png", "pdf")
ROWS = ("trades", "fills")
_MISSED = 10
SHAPE: dict[str, Any] = {
    "since": None,
    "until": None,
    "trades": {"total": 0, "pending": 0, "completed": 0, "failed": 0},
    "sync_latency_seconds": {
        "count": 0, "mean": None, "p50": None, "p95": None, "p99": None, "max": None, "by_source": {},
    },
    "targets": [],
    "stale": [],
    "accuracy": {"audited": 0, "matched": 0, "ratio": None, "lower_bound_95": None},
    "interventions": {"manual_syncs": 0, "repairs": 0},
    "breaks": {},
    "bots": [],
    "volume": [],
    "previous": {},
    "runs": {"light": {}, "deep": {}},
    "watchers": [],
    "alerts": {},
    "intervals": {},
}  # fmt: skip


@command("report", shape=SHAPE)
def report(
    run: Invocation,
    *,
    since: Annotated[
        datetime | None,
        typer.Option(
            "--since", parser=read_past, metavar="T", help="Begin of the window: 24h, 7d, a date. Default: 24h."
        ),
    ] = None,
    until: Annotated[
        datetime | None, typer.Option("--until", parser=read_past, metavar="T", help="End of the window. Default: now.")
    ] = None,
    bot_id: Annotated[
        int | None,
        typer.Option("--bot-id", min=-LARGEST, max=LARGEST, metavar="N", help="Only the trades of this bot."),
    ] = None,
    product: Annotated[str | None, typer.Option("--product", metavar="PRODUCT", help="Only this product.")] = None,
    form: Annotated[
        str,
        typer.Option(
            "--format", metavar="F", help=f"{', '.join(FORMATS[:-1])} or pdf; the last two need the extra charts."
        ),
    ] = "",
    rows: Annotated[str, typer.Option("--rows", metavar="trades|fills", help="What csv lists.")] = "trades",
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="Write there instead of stdout.")
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Exit 10 when a target is missed or a pass overdue.")] = False,
    audit: Annotated[
        int | None, typer.Option("--audit", min=1, metavar="N", help="Hold N random trades against the venue first.")
    ] = None,
    intervals: Annotated[
        bool, typer.Option("--intervals", help="Show the learned schedule, and what others would cost.")
    ] = False,
) -> int:
    """Report what the store proves of a window: figures, targets, accuracy, and the period before.

    Exit codes: 0 done, 10 with --check when a target is missed or the last good pass is overdue.
    """
    from ordersync_cli.cli import report_output

    chosen = form or ("json" if run.output.as_json else "table")
    if chosen not in FORMATS:
        raise UsageError(f"--format is one of {', '.join(FORMATS)}, not {chosen}.")
    if rows not in ROWS:
        raise UsageError(f"--rows is trades or fills, not {rows}.")
    if check:
        run.require_named_venue("ordersync report --check")
    at = run.clock.now()
    scope = _scope(since, until, at, bot_id, product)
    if audit is not None:
        from ordersync_cli.cli.report_audit import audit_now

        run.go_on()
        audit_now(run, scope, audit)
        scope = _scope(since, until, run.clock.now(), bot_id, product)
    wish = report_output.Wish(form=chosen, rows=rows, file=output, intervals=intervals)
    store = run.wiring.store
    run.go_on()
    with store.read() as reading:
        made = _made(run, reading, scope, replay=intervals or chosen in {"html", "png", "pdf"})
        report_output.show(run, made, reading, scope, wish)
    if check and made.missed:
        run.output.say(f"Missed: {', '.join(made.missed)}.")
        return _MISSED
    return 0


def _scope(
    since: datetime | None, until: datetime | None, at: datetime, bot_id: int | None, product: str | None
) -> Scope:
    from datetime import timedelta

    from ordersync_cli.services.ports.history import Scope

    end = until or at
    begin = since or end - timedelta(hours=24)
    if begin >= end:
        raise UsageError("The window is empty: --since is not before --until.")
    return Scope(since=begin, until=end, bot_id=bot_id, product_id=product.upper() if product else None)


def _made(run: Invocation, reading: Reading, scope: Scope, *, replay: bool) -> Report:
    from ordersync_cli.bootstrap import alert_limits
    from ordersync_cli.cli.report_settings import report_limits
    from ordersync_cli.services.report.document import Reporting
    from ordersync_cli.services.report.runs import RunExpectations

    settings = run.settings
    intervals = {"light": settings.light_every.total_seconds(), "deep": settings.deep_every.total_seconds()}
    service = Reporting(
        limits=report_limits(settings),
        expected=RunExpectations(intervals=intervals, limits=alert_limits(settings)),
        at=run.clock.now(),
        replay=replay,
        rate=settings.requests_per_second,
        budget_left=run.wiring.store.budget.left(),
    )
    return service.make(reading, scope)
