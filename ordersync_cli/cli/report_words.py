"""Figures of a report in words: durations, shares, and what the targets are and promise."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

TARGETS = {
    "market_pending_over_10s": "Market orders pending over 10 s",
    "sync_latency_mean": "Mean sync latency",
    "real_time_p99": "Real-time latency, 99 %",
    "status_accuracy": "Status accuracy, audited",
    "manual_interventions": "Manual interventions",
    "undelivered_alerts": "Undelivered alerts",
    "bots_blocked": "Bots blocked",
}
_SECONDS = {"sync_latency_mean", "real_time_p99"}


def seconds_text(value: Decimal | None, bound: Decimal | None = None) -> str:
    """Write a duration for people; a figure below the error of the clocks is only known to be below it."""
    if value is None:
        return ""
    if bound is not None and value < bound:
        return f"< {seconds_text(bound)}"
    size = abs(value)
    if not size:
        return "0 s"
    if size >= 172_800:
        return f"{value / 86_400:.1f} d"
    if size >= 7_200:
        return f"{value / 3_600:.1f} h"
    if size >= 120:
        return f"{value / 60:.1f} min"
    if size >= 1:
        return f"{value:.2f}".rstrip("0").rstrip(".") + " s"
    return f"{value * 1000:.0f} ms" if size >= Decimal("0.001") else f"{value * 1_000_000:.0f} µs"


def whole(seconds: float) -> Decimal:
    """Cut a duration to the second."""
    return Decimal(int(seconds))


def figure(name: str, value: Any) -> str:
    """Write the figure of a target for people."""
    if value is None:
        return "–"
    if name in _SECONDS:
        return seconds_text(value)
    if name == "status_accuracy":
        return f"{cut(Decimal(value) * 100, 3)} %"
    return f"{value:,}"


def promise(name: str, value: Any) -> str:
    """Write what was promised."""
    if name in _SECONDS:
        return f"under {seconds_text(Decimal(value))}"
    if name == "status_accuracy":
        return f"at least {figure(name, value)}"
    return f"{value}" if not value else f"at most {value}"


def cut(value: Decimal, places: int) -> str:
    """Write a share without rounding it up: 99.9996 % is not 100 %."""
    step = Decimal(1).scaleb(-places)
    return f"{value - value % step:f}".rstrip("0").rstrip(".") or "0"
