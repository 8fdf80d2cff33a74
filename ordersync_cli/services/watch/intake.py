"""Commits what arrived, one transaction a batch, and tells what the batch changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from ordersync_cli.domain.lifecycle import observe
from ordersync_cli.domain.observations import FillsSeen, OrderSeen
from ordersync_cli.domain.orders import Source
from ordersync_cli.domain.trade import Change, Trade
from ordersync_cli.errors import StoreError
from ordersync_cli.services.ports import Store, TradeEvent
from ordersync_cli.services.record import Recorder
from ordersync_cli.services.watch.watching import Held, Roster

QUIET_EVERY = 10.0  # seconds between two writes of what was only confirmed (core rule on confirmed_at)
REMEMBERED = 5_000  # orders whose last word is kept to know a repetition
KEPT_AT_MOST = 20_000  # observations kept while the store does not take them


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """What one committed batch did: changes by frames first, then those by look-ups."""

    by_frames: tuple[Change, ...] = ()
    by_looks: tuple[Change, ...] = ()
    events: tuple[TradeEvent, ...] = ()
    external: tuple[OrderSeen, ...] = ()

    @property
    def changes(self) -> tuple[Change, ...]:
        """List every change, in the order of its commit."""
        return (*self.by_frames, *self.by_looks)


@dataclass(slots=True)
class Intake:
    """Takes observations and commits them; keeps what the store would not take just now.

    What tells nothing new (the same word, the same figures) is kept aside and written in one
    batch at most every 10 s, so that being looked at costs a resting order nothing.
    """

    store: Store
    recorder: Recorder
    roster: Roster
    problem: str = field(default="", init=False)
    failing_since: float | None = field(default=None, init=False)
    lost: bool = field(default=False, init=False)
    _frames: list[OrderSeen] = field(default_factory=list, init=False)
    _looks: list[OrderSeen | FillsSeen] = field(default_factory=list, init=False)
    _quiet: dict[str, OrderSeen] = field(default_factory=dict, init=False)
    _repeated: dict[str, tuple[Trade, OrderSeen]] = field(default_factory=dict, init=False)
    _quiet_since: float | None = field(default=None, init=False)

    def add_frames(self, seen: Iterable[OrderSeen], mono: float) -> None:
        """Take what the user channel said."""
        self._frames.extend(o for o in seen if not self._set_aside(o, mono))
        self._bound()

    def add_looks(self, seen: Iterable[OrderSeen | FillsSeen], mono: float) -> None:
        """Take what a look-up said."""
        self._looks.extend(o for o in seen if not (isinstance(o, OrderSeen) and self._set_aside(o, mono)))
        self._bound()

    @property
    def waiting(self) -> bool:
        """Tell whether something is there to commit."""
        return bool(self._frames or self._looks)

    def commit(self, mono: float, *, everything: bool = False) -> Committed:
        """Commit what is there, with what was set aside when that is due; raises StoreError."""
        due = self.next_due()
        if self._quiet and (everything or (due is not None and mono >= due)):
            self._looks.extend(self._quiet.values())
            self._quiet.clear()
            self._quiet_since = None
        if not self.waiting:
            return Committed()
        try:
            committed = self._write()
        except StoreError as problem:
            self.problem = problem.message
            self.failing_since = mono if self.failing_since is None else self.failing_since
            raise
        self._frames, self._looks = [], []
        self.problem, self.failing_since = "", None
        return committed

    def _write(self) -> Committed:
        with self.store.write() as transaction:
            recorded = self.recorder.heard_in(
                transaction, ((Source.WEBSOCKET, self._frames), (Source.POLL, self._looks))
            )
        return Committed(
            by_frames=tuple(c for c in recorded.changes if c.source is Source.WEBSOCKET),
            by_looks=tuple(c for c in recorded.changes if c.source is Source.POLL),
            events=recorded.events,
            external=recorded.external,
        )

    def _set_aside(self, seen: OrderSeen, mono: float) -> bool:
        held = self.roster.of_order(seen.order_id)
        if held is None or not self._is_quiet(held, seen):
            return False
        kept = self._quiet.get(seen.order_id)
        if kept is None or kept.as_of <= seen.as_of:
            self._quiet[seen.order_id] = seen
        if self._quiet_since is None:
            self._quiet_since = mono
        return True

    def _is_quiet(self, held: Held, seen: OrderSeen) -> bool:
        """Tell whether it tells nothing new; what was quiet before is so again while the trade is the same."""
        if plainly_new(held, seen):
            return False
        said = replace(seen, as_of=held.trade.created_at, position=0)
        known = self._repeated.get(seen.order_id)
        if known is not None and known[0] is held.trade and known[1] == said:
            return True
        if not tells_nothing_new(held, seen):
            return False
        if len(self._repeated) > REMEMBERED:
            self._repeated.clear()
        self._repeated[seen.order_id] = (held.trade, said)
        return True

    def _bound(self) -> None:
        """Drop the oldest frames of a store that has been away for long: REST will be asked again."""
        too_many = len(self._frames) + len(self._looks) - KEPT_AT_MOST
        if too_many > 0:
            self.lost = True
            del self._looks[:too_many]
            del self._frames[: max(0, len(self._frames) - KEPT_AT_MOST)]

    def next_due(self) -> float | None:
        """Tell when what was set aside is to be written (monotonic seconds)."""
        return None if self._quiet_since is None else self._quiet_since + QUIET_EVERY


def plainly_new(held: Held, seen: OrderSeen) -> bool:
    """Tell at a glance what needs no join to be news: most frames.

    Of an ended order the time matters too: the second look that proves zero is one.
    """
    standing = held.standing
    if standing.terminal or seen.order_id != held.order_id or seen.word != standing.venue_status:
        return True
    return seen.figures is not None and seen.figures != standing.figures


def tells_nothing_new(held: Held, seen: OrderSeen) -> bool:
    """Tell whether an observation only confirms what is held: nothing but its time is newer."""
    change = observe(held.trade, seen, source=Source.POLL, at=seen.as_of)
    return not change.alarms and (change.timestamps_only or not change.changed)
