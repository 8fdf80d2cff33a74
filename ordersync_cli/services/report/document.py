"""What the store can prove of a window: figures, targets, what is stale now, and the period before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from ordersync_cli.domain.decimals import EXACT
from ordersync_cli.domain.orders import OrderStatus, Status
from ordersync_cli.domain.spans import seconds_of
from ordersync_cli.domain.targets import Target
from ordersync_cli.services.ports.history import PendingTrade, Reading, Scope
from ordersync_cli.services.report.intervals import intervals_json
from ordersync_cli.services.report.latency import Measured, breakdown
from ordersync_cli.services.report.runs import RunExpectations, alerts_json, breaks_json, runs_json, watchers_json
from ordersync_cli.services.report.window import ReportLimits, Window, window_of

_MILLI = Decimal("0.001")
NOTIFICATION = "notification"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One report: the document of the contract, and the windows that it was made of."""

    document: Mapping[str, Any]
    targets: Sequence[Target]
    overdue: Sequence[str]
    now: Window
    before: Window
    limits: ReportLimits
    expected: RunExpectations

    @property
    def missed(self) -> list[str]:
        """Name what `--check` fails for."""
        return [*(t.name for t in self.targets if t.met is False), *self.overdue]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reporting:
    """Makes reports of one store; ``at`` is this machine's clock, ``budget_left`` in requests."""

    limits: ReportLimits
    expected: RunExpectations
    at: datetime
    replay: bool = False
    rate: Decimal = Decimal("2.5")  # requests a second that the budget gives
    budget_left: float | None = None

    def make(self, reading: Reading, scope: Scope) -> Report:
        """Measure the window and the one before it, in one snapshot of the store."""
        pending = reading.history.pending(scope)
        now = window_of(reading, scope, pending, self.at, self.limits)
        before = window_of(reading, scope.before(), pending, self.at, self.limits)
        waiting = reading.history.undelivered()
        undelivered = sum(count for sink, count in waiting.items() if sink != NOTIFICATION)
        targets = now.targets(self.limits, undelivered)
        runs, overdue = runs_json(reading, now.runs, self.at, self.expected)
        document = {
            "since": scope.since,
            "until": scope.until,
            "generated_at": self.at,
            "bot_id": scope.bot_id,
            "product_id": scope.product_id,
            **headline(now, targets),
            "pending_now": len(pending),
            "stale": self._stale(pending),
            "status_seconds": self._status_times(reading, scope),
            "cancels": measured_json(now.cancels) | {"is_upper_bound": True},
            "breaks": breaks_json(now.breaks, scope),
            "bots": self._bots(pending, now),
            "volume": volume_json(now),
            "previous": {
                "since": before.scope.since,
                "until": before.scope.until,
                **headline(before, before.targets(self.limits, None)),
                "cancels": measured_json(before.cancels) | {"is_upper_bound": True},
                "breaks": breaks_json(before.breaks, before.scope),
                "volume": volume_json(before),
            },
            "runs": runs,
            "requests": self._requests(now),
            "watchers": watchers_json(reading.watchers.list(), self.at),
            "alerts": alerts_json(reading, scope, waiting),
            "intervals": intervals_json(reading.notes, rate=self.rate, with_replay=self.replay),
        }
        return Report(
            document=document,
            targets=targets,
            overdue=overdue,
            now=now,
            before=before,
            limits=self.limits,
            expected=self.expected,
        )

    def _stale(self, pending: Sequence[PendingTrade]) -> list[dict[str, Any]]:
        """List what the venue has not confirmed for longer than its limit, the oldest word first."""
        found = []
        for trade in pending:
            limit = self.limits.stale_market if trade.at_once else self.limits.stale_resting
            age = (self.at - (trade.confirmed_at or trade.created_at)).total_seconds()
            if age > limit:
                found.append((age, limit, trade))
        return [
            {
                "trade_id": trade.trade_id,
                "bot_id": trade.bot_id,
                "product_id": trade.product_id,
                "order_id": trade.order_id,
                "client_order_id": trade.client_order_id,
                "order_type": trade.order_type,
                "order_status": trade.order_status,
                "created_at": trade.created_at,
                "confirmed_at": trade.confirmed_at,
                "age_seconds": exact(age),
                "limit_seconds": exact(limit),
            }
            for age, limit, trade in sorted(found, key=lambda f: (-f[0], f[2].trade_id))
        ]

    def _status_times(self, reading: Reading, scope: Scope) -> dict[str, Any]:
        """Tell how long trades stood at each word, among those that left it in the window."""
        found: dict[str, Any] = {}
        for name, prefix, words in (("status", "status", Status), ("order_status", "order", OrderStatus)):
            told = {word: breakdown(reading.history, scope, f"{prefix}:{word}", ()).whole for word in words}
            found[name] = {word.value: measured_json(m) for word, m in told.items() if m.spread.count}
        return found

    def _bots(self, pending: Sequence[PendingTrade], window: Window) -> list[dict[str, Any]]:
        blocked = window.blocked_bots()
        by_bot: dict[int | None, list[PendingTrade]] = {}
        for trade in pending:
            by_bot.setdefault(trade.bot_id, []).append(trade)
        return [
            {
                "bot_id": bot,
                "pending": len(by_bot.get(bot, ())),
                "oldest_pending_seconds": max((exact(self._age(t)) for t in by_bot.get(bot, ())), default=None),
                "blocked": any(t.at_once and self._age(t) > self.limits.blocked_after for t in by_bot.get(bot, ())),
                "blocked_seconds": exact(seconds_of(blocked.get(bot, ()))),
            }
            for bot in sorted({*by_bot, *blocked}, key=lambda b: (b is None, b or 0))
        ]

    def _age(self, trade: PendingTrade) -> float:
        return max(0.0, (self.at - trade.created_at).total_seconds())

    def _requests(self, window: Window) -> dict[str, Any]:
        return {
            "by_runs": sum(run.requests for run in window.runs),
            "per_second": self.rate,
            "left": None if self.budget_left is None else exact(self.budget_left),
        }


