"""A report as tables: for a terminal with small pictures of text, for a pipe as one flat tab-separated list."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ordersync_cli.cli.output import Output, cell
from ordersync_cli.cli.report_flat import COLUMNS, flat
from ordersync_cli.cli.report_words import figure, promise, seconds_text, whole
from ordersync_cli.cli.terminal import is_terminal
from ordersync_cli.cli.text_charts import bars, sparkline
from ordersync_cli.domain.histogram import coarse
from ordersync_cli.services.report.series import headline_of

if TYPE_CHECKING:
    from ordersync_cli.services.report.document import Report
    from ordersync_cli.services.report.window import ReportLimits

Row = tuple[object, ...]
_MET = {True: "met", False: "MISSED", None: "nothing measured"}
_MARKS = {"met": "green", "MISSED": "bold red", "BLOCKED": "bold red"}
_FIGURES = ("count", "mean", "p50", "p95", "p99", "max")
_LISTED = 20


def show_table(output: Output, made: Report, *, intervals: bool) -> None:
    """Print the report: sections on a terminal, flat lines (section, name, figure, value, before) in a pipe."""
    if is_terminal(sys.stdout):
        for title, columns, rows in sections(made, intervals=intervals, exact=False):
            output.table(columns, rows, title, marks=_MARKS)
        verdict = textwrap.wrap(headline_of(made.document), output.console().width)
        output.text("\n".join(verdict))  # last: the first lines have left the screen by now
        return
    output.table(COLUMNS, flat(made.document))


def plain_table(made: Report, *, intervals: bool) -> str:
    """Write the sections as text, for a file."""
    lines: list[str] = []
    for title, columns, rows in sections(made, intervals=intervals):
        shown = [[cell(value) for value in row] for row in rows]
        widths = [max(len(column), *(len(r[i]) for r in shown), 0) for i, column in enumerate(columns)]
        lines += [title, "  ".join(c.ljust(w) for c, w in zip(columns, widths, strict=True)).rstrip()]
        lines += ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in shown]
        lines.append("")
    return "\n".join(lines) + "\n"


Section = tuple[str, Sequence[str], Sequence[Row]]


def sections(made: Report, *, intervals: bool, exact: bool = True) -> Iterator[Section]:
    """Give the report's parts: title, columns, rows; empty parts are left out.

    ``exact`` money keeps every digit; else it is shown to the hundredth.
    """
    told, before = made.document, made.document["previous"]
    window = f"{_moment(told['since'])} to {_moment(told['until'])}"
    yield f"Report {window}", ("target", "is", "promised", "before", ""), list(_targets(told, before))
    yield "Trades", ("", "now", "before"), list(_counts(told, before))
    yield from _latency(made)
    yield from _status_times(told)
    found: list[tuple[str, Sequence[str], Iterable[Row]]] = [
        ("Bots", ("bot", "pending", "oldest", "is now", "blocked for"), map(_bot, told["bots"])),
        (_stale_title(made.limits), ("trade", "order", "product", "status", "age"), map(_stale, told["stale"])),
        ("Volume", ("product", "side", "trades", "value", "fees", "value before", "fees before"),
         _volume(told["volume"], before["volume"], _every_digit if exact else _hundredths)),
        ("Passes", ("mode", "runs", "good", "failed", "repaired", "gaps", "last good", "overdue"),
         _runs(told["runs"])),
        ("Watchers", ("host", "role", "feed", "since", "misses", "clock"), map(_watcher, told["watchers"])),
        ("Breaks", ("number", "kind", "severity", "what"), map(_break, told["breaks"]["listed"])),
        ("Alerts", ("rule", "opened", "what"), map(_alert, told["alerts"]["listed"])),
    ]  # fmt: skip
    if intervals:
        found += _intervals(told["intervals"])
    for title, columns, rows in found:
        listed = list(rows)
        if len(listed) > _LISTED:
            listed = [*listed[:_LISTED], (f"and {len(listed) - _LISTED} more", *[""] * (len(columns) - 1))]
        if listed:
            yield title, columns, listed


def _targets(told: Mapping[str, Any], before: Mapping[str, Any]) -> Iterator[Row]:
    earlier = {t["name"]: t for t in before["targets"]}
    for target in told["targets"]:
        name = target["name"]
        yield (
            name,
            figure(name, target["actual"]),
            promise(name, target["target"]),
            figure(name, earlier[name]["actual"]),
            _MET[target["met"]],
        )


def _counts(told: Mapping[str, Any], before: Mapping[str, Any]) -> Iterator[Row]:
    for word in ("total", "pending", "completed", "failed"):
        yield word, told["trades"][word], before["trades"][word]
    yield "pending now, of any age", told["pending_now"], ""
    accuracy, earlier = told["accuracy"], before["accuracy"]
    yield "audited", accuracy["audited"], earlier["audited"]
    yield "matched", accuracy["matched"], earlier["matched"]
    yield "accuracy, 95 % sure of at least", _figure(accuracy["lower_bound_95"]), _figure(earlier["lower_bound_95"])
    yield "clean audits that 99.9 % still needs", accuracy["clean_audits_needed"], earlier["clean_audits_needed"]
    for name in ("manual_syncs", "repairs"):
        yield name.replace("_", " "), told["interventions"][name], before["interventions"][name]
    yield "breaks found", told["breaks"]["found"], before["breaks"]["found"]
    yield "breaks open", told["breaks"]["open"], ""
    yield (
        "longest pending market order",
        seconds_text(told["market_pending"]["worst_seconds"]),
        seconds_text(before["market_pending"]["worst_seconds"]),
    )
    yield "undelivered alerts", told["alerts"]["undelivered"], ""
    yield "watchers running now", sum(w["alive"] for w in told["watchers"]), ""
    yield "requests of passes", told["requests"]["by_runs"], ""


def _latency(made: Report) -> Iterator[Section]:
    told, before = made.document["sync_latency_seconds"], made.document["previous"]["sync_latency_seconds"]
    rows: list[Row] = [_spread("all", told), _spread("all, before", before)]
    for key in ("source", "product", "order_type"):
        rows += [_spread(f"{word}", found) for word, found in told[f"by_{key}"].items()]
    if made.document["cancels"]["count"]:
        rows.append(_spread("cancels, at most", made.document["cancels"]))
    yield "Sync latency, from the venue's event to the committed row", ("", *_FIGURES), rows
    counts = coarse(made.now.latency.whole.histogram.counts)
    if counts:
        shown = [(f"from {seconds_text(Decimal(edge) / 1_000_000)}", bar, count) for edge, count, bar in bars(counts)]
        yield "How the latencies lie", ("", "", "samples"), shown
    by_hour = told["by_hour"]
    if by_hour:
        line = sparkline([by_hour.get(str(hour), {}).get("p95") for hour in range(24)])
        yield "p95 by hour of the day (UTC)", ("0 to 23",), [(line,)]


def _spread(name: str, found: Mapping[str, Any]) -> Row:
    bound = found.get("error_bound")
    return name, found["count"], *(seconds_text(found[part], bound) for part in _FIGURES[1:])


def _status_times(told: Mapping[str, Any]) -> Iterator[Section]:
    rows = [_spread(word, found) for family in ("status", "order_status")
            for word, found in told["status_seconds"][family].items()]  # fmt: skip
    if rows:
        yield "Time in each status, of trades that left it", ("", *_FIGURES), rows


def _bot(bot: Mapping[str, Any]) -> Row:
    name = "(none)" if bot["bot_id"] is None else bot["bot_id"]
    return (
        name,
        bot["pending"],
        seconds_text(bot["oldest_pending_seconds"]),
        "BLOCKED" if bot["blocked"] else "free",
        seconds_text(bot["blocked_seconds"]),
    )


def _stale(trade: Mapping[str, Any]) -> Row:
    name = trade["order_id"] or trade["client_order_id"]
    return (
        trade["trade_id"],
        name,
        trade["product_id"],
        trade["order_status"],
        seconds_text(trade["age_seconds"]),
    )


def _stale_title(limits: ReportLimits) -> str:
    return f"Stale now, not confirmed for over {limits.stale_market:g} s (market orders) or {limits.stale_resting:g} s"


def _every_digit(value: Decimal | None) -> Decimal | None:
    return value


def _hundredths(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:,.2f}"


def _volume(
    volume: Sequence[Mapping[str, Any]],
    before: Sequence[Mapping[str, Any]],
    shown: Callable[[Decimal | None], object],
) -> Iterator[Row]:
    earlier = {(v["product_id"], v["side"]): v for v in before}
    for part in volume:
        was = earlier.get((part["product_id"], part["side"]), {})
        figures = (part["filled_value"], part["total_fees"], was.get("filled_value"), was.get("total_fees"))
        yield part["product_id"], part["side"], part["trades"], *(shown(value) for value in figures)


def _runs(runs: Mapping[str, Any]) -> Iterator[Row]:
    for mode, told in runs.items():
        good = sum(told["results"].get(word, 0) for word in ("in_sync", "drift", "breaks"))
        yield (
            mode,
            told["count"],
            good,
            sum(told["results"].get(word, 0) for word in ("failed", "died")),  # neither skipped nor still running
            told["updated_count"],
            len(told["gaps"]),
            _day_and_time(told["last_good_at"]),
            "" if told["overdue_seconds"] is None else f"none for {seconds_text(told['overdue_seconds'])}",
        )


def _watcher(told: Mapping[str, Any]) -> Row:
    role, feed, since = told["role"], told["feed_state"], told["feed_since"]
    if not told["alive"]:  # killed: what it last wrote of its feed is no news
        role, feed, since = "silent", f"was {feed}", told["beat_at"]
    offset = told["clock_offset"]
    return (
        f"{told['host']}:{told['pid']}",
        role,
        feed,
        _day_and_time(since),
        told["stream_misses"],
        f"{'+' if offset and offset > 0 else ''}{seconds_text(offset)}",
    )


def _break(told: Mapping[str, Any]) -> Row:
    sides = (f"{side}: {told[key]}" for side, key in (("stored", "stored"), ("venue", "venue")) if told[key])
    return told["break_id"], told["kind"], told["severity"], "; ".join([told["key"], *sides])


def _alert(told: Mapping[str, Any]) -> Row:
    ended = told["resolved_at"]
    lasted = "OPEN" if ended is None else f"for {seconds_text(whole((ended - told['opened_at']).total_seconds()))}"
    times = f", {told['count']} times" if told["count"] > 1 else ""
    return told["rule"], _day_and_time(told["opened_at"]), f"{told['severity']}, {lasted}{times}: {told['message']}"


def _intervals(told: Mapping[str, Any]) -> list[tuple[str, Sequence[str], Iterable[Row]]]:
    classes = (
        (
            f"{c['product_id']} {c['order_type']} {c['distance']}",
            c["samples"],
            *(seconds_text(c["time_to_fill_seconds"].get(q)) for q in ("p50", "p99")),
            " ".join(f"{at:.2f}" for at in c["looks_at_seconds"][:4]),
        )
        for c in told["classes"]
    )
    plans = (
        (p["plan"], p["requests"], p["requests_per_order"], seconds_text(p["delay_mean_seconds"]),
         seconds_text(p["delay_p99_seconds"]), p["missed"], p["orders_at_budget"])
        for p in told.get("replay", {}).get("plans", ())
    )  # fmt: skip
    return [
        ("Learned time to fill", ("orders", "samples", "p50", "p99", "first looks at (s)"), classes),
        (f"Other schedules, on the same {sum(c['samples'] for c in told['classes'])} orders",
         ("plan", "requests", "an order", "seen after", "p99", "missed", "at once"), plans),
    ]  # fmt: skip


def _figure(value: object) -> str:
    return "-" if value is None else cell(value)


def _day_and_time(at: Any) -> str:
    return "" if at is None else f"{at:%b %d %H:%M:%S}"


def _moment(at: Any) -> str:
    return "" if at is None else f"{at:%Y-%m-%d %H:%M:%S}"
