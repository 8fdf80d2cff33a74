"""The headline figures of one window: the same for this period and for the one before it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from ordersync_cli.domain.decimals import EXACT, ZERO
from ordersync_cli.domain.spans import Span, clipped, union
from ordersync_cli.domain.statistics import clean_audits_needed, lower_bound
from ordersync_cli.domain.targets import Bound, Target
from ordersync_cli.services.ports import Run, StoredBreak
from ordersync_cli.services.ports.history import ByHand, History, PendingTrade, Reading, Scope, Turnover
from ordersync_cli.services.reconcile.audits import Audit, audits_of
from ordersync_cli.services.report.latency import Breakdown, Measured, breakdown, seconds

LATENCY = "sync_latency"
CANCELS = "cancel_bound"
FEED = "websocket"
SAME_DEED = timedelta(seconds=5)  # events of one trade by hand that lie closer are one deed: a sync looks twice


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportLimits:
    """What a report holds the figures against; seconds, but for counts and the ratio."""

    stale_market: float = 15.0
    stale_resting: float = 60.0
    blocked_after: float = 10.0
    market_pending_over_10s: int = 0
    sync_latency_mean: Decimal = Decimal(5)
    real_time_p99: Decimal = Decimal(1)
    status_accuracy: Decimal = Decimal("0.999")
    manual_interventions: int = 0
    undelivered_alerts: int = 0
    bots_blocked: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocking:
    """A trade that kept its bot waiting: the part of its pending beyond the limit."""

    trade_id: int
    bot_id: int | None
    product_id: str | None
    span: Span
    pending_seconds: Decimal  # in all, up to its end or now
    ended_at: datetime  # or now
    over: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """Audited trades and how many of them matched the venue before any repair."""

    audited: int = 0
    matched: int = 0

    @property
    def ratio(self) -> Decimal | None:
        """Tell the share that matched, cut (never rounded up) to nine places."""
        if not self.audited:
            return None
        return Decimal(self.matched * 10**9 // self.audited) / 10**9

    @property
    def lower_bound_95(self) -> Decimal | None:
        """Tell the exact one-sided 95 % bound, cut to nine places."""
        bound = lower_bound(self.matched, self.audited)
        return None if bound is None else Decimal(int(bound * 10**9)) / 10**9

    def clean_audits_needed(self, claim: Decimal) -> int:
        """Tell how many more audits, all matching, would carry the claim."""
        return clean_audits_needed(self.matched, self.audited, float(claim))


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What happened in one window."""

    scope: Scope
    turnover: Sequence[Turnover]
    latency: Breakdown
    cancels: Measured
    waiting: Sequence[Blocking]  # what lasts, and what took longer than the limit
    worst: Blocking | None
    accuracy: Accuracy
    manual_syncs: int
    breaks: Sequence[StoredBreak]
    runs: Sequence[Run]
    audits: Sequence[Audit] = field(default=())

    def trades(self) -> dict[str, int]:
        """Count the trades created in the window, by where they stand now."""
        counts = Counter[str]()
        for part in self.turnover:
            counts[part.status] += part.trades
        named = {word: counts[word] for word in ("pending", "completed", "failed")}
        return {"total": sum(counts.values()), **named}

    @property
    def blocking(self) -> list[Blocking]:
        """List the trades that kept a bot waiting beyond the limit, in the window."""
        return [one for one in self.waiting if one.over]

    def repairs(self) -> int:
        """Count the breaks that the passes repaired."""
        since, until = self.scope.since, self.scope.until
        return sum(b.severity == "repaired" and since <= b.first_seen < until for b in self.breaks)

    def blocked_bots(self) -> dict[int | None, list[Span]]:
        """Tell when each bot was blocked, as spans that do not overlap."""
        spans: dict[int | None, list[Span]] = {}
        for one in self.blocking:
            spans.setdefault(one.bot_id, []).append(one.span)
        return {bot: union(found) for bot, found in spans.items()}

    def volume(self) -> tuple[Decimal, Decimal]:
        """Add up value and fees of all products (of several quote currencies, where there are several)."""
        value, fees = ZERO, ZERO
        for part in self.turnover:
            value, fees = EXACT.add(value, part.filled_value), EXACT.add(fees, part.total_fees)
        return value, fees

    def targets(self, limits: ReportLimits, undelivered: int | None) -> list[Target]:
        """Hold the window against the promises."""
        spread = self.latency.whole.spread
        real_time = self.latency.by.get("source", {}).get(FEED, Measured()).spread
        return [
            _at_most("market_pending_over_10s", limits.market_pending_over_10s, len(self.blocking)),
            _below("sync_latency_mean", limits.sync_latency_mean, spread.mean),
            _below("real_time_p99", limits.real_time_p99, real_time.p99),
            Target(
                name="status_accuracy",
                bound=Bound.AT_LEAST,
                target=limits.status_accuracy,
                actual=self.accuracy.ratio,
            ),
            _at_most("manual_interventions", limits.manual_interventions, self.manual_syncs),
            _at_most("undelivered_alerts", limits.undelivered_alerts, undelivered),
            _at_most("bots_blocked", limits.bots_blocked, len(self.blocked_bots())),
        ]


