"""Gets one pass, or one sync, ready to work: its counts, its eyes, its pulse."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ordersync_cli.clock import Chance, Clock
from ordersync_cli.domain.orders import Source
from ordersync_cli.services.ports import Lane, Store, Venue
from ordersync_cli.services.reconcile.drift import Drift, left_behind
from ordersync_cli.services.reconcile.dry_run import DryStore
from ordersync_cli.services.reconcile.looks import Looker
from ordersync_cli.services.reconcile.pulse import Pulse
from ordersync_cli.services.reconcile.tally import Tally
from ordersync_cli.services.reconcile.work import Work
from ordersync_cli.services.record import Recorder, announce_nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What every kind of work is done with."""

    store: Store
    venue: Venue
    recorder: Recorder
    clock: Clock
    chance: Chance


def prepare(
    means: Means, *, run_id: str, mode: str, lane: Lane, source: Source, pulse: Pulse, dry: bool, explain: bool = False
) -> Work:
    """Prepare the work; a dry one reads the store and keeps nothing. ``explain`` costs time for each change."""
    with means.store.read() as transaction:
        known = {(b.kind, b.key): b for b in transaction.breaks.open()}
        drift = Drift() if pulse.lease is None else left_behind(transaction, mode)
    at = means.clock.now()
    return Work(
        run_id=run_id,
        store=DryStore(means.store) if dry else means.store,
        venue=means.venue,
        recorder=replace(means.recorder, announce=announce_nothing) if dry else means.recorder,
        clock=means.clock,
        chance=means.chance,
        lane=lane,
        looker=Looker(means.venue, means.clock),
        pulse=pulse,
        tally=Tally(now=at, known=known, explains=explain or dry, drift=drift),
        mode=mode,
        started_at=at,
        lease=pulse.lease,
        source=source,
        dry=dry,
    )
