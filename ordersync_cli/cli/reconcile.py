"""`ordersync reconcile`: one pass, made for cron: silent when nothing changed, and never twice at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from ordersync_cli.cli.invocation import Invocation
from ordersync_cli.cli.options import command, read_duration, read_past
from ordersync_cli.errors import LeaseHeld, OrdersyncError, VenueUnavailable

if TYPE_CHECKING:
    from ordersync_cli.notify.ping import Ping
    from ordersync_cli.services.ports import Run
    from ordersync_cli.services.reconcile.pass_report import PassReport
    from ordersync_cli.services.reconcile.running import Passes, Wish

SHAPE: dict[str, Any] = {
    "run_id": None,
    "mode": None,
    "dry_run": False,
    "started_at": None,
    "finished_at": None,
    "checked": 0,
    "updated_count": 0,
    "details": {},
    "breaks": [],
    "adopted": 0,
    "fills_added": 0,
    "requests": 0,
    "alerts": 0,
    "result": None,
    "notes": [],
}


@command("reconcile", shape=SHAPE)
def reconcile(
    run: Invocation,
    *,
    deep: Annotated[
        bool, typer.Option("--deep", help="Also every order and fill listed since the last deep pass.")
    ] = False,
    since: Annotated[
        datetime | None,
        typer.Option("--since", parser=read_past, metavar="T", help="Look again at everything since then."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what would change; write and send nothing.")] = False,
    adopt: Annotated[bool, typer.Option("--adopt", help="Take external orders into the store.")] = False,
    metrics_file: Annotated[
        Path | None, typer.Option("--metrics-file", metavar="PATH", help="Prometheus textfile to replace.")
    ] = None,
    ping_url: Annotated[
        str | None, typer.Option("--ping-url", metavar="URL", help="Dead-man's switch (healthchecks.io).")
    ] = None,
    max_runtime: Annotated[
        timedelta | None,
        typer.Option("--max-runtime", parser=read_duration, metavar="DURATION", help="End after that long."),
    ] = None,
    jitter: Annotated[
        timedelta | None,
        typer.Option("--jitter", parser=read_duration, metavar="DURATION", help="Wait up to that long first."),
    ] = None,
) -> int:
    """Hold what is pending against the venue, and repair it; with --deep, everything.

    Exit codes: 0 in sync or repaired, 6 the venue is away, 10 breaks remain open, 12 another run
    is under way.
    """
    from ordersync_cli.services.reconcile.running import Wish

    mode = "deep" if deep else "light"
    run.so_far |= {"mode": mode, "dry_run": dry_run}
    run.require_named_venue("ordersync reconcile")
    if jitter is not None:
        run.go_on()
        run.clock.sleep(run.chance.uniform(0, jitter.total_seconds()))
    ping = _ping(run, None if dry_run else ping_url)
    deadline = None if max_runtime is None else run.clock.monotonic() + max_runtime.total_seconds()
    once = Once(run=run, mode=mode, ping=ping, metrics_file=None if dry_run else metrics_file)
    with _hard_limit(max_runtime):
        return once.carry_out(
            Wish(
                since=since,
                adopt=adopt,
                dry_run=dry_run,
                deadline=deadline,
                go_on=run.go_on,
                started=once.started,
                failing=once.tell_of,
            )
        )


@dataclass(slots=True, kw_only=True)
class Once:
    """One run: the pass, what it says, its alerts, its metrics, its pings."""

    run: Invocation
    mode: str
    ping: Ping | None
    metrics_file: Path | None
    said: list[str] = field(default_factory=list, init=False)

    def started(self, row: Run) -> None:
        """Remember which run this is, and let its first ping out."""
        self.run.so_far |= {"run_id": row.run_id, "started_at": row.started_at}
        if self.ping is not None:
            self.ping.started()

    def carry_out(self, wish: Wish) -> int:
        """Carry the run out; returns its exit code, or raises after the ping went out."""
        try:
            code = self._pass(wish)
        except BaseException as failure:
            self._ended(exit_code_of(failure), failure)
            raise
        self._ended(code)
        return code

    def _pass(self, wish: Wish) -> int:
        from ordersync_cli.services.reconcile.running import Outage

        try:
            passes = self._passes(wish)
            self.run.go_on()
            report = passes.deep(wish=wish) if self.mode == "deep" else passes.light(wish=wish)
        except Outage as outage:
            self._after(wish, reachable=False, failure=outage)
            if not outage.said:
                raise
            return self._told_before(outage)
        except LeaseHeld:
            raise
        except OrdersyncError as failure:
            self._after(wish, reachable=None, failure=failure)
            raise
        self.tell_of(report)
        self._after(wish, reachable=True, failure=None)
        return self._show(report)

    def _passes(self, wish: Wish) -> Passes:
        """Wire the passes; a venue that cannot even be opened is a run that failed, with its row."""
        from ordersync_cli.services.reconcile.running import Outage, Passes

        wiring = self.run.wiring
        wiring.binds = not wish.dry_run
        try:
            venue = wiring.claimed(ask=False)  # what asks the venue waits for the lease
        except OrdersyncError as failure:
            said = not wish.dry_run and self._failed_at_the_door(failure)
            if isinstance(failure, VenueUnavailable):
                raise Outage(failure, said=said) from failure
            raise
        return Passes(
            store=wiring.store,
            venue=venue,
            recorder=wiring.recorder,
            clock=wiring.clock,
            chance=wiring.chance,
            beating=True,
            audit_sample=wiring.settings.audit_sample,
            claim=wiring.claimed,
        )

    def _failed_at_the_door(self, failure: OrdersyncError) -> bool:
        """Leave the row of a run that never came to its pass; tells whether this outage was told before."""
        from ordersync_cli.services.ports import Run
        from ordersync_cli.services.reconcile.running import here, write_failure

        wiring = self.run.wiring
        at, (host, pid) = wiring.clock.now(), here()
        failed = Run(run_id=self.run.run_id, mode=self.mode, started_at=at, host=host, pid=pid)
        return write_failure(wiring.store, failed, None, failure, at=at)

    def _told_before(self, outage: VenueUnavailable) -> int:
        """Keep quiet about an outage that was told within the hour; JSON still says it."""
        output = self.run.output
        if output.as_json:
            said = {"message": outage.message, "remedy": outage.remedy}
            shown = {name: output.redactor.value("", text) for name, text in said.items()}
            error = {"code": outage.exit_code, "kind": outage.kind, **shown}
            output.document({**SHAPE, **self.run.so_far}, error=error)
        return outage.exit_code

    def tell_of(self, report: PassReport) -> None:
        """Say what the run has committed, before anything else can end it."""
        self.run.so_far |= report.json()
        self._changes(report)

    def _changes(self, report: PassReport) -> None:
        for detail in report.details:
            self._line(detail.line())
        told = {detail.key for detail in report.details}
        for order_id in report.adopted:
            if order_id not in told:
                self._line(f"{order_id} adopted")

    def _show(self, report: PassReport) -> int:
        output = self.run.output
        fresh = [b for b in report.breaks if b.severity == "open" and b.fresh]
        for found in fresh:
            text = f"break {found.kind} on {found.key}: stored {found.stored or 'nothing'}, venue {found.venue}"
            self.said.append(text)
            output.say(text)
        if fresh:
            output.say("Next: ordersync breaks list")
        if output.as_json:
            output.document(report.json(), error=_error(report))
        return report.exit_code

    def _line(self, text: str) -> None:
        self.said.append(text)
        self.run.output.text(text)

    def _after(self, wish: Wish, *, reachable: bool | None, failure: OrdersyncError | None) -> None:
        """Evaluate the alert rules, deliver what waits, write the metrics; the pass itself is done."""
        if wish.dry_run:
            return
        from ordersync_cli.cli.aftercare import alert_and_deliver, measure

        try:
            alert_and_deliver(self.run.wiring, reachable=reachable, failure=failure)
            if self.metrics_file is not None:
                measure(self.run.wiring, self.metrics_file)
        except OrdersyncError:
            if failure is None:
                raise

    def _ended(self, code: int, failure: BaseException | None = None) -> None:
        if self.ping is None:
            return
        tail = list(self.said)
        if isinstance(failure, OrdersyncError):
            tail.append(f"{failure.message} {failure.remedy}".strip())
        elif failure is not None:
            tail.append(type(failure).__name__)
        self.ping.ended(code, self.run.output.redactor.text("\n".join(tail)))


def exit_code_of(failure: BaseException) -> int:
    """Tell the exit code that a failure will become."""
    if isinstance(failure, OrdersyncError):
        return failure.exit_code
    if isinstance(failure, KeyboardInterrupt):  # a subclass of it is a termination
        return 130 if type(failure) is KeyboardInterrupt else 143
    from ordersync_cli.services.reconcile.pulse import Overrun

    return 6 if isinstance(failure, Overrun) else 1


def _error(report: PassReport) -> dict[str, Any] | None:
    if report.exit_code == 0:
        return None
    count = sum(b.severity == "open" for b in report.breaks)
    return {"code": 10, "kind": "breaks", "message": f"{count} breaks are open.", "remedy": "ordersync breaks list"}


def _ping(run: Invocation, url: str | None) -> Ping | None:
    """Make the ping of this run; a simulated run sends none, so that no toy looks like the real thing."""
    if url is None or run.settings.simulated:
        return None
    from ordersync_cli.notify.ping import Ping

    run.output.redactor.learn([url])
    return Ping(url, run.chance.uuid())


@contextmanager
def _hard_limit(limit: timedelta | None) -> Iterator[None]:
    """End the run when its time is over, wherever it is: a step may hang where nobody counts."""
    if limit is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    from ordersync_cli.services.reconcile.pulse import Overrun, time_is_over

    def over(*_: object) -> NoReturn:
        raise Overrun

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, max(0.001, limit.total_seconds()))
    try:
        yield
    except Overrun:
        raise time_is_over() from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
