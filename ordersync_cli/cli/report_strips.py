"""The charts of a report that are strips along the time: passes, alerts, audits, blocked bots."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from ordersync_cli.cli import svg
from ordersync_cli.cli.report_charts import across, moment, time_axis
from ordersync_cli.cli.svg import BOTTOM, LEFT, RIGHT, TOP, WIDTH
from ordersync_cli.services.report.series import SLOTS, STRIP, Series

_ROW = 26
_MOST_ROWS = 14
_WORDS = {"good": "ran", "bad": "did not end well", "missed": "did not run", "none": "nothing expected"}
_NAMES = 130  # room for the names of rows


def passes_strip(series: Series, number: str = "passes") -> str:
    """Draw when the passes ran; a part in which one should have run and did not is crossed out."""
    height = TOP + _ROW * len(series.passes) + BOTTOM
    width = (WIDTH - LEFT - RIGHT) / STRIP
    parts = [time_axis(series, height)]
    for row, (mode, cells) in enumerate(series.passes.items()):
        y = TOP + _ROW * row
        parts.append(svg.text(LEFT - 8, y + 14, mode, "t", "end"))
        for index, cell in enumerate(cells):
            x, at = LEFT + width * index, series.since + series.slot * SLOTS * index / STRIP
            said = f"{moment(at, series.slot)}: the {mode} pass {_WORDS[cell]}"
            shape = {"x": svg.place(x + 0.5), "y": y, "width": svg.place(width - 1), "height": 18, "rx": 1}
            parts.append(svg.titled("rect", f"cell {cell}", said, **shape))
            if cell in {"missed", "bad"}:
                cross = f"M{svg.place(x + 2)} {y + 4}l{svg.place(width - 4)} 10m0 -10l-{svg.place(width - 4)} 10"
                parts.append(svg.element("path", d=cross, class_="cross"))
    about = "Each part of the window for light and deep passes: ran well, did not end well, or did not run though due."
    return svg.chart("Passes over time", about, height, parts, number)


def incidents_strip(series: Series, number: str = "alerts") -> str:
    """Draw from when to when each alert rule had an open incident."""
    rules: dict[str, list[tuple[datetime, datetime, str]]] = {}
    end = series.since + series.slot * SLOTS
    for one in series.incidents:
        said = f"{one.rule}, {one.severity}, {one.count} times: {one.message}"
        rules.setdefault(one.rule, []).append((one.opened_at, one.resolved_at or end, said))
    return _rows(series, rules, "alert", "Alerts over time", "When each rule had an open incident.", number)


def blocked_strip(series: Series, number: str = "bots") -> str:
    """Draw when each bot was blocked."""
    bots = {
        f"bot {bot}" if bot is not None else "no bot named": [
            (a, b, f"blocked from {a:%b %d %H:%M:%S} to {b:%b %d %H:%M:%S}") for a, b in spans
        ]
        for bot, spans in sorted(series.blocked.items(), key=str)
    }
    return _rows(series, bots, "bad", "Blocked bots over time", "When a pending market order blocked a bot.", number)


def audits_strip(series: Series, number: str = "audits") -> str:
    """Draw each audit as a bar as tall as its number of trades; those that differed stand out."""
    height = 110
    most = max((audited for _, audited, _ in series.audits), default=1)
    parts = [time_axis(series, height)]
    room = height - BOTTOM - TOP
    for at, audited, differed in series.audits:
        x = across(series, at)
        tall = max(2.0, room * audited / most)
        said = f"{at:%b %d %H:%M}: {audited} trades audited, {differed} differed"
        shape = {"x": svg.place(x - 2), "width": 4, "rx": 1}
        parts.append(
            svg.titled("rect", "bar s1", said, y=svg.place(height - BOTTOM - tall), height=svg.place(tall), **shape)
        )
        if differed:
            red = max(9.0, tall * differed / audited)  # one of a hundred must be seen
            parts.append(
                svg.titled("rect", "bar bad", said, y=svg.place(height - BOTTOM - red), height=svg.place(red), **shape)
            )
    parts.append(svg.text(LEFT - 8, TOP + 8, f"{most}", "t tick", "end"))
    about = "Trades held against the venue before any repair, by audit; those that differed are marked."
    return svg.chart("Audits over time", about, height, parts, number)


def _rows(
    series: Series,
    rows: dict[str, list[tuple[datetime, datetime, str]]],
    class_: str,
    title: str,
    about: str,
    number: str,
) -> str:
    shown = list(rows.items())[:_MOST_ROWS]
    height = TOP + _ROW * len(shown) + BOTTOM
    parts = [time_axis(series, height, LEFT + _NAMES, labels=5)]
    parts += [
        svg.text(LEFT - 8 + _NAMES, TOP + _ROW * row + 14, name, "t", "end") for row, (name, _) in enumerate(shown)
    ]
    for row, (_, spans) in enumerate(shown):
        y = TOP + _ROW * row
        parts.append(svg.line(LEFT + _NAMES, y + 9, WIDTH - RIGHT, y + 9, "grid"))
        parts += _bars(series, spans, y, class_)
    return svg.chart(title, about, height, parts, number)


def _bars(series: Series, spans: Iterable[tuple[datetime, datetime, str]], y: int, class_: str) -> list[str]:
    left = LEFT + _NAMES
    found = []
    for start, end, said in spans:
        x, to = across(series, start, left), across(series, end, left)
        shape = {"x": svg.place(x), "y": y + 2, "width": svg.place(max(3.0, to - x)), "height": 14, "rx": 2}
        found.append(svg.titled("rect", f"bar {class_}", said, **shape))
    return found
