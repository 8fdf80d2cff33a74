"""Decides what the watch loop asks the venue next: batched by ids, as often as the feed's state needs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ordersync_cli.services.reconcile.looks import BATCH
from ordersync_cli.services.watch.listing_wishes import ListingWishes
from ordersync_cli.services.watch.pace import NEVER, Pace
from ordersync_cli.services.watch.poll import Ask
from ordersync_cli.services.watch.reminders import Reminders
from ordersync_cli.services.watch.watching import Held, Roster

LEFT_TO_THE_FEED = 1.0  # seconds: so young an order is not audited, its frames are under way
ZERO_PROOF_AFTER = 2.05  # seconds after the end was first seen (venue clock)


@dataclass(slots=True)
class Agenda:
    """What is due, in the order of what must not wait; at most one batch a turn."""

    roster: Roster
    pace: Pace = field(init=False)
    reminders: Reminders = field(default_factory=Reminders, init=False)
    listings: ListingWishes = field(init=False)
    in_flight: int = field(default=0, init=False)  # questions without an answer yet
    _urgent: dict[str, str] = field(default_factory=dict, init=False)
    _asked_for: set[str] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        self.pace = Pace(self.roster)
        self.listings = ListingWishes(self.roster)

    def look_up(self, order_ids: Iterable[str], purpose: str) -> None:
        """Have these orders looked up before anything else."""
        for order_id in order_ids:
            self._urgent[order_id] = purpose

    def asked(self, ask: Ask, mono: float, *, live: bool) -> None:
        """Note that this is under way."""
        self.in_flight += 1
        if ask.created_since is not None:
            self.listings.asked(mono)
        elif ask.fills:
            self.reminders.fills_asked(ask.order_ids, mono)
        elif ask.order_ids:
            self.pace.looked(mono, live=live)
            self._asked_for.update(ask.order_ids)
            for order_id in ask.order_ids:
                self._urgent.pop(order_id, None)

    def answered(self, ask: Ask, mono: float, *, missing: Iterable[str], failed: bool) -> None:
        """Note the answer; what an unanswered follow-up wanted is wanted again."""
        self.in_flight = max(0, self.in_flight - 1)
        if ask.created_since is not None:
            self.listings.answered(ask.created_since, failed=failed)
        if ask.created_since is not None or ask.fills:
            return
        self._asked_for.difference_update(ask.order_ids)
        if failed and ask.purpose in {"reconnect", "gap"}:
            self.look_up(ask.order_ids, ask.purpose)
        gone = set(missing)
        for order_id in ask.order_ids:
            if order_id in gone:
                self.reminders.missing(order_id, mono)
            elif not failed:
                self.reminders.found(order_id)

    def forget(self) -> None:
        """Drop what is under way: nobody will answer it any more."""
        self.in_flight = 0
        self._asked_for.clear()
        self.listings.forget()

    # ------------------------------------------------------------------ what is next

    def next_ask(self, now: datetime, mono: float, *, live: bool) -> Ask | None:
        """Choose the next question, or None when nothing is due yet."""
        looked_at = self._orders(now, mono, live=live)
        if looked_at is not None:
            return looked_at
        start = self.listings.start(now, mono)
        if start is not None:
            return Ask(purpose="created", created_since=start)
        due = self.reminders.fills_due(mono, together=self.pace.is_busy(live=live))
        return Ask(purpose="fills", order_ids=tuple(due[:BATCH]), fills=True) if due else None

    def next_due(self, now: datetime, mono: float, *, live: bool) -> float:
        """Tell how many seconds from now something will be due (0 when something is)."""
        if any(k not in self._asked_for for k in self._urgent):
            return 0.0
        turn = self.pace.turn(live=live)
        looks = [self._due_of(h, now, mono, turn, live=live) for h in self._askable()]
        times = [max(min(looks), self.pace.soonest(live=live))] if looks else []
        fills = self.reminders.next_fills(together=self.pace.is_busy(live=live))
        times += [t for t in (fills, self.listings.due(now, mono)) if t is not None]
        return max(0.0, min(times, default=NEVER) - mono)

    def next_looks(self, now: datetime, mono: float, *, live: bool) -> dict[int, float]:
        """Tell for each pending trade in how many seconds it is looked at next, by schedule or turn."""
        wish = self.listings.due(now, mono)
        turn, interval = self.pace.turn(live=live), self.pace.interval(live=live)
        looks: dict[int, float] = {}
        for rank, held in enumerate(sorted(self.roster.pending(), key=lambda h: h.confirmed_mono)):
            own = turn + rank // BATCH * interval
            soonest = self._due_of(held, now, mono, own, live=live) if held.order_id is not None else wish
            if soonest is not None and soonest < NEVER:
                looks[held.trade_id] = max(0.0, soonest - mono)
        return looks

    def _askable(self) -> list[Held]:
        """List the pending trades that can be asked for by id and are not being asked for just now."""
        return [h for h in self.roster.pending() if h.order_id is not None and h.order_id not in self._asked_for]

    def _orders(self, now: datetime, mono: float, *, live: bool) -> Ask | None:
        urgent = [k for k in self._urgent if k not in self._asked_for][:BATCH]
        if not urgent and mono < self.pace.soonest(live=live):
            return None
        may = [h for h in self._askable() if self._may_from(h, live=live) <= mono]
        turn = self.pace.turn(live=live)
        due = [h for h in may if self._due_of(h, now, mono, turn, live=live) <= mono]
        if not urgent and not due:
            return None
        purpose = self._urgent[urgent[0]] if urgent else ("audit" if live else "poll")
        # The room left in the request costs nothing: fill it with whom nobody confirmed longest.
        first = {h.trade_id for h in due if mono >= self._own_due(h, now, mono)}
        rest = sorted(may, key=lambda h: (h.trade_id not in first, h.confirmed_mono))
        ids = dict.fromkeys([*urgent, *(str(h.order_id) for h in rest)])
        return Ask(purpose=purpose, order_ids=tuple(ids)[:BATCH])

    def _due_of(self, held: Held, now: datetime, mono: float, turn: float, *, live: bool) -> float:
        """Tell when this order is due: by itself or by its turn, and not before it may be asked for."""
        return max(min(turn, self._own_due(held, now, mono)), self._may_from(held, live=live))

    def _may_from(self, held: Held, *, live: bool) -> float:
        """Tell from when this order may be asked for: a 404 may be doubted, and a live feed has the first word."""
        doubted = self.reminders.may_from(str(held.order_id))
        return max(doubted, held.held_mono + LEFT_TO_THE_FEED) if live else doubted

    def _own_due(self, held: Held, now: datetime, mono: float) -> float:
        """Tell when this order is due by itself: its schedule, or its proof of zero."""
        if not held.standing.awaits_zero_proof:
            return held.next_look
        ended = held.standing.closed_at
        return mono + (0.0 if ended is None else (ended + timedelta(seconds=ZERO_PROOF_AFTER) - now).total_seconds())
