"""What the alert rules look at, their names, severities and limits: values only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ordersync_cli.domain.view import TradeView
    from ordersync_cli.services.ports import Run, StoredBreak

# Every rule of the contract, with its severity and what it means to a person.
SEVERITY: Mapping[str, str] = {
    "market_order_pending": "warning",
    "snapshot_stale": "warning",
    "outcome_unknown": "critical",
    "break_open": "warning",
    "feed_stale": "warning",
    "venue_unreachable": "critical",
    "unknown_venue_status": "warning",
    "unreadable_message": "warning",
    "drift_found": "warning",
    "run_overdue": "critical",
    "run_died": "warning",
    "outbox_undelivered": "warning",
    "budget_exhausted": "warning",
    "failed_but_filled": "critical",
    "absent_order_appeared": "critical",
    "unknown_tagged_order": "critical",
    "clock_skew": "warning",
    "foreign_write": "warning",
}
RULES = tuple(SEVERITY)

# Rules whose break has an alert of its own: break_open stays silent about these kinds, so that
# one cause makes one incident.
ALERTED_BREAKS = frozenset({"failed_but_filled", "absent_order_appeared", "unknown_tagged_order", "unknown_outcome"})

# Rules that an outage of the venue makes true by itself (T30): while it lasts they are neither
# opened nor counted nor resolved.
OUTAGE_RULES = frozenset({"market_order_pending", "snapshot_stale", "outcome_unknown", "feed_stale", "run_overdue"})

# Rules that a situation tells completely: false now means resolved. The others are reported when
# something happens, and resolved when it has not happened again (alert_calm.py).
STATE_RULES = frozenset(
    {
        "market_order_pending",
        "snapshot_stale",
        "outcome_unknown",
        "break_open",
        "feed_stale",
        "venue_unreachable",
        "run_overdue",
        "outbox_undelivered",
    }
)

# Each of these is about money that moved where it was ruled out: never folded into one alert.
EACH_COUNTS = frozenset({"failed_but_filled", "absent_order_appeared", "unknown_tagged_order"})

WHOLE = ""  # the key of an incident that is about no single order


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertLimits:
    """Thresholds and manners of the alert rules; seconds unless the name says otherwise.

    A pass is overdue after ``run_overdue`` of its mode (0: never), or twice the interval that the
    situation names, if that is longer. ``messages_per_hour`` 0 is no limit. ``quiet_from`` and
    ``quiet_to`` are times of day in UTC (both, or neither); critical alerts ignore both. More
    than ``group_above`` orders with one rule become one incident.
    """

    market_order_pending: float = 10
    outcome_unknown: float = 60
    feed_stale: float = 30
    venue_unreachable: float = 30
    stale_market: float = 15
    stale_resting: float = 60
    clock_skew: float = 5
    outbox_undelivered: float = 60
    run_overdue: Mapping[str, float] = field(default_factory=lambda: {"light": 60.0, "deep": 600.0})
    calm: float = 600
    count_every: float = 60
    repeat_every: float = 3600
    after_outage: float = 10
    group_above: int = 3
    messages_per_hour: int = 30
    quiet_from: time | None = None
    quiet_to: time | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One cause of alarm: ``key`` tells it from others of its rule (an order id, a mode, or "")."""

    rule: str
    message: str
    key: str = WHOLE
    severity: str = ""
    order_id: str | None = None

    @property
    def loudness(self) -> str:
        """Tell the severity: its own, else the rule's."""
        return self.severity or SEVERITY.get(self.rule, "warning")


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What a running process knows of itself and the venue at one moment.

    ``at`` is this machine's clock. ``snapshot_ages`` are seconds by trade id, from memory; a
    trade that is not in it is judged by its ``confirmed_at``. ``venue_reachable`` is None where
    nobody asked; ``venue_unreachable_since`` may be left out (the store remembers it then).
    ``feed_state`` is None where this process has no word about the feed (a cron job).
    ``run_intervals`` maps each expected mode (light, deep) to the seconds between its runs; a mode
    that is not in it is not judged, and one that never ran at all is not missed.
    """

    at: datetime
    pending: Sequence[TradeView] = ()
    pending_known: bool = True
    snapshot_ages: Mapping[int, float] = field(default_factory=dict)
    venue_reachable: bool | None = None
    venue_unreachable_since: datetime | None = None
    feed_wanted: bool = True
    feed_state: str | None = None
    feed_since: datetime | None = None
    feed_reason: str = ""
    clock_offset: float | None = None
    run_intervals: Mapping[str, float] = field(default_factory=dict)
    budget_refusals: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFacts:
    """What the store adds to a situation: open breaks, the last good runs, what is undelivered."""

    open_breaks: Sequence[StoredBreak] = ()
    last_good_runs: Mapping[str, Run | None] = field(default_factory=dict)
    first_runs: Mapping[str, datetime] = field(default_factory=dict)
    paces: Mapping[str, float] = field(default_factory=dict)
    undelivered: int = 0
    undelivered_since: datetime | None = None
