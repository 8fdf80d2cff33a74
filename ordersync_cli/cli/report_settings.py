"""Reads what a report is held against out of the settings."""

from __future__ import annotations

from decimal import Decimal

from ordersync_cli.config import Settings
from ordersync_cli.domain.decimals import canonical
from ordersync_cli.services.report.window import ReportLimits


def report_limits(settings: Settings) -> ReportLimits:
    """Read the targets and limits of reports out of the settings."""
    return ReportLimits(
        stale_market=settings.stale_market.total_seconds(),
        stale_resting=settings.stale_resting.total_seconds(),
        blocked_after=settings.blocked_after.total_seconds(),
        market_pending_over_10s=settings.target_market_pending_over_10s,
        sync_latency_mean=canonical(Decimal(str(settings.target_sync_latency_mean.total_seconds()))),
        real_time_p99=canonical(Decimal(str(settings.target_real_time_p99.total_seconds()))),
        status_accuracy=settings.target_status_accuracy,
        manual_interventions=settings.target_manual_interventions,
        undelivered_alerts=settings.target_undelivered_alerts,
        bots_blocked=settings.target_bots_blocked,
    )
