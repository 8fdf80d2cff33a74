"""Puts a watcher together: the loop, its crew of threads, and whoever looks on."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from ordersync_cli.errors import LeaseLost
from ordersync_cli.services.ports import Lane
from ordersync_cli.services.reconcile.running import DEEP, LIGHT, Passes, Wish
from ordersync_cli.services.watch.beside import Beside
from ordersync_cli.services.watch.crew import DeliveryThread, DrivingCrew
from ordersync_cli.services.watch.passing import PassThread
from ordersync_cli.services.watch.poll import PollThreads
from ordersync_cli.services.watch.track import Tracker
from ordersync_cli.services.watch.watch_state import Audience, Identity, WatchPlan, WatchState

if TYPE_CHECKING:
    from ordersync_cli.bootstrap import Wiring
    from ordersync_cli.services.watch.inbox import BoundedInbox

FIRST_LIGHT = 0.5  # seconds after the start: recovery is part of it
FIRST_DEEP = 5.0
# The poll beside them looks at what is pending far more often: what they may wait for is left to it and to `place`.
LANES = {LIGHT: Lane.PASS, DEEP: Lane.PASS}
LOOKED_AT = timedelta(seconds=20)  # what the poll has confirmed is written at most every 10 s


def make_tracker(wiring: Wiring, plan: WatchPlan, audience: Audience, inbox: BoundedInbox) -> Tracker:
    """Wire the loop of one watcher; nothing runs yet."""
    settings = wiring.settings

    def still_driving() -> bool:
        """Ask the store, not our memory: a process that was paused may have been replaced (trap T35)."""
        lease = state.seat.lease
        if lease is None:
            return False
        try:
            with wiring.store.read() as transaction:
                transaction.fence(lease)
        except LeaseLost:
            return False
        return True

    state = WatchState(
        store=wiring.store,
        recorder=wiring.recorder,
        clock=wiring.clock,
        chance=wiring.chance,
        crew=DrivingCrew(
            poller=PollThreads(wiring.unclaimed_venue, wiring.clock),
            make_feed=wiring.feed if plan.feed_wanted else None,
            clock=wiring.clock,
            others=_others(wiring, plan, still_driving),
        ),
        audience=audience,
        plan=plan,
        me=Identity(watcher_id=wiring.chance.uuid(), host=platform.node(), pid=os.getpid()),
    )
    state.agenda.pace.audit_every = min(state.agenda.pace.audit_every, settings.audit_every.total_seconds())
    return Tracker(state, inbox, wiring.alerts)


def _others(wiring: Wiring, plan: WatchPlan, still_driving: Callable[[], bool]) -> tuple[Beside, ...]:
    others: list[Beside] = [DeliveryThread(wiring.deliverer())]
    for mode, first, every in (("light", FIRST_LIGHT, plan.light_every), ("deep", FIRST_DEEP, plan.deep_every)):
        if every > 0:
            others.append(
                PassThread(
                    wiring.clock, mode, _pass(wiring, mode), first_after=first, every=every, may_run=still_driving
                )
            )
    return tuple(others)


def _pass(wiring: Wiring, mode: str) -> Callable[[Callable[[], bool]], Mapping[str, Any]]:
    """Make what runs one pass, with a connection to the venue of its own."""
    passes = Passes(
        store=wiring.store,
        venue=wiring.unclaimed_venue(),
        recorder=wiring.recorder,
        clock=wiring.clock,
        chance=wiring.chance,
        beating=True,
        audit_sample=wiring.settings.audit_sample,
        lanes=LANES,
        confirmed_within=LOOKED_AT,
    )
    run = passes.light if mode == "light" else passes.deep

    def run_one(stopping: Callable[[], bool]) -> Mapping[str, Any]:
        return run(wish=Wish(stopping=stopping)).json()

    return run_one
