"""The charts of a report that have a scale of figures: latency, pending age, distribution, breaks, plans."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from ordersync_cli.cli import svg
from ordersync_cli.cli.report_words import seconds_text
from ordersync_cli.cli.svg import BOTTOM, LEFT, RIGHT, TOP, WIDTH, Scale
from ordersync_cli.domain.histogram import Histogram, coarse
from ordersync_cli.services.ports import Incident
from ordersync_cli.services.report.series import SLOTS, Series

OUTAGE = "venue_unreachable"  # the alert rule whose incidents are drawn behind the charts
_SEVERITIES = ("open", "info", "repaired")


def latency_chart(series: Series, promised: float, number: str = "latency") -> str:
    """Draw p50, p95 and the longest latency over time, by decades."""
    height = 240
    figures = [float(v) for s in series.latency.values() for v in (s.p50, s.max) if v is not None]
    y = svg.decades([*figures, promised], height - BOTTOM, TOP)
    parts = [_grid(y), time_axis(series, height), _limit(y, promised, f"promised {duration(promised)}")]
    parts += [
        svg.titled(
            "path",
            "worst",
            f"{_when(series, n)}: the longest took {duration(s.max)}",
            d=f"M{svg.place(_x(n) - 7)} {svg.place(y(float(s.max)))}h14",
        )
        for n, s in series.latency.items()
        if s.max is not None
    ]
    for name, label, class_ in (("p95", "95 %", "line s2"), ("p50", "half", "line s1")):
        parts.append(svg.path(_strokes({n: getattr(s, name) for n, s in series.latency.items()}, y), class_))
        parts += [
            svg.titled(
                "circle",
                class_.replace("line", "dot"),
                f"{_when(series, n)}: {label} of {s.count} changes within {duration(getattr(s, name))}",
                cx=svg.place(_x(n)),
                cy=svg.place(y(float(getattr(s, name)))),
                r=3,
            )
            for n, s in series.latency.items()
        ]
    about = "Half of all changes, 95 % of them and the longest, from the venue's event to the committed row, by time."
    return svg.chart("Sync latency over time", about, height, parts, number)


def pending_chart(series: Series, limit: float, number: str = "pending") -> str:
    """Draw how long the longest market order was pending, over time."""
    height = 200
    y = svg.decades([*(float(v) for v in series.pending_age.values()), limit], height - BOTTOM, TOP)
    width = (WIDTH - LEFT - RIGHT) / SLOTS
    bars = [
        svg.titled(
            "rect",
            "bar bad" if float(age) > limit else "bar s1",
            f"{_when(series, n)}: pending for up to {duration(age)}",
            x=svg.place(_x(n) - width / 2 + 1),
            y=svg.place(y(float(age))),
            width=svg.place(width - 2),
            height=svg.place(max(1.0, height - BOTTOM - y(float(age)))),
            rx=2,
        )
        for n, age in sorted(series.pending_age.items())
    ]
    parts = [_grid(y), time_axis(series, height), *bars, _limit(y, limit, f"blocked beyond {duration(limit)}")]
    about = (
        f"The age of the longest pending market order in each part of the window; beyond {duration(limit)} it blocks."
    )
    return svg.chart("Pending age over time", about, height, parts, number)


def distribution_chart(by_source: Mapping[Any, Histogram], number: str = "distribution") -> str:
    """Draw how the latencies of each source lie, a row of bars a source on one scale."""
    rows = {str(source): coarse(h.counts, 2) for source, h in sorted(by_source.items(), key=str)}
    edges = [edge / 1e6 for counts in rows.values() for edge in counts if edge > 0] or [0.001, 1.0]
    each, height = 56, 56 * max(1, len(rows)) + BOTTOM + TOP
    x = svg.decades([*edges, max(edges) * 1.5], LEFT + 30, WIDTH - RIGHT)
    parts = [svg.line(x(t), TOP, x(t), height - BOTTOM, "grid") for t in x.ticks()]
    parts += [svg.text(x(t), height - 8, tick(t), "t tick", "middle" if x(t) < x.end else "end") for t in x.ticks()]
    for row, (source, counts) in enumerate(rows.items()):
        base, top = TOP + each * (row + 1) - 6, max(counts.values())
        total = sum(counts.values())
        parts.append(svg.text(LEFT + 20, base - 14, source, "t", "end"))
        parts.append(svg.text(LEFT + 20, base, f"{total:,}", "t tick", "end"))
        parts.append(svg.line(LEFT + 30, base, WIDTH - RIGHT, base, "axis"))
        parts += [_pile(x, base, each, edge, count, top) for edge, count in counts.items()]
    about = "How many changes took how long, from the venue's event to the committed row, for each source."
    return svg.chart("Distribution of the latencies by source", about, height, parts, number)


def _pile(x: Scale, base: float, each: int, edge: int, count: int, top: int) -> str:
    left = x(max(edge / 1e6, x.low))
    right = x(max(edge * 2**0.5 / 1e6, x.low * 1.2))
    tall = max(1.5, (each - 16) * count / top)
    return svg.titled(
        "rect",
        "bar s1",
        f"from {duration(edge / 1e6)}: {count:,}",
        x=svg.place(left),
        y=svg.place(base - tall),
        width=svg.place(max(2.0, right - left - 1)),
        height=svg.place(tall),
        rx=1,
    )


def breaks_chart(series: Series, number: str = "breaks") -> str:
    """Draw the breaks found in each part of the window, stacked by severity."""
    height = 140
    top = max((sum(counts.values()) for counts in series.breaks.values()), default=0)
    y = Scale(0, max(top, 4), height - BOTTOM, TOP)
    width = (WIDTH - LEFT - RIGHT) / SLOTS
    parts = [_grid(y, "{:g}"), time_axis(series, height)]
    for slot, counts in series.breaks.items():
        below = 0
        for severity in _SEVERITIES:
            count = counts.get(severity, 0)
            if count:
                parts.append(
                    svg.titled(
                        "rect",
                        f"bar sev-{severity}",
                        f"{_when(series, slot)}: {count} {severity}",
                        x=svg.place(_x(slot) - width / 2 + 1),
                        y=svg.place(y(below + count)),
                        width=svg.place(width - 2),
                        height=svg.place(max(1.0, y(below) - y(below + count) - 1)),
                    )
                )
            below += count
    about = "Breaks that the passes found, by when they were first seen: repaired ones, informative ones, open ones."
    return svg.chart("Breaks over time", about, height, parts, number)


def plans_chart(plans: Sequence[Mapping[str, Any]], number: str = "plans") -> str:
    """Draw what each schedule of looks asks for an order, and what it would have missed."""
    height = 26 * len(plans) + 40
    most = max((float(p["requests_per_order"] or 0) for p in plans), default=1.0) or 1.0
    x = Scale(0, most, 190, WIDTH - 370)
    parts = [svg.text(190, 14, "requests an order", "t tick"), svg.text(WIDTH - 300, 14, "seen after", "t tick")]
    parts.append(svg.text(WIDTH - 200, 14, "missed (seen later than 1 s)", "t tick"))
    for row, plan in enumerate(plans):
        y = 26 * row + 26
        share = float(plan["requests_per_order"] or 0)
        own = plan["plan"] == "learned"
        parts += [
            svg.text(182, y + 13, plan["plan"], "t strong" if own else "t", "end"),
            svg.titled(
                "rect",
                "bar s1" if own else "bar quiet",
                f"{plan['plan']}: {share:g} requests an order",
                x=190,
                y=y,
                width=svg.place(max(2.0, x(share) - 190)),
                height=18,
                rx=2,
            ),
            svg.text(x(share) + 6, y + 13, f"{share:g}", "t tick"),
            svg.text(WIDTH - 300, y + 13, duration(plan["delay_mean_seconds"]), "t"),
            svg.text(WIDTH - 200, y + 13, f"{plan['missed']} of {plan['orders']}", "t"),
        ]
    about = "Requests for each order, the mean time until its fill was seen, and fills seen later than a second."
    return svg.chart("Other schedules on the same recorded orders", about, height, parts, number)


def time_axis(series: Series, height: int, left: float = LEFT, labels: int = 6) -> str:
    """Draw the time under a chart, and behind it when the venue could not be reached."""
    parts = [_outage(series, one, height, left) for one in series.incidents if one.rule == OUTAGE]
    parts.append(svg.line(left, height - BOTTOM, WIDTH - RIGHT, height - BOTTOM, "axis"))
    for index in range(labels + 1):
        at = series.since + series.slot * SLOTS * index / labels
        x = left + (WIDTH - left - RIGHT) * index / labels
        anchor = "start" if index == 0 else "end" if index == labels else "middle"
        parts.append(svg.text(x, height - 8, moment(at, series.slot), "t tick", anchor))
    return "".join(parts)


def _outage(series: Series, incident: Incident, height: int, left: float) -> str:
    end = incident.resolved_at or series.since + series.slot * SLOTS
    x, to = across(series, incident.opened_at, left), across(series, end, left)
    words = f"venue unreachable from {incident.opened_at:%b %d %H:%M:%S} to {end:%b %d %H:%M:%S}"
    shape = {"x": svg.place(x), "y": TOP, "width": svg.place(max(2.0, to - x)), "height": height - BOTTOM - TOP}
    return svg.titled("rect", "outage", words, **shape)


def across(series: Series, at: datetime, left: float = LEFT) -> float:
    """Tell where a time lies on an axis that begins at ``left``; outside of the window at its edge."""
    share = (at - series.since) / (series.slot * SLOTS)
    return left + (WIDTH - left - RIGHT) * min(1.0, max(0.0, share))


def moment(at: datetime, slot: timedelta) -> str:
    """Say a time as finely as the window needs."""
    if slot > timedelta(hours=6):
        return f"{at:%b %d}"
    return f"{at:%b %d %H:%M}" if slot >= timedelta(minutes=1) else f"{at:%H:%M:%S}"


def duration(value: Decimal | float | None) -> str:
    """Say a duration shortly."""
    return seconds_text(None if value is None else Decimal(str(value))) or "-"


def tick(seconds: float) -> str:
    """Say a round duration on an axis."""
    if seconds >= 1:
        return f"{seconds:,.0f} s"
    return f"{seconds * 1e3:g} ms" if seconds >= 0.001 else f"{seconds * 1e6:.3g} µs"


def _strokes(values: Mapping[int, Decimal | None], y: Scale) -> list[list[tuple[float, float]]]:
    """Cut a line where a slot has no figure: what was not measured is not drawn."""
    strokes: list[list[tuple[float, float]]] = [[]]
    for slot in range(SLOTS):
        value = values.get(slot)
        if value is None:
            strokes.append([])
        else:
            strokes[-1].append((_x(slot), y(float(value))))
    return strokes


def _grid(y: Scale, form: str = "") -> str:
    return "".join(
        svg.line(LEFT, y(t), WIDTH - RIGHT, y(t), "grid")
        + svg.text(LEFT - 8, y(t) + 4, form.format(t) if form else tick(t), "t tick", "end")
        for t in y.ticks()
    )


def _limit(y: Scale, at: float, words: str) -> str:
    return svg.line(LEFT, y(at), WIDTH - RIGHT, y(at), "limit") + svg.text(LEFT + 6, y(at) - 5, words, "t tick halo")


def _x(slot: int) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * (slot + 0.5) / SLOTS


def _when(series: Series, slot: int) -> str:
    return f"{series.since + series.slot * slot:%b %d %H:%M}"


def legend(entries: Iterable[tuple[str, str]]) -> str:
    """Write a legend: the class of each mark and its words."""
    keys = (f'<span class="key"><i class="swatch {class_}"></i>{words}</span>' for class_, words in entries)
    return f'<p class="legend">{"".join(keys)}</p>'
