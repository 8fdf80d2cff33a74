"""Runs a pass: one at a time by lease, with a row whatever happens, and a report at the end."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from ordersync_cli.clock import Chance, Clock
from ordersync_cli.domain.orders import Source
from ordersync_cli.domain.trade import Alarm
from ordersync_cli.errors import LeaseHeld, LeaseLost, OrdersyncError, StoreError, VenueUnavailable
from ordersync_cli.services.ports import Lane, Lease, Run, Store, Venue
from ordersync_cli.services.reconcile.auditing import AUDIT_OLD
from ordersync_cli.services.reconcile.closing import close_pass, cut_short
from ordersync_cli.services.reconcile.deep import DeepPass, adopt_kept
from ordersync_cli.services.reconcile.light import LightPass
from ordersync_cli.services.reconcile.pass_report import PassReport
from ordersync_cli.services.reconcile.preparing import Means, prepare
from ordersync_cli.services.reconcile.pulse import Overrun, Pulse, never, time_is_over
from ordersync_cli.services.reconcile.work import Work
from ordersync_cli.services.record import Recorder

LIGHT = "light"
DEEP = "deep"
LANES = {LIGHT: Lane.LIGHT, DEEP: Lane.DEEP}
LEASE_WAIT = 5.0  # seconds
SAY_AGAIN = timedelta(hours=1)
_OUTAGE = "outage_said_at"


class Outage(VenueUnavailable):
    """The venue is away; ``said`` when this was told within the last hour already."""

    def __init__(self, cause: VenueUnavailable, *, said: bool) -> None:
        super().__init__(cause.message, cause.remedy, retry_after=cause.retry_after)
        self.kind = cause.kind
        self.said = said


def here() -> tuple[str, int]:
    """Name this machine and this process."""
    return platform.node(), os.getpid()


def _nothing() -> None:
    return


def _no_matter(_: object) -> None:
    return


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How a pass is wanted; ``deadline`` in monotonic seconds."""

    since: datetime | None = None
    adopt: bool = False
    dry_run: bool = False
    stopping: Callable[[], bool] = never
    deadline: float | None = None
    go_on: Callable[[], None] = _nothing  # called at each step; raises where a signal was dropped
    started: Callable[[Run], None] = _no_matter  # called once the pass holds its lease and has its row
    failing: Callable[[PassReport], None] = _no_matter  # called with what a failing pass had committed


