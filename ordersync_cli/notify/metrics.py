"""Write what the passes did as a Prometheus textfile, for the node exporter's collector."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

from ordersync_cli.errors import SettingsError
from ordersync_cli.services.ports import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class PassMetrics:
    """What is measured: the last and the last good run of each mode, what is pending, what is open."""

    last: Mapping[str, Run] = field(default_factory=dict)
    last_good: Mapping[str, Run] = field(default_factory=dict)
    pending: int = 0
    open_breaks: Mapping[str, int] = field(default_factory=dict)  # by kind
    simulated: bool = False


def write_metrics(path: Path, measured: PassMetrics) -> None:
    """Replace the file atomically; raises SettingsError (exit 3) where it cannot be written."""
    registry = CollectorRegistry()
    _runs(registry, measured)
    pending = Gauge("ordersync_pending_trades", "Trades that are pending.", registry=registry)
    pending.set(measured.pending)
    breaks = Gauge("ordersync_open_breaks", "Breaks that are open.", ["kind"], registry=registry)
    for kind, count in measured.open_breaks.items():
        breaks.labels(kind).set(count)
    simulated = Gauge("ordersync_simulated", "1 where the venue is a simulator.", registry=registry)
    simulated.set(int(measured.simulated))
    try:
        write_to_textfile(str(path), registry)
    except OSError as problem:
        raise SettingsError(
            f"The metrics file {path} cannot be written: {problem.strerror}. The pass itself was carried out.",
            "Name another with --metrics-file.",
        ) from None


def _runs(registry: CollectorRegistry, measured: PassMetrics) -> None:
    def gauge(name: str, about: str) -> Gauge:
        return Gauge(f"ordersync_reconcile_{name}", about, ["mode"], registry=registry)

    good = gauge("last_good_timestamp_seconds", "When the last pass that gave an answer ended.")
    for mode, run in measured.last_good.items():
        good.labels(mode).set((run.finished_at or run.started_at).timestamp())
    started = gauge("last_run_timestamp_seconds", "When the last pass began.")
    exit_code = gauge("exit_code", "Exit code of the last pass.")
    duration = gauge("duration_seconds", "How long the last pass took.")
    counts = {
        name: gauge(name, about)
        for name, about in (
            ("checked", "Trades that the last pass checked."),
            ("updated_count", "Trades that the last pass changed."),
            ("fills_added", "Fills that the last pass added."),
            ("adopted", "External orders that the last pass took in."),
            ("requests", "Requests that the last pass sent."),
        )
    }
    for mode, run in measured.last.items():
        started.labels(mode).set(run.started_at.timestamp())
        if run.exit_code is not None:
            exit_code.labels(mode).set(run.exit_code)
        if run.finished_at is not None:
            duration.labels(mode).set((run.finished_at - run.started_at).total_seconds())
        for name, counted in counts.items():
            counted.labels(mode).set(getattr(run, name))