def window_of(
    reading: Reading, scope: Scope, pending: Sequence[PendingTrade], at: datetime, limits: ReportLimits
) -> Window:
    """Measure one window; ``pending`` is what is pending now, ``at`` this machine's clock."""
    history = reading.history
    runs = reading.runs.between(scope.since, scope.until)
    audits = audits_of(reading, runs)
    spans = _spans(history, scope, pending, at, limits.blocked_after)
    found = reading.breaks.between(scope.since, scope.until)
    return Window(
        scope=scope,
        turnover=history.turnover(scope),
        latency=breakdown(history, scope, LATENCY, ("source", "product_id", "order_type", "hour")),
        cancels=breakdown(history, scope, CANCELS, ()).whole,
        waiting=spans,
        worst=_worst(history, scope, spans),
        accuracy=_accuracy(history, scope, audits),
        manual_syncs=_deeds(history.by_hand(scope)),
        breaks=_owned(history, scope, found),
        runs=runs,
        audits=audits,
    )


def _spans(
    history: History, scope: Scope, pending: Iterable[PendingTrade], at: datetime, limit: float
) -> list[Blocking]:
    """List what a bot had to wait for in the window: what lasts, and what is over but took longer than the limit."""
    ended = [(s.trade_id, s.bot_id, s.product_id, s.began_at, s.ended_at) for s in history.long_pending(scope, limit)]
    lasting = [(p.trade_id, p.bot_id, p.product_id, p.created_at, max(at, p.created_at)) for p in pending if p.at_once]
    found = []
    for trade_id, bot_id, product_id, began, end in (*ended, *lasting):
        if began >= scope.until or end < scope.since:
            continue
        beyond = clipped([(began + timedelta(seconds=limit), end)], scope.since, scope.until)
        found.append(
            Blocking(
                trade_id=trade_id,
                bot_id=bot_id,
                product_id=product_id,
                span=beyond[0] if beyond else (end, end),
                pending_seconds=seconds((end - began) // timedelta(microseconds=1)),
                ended_at=end,
                over=bool(beyond),
            )
        )
    return found


def _worst(history: History, scope: Scope, spans: Sequence[Blocking]) -> Blocking | None:
    """Find the trade that a bot waited for longest; where none took long, only how long is known."""
    known = max(spans, key=lambda b: b.pending_seconds, default=None)
    largest = history.longest_pending(scope)
    if largest is None or (known is not None and known.pending_seconds >= seconds(largest)):
        return known
    return Blocking(
        trade_id=0,
        bot_id=None,
        product_id=None,
        span=(scope.since, scope.since),
        pending_seconds=seconds(largest),
        ended_at=scope.until,
        over=False,
    )


def _accuracy(history: History, scope: Scope, audits: Sequence[Audit]) -> Accuracy:
    """Count distinct trades of the window; one that ever differed counts as not matched."""
    audited = frozenset[int]().union(*(a.audited for a in audits))
    differed = frozenset[int]().union(*(a.differed for a in audits))
    counted = history.touched(scope, sorted(audited)) if audited else set()
    return Accuracy(audited=len(counted), matched=len(counted - differed))


def _deeds(events: Sequence[ByHand]) -> int:
    """Count manual syncs and settlements that changed a row; a cancel or an adoption is neither."""
    deeds: list[list[ByHand]] = []
    for event in events:
        last = deeds[-1][-1] if deeds else None
        known = last is not None and last.trade_id == event.trade_id and event.kind != "settled"
        if last is not None and known and event.committed_at - last.committed_at < SAME_DEED:
            deeds[-1].append(event)
        else:
            deeds.append([event])
    return sum(not any(e.kind in {"cancel", "adopted"} or e.order_status == "cancelling" for e in d) for d in deeds)


def _owned(history: History, scope: Scope, found: Sequence[StoredBreak]) -> list[StoredBreak]:
    if scope.bot_id is None and scope.product_id is None:
        return list(found)
    owned = history.owned(scope, sorted({b.trade_id for b in found if b.trade_id is not None}))
    return [b for b in found if b.trade_id in owned]


def _at_most(name: str, target: int, actual: int | None) -> Target:
    return Target(name=name, bound=Bound.AT_MOST, target=target, actual=actual)


def _below(name: str, target: Decimal, actual: Decimal | None) -> Target:
    return Target(name=name, bound=Bound.BELOW, target=target, actual=actual, unit="s")
