"""A report as a picture: the charts of the HTML page on one sheet, as PNG or PDF (extra ``charts``)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from html import escape
from typing import TYPE_CHECKING, Any

from ordersync_cli.cli import report_charts, report_strips, svg
from ordersync_cli.cli.report_html import SIMULATED
from ordersync_cli.cli.report_style import LIGHT, fixed_styles
from ordersync_cli.cli.report_words import TARGETS, figure, promise
from ordersync_cli.errors import SettingsError
from ordersync_cli.services.report.series import Series, headline_of

if TYPE_CHECKING:
    from ordersync_cli.services.report.document import Report

_MARGIN = 40
_SCALE = 2.0
_WORDS = {True: "met", False: "MISSED", None: "nothing measured"}


def picture(made: Report, series: Series, *, form: str, simulated: bool) -> bytes:
    """Draw the sheet; raises SettingsError (exit 3) where the extra is not installed."""
    try:
        import vl_convert
    except ImportError:
        raise SettingsError(
            f"--format {form} needs vl-convert-python, which is not installed.",
            "pip install 'ordersync[charts]', or use --format html, which needs nothing.",
        ) from None
    drawn = sheet(made, series, simulated=simulated)
    made_of: Any = vl_convert.svg_to_png(drawn, scale=_SCALE) if form == "png" else vl_convert.svg_to_pdf(drawn)
    return bytes(made_of)


def sheet(made: Report, series: Series, *, simulated: bool) -> str:
    """Write one SVG with the targets and every chart below each other."""
    told = made.document
    window = f"{told['since']:%Y-%m-%d %H:%M:%S} to {told['until']:%Y-%m-%d %H:%M:%S} UTC"
    parts = [
        svg.text(_MARGIN, 50, "ordersync report", "head"),
        svg.text(_MARGIN, 74, window, "t"),
        svg.text(_MARGIN, 98, headline_of(told), "t strong"),
    ]
    y = 124.0
    if simulated:
        parts.append(svg.text(_MARGIN, y, SIMULATED, "t strong"))
        y += 26
    for target in told["targets"]:
        name = target["name"]
        words = (TARGETS.get(name, name), figure(name, target["actual"]), promise(name, target["target"]))
        places = (_MARGIN, _MARGIN + 330, _MARGIN + 480)
        parts += [svg.text(x, y, word) for x, word in zip(places, words, strict=True)]
        parts.append(svg.text(_MARGIN + 680, y, _WORDS[target["met"]], "t strong"))
        y += 22
    for title, chart, height in _charts(made, series):
        parts += [svg.text(_MARGIN, y + 26, title, "t strong"), _moved(chart, y + 34, height)]
        y += height + 46
    width = svg.WIDTH + 2 * _MARGIN
    background = svg.element("rect", width=width, height=round(y + 20), fill=LIGHT["surface"])
    style = f"<style>{escape(fixed_styles(), quote=False)}.head{{font:600 26px sans-serif;fill:{LIGHT['ink']}}}</style>"
    return svg.element(
        "svg",
        style + background + "".join(parts),
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {width} {round(y + 20)}",
        width=width,
        height=round(y + 20),
    )


def _charts(made: Report, series: Series) -> Iterator[tuple[str, str, int]]:
    """Give the charts that have something to show, with their heights."""
    promised = next(float(t.target) for t in made.targets if t.name == "sync_latency_mean")
    by_source = {source: m.histogram for source, m in made.now.latency.by["source"].items()}
    plans = made.document["intervals"].get("replay", {}).get("plans", [])
    drawings: tuple[tuple[str, object, Callable[[], str]], ...] = (
        ("Sync latency: half, 95 %, longest", series.latency, lambda: report_charts.latency_chart(series, promised)),
        ("Distribution by source", by_source, lambda: report_charts.distribution_chart(by_source)),
        ("Longest pending market order", series.pending_age,
         lambda: report_charts.pending_chart(series, made.limits.blocked_after)),
        ("Blocked bots", series.blocked, lambda: report_strips.blocked_strip(series)),
        ("Passes of reconcile", series.passes, lambda: report_strips.passes_strip(series)),
        ("Breaks", series.breaks, lambda: report_charts.breaks_chart(series)),
        ("Audits", series.audits, lambda: report_strips.audits_strip(series)),
        ("Alerts", series.incidents, lambda: report_strips.incidents_strip(series)),
        ("Other schedules of looks", plans and plans[0]["orders"], lambda: report_charts.plans_chart(plans)),
    )  # fmt: skip
    for title, wanted, chart in drawings:
        if wanted:
            drawn = chart()
            height = int(drawn.partition(f'viewBox="0 0 {svg.WIDTH} ')[2].partition('"')[0])
            yield title, drawn, height


def _moved(chart: str, y: float, height: int) -> str:
    return chart.replace("<svg ", f'<svg x="{_MARGIN}" y="{svg.place(y)}" width="{svg.WIDTH}" height="{height}" ', 1)
