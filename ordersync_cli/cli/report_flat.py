"""A report as one flat list, for pipes: a line a figure, with the figure of the period before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Row = tuple[object, ...]
COLUMNS = ("section", "name", "figure", "value", "previous")
_FIGURES = ("count", "mean", "p50", "p95", "p99", "max")
_BOT = ("pending", "oldest_pending_seconds", "blocked", "blocked_seconds")
_VOLUME = ("trades", "filled_value", "total_fees")
_RUN = ("count", "updated_count", "requests", "last_good_at", "overdue_seconds")
_PLAN = ("orders", "requests", "delay_mean_seconds", "delay_p99_seconds", "missed")
_WATCHER = ("role", "alive", "feed_state", "stream_misses")


def flat(told: Mapping[str, Any]) -> Iterator[Row]:
    """Give every figure as a line of its own: section, name, figure, value, and the value before."""
    before = told["previous"]
    earlier = {t["name"]: t["actual"] for t in before["targets"]}
    for target in told["targets"]:
        name = target["name"]
        yield "targets", name, "actual", target["actual"], earlier[name]
        yield "targets", name, "target", target["target"], ""
        yield "targets", name, "met", target["met"], ""
    for section in ("trades", "accuracy", "interventions", "market_pending"):
        for figure, value in told[section].items():
            yield section, "", figure, value, before[section][figure]
    latency, was = told["sync_latency_seconds"], before["sync_latency_seconds"]
    for figure in (*_FIGURES, "error_bound"):
        yield "sync_latency_seconds", "", figure, latency[figure], was[figure]
    for key in ("source", "product", "order_type", "hour"):
        for word, found in latency[f"by_{key}"].items():
            known = was[f"by_{key}"].get(word, {})
            for figure in _FIGURES:
                yield "sync_latency_seconds", f"{key}={word}", figure, found[figure], known.get(figure)
    yield from _lists(told, before)
    yield from _state(told, before)
    yield from _intervals(told["intervals"])


def _lists(told: Mapping[str, Any], before: Mapping[str, Any]) -> Iterator[Row]:
    for figure in _FIGURES:
        yield "cancels_at_most_seconds", "", figure, told["cancels"][figure], before["cancels"][figure]
    for family, words in told["status_seconds"].items():
        for word, found in words.items():
            yield from ((f"{family}_seconds", word, figure, found[figure], "") for figure in _FIGURES)
    for trade in told["stale"]:
        yield "stale", trade["trade_id"], "age_seconds", trade["age_seconds"], ""
    for bot in told["bots"]:
        yield from (("bots", bot["bot_id"], figure, bot[figure], "") for figure in _BOT)
    earlier = {(v["product_id"], v["side"]): v for v in before["volume"]}
    for part in told["volume"]:
        was = earlier.get((part["product_id"], part["side"]), {})
        name = f"{part['product_id']} {part['side']}"
        yield from (("volume", name, figure, part[figure], was.get(figure)) for figure in _VOLUME)


def _state(told: Mapping[str, Any], before: Mapping[str, Any]) -> Iterator[Row]:
    yield "trades", "", "pending_now", told["pending_now"], ""
    yield from (("requests", "", figure, value, "") for figure, value in told["requests"].items())
    for mode, run in told["runs"].items():
        yield from (("runs", mode, figure, run[figure], "") for figure in _RUN)
    for figure in ("found", "open", "repaired"):
        yield "breaks", "", figure, told["breaks"][figure], before["breaks"][figure]
    for figure in ("incidents", "open", "undelivered"):
        yield "alerts", "", figure, told["alerts"][figure], ""
    yield from (("alerts", rule, "incidents", count, "") for rule, count in told["alerts"]["by_rule"].items())
    yield from (("breaks", kind, "found", count, "") for kind, count in told["breaks"]["by_kind"].items())
    for watcher in told["watchers"]:
        name = f"{watcher['host']}:{watcher['pid']}"
        yield from (("watchers", name, figure, watcher[figure], "") for figure in _WATCHER)


def _intervals(told: Mapping[str, Any]) -> Iterator[Row]:
    for one in told["classes"]:
        name = f"{one['product_id']}/{one['order_type']}/{one['distance']}"
        yield "intervals", name, "samples", one["samples"], ""
        yield from (("intervals", name, figure, value, "") for figure, value in one["time_to_fill_seconds"].items())
    for plan in told.get("replay", {}).get("plans", ()):
        yield from (("replay", plan["plan"], figure, plan[figure], "") for figure in _PLAN)
