"""When each order is to be looked at next, learned from the past of this store and kept across restarts."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime

from ordersync_cli.domain.matching import request_told
from ordersync_cli.domain.schedule import Learned, class_of, dump_learned, load_learned, next_look, with_samples
from ordersync_cli.domain.standing import derive
from ordersync_cli.domain.trade import Trade
from ordersync_cli.services.ports import Notes
from ordersync_cli.services.watch.watching import Held, Roster

LEARNED = "learned_schedule"
POLL_STATE = "poll_state"


@dataclass(slots=True)
class Schedules:
    """The learned times to fill, and the persisted place of each order in its schedule."""

    learned: Learned = field(default_factory=lambda: load_learned(None))
    _resumed: dict[int, tuple[int, float]] = field(default_factory=dict, init=False)
    _saved: str | None = field(default=None, init=False)
    _learned_changed: bool = field(default=False, init=False)

    def load(self, notes: Notes, now: datetime) -> None:
        """Read what earlier watchers learned, and where they stood with each order."""
        self.learned = load_learned(notes.get(LEARNED))
        self._saved = notes.get(POLL_STATE)
        try:
            kept = json.loads(self._saved or "{}")
            self._resumed = {
                int(trade_id): (int(looks), datetime.fromisoformat(at).timestamp() - now.timestamp())
                for trade_id, (looks, at) in kept.items()
            }
        except (ValueError, TypeError, AttributeError):
            self._resumed = {}  # only hints: a note that cannot be read costs a few early looks

    def begin(self, held: Held, roster: Roster, now: datetime, mono: float, *, live: bool) -> None:
        """Place a newly held trade in its schedule: where it stood before a restart, else at its start."""
        resumed = self._resumed.pop(held.trade_id, None)
        if resumed is not None:
            roster.schedule(held.trade_id, mono + min(max(resumed[1], 0.0), self.pause(held, now, live=live)))
            roster.count_looks(held.trade_id, resumed[0])
            return
        roster.schedule(held.trade_id, mono + self.pause(held, now, live=live))

    def looked(self, held: Held, roster: Roster, now: datetime, mono: float, *, live: bool) -> None:
        """Set the next look of a trade that was just looked at."""
        roster.schedule(held.trade_id, mono + self.pause(held, now, live=live))

    def pause(self, held: Held, now: datetime, *, live: bool) -> float:
        """Tell the seconds to the next look of this trade."""
        since = held.trade.submitted_at or held.trade.created_at
        age = max(0.0, (now - since).total_seconds())
        return next_look(self.learned, class_of(request_told(held.trade)), age, looks_done=held.looks, live=live)

    def learn(self, trade: Trade) -> None:
        """Learn the time to fill of a completed trade, whoever saw it complete; venue's clock alone."""
        standing = derive(trade)
        order = next((o for o in trade.orders if o.order_id == standing.order_id), None)
        if order is None or order.created_time is None or standing.filled_at is None:
            return
        seconds = max(0.0, (standing.filled_at - order.created_time).total_seconds())
        self.learned = with_samples(self.learned, class_of(request_told(trade)), [seconds])
        self._learned_changed = True

    def save(self, notes: Notes, roster: Roster, now: datetime, mono: float) -> None:
        """Write what changed since the last time."""
        if self._learned_changed:
            notes.set(LEARNED, dump_learned(self.learned))
            self._learned_changed = False
        state = {
            str(h.trade_id): [h.looks, _at(now, h.next_look - mono)] for h in roster.pending() if h.next_look > mono
        }
        text = json.dumps(state, separators=(",", ":"))
        if text != self._saved:
            notes.set(POLL_STATE, text)
            self._saved = text


def _at(now: datetime, seconds: float) -> str:
    return datetime.fromtimestamp(round(now.timestamp() + seconds, 1), tz=now.tzinfo).isoformat()
