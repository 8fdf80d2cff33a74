"""Decides what the watch loop asks the venue next: batched by ids, as often as the feed's state needs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil

from ordersync_cli.services.looks import BATCH
from ordersync_cli.services.poll import Ask
from ordersync_cli.services.watching import Held, Roster

# Decision record on the budget: with the feed not live, n open orders are asked for so that no
# snapshot is older than max(1 s, ceil(n / 100) / 1.5 s) plus a round trip. A little faster than
# that, so that the wait for the next turn of the loop does not spoil the bound.
REQUESTS_PER_SECOND = 1.5
MARGIN = 0.92
AUDIT_EVERY = 2.0  # seconds; with the grace of half a second a dead user channel is found within 3 s
AUDIT_MANY_EVERY = 1.0  # the same where one request does not hold every order
SOONEST = 0.25  # seconds between two look-ups of orders, whatever is due
ZERO_PROOF_AFTER = 2.05  # seconds after the end was first seen (venue clock)
INTENT_LIST_EVERY = 2.0  # seconds between listings for an intent without an order
INTENT_LIST_LATER = 10.0  # the same once it is older than 10 s; the light pass proves absence
LIST_OVERLAP = timedelta(seconds=60)
FILLS_AFTER = 0.1  # seconds after an end, so that several orders share one request
FILLS_AGAIN = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)  # List Fills lags Get Order (trap T03)
REMEMBERED = 5_000  # orders of which a 404 is remembered
ORPHANS_FOR = timedelta(hours=1)  # an older intent without an order is for the light and deep pass
MISSING_AGAIN = (0.5, 1.0, 2.0, 5.0, 15.0, 30.0)  # seconds before an id that said 404 is asked for again (trap T15)


@dataclass(slots=True)
class _Wish:
    due: float
    tries: int = 0


@dataclass(slots=True)
class Agenda:
    """What is due, in the order of what must not wait; at most one batch a turn."""

    roster: Roster
    audit_every: float = AUDIT_EVERY
    _urgent: dict[str, str] = field(default_factory=dict, init=False)
    _in_flight: set[str] = field(default_factory=set, init=False)
    _asks: int = field(default=0, init=False)
    _last_look: float = field(default=float("-inf"), init=False)
    _list_since: datetime | None = field(default=None, init=False)
    _listing: bool = field(default=False, init=False)
    _last_list: float = field(default=float("-inf"), init=False)
    _fills: dict[str, _Wish] = field(default_factory=dict, init=False)
    _missing: dict[str, _Wish] = field(default_factory=dict, init=False)

    # ------------------------------------------------------------------ wishes

    def look_up(self, order_ids: Iterable[str], purpose: str) -> None:
        """Have these orders looked up before anything else."""
        for order_id in order_ids:
            self._urgent[order_id] = purpose

    def list_since(self, start: datetime) -> None:
        """Have everything listed that was created since then (with an overlap)."""
        start -= LIST_OVERLAP
        self._list_since = start if self._list_since is None else min(start, self._list_since)

    def want_fills(self, order_id: str, mono: float) -> None:
        """Have the fills of an ended order fetched, soon and until they are verified."""
        self._fills.setdefault(order_id, _Wish(mono + FILLS_AFTER))

    def fills_settled(self, order_id: str) -> None:
        """Note that the fills of this order are verified."""
        self._fills.pop(order_id, None)

    # ------------------------------------------------------------------ what was asked

    @property
    def in_flight(self) -> int:
        """Count the questions without an answer yet."""
        return self._asks

    def asked(self, ask: Ask, mono: float) -> None:
        """Note that this is under way."""
        self._asks += 1
        if ask.created_since is not None:
            self._listing, self._last_list, self._list_since = True, mono, None
            return
        if not ask.order_ids:
            return
        if ask.fills:
            for order_id in ask.order_ids:
                wish = self._fills[order_id]
                wish.due = mono + FILLS_AGAIN[min(wish.tries, len(FILLS_AGAIN) - 1)]
                wish.tries += 1
            return
        self._last_look = mono
        self._in_flight.update(ask.order_ids)
        for order_id in ask.order_ids:
            self._urgent.pop(order_id, None)

    def answered(self, ask: Ask, mono: float, *, missing: Iterable[str], failed: bool) -> None:
        """Note the answer; what an unanswered follow-up wanted is wanted again."""
        self._asks = max(0, self._asks - 1)
        if ask.created_since is not None:
            self._listing = False
            if failed:
                self.list_since(ask.created_since + LIST_OVERLAP)
            return
        if ask.fills:
            return
        self._in_flight.difference_update(ask.order_ids)
        if failed and ask.purpose in {"reconnect", "gap"}:
            self.look_up(ask.order_ids, ask.purpose)
        gone = set(missing)
        for order_id in ask.order_ids:
            if order_id not in gone:
                if not failed:
                    self._missing.pop(order_id, None)
                continue
            if len(self._missing) > REMEMBERED:
                self._missing.clear()
            wish = self._missing.setdefault(order_id, _Wish(mono))
            wish.due = mono + MISSING_AGAIN[min(wish.tries, len(MISSING_AGAIN) - 1)]
            wish.tries += 1

    def forget(self) -> None:
        """Drop what is under way: nobody will answer it any more."""
        self._asks = 0
        self._in_flight.clear()
        self._listing = False

    # ------------------------------------------------------------------ what is next

    def interval(self, *, live: bool) -> float:
        """Tell the seconds between two look-ups of orders that the feed's state asks for."""
        batches = ceil(sum(1 for h in self.roster.pending() if h.order_id is not None) / BATCH)
        if batches == 0:
            return float("inf")
        if live:
            return self.audit_every if batches == 1 else min(self.audit_every, AUDIT_MANY_EVERY)
        return max(1.0 / batches, 1.0 / REQUESTS_PER_SECOND) * MARGIN

    def _pace(self, *, live: bool) -> float:
        """Tell the least seconds between two look-ups, whatever is due: many orders keep to their turns."""
        interval = self.interval(live=live)
        return SOONEST if live or interval >= 1.0 * MARGIN else interval

    def next_ask(self, now: datetime, mono: float, *, live: bool) -> Ask | None:
        """Choose the next question, or None when nothing is due yet."""
        looked_at = self._orders(now, mono, live=live)
        if looked_at is not None:
            return looked_at
        listing = self._created(now, mono)
        if listing is not None:
            return listing
        due = [k for k, wish in self._fills.items() if mono >= wish.due]
        return Ask(purpose="fills", order_ids=tuple(due[:BATCH]), fills=True) if due else None

    def next_due(self, now: datetime, mono: float, *, live: bool) -> float:
        """Tell how many seconds from now something will be due (0 when something is)."""
        if any(k not in self._in_flight for k in self._urgent):
            return 0.0
        known = self._askable()
        looks = [self._due_of(h, now, mono) for h in known]
        if known:
            looks.append(self._last_look + self.interval(live=live))
        times = [max(min(looks), self._last_look + self._pace(live=live))] if looks else []
        times += [wish.due for wish in self._fills.values()]
        if not self._listing and (start := self._list_wish(now, mono)) is not None:
            times.append(start)
        return max(0.0, min(times, default=float("inf")) - mono)

    def _askable(self) -> list[Held]:
        """List the pending trades that can be asked for by id and are not being asked for just now."""
        return [h for h in self.roster.pending() if h.order_id is not None and h.order_id not in self._in_flight]

    def next_looks(self, now: datetime, mono: float, *, live: bool) -> dict[int, float]:
        """Tell for each pending trade in how many seconds it is looked at next, by schedule or turn."""
        wish = self._list_wish(now, mono)
        interval = self.interval(live=live)
        looks: dict[int, float] = {}
        known = sorted(self.roster.pending(), key=lambda h: h.confirmed_mono)
        for rank, held in enumerate(known):
            turn = self._last_look + (1 + rank // BATCH) * interval
            soonest = min(turn, self._due_of(held, now, mono)) if held.order_id is not None else wish
            if soonest is not None:
                looks[held.trade_id] = max(0.0, soonest - mono)
        return looks

    def _orders(self, now: datetime, mono: float, *, live: bool) -> Ask | None:
        known = self._askable()
        urgent = [k for k in self._urgent if k not in self._in_flight][:BATCH]
        if not urgent and mono < self._last_look + self._pace(live=live):
            return None
        due = [h for h in known if self._due_of(h, now, mono) <= mono]
        turn = mono >= self._last_look + self.interval(live=live)
        if not urgent and not due and not (turn and known):
            return None
        purpose = self._urgent[urgent[0]] if urgent else ("audit" if live else "poll")
        if not urgent and due and all(h.standing.awaits_zero_proof for h in due) and not turn:
            purpose = "zero_proof"
        # The room left in the request costs nothing: fill it with whom nobody confirmed longest.
        first = {h.trade_id for h in due}
        rest = sorted(known, key=lambda h: (h.trade_id not in first, h.confirmed_mono))
        ids = dict.fromkeys([*urgent, *(h.order_id for h in rest if h.order_id and self._may_from(h.order_id) <= mono)])
        return Ask(purpose=purpose, order_ids=tuple(ids)[:BATCH]) if ids else None

    def _may_from(self, order_id: str) -> float:
        wish = self._missing.get(order_id)
        return float("-inf") if wish is None else wish.due

    def _due_of(self, held: Held, now: datetime, mono: float) -> float:
        """Tell when this order is due by itself: its schedule, or its proof of zero."""
        if held.order_id is None:
            return float("inf")
        again = self._may_from(held.order_id)
        if not held.standing.awaits_zero_proof:
            return max(held.next_look, again)
        ended = held.standing.closed_at
        left = 0.0 if ended is None else (ended + timedelta(seconds=ZERO_PROOF_AFTER) - now).total_seconds()
        return max(mono + left, again)

    def _created(self, now: datetime, mono: float) -> Ask | None:
        due = self._list_wish(now, mono)
        if due is None or due > mono or self._listing:
            return None
        starts = [] if self._list_since is None else [self._list_since]
        starts += [h.trade.attempt_at - LIST_OVERLAP for h in self._orphans(now) if h.trade.attempt_at]
        return Ask(purpose="created", created_since=min(starts))

    def _list_wish(self, now: datetime, mono: float) -> float | None:
        """Tell when the next listing is due: at once after a connect, else by the youngest lost intent."""
        if self._list_since is not None:
            return mono
        orphans = self._orphans(now)
        if not orphans:
            return None
        young = any(mono - h.held_mono < INTENT_LIST_LATER for h in orphans)
        first = min(h.held_mono for h in orphans) + 1.0  # its own `place` is probably still asking
        return max(first, self._last_list + (INTENT_LIST_EVERY if young else INTENT_LIST_LATER))

    def _orphans(self, now: datetime) -> list[Held]:
        """List the intents that were sent lately and have no order yet."""
        return [
            h
            for h in self.roster.pending()
            if h.order_id is None and h.trade.attempt_at is not None and now - h.trade.attempt_at < ORPHANS_FOR
        ]
