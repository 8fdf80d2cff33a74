"""A report as Prometheus text, from a registry of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

_SPREAD = ("mean", "p50", "p95", "p99", "max")


class _Figures(Collector):
    """Gives the figures of one report as gauges; what was not measured is left out."""

    def __init__(self, told: Mapping[str, Any], *, simulated: bool) -> None:
        self._told = told
        self._simulated = simulated

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """List the gauges."""
        told = self._told
        yield _gauge("simulated", "1 where the venue is a simulator", [((), self._simulated)])
        yield _gauge("generated_timestamp_seconds", "When this report was made", [((), told["generated_at"])])
        window = (told["until"] - told["since"]).total_seconds()
        yield _gauge("window_seconds", "Length of the window", [((), window)])
        yield _gauge(
            "trades",
            "Trades created in the window, by status",
            [((word,), told["trades"][word]) for word in ("pending", "completed", "failed")],
            "status",
        )
        yield _gauge("pending_trades", "Trades pending now, of any age", [((), told["pending_now"])])
        yield from self._latency()
        yield from self._targets()
        yield from self._now()
        yield from self._passes()

    def _latency(self) -> Iterator[GaugeMetricFamily]:
        told = self._told["sync_latency_seconds"]
        parts = {"all": told, **told["by_source"]}
        samples = [((source, part), found[part]) for source, found in parts.items() for part in _SPREAD]
        about = "Venue event to committed row, by source"
        yield _gauge("sync_latency_seconds", about, samples, "source", "figure")
        counts = [((source,), found["count"]) for source, found in parts.items()]
        yield _gauge("sync_latency_samples", "Samples of the sync latency", counts, "source")

    def _targets(self) -> Iterator[GaugeMetricFamily]:
        targets = self._told["targets"]
        for name, key in (("target", "target"), ("target_actual", "actual"), ("target_met", "met")):
            samples = [((t["name"],), t[key]) for t in targets]
            yield _gauge(name, f"Targets: {key}", samples, "name")
        accuracy = self._told["accuracy"]
        for name in ("audited", "matched", "ratio", "lower_bound_95"):
            yield _gauge(f"accuracy_{name}", f"Status accuracy: {name}", [((), accuracy[name])])
        for name, value in self._told["interventions"].items():
            yield _gauge(f"interventions_{name}", f"Interventions: {name}", [((), value)])

    def _now(self) -> Iterator[GaugeMetricFamily]:
        told = self._told
        yield _gauge(
            "stale_trades", "Pending trades that the venue has not confirmed lately", [((), len(told["stale"]))]
        )
        bots = [(("" if b["bot_id"] is None else str(b["bot_id"]),), b) for b in told["bots"]]
        for name in ("pending", "blocked", "blocked_seconds", "oldest_pending_seconds"):
            yield _gauge(f"bot_{name}", f"Bots: {name}", [(bot, b[name]) for bot, b in bots], "bot_id")
        for name in ("open", "found", "repaired"):
            yield _gauge(f"breaks_{name}", f"Breaks: {name}", [((), told["breaks"][name])])
        for name in ("incidents", "open", "undelivered"):
            yield _gauge(f"alerts_{name}", f"Alerts: {name}", [((), told["alerts"][name])])
        volume = [((v["product_id"], v["side"]), v) for v in told["volume"]]
        for name in ("filled_value", "total_fees"):
            yield _gauge(
                name, f"In the quote currency: {name}", [(k, v[name]) for k, v in volume], "product_id", "side"
            )
        left = told["requests"]["left"]
        yield _gauge("request_budget_left", "Requests in the shared budget", [((), left)])

    def _passes(self) -> Iterator[GaugeMetricFamily]:
        runs = self._told["runs"].items()
        for name, key in (
            ("runs", "count"),
            ("runs_updated_count", "updated_count"),
            ("runs_requests", "requests"),
            ("last_good_run_timestamp_seconds", "last_good_at"),
            ("run_overdue_seconds", "overdue_seconds"),
        ):
            yield _gauge(name, f"Passes: {key}", [((mode,), found[key]) for mode, found in runs], "mode")
        watchers = [((w["host"], str(w["pid"]), w["role"]), w) for w in self._told["watchers"]]
        names = ("host", "pid", "role")
        live = [(k, w["alive"] and w["feed_state"] == "live") for k, w in watchers]
        yield _gauge("watcher_feed_live", "1 where a watcher's feed is live", live, *names)
        misses = [(k, w["stream_misses"]) for k, w in watchers]
        yield _gauge("watcher_stream_misses", "News that the stream did not bring", misses, *names)


def exposition(told: Mapping[str, Any], *, simulated: bool) -> bytes:
    """Write a report in the text format of Prometheus."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(told, simulated=simulated))
    return generate_latest(registry)


def _gauge(name: str, about: str, samples: Sequence[tuple[tuple[str, ...], Any]], *labels: str) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"ordersync_report_{name}", f"{about}.", labels=labels)
    for words, value in samples:
        if value is not None:
            family.add_metric(words, _number(value))
    return family


def _number(value: bool | float | Decimal | datetime) -> float:
    return value.timestamp() if isinstance(value, datetime) else float(value)
