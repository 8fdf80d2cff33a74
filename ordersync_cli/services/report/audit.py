"""Hold random trades against the venue now, before anything is repaired, so that accuracy can be stated."""

from __future__ import annotations

import socket
from dataclasses import dataclass, replace
from os import getpid

from ordersync_cli.clock import Chance, Clock
from ordersync_cli.domain.orders import Source
from ordersync_cli.services.ports import Lane, Run, Venue
from ordersync_cli.services.ports.history import HistoryStore, Scope
from ordersync_cli.services.reconcile.audits import Audit, save_audit
from ordersync_cli.services.reconcile.closing import close_pass
from ordersync_cli.services.reconcile.light import read_views
from ordersync_cli.services.reconcile.listing import look_up
from ordersync_cli.services.reconcile.preparing import Means, prepare
from ordersync_cli.services.reconcile.pulse import Pulse
from ordersync_cli.services.record import Recorder

MODE = "audit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """What an audit found: trades drawn, those the venue answered for, and those that differed."""

    drawn: int
    audited: int
    differed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Auditing:
    """Audits the trades of one store by one venue; what differs is repaired by the same look."""

    store: HistoryStore
    venue: Venue
    recorder: Recorder
    clock: Clock
    chance: Chance

    def audit(self, scope: Scope, count: int) -> Audited:
        """Draw trades of the window without replacement and ask the venue for them.

        Leaves a run of mode ``audit`` with its audit beside it, which reports count. Raises what
        a failed look-up raises; the trades answered before it stay counted.
        """
        with self.store.read() as reading:
            drawn = self.chance.sample(reading.history.population(scope), count)
        run_id = self.chance.uuid()
        run = Run(run_id=run_id, mode=MODE, started_at=self.clock.now(), host=socket.gethostname(), pid=getpid())
        with self.store.write() as transaction:
            transaction.runs.start(run, None)
        means = Means(store=self.store, venue=self.venue, recorder=self.recorder, clock=self.clock, chance=self.chance)
        pulse = Pulse(self.store.leases, None, self.clock)
        work = prepare(means, run_id=run_id, mode=MODE, lane=Lane.SYNC, source=Source.RECONCILE, pulse=pulse, dry=False)
        orders = {v.order_id: v.trade_id for v in read_views(work, drawn) if v.order_id is not None}
        asked_before = self.venue.requests_made
        answered: set[int] = set()
        try:
            for part, _ in look_up(work, list(orders)):
                answered.update(orders[o.order_id] for o in part.orders if o.order_id in orders)
        finally:
            differed = frozenset(answered & work.tally.differed)
            self._count(run_id, frozenset(answered), differed)
            ended = replace(
                run,
                finished_at=self.clock.now(),
                result="drift" if differed else "in_sync",
                exit_code=0,
                checked=len(answered),
                updated_count=len(work.tally.details),
                requests=self.venue.requests_made - asked_before,
            )
            with self.store.write() as transaction:
                transaction.runs.finish(ended, None)
        close_pass(work, requests=0)
        return Audited(drawn=len(drawn), audited=len(answered), differed=len(differed))

    def _count(self, run_id: str, answered: frozenset[int], differed: frozenset[int]) -> None:
        if not answered:
            return
        with self.store.write() as transaction:
            save_audit(transaction, run_id, Audit(at=self.clock.now(), audited=answered, differed=differed))