def headline(window: Window, targets: Sequence[Target]) -> dict[str, Any]:
    """Give the figures that stand beside those of the period before."""
    accuracy = window.accuracy
    return {
        "trades": window.trades(),
        "sync_latency_seconds": measured_json(window.latency.whole)
        | {
            f"by_{_short(key)}": {str(word): measured_json(m) for word, m in found.items()}
            for key, found in window.latency.by.items()
        },
        "targets": [{"name": t.name, "target": t.target, "actual": t.actual, "met": t.met} for t in targets],
        "accuracy": {
            "audited": accuracy.audited,
            "matched": accuracy.matched,
            "ratio": accuracy.ratio,
            "lower_bound_95": accuracy.lower_bound_95,
            "clean_audits_needed": accuracy.clean_audits_needed(Decimal("0.999")),
        },
        "interventions": {"manual_syncs": window.manual_syncs, "repairs": window.repairs()},
        "market_pending": {
            "over_10s": len(window.blocking),
            "worst_seconds": window.worst.pending_seconds if window.worst else None,
            "worst_trade_id": (window.worst.trade_id or None) if window.worst else None,
        },
        "bots_blocked": len(window.blocked_bots()),
    }


def measured_json(measured: Measured) -> dict[str, Any]:
    """Give a spread in seconds; ``error_bound`` is what the clocks may add to or take from it."""
    spread = measured.spread
    return {
        "count": spread.count,
        "mean": spread.mean,
        "p50": spread.p50,
        "p95": spread.p95,
        "p99": spread.p99,
        "max": spread.max,
        "error_bound": measured.error,
    }


def volume_json(window: Window) -> list[dict[str, Any]]:
    """Add up value and fees by product and side."""
    sums: dict[tuple[str, str], dict[str, Any]] = {}
    for part in window.turnover:
        known = sums.setdefault(
            (part.product_id, part.side),
            {
                "product_id": part.product_id,
                "side": part.side,
                "trades": 0,
                "filled_value": Decimal(0),
                "total_fees": Decimal(0),
            },
        )
        known["trades"] += part.trades
        known["filled_value"] = EXACT.add(known["filled_value"], part.filled_value)
        known["total_fees"] = EXACT.add(known["total_fees"], part.total_fees)
    return [sums[key] for key in sorted(sums)]


def exact(seconds: float) -> Decimal:
    """Write seconds to the millisecond."""
    return Decimal(str(round(seconds, 3))).quantize(_MILLI)


def _short(key: str) -> str:
    return {"product_id": "product"}.get(key, key)
