"""A report as one HTML file: no outside link, no script, light and dark, fit for paper."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from html import escape
from typing import TYPE_CHECKING, Any

from ordersync_cli.cli import report_charts, report_strips
from ordersync_cli.cli.output import cell, harmless
from ordersync_cli.cli.report_charts import OUTAGE, legend
from ordersync_cli.cli.report_style import style_sheet
from ordersync_cli.cli.report_table import Section, sections
from ordersync_cli.cli.report_words import TARGETS, cut, figure, promise
from ordersync_cli.services.report.series import Series, headline_of

if TYPE_CHECKING:
    from ordersync_cli.services.report.document import Report

SIMULATED = "SIMULATED: the venue is a simulator; no real order, no real money."
# the browser itself refuses whatever would leave this file
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_STATES = {True: ("met", "✓ met"), False: ("missed", "✗ missed"), None: ("none", "– nothing measured")}
_NOBODY = "No watcher is running: only the passes of reconcile look after what is pending."
_BAD = {"BLOCKED", "MISSED"}
_SHORT = 20  # characters of a cell that is kept in one line: a word, a time; and an id, which has no space


def page(made: Report, series: Series, *, simulated: bool) -> str:
    """Write the whole page."""
    told = made.document
    window = f"{told['since']:%Y-%m-%d %H:%M:%S} to {told['until']:%Y-%m-%d %H:%M:%S} UTC"
    of = "".join(
        f", {name} {told[key]}" for name, key in (("bot", "bot_id"), ("product", "product_id")) if told[key] is not None
    )
    banner = f'<p class="banner" role="note">{SIMULATED}</p>' if simulated else ""
    body = "".join(
        (
            f"<header><h1>ordersync report</h1><p class='sub'>{escape(window + of)}</p>{banner}",
            f"<p class='verdict'>{escape(headline_of(told))}</p></header>",
            f"<div class='cards'>{''.join(_cards(told))}</div>",
            *_parts(made, series),
            f"<footer>Made {told['generated_at']:%Y-%m-%d %H:%M:%S} UTC from the trade store alone.</footer>",
        )
    )
    return (
        "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width,initial-scale=1'>"
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        "<link rel='icon' href='data:,'>"
        f"<title>ordersync report, {escape(window)}</title><style>{style_sheet()}</style></head>"
        f"<body><main>{body}</main></body></html>\n"
    )


def _cards(told: Mapping[str, Any]) -> Iterable[str]:
    earlier = {t["name"]: t["actual"] for t in told["previous"]["targets"]}
    for target in told["targets"]:
        name = target["name"]
        class_, state = _STATES[target["met"]]
        before, promised = (_whole(w) for w in (figure(name, earlier[name]), promise(name, target["target"])))
        yield (
            f"<div class='card {class_}'><div class='name'>{escape(_whole(TARGETS.get(name, name)))}</div>"
            f"<div class='actual'>{figure(name, target['actual'])}</div>"
            f"<div class='note'><span class='state'>{state}</span> · promised {promised}</div>"
            f"<div class='note'>period before: {before}</div></div>"
        )


def _whole(words: str) -> str:
    """Keep a number and its unit on one line."""
    return re.sub(r"(?<=\d) (?=\S)", "\N{NO-BREAK SPACE}", words)


def _parts(made: Report, series: Series) -> Iterable[str]:
    told = made.document
    latency = made.now.latency
    tables = {section[0]: section for section in sections(made, intervals=True, exact=False)}
    by_title = {title.partition(",")[0]: section for title, section in tables.items()}
    promised = {t["name"]: float(t["target"]) for t in told["targets"]}
    stale = by_title.get("Stale now")
    if stale:
        yield _section("Stale now", stale[0].partition(", ")[2].capitalize() + ".", table(stale))
    outage = [("outage", "venue unreachable")] if any(i.rule == OUTAGE for i in series.incidents) else []
    yield from _waiting(made, series, by_title, outage)
    if latency.whole.spread.count:
        keys = (("s1", "half of the changes"), ("s2", "95 %"), ("worst", "the longest"), ("limit", "promised mean"))
        yield _section(
            "Sync latency",
            "From the venue's own time of the event to the committed row; figures below the error of the clocks"
            " are shown as such.",
            legend([*keys, *outage]),
            report_charts.latency_chart(series, promised["sync_latency_mean"]),
            table(by_title["Sync latency"]),
        )
        histograms = {source: m.histogram for source, m in latency.by["source"].items()}
        yield _section("Distribution by source", "", report_charts.distribution_chart(histograms))
    yield _section("Trades and volume", "", table(by_title["Trades"]), table(by_title.get("Volume")))
    yield _section("Time in each status", "", table(by_title.get("Time in each status")))
    yield from _care(made, series, by_title)


def _waiting(
    made: Report, series: Series, by_title: Mapping[str, Section], outage: Sequence[tuple[str, str]]
) -> Iterable[str]:
    limit = float(made.limits.blocked_after)
    ages = (("s1", f"up to {limit:g} s"), ("bad", "longer: a bot is blocked"), *outage)
    yield _section(
        "Pending market orders",
        "",
        legend(ages),
        report_charts.pending_chart(series, limit),
        table(by_title.get("Bots")),
    )
    if series.blocked:
        yield _section("Blocked bots", "", report_strips.blocked_strip(series))


def _care(made: Report, series: Series, by_title: Mapping[str, Section]) -> Iterable[str]:
    told = made.document
    keys = (
        ("good", "ran"),
        ("s2", "did not end well"),
        ("bad", "did not run though due"),
        ("none", "nothing expected"),
    )
    yield _section(
        "Passes of reconcile", "", legend(keys), report_strips.passes_strip(series), table(by_title.get("Passes"))
    )
    watched = any(w["alive"] for w in told["watchers"])
    yield _section("Watchers", "" if watched else _NOBODY, table(by_title.get("Watchers")))
    found = (("s1", "repaired"), ("info", "for information"), ("bad", "open"))
    drawn = report_charts.breaks_chart(series) if series.breaks else ""
    yield _section(
        "Breaks", _found(told["breaks"]), legend(found) if drawn else "", drawn, table(by_title.get("Breaks"))
    )
    yield _section("Audits", _accuracy(told["accuracy"]), report_strips.audits_strip(series) if series.audits else "")
    drawn = report_strips.incidents_strip(series) if series.incidents else ""
    alerts = told["alerts"]
    said = (
        f"{alerts['incidents']} in the window, {alerts['open']} open now; {alerts['undelivered']} alerts undelivered."
    )
    yield _section("Alerts", said, drawn, table(by_title.get("Alerts")))
    plans = told["intervals"].get("replay", {}).get("plans", [])
    if plans and plans[0]["orders"]:
        yield _section(
            "Learned schedule of looks",
            "What other schedules would have cost and missed on the same recorded orders, with the feed down. At once:"
            " how many orders at a time the request budget carries at that pace, each asked for by itself.",
            report_charts.plans_chart(plans),
            table(by_title.get("Other schedules")),
            table(by_title.get("Learned time to fill")),
        )


def _found(breaks: Mapping[str, Any]) -> str:
    return f"{breaks['found']} found in the window, {breaks['repaired']} repaired, {breaks['open']} open."


def _accuracy(accuracy: Mapping[str, Any]) -> str:
    if not accuracy["audited"]:
        return "No trade of the window was audited."
    sure = cut(Decimal(accuracy["lower_bound_95"]) * 100, 3)
    more = accuracy["clean_audits_needed"]
    needs = f" A claim of 99.9 % needs {more:,} more clean audits." if more else " That carries a claim of 99.9 %."
    return (
        f"{accuracy['matched']:,} of {accuracy['audited']:,} audited trades matched the venue before any repair: with"
        f" 95 % certainty at least {sure} % of all do.{needs}"
    )


def _section(title: str, words: str, *parts: str) -> str:
    inside = "".join(f"<div class='scroll'>{p}</div>" if p.startswith("<svg") else p for p in parts)
    if not inside and not words:
        return ""
    said = f"<p class='small'>{escape(words)}</p>" if words else ""
    return f"<section><h2>{escape(title)}</h2>{said}{inside}</section>"


def table(section: Section | None) -> str:
    """Write a section of the report as a table; a column of numbers stands to the right."""
    if section is None:
        return ""
    _, columns, rows = section
    shown = [[cell(value) for value in row] for row in rows]
    right = [_numbers([row[i] for row in shown]) for i in range(len(columns))]
    head = "".join(_cell("th", c, n) for c, n in zip(columns, right, strict=True))
    body = "".join(f"<tr>{''.join(_cell('td', v, n) for v, n in zip(r, right, strict=True))}</tr>" for r in shown)
    return f"<div class='scroll'><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def _cell(kind: str, words: str, right: bool) -> str:
    whole = kind == "td" and (len(words) <= _SHORT or " " not in words)
    class_ = "n" if right else "bad" if words in _BAD else "w" if whole else ""
    return f"<{kind}{f' class={class_}' if class_ else ''}>{escape(harmless(words))}</{kind}>"


def _numbers(column: Sequence[str]) -> bool:
    filled = [value for value in column if value]
    return all(value[0] in "0123456789<-≤≥" and len(value) <= _SHORT for value in filled)