@dataclass(slots=True, kw_only=True)
class Passes:
    """The light and the deep pass over one store and one venue.

    ``audit_sample``: how many old ended trades a deep pass draws. ``beating``: keep the lease
    beating from a thread while a look-up waits (real time only). ``claim``: what sees to it, under
    the lease, that the store is this key's. ``lanes``: what a pass of each mode leaves to others.
    ``confirmed_within``: a light pass leaves alone open orders that somebody looked at so lately.
    """

    store: Store
    venue: Venue
    recorder: Recorder
    clock: Clock
    chance: Chance
    beating: bool = False
    lease_wait: float = LEASE_WAIT
    audit_sample: int = AUDIT_OLD
    host: str = field(default_factory=lambda: here()[0])
    pid: int = field(default_factory=lambda: here()[1])
    claim: Callable[[], object] = _nothing
    lanes: Mapping[str, Lane] = field(default_factory=lambda: LANES)
    confirmed_within: timedelta | None = None

    def light(self, lease: Lease | None = None, wish: Wish | None = None) -> PassReport:
        """Settle what is pending. Raises LeaseHeld (12), Outage (6) and what the venue or store raise."""
        return self._run(LIGHT, lease, wish or Wish())

    def deep(self, lease: Lease | None = None, wish: Wish | None = None) -> PassReport:
        """Hold everything that the venue lists against every stored trade. Raises as `light` does."""
        return self._run(DEEP, lease, wish or Wish())

    def _run(self, mode: str, lease: Lease | None, wish: Wish) -> PassReport:
        run = Run(run_id=self.chance.uuid(), mode=mode, started_at=self.clock.now(), host=self.host, pid=self.pid)
        before = self.venue.requests_made
        if wish.dry_run:
            return self._pass(self._work(run, None, wish), wish, before)
        held = lease or self._acquire(run)
        try:
            work: Work | None = None
            try:
                self._start(run, held)
                wish.started(run)
                work = self._work(run, held, wish)
                with work.pulse.beating() if self.beating else nullcontext():
                    report = self._pass(work, wish, before)
            except BaseException as failure:
                self._failed(run, held, failure, work, wish, before)
                raise
            self._finished(run, held, report)
            return report
        finally:
            if lease is None:
                self.store.leases.release(held)

    def _failed(
        self, run: Run, lease: Lease, failure: BaseException, work: Work | None, wish: Wish, before: int
    ) -> None:
        """Write how the run ended, and tell what it had committed. Raises Outage where the venue is away."""
        partial = None if work is None else cut_short(work, requests=self.venue.requests_made - before)
        ended = run if partial is None else _counted(run, partial)
        said = write_failure(self.store, ended, lease, failure, at=self.clock.now())
        if partial is not None:
            wish.failing(partial)
        if isinstance(failure, VenueUnavailable):
            raise Outage(failure, said=said) from failure

    def _acquire(self, run: Run) -> Lease:
        holder = f"{self.host}:{self.pid}:{run.run_id}"
        held = self.store.leases.acquire(run.mode, holder, self.lease_wait)
        if held is None:
            with self.store.write() as transaction:
                at = self.clock.now()
                transaction.runs.start(run, None)
                ended = replace(run, finished_at=at, result="skipped", exit_code=LeaseHeld.exit_code)
                transaction.runs.finish(ended, None)
            raise LeaseHeld(
                f"Another {run.mode} pass is running on this store; this one did nothing.",
                "Nothing to do: the other one goes on.",
            )
        return held

    def _start(self, run: Run, lease: Lease) -> None:
        """Write the run's row, and close what a killed holder left open."""
        with self.store.write() as transaction:
            transaction.fence(lease)
            died = transaction.runs.close_died(run.mode, run.started_at)
            alarms = [
                Alarm(
                    rule="run_died",
                    severity="warning",
                    message=f"the {d.mode} pass of {d.started_at:%Y-%m-%dT%H:%M:%SZ} on {d.host} died (pid {d.pid})",
                )
                for d in died
            ]
            transaction.runs.start(run, lease)
            if alarms:
                self.recorder.announce(transaction, alarms, [])

    def _work(self, run: Run, lease: Lease | None, wish: Wish) -> Work:
        return prepare(
            Means(store=self.store, venue=self.venue, recorder=self.recorder, clock=self.clock, chance=self.chance),
            run_id=run.run_id,
            mode=run.mode,
            lane=self.lanes[run.mode],
            source=Source.RECONCILE,
            pulse=Pulse(self.store.leases, lease, self.clock, wish.stopping, wish.deadline, wish.go_on),
            dry=wish.dry_run,
        )

    def _pass(self, work: Work, wish: Wish, before: int) -> PassReport:
        self.claim()
        if work.mode == LIGHT:
            LightPass(work=work, since=wish.since, confirmed_within=self.confirmed_within).run()
            if wish.adopt:
                adopt_kept(work)
            if self.venue.requests_made == before:
                self.venue.offset()  # a run that had nothing to ask still tells of an outage, as its row does
        else:
            DeepPass(work=work, since=wish.since, adopt=wish.adopt, sample=self.audit_sample).run()
        return close_pass(work, requests=self.venue.requests_made - before)

    def _finished(self, run: Run, lease: Lease, report: PassReport) -> None:
        ended = replace(_counted(run, report), result=report.result, exit_code=report.exit_code)
        with self.store.write() as transaction:
            transaction.runs.finish(ended, lease)
            if transaction.notes.get(_OUTAGE) is not None:
                transaction.notes.set(_OUTAGE, None)


def _counted(run: Run, report: PassReport) -> Run:
    return replace(
        run,
        finished_at=report.finished_at,
        checked=report.checked,
        updated_count=report.updated_count,
        fills_added=report.fills_added,
        adopted=len(report.adopted),
        requests=report.requests,
        open_breaks=sum(1 for b in report.breaks if b.severity == "open"),
    )


def write_failure(store: Store, run: Run, lease: Lease | None, failure: BaseException, *, at: datetime) -> bool:
    """Write how a run ended; tells whether this outage was told within the last hour already.

    Nothing is written under a lease that was lost, or into a store that fails: the next run
    closes the row as died.
    """
    exit_code, message = _ending(failure)
    ended = replace(run, finished_at=at, result="failed", exit_code=exit_code, message=message)
    said = False
    try:
        with store.write() as transaction:
            transaction.runs.finish(ended, lease)
            if isinstance(failure, VenueUnavailable):
                noted = transaction.notes.get(_OUTAGE)
                said = noted is not None and at - datetime.fromisoformat(noted) < SAY_AGAIN
                if not said:
                    transaction.notes.set(_OUTAGE, at.isoformat())
    except (StoreError, LeaseLost):
        return False
    return said


def _ending(failure: BaseException) -> tuple[int, str]:
    if isinstance(failure, Overrun):
        failure = time_is_over()
    if isinstance(failure, OrdersyncError):
        return failure.exit_code, failure.message
    if isinstance(failure, KeyboardInterrupt):  # a subclass of it is a termination
        return (130, "interrupted") if type(failure) is KeyboardInterrupt else (143, "terminated")
    return 1, f"a bug: {type(failure).__name__}"
