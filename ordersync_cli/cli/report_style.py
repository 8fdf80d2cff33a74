"""The looks of the HTML report: one style sheet, light and dark, on screen and on paper."""

from __future__ import annotations

import re

LIGHT = {
    "page": "#f7f7f5", "surface": "#ffffff", "ink": "#1b1b1a", "ink-2": "#55544f", "ink-3": "#77756e",
    "grid": "#e6e5e0", "axis": "#b9b7b0", "s1": "#2a6fc9", "s2": "#c05a12", "quiet": "#b9b7b0",
    "good": "#1a7f37", "good-cell": "#7fbf8e", "bad": "#c62f2f", "warn": "#946200", "info": "#8f7fd6",
}  # fmt: skip
DARK = {
    "page": "#141413", "surface": "#1e1e1c", "ink": "#f1f0ec", "ink-2": "#bdbbb3", "ink-3": "#97958d",
    "grid": "#32312e", "axis": "#55544f", "s1": "#6ea8f2", "s2": "#f0955a", "quiet": "#6a6862",
    "good": "#5cc275", "good-cell": "#3f8052", "bad": "#f07167", "warn": "#e0b040", "info": "#a99bf0",
}  # fmt: skip

CHARTS = """
.t{font:13px system-ui,-apple-system,"Segoe UI",sans-serif;fill:var(--ink)}
.tick{font-size:12px;fill:var(--ink-3)}
.strong{font-weight:600}
.halo{paint-order:stroke;stroke:var(--surface);stroke-width:4px}
.grid{stroke:var(--grid);stroke-width:1}
.axis{stroke:var(--axis);stroke-width:1}
.limit{stroke:var(--bad);stroke-width:1.5;stroke-dasharray:5 4}
.line{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}
.line.s1{stroke:var(--s1)} .line.s2{stroke:var(--s2)}
.dot.s1{fill:var(--s1)} .dot.s2{fill:var(--s2)}
.worst{stroke:var(--ink-3);stroke-width:2;fill:none}
.bar.s1{fill:var(--s1)} .bar.bad{fill:var(--bad)} .bar.quiet{fill:var(--quiet)} .bar.alert{fill:var(--s2)}
.sev-open{fill:var(--bad)} .sev-info{fill:var(--info)} .sev-repaired{fill:var(--s1)}
.cell.good{fill:var(--good-cell)} .cell.bad{fill:var(--s2)} .cell.missed{fill:var(--bad)} .cell.none{fill:var(--grid)}
.outage{fill:var(--bad);opacity:.16}
.cross{stroke:var(--surface);stroke-width:1.5;fill:none}
"""

_PAGE = """
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
main{max-width:1060px;margin:0 auto;padding:28px 24px 60px}
h1{font-size:26px;line-height:1.2;margin:0 0 4px} h2{font-size:18px;margin:0 0 10px}
p{margin:0 0 10px} .sub{color:var(--ink-2)} .small{font-size:13px;color:var(--ink-2)}
section{background:var(--surface);border:1px solid var(--grid);border-radius:10px;padding:18px 20px;margin:16px 0}
.banner{border:2px dashed var(--s2);color:var(--ink);padding:8px 14px;border-radius:8px;margin:14px 0;font-weight:600}
.verdict{font-size:17px;font-weight:600;margin:12px 0 0}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(225px,1fr));gap:12px;margin:16px 0}
.card{background:var(--surface);border:1px solid var(--grid);border-left:5px solid var(--quiet);border-radius:8px;
padding:12px 14px}
.card.met{border-left-color:var(--good)} .card.missed{border-left-color:var(--bad)}
.card .name{font-size:13px;color:var(--ink-2)}
.card .actual{font-size:25px;font-weight:600;line-height:1.25;white-space:nowrap}
.card .note{font-size:13px;color:var(--ink-2)} .state{font-weight:600}
.met .state{color:var(--good)} .missed .state{color:var(--bad)}
.scroll{overflow-x:auto;background:linear-gradient(90deg,var(--surface) 24px,transparent) 0 0/48px 100% no-repeat local,
linear-gradient(-90deg,var(--surface) 24px,transparent) 100% 0/48px 100% no-repeat local,
linear-gradient(90deg,var(--axis),transparent) 0 0/12px 100% no-repeat scroll,
linear-gradient(-90deg,var(--axis),transparent) 100% 0/12px 100% no-repeat scroll}
.scroll+.scroll{margin-top:10px}
table{border-collapse:collapse;width:100%;font-size:14px}
th{font-weight:600;color:var(--ink-2);text-align:left;border-bottom:1px solid var(--axis);padding:5px 12px 5px 0}
td{border-bottom:1px solid var(--grid);padding:5px 12px 5px 0;vertical-align:top}
td.w{white-space:nowrap} td.bad{color:var(--bad);font-weight:600}
tr{break-inside:avoid}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
svg.chart{display:block;margin-bottom:10px;width:100%;min-width:640px;height:auto}
.legend{display:flex;flex-wrap:wrap;gap:4px 18px;margin:0 0 6px;font-size:13px;color:var(--ink-2)}
.key{display:inline-flex;align-items:center;gap:6px}
.swatch{width:12px;height:12px;border-radius:2px;display:inline-block}
.swatch.s1{background:var(--s1)} .swatch.s2{background:var(--s2)} .swatch.bad{background:var(--bad)}
.swatch.good{background:var(--good-cell)} .swatch.none{background:var(--grid)} .swatch.info{background:var(--info)}
.swatch.worst{background:var(--ink-3);height:3px} .swatch.limit{background:var(--bad);height:2px}
.swatch.outage{background:var(--bad);opacity:.25}
@media (max-width:560px){main{padding:16px 10px 40px} section{padding:14px 12px}
.cards{grid-template-columns:repeat(2,minmax(0,1fr));gap:8px} .card{padding:10px}}
footer{color:var(--ink-3);font-size:13px;margin-top:20px}
@media print{@page{margin:14mm} body{background:#fff;font-size:12px} main{max-width:none;padding:0}
section,.card{break-inside:avoid;border-color:#ccc} svg.chart{min-width:0} .scroll{overflow:visible;background:none}
table{font-size:10.5px} td,th{padding:3px 8px 3px 0}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
"""


def style_sheet() -> str:
    """Write the style sheet of the page."""
    light, dark = (_variables(colours) for colours in (LIGHT, DARK))
    return (
        f":root{{color-scheme:light dark;{light}}}"
        f"@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}{_PAGE}{CHARTS}"
    )


def fixed_styles() -> str:
    """Write the styles of the charts with the light colours in place, for what cannot read variables."""
    styles = CHARTS
    for name in sorted(LIGHT, key=len, reverse=True):
        styles = styles.replace(f"var(--{name})", LIGHT[name])
    # not every renderer paints the stroke first: the words would be covered by their own halo
    return re.sub(r"\.halo\{.*?\}", "", styles)


def _variables(colours: dict[str, str]) -> str:
    return "".join(f"--{name}:{value};" for name, value in colours.items())
