"""When everything that was created lately has to be listed: after a connect, and for intents without an order."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ordersync_cli.services.watch.watching import Held, Roster

LIST_OVERLAP = timedelta(seconds=60)
INTENT_LIST_FIRST = 1.0  # seconds: its own `place` is probably still asking
INTENT_LIST_EVERY = 2.0  # seconds between listings for an intent without an order
INTENT_LIST_LATER = 10.0  # the same once it is older than 10 s; the light pass proves absence
ORPHANS_FOR = timedelta(hours=1)  # an older intent without an order is for the light and deep pass


@dataclass(slots=True)
class ListingWishes:
    """One wish at a time: the earliest start that anybody asked for."""

    roster: Roster
    _since: datetime | None = field(default=None, init=False)
    _under_way: bool = field(default=False, init=False)
    _last: float = field(default=float("-inf"), init=False)

    def want_since(self, start: datetime) -> None:
        """Have everything listed that was created since then (with an overlap)."""
        start -= LIST_OVERLAP
        self._since = start if self._since is None else min(start, self._since)

    def asked(self, mono: float) -> None:
        """Note that a listing is under way."""
        self._under_way, self._last, self._since = True, mono, None

    def answered(self, start: datetime, *, failed: bool) -> None:
        """Note its end; one that failed is wanted again."""
        self._under_way = False
        if failed:
            self.want_since(start + LIST_OVERLAP)

    def forget(self) -> None:
        """Drop what is under way: nobody will answer it any more."""
        self._under_way = False

    def due(self, now: datetime, mono: float) -> float | None:
        """Tell when the next listing is due, None for never: at once after a connect, else for lost intents."""
        if self._under_way:
            return None
        if self._since is not None:
            return mono
        orphans = self._orphans(now)
        if not orphans:
            return None
        young = any(mono - h.held_mono < INTENT_LIST_LATER for h in orphans)
        first = min(h.held_mono for h in orphans) + INTENT_LIST_FIRST
        return max(first, self._last + (INTENT_LIST_EVERY if young else INTENT_LIST_LATER))

    def start(self, now: datetime, mono: float) -> datetime | None:
        """Tell from when to list, if a listing is due."""
        due = self.due(now, mono)
        if due is None or due > mono:
            return None
        starts = [] if self._since is None else [self._since]
        starts += [h.trade.attempt_at - LIST_OVERLAP for h in self._orphans(now) if h.trade.attempt_at is not None]
        return min(starts, default=None)

    def _orphans(self, now: datetime) -> list[Held]:
        """List the intents that were sent lately and have no order yet."""
        return [
            h
            for h in self.roster.pending()
            if h.order_id is None and h.trade.attempt_at is not None and now - h.trade.attempt_at < ORPHANS_FOR
        ]
