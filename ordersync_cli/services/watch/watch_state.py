"""Everything the watch loop knows, in one place, so that its rooms stay small functions over it."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol

from ordersync_cli.clock import Chance, Clock
from ordersync_cli.domain.statistics import Spread
from ordersync_cli.errors import OrdersyncError
from ordersync_cli.services.alerts.situation import Cause
from ordersync_cli.services.ports import ClockOffset, Incident, Store, Watcher
from ordersync_cli.services.ports.messages import FeedChanged, FeedState, Inbox
from ordersync_cli.services.record import Recorder
from ordersync_cli.services.watch.agenda import Agenda
from ordersync_cli.services.watch.board import Board, Completion, PassLine
from ordersync_cli.services.watch.completeness import Completeness
from ordersync_cli.services.watch.driving import DriverSeat
from ordersync_cli.services.watch.feed_health import FeedHealth
from ordersync_cli.services.watch.intake import Intake
from ordersync_cli.services.watch.poll import Ask
from ordersync_cli.services.watch.reach import Reach
from ordersync_cli.services.watch.schedules import Schedules
from ordersync_cli.services.watch.watching import Held, Roster

FIRST_LIST_BACK = 300.0  # seconds before the start from which a first connect lists what was created
LIST_BACK_AT_MOST = timedelta(hours=24)  # the deep pass knows what is older
LAST_FRAME = "feed_last_frame"  # the note that keeps when the last frame came, on the venue's clock
LATENCIES_KEPT = 5_000  # of today, for the screen; `report` reads them all


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchPlan:
    """What a watcher was asked to do. Durations in seconds; 0 for an interval means not from here."""

    feed_wanted: bool = True
    only: frozenset[int] | None = None
    until_idle: bool = False
    run_for: float | None = None
    light_every: float = 30.0
    deep_every: float = 300.0
    stale_market: float = 15.0
    stale_resting: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who this watcher is, to the other processes."""

    watcher_id: str
    host: str
    pid: int

    @property
    def holder(self) -> str:
        """Name it as the holder of a lease."""
        return f"{self.host}:{self.pid}:{self.watcher_id[:8]}"


class Crew(Protocol):
    """The threads of a driving watcher: feed, poll, passes, delivery."""

    def drive(self, inbox: Inbox) -> None:
        """Start them."""
        ...

    def stand_by(self) -> None:
        """Stop them."""
        ...

    def ask(self, ask: Ask) -> None:
        """Hand a question to the poll threads."""
        ...

    def reconnect(self) -> None:
        """Have the feed connect anew, now."""
        ...

    @property
    def requests(self) -> int:
        """Count the requests this process has sent."""
        ...

    @property
    def offset(self) -> ClockOffset | None:
        """Tell the offset of the venue's clock as last measured; asks nobody."""
        ...


class Audience(Protocol):
    """Who looks on: JSON lines or a dashboard. None of its calls may block."""

    def committed(self) -> None:
        """There is something new in the store."""
        ...

    def say(self, document: Mapping[str, Any]) -> None:
        """Show a line about the feed, an alert, or a pass (values still typed)."""
        ...

    def show(self, board: Board) -> None:
        """Take the newest picture."""
        ...

    @property
    def wants_board(self) -> bool:
        """Tell whether pictures are looked at at all."""
        ...


@dataclass(slots=True, kw_only=True)
class WatchState:
    """The loop's memory; everything in it can be rebuilt from the store and the venue."""

    store: Store
    recorder: Recorder
    clock: Clock
    chance: Chance
    crew: Crew
    audience: Audience
    plan: WatchPlan
    me: Identity
    seat: DriverSeat = field(init=False)
    roster: Roster = field(init=False)
    agenda: Agenda = field(init=False)
    intake: Intake = field(init=False)
    health: FeedHealth = field(init=False)
    reach: Reach = field(init=False)
    completeness: Completeness = field(init=False)
    schedules: Schedules = field(init=False)
    started_at: datetime = field(init=False)
    started_mono: float = field(init=False)
    exit_code: int | None = None
    failure: OrdersyncError | None = None
    bug: BaseException | None = None
    touched: bool = True
    refreshed: bool = False  # at least once
    refresh_from: float = float("-inf")
    own_events: set[str] = field(default_factory=set)
    asks: list[Ask] = field(default_factory=list)
    purposes: dict[str, str] = field(default_factory=dict)
    followed_up: bool = False
    last_frame_venue: datetime | None = None
    causes: list[Cause] = field(default_factory=list)
    completions: deque[Completion] = field(default_factory=lambda: deque(maxlen=50))
    latencies: deque[Decimal] = field(default_factory=lambda: deque(maxlen=LATENCIES_KEPT))
    latencies_day: str = ""
    latencies_spread: tuple[float, Spread] | None = None
    incidents: tuple[Incident, ...] = ()
    passes: dict[str, PassLine] = field(default_factory=dict)
    driver: Watcher | None = None
    frozen: bool = False
    budget_refusals: int = 0
    key_check: bool = False
    gaps: int = 0
    store_problem: str = ""

    def __post_init__(self) -> None:
        self.started_at = self.clock.now()
        self.started_mono = self.clock.monotonic()
        self.seat = DriverSeat(self.store.leases, self.me.holder)
        self.roster = Roster()
        self.agenda = Agenda(self.roster)
        self.intake = Intake(self.store, self.recorder, self.roster)
        self.reach = Reach(self.chance)
        self.completeness = Completeness()
        self.schedules = Schedules()
        self.health = self._fresh_health()

    def _fresh_health(self) -> FeedHealth:
        if self.plan.feed_wanted:
            return FeedHealth(FeedState.CONNECTING, self.clock.now(), "starting")
        health = FeedHealth(FeedState.POLLING, self.clock.now(), "no feed wanted (--no-feed)")
        health.claim_polling("no feed wanted (--no-feed)")
        return health

    def venue_now(self) -> datetime:
        """Tell the venue's clock, as far as it is known here."""
        offset = self.crew.offset
        return self.clock.now() + timedelta(seconds=offset.seconds if offset else 0.0)

    def list_from(self) -> datetime:
        """Tell from when (venue clock) a listing after a connect has to begin."""
        start = self.last_frame_venue
        if start is None:
            start = self.started_at - timedelta(seconds=FIRST_LIST_BACK)
        return max(start, self.venue_now() - LIST_BACK_AT_MOST)

    def resume(self) -> None:
        """Take over where the last driver of this store stood; raises StoreError."""
        with self.store.read() as transaction:
            self.schedules.load(transaction.notes, self.clock.now())
            noted = transaction.notes.get(LAST_FRAME)
        if noted is not None:
            last, now = datetime.fromisoformat(noted), self.venue_now()
            # A time that is still to come was some wrong clock's, and does not tell when the last frame came.
            self.last_frame_venue = last if last <= now else now - timedelta(seconds=FIRST_LIST_BACK)

    def say_feed(self, changed: FeedChanged) -> None:
        """Tell the audience that the feed is in another state."""
        self.audience.say({"type": "feed", "at": changed.at, "state": changed.state.value, "reason": changed.reason})

    def shown(self) -> list[Held]:
        """List the pending trades that this watcher was asked to show."""
        only = self.plan.only
        return [h for h in self.roster.pending() if only is None or h.trade_id in only]

    def reset_health(self) -> None:
        """Begin anew with the feed, as after a change of role."""
        self.health = self._fresh_health()
        self.followed_up = False
        self.completeness.forget_suspicions()
