"""Writes SVG: escaped elements, and the scales that turn figures into places. No library, no script, no link."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

WIDTH = 960
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 12, 28


def element(name: str, content: str = "", **attributes: object) -> str:
    """Write one element; underscores in names become hyphens, ``class_`` is class. Content is markup."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{written}>{content}</{name}>" if content else f"<{name}{written}/>"


def text(x: float, y: float, words: object, class_: str = "t", anchor: str = "start") -> str:
    """Write words at a place."""
    return element("text", escape(str(words)), x=place(x), y=place(y), class_=class_, text_anchor=anchor)


def titled(mark: str, name: str, words: str, **attributes: object) -> str:
    """Write a mark that says what it is when pointed at, or read aloud."""
    return element(mark, element("title", escape(words)), class_=name, **attributes)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> str:
    """Write a straight line."""
    return element("line", x1=place(x1), y1=place(y1), x2=place(x2), y2=place(y2), class_=class_)


def path(points: Iterable[Sequence[tuple[float, float]]], class_: str) -> str:
    """Write broken lines: each sequence is one stroke."""
    strokes = ["M" + "L".join(f"{place(x)} {place(y)}" for x, y in stroke) for stroke in points if stroke]
    return element("path", d="".join(strokes), class_=class_) if strokes else ""


def chart(title: str, about: str, height: int, parts: Iterable[str], number: str) -> str:
    """Frame a picture that has a name and a description for those who cannot see it."""
    inside = element("title", escape(title), id=f"t-{number}") + element("desc", escape(about), id=f"d-{number}")
    return element(
        "svg",
        inside + "".join(parts),
        viewBox=f"0 0 {WIDTH} {height}",
        role="img",
        aria_labelledby=f"t-{number} d-{number}",
        class_="chart",
    )


def place(value: float) -> str:
    """Write a coordinate, to a tenth."""
    return f"{value:.1f}".removesuffix(".0")


@dataclass(frozen=True, slots=True)
class Scale:
    """Turns values between low and high into places between start and end; ``log`` by decades."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Tell the place of a value; outside values are held to the edge."""
        low, high, at = self.low, self.high, min(max(value, self.low), self.high)
        if self.log:
            low, high, at = log10(low), log10(high), log10(at)
        share = (at - low) / (high - low) if high > low else 0.0
        return self.start + share * (self.end - self.start)

    def ticks(self) -> list[float]:
        """List values for the axis: decades, or round steps."""
        if self.log:
            return [10.0**power for power in range(ceil(log10(self.low) - 1e-9), floor(log10(self.high) + 1e-9) + 1)]
        step = _step(self.high - self.low)
        return [self.low + step * i for i in range(int((self.high - self.low) / step + 1e-9) + 1)]


def decades(values: Sequence[float], start: float, end: float) -> Scale:
    """Make a scale by decades that holds all values above zero."""
    positive = [v for v in values if v > 0] or [1.0]
    low, high = 10.0 ** floor(log10(min(positive))), 10.0 ** ceil(log10(max(positive)))
    return Scale(low, high if high > low else low * 10, start, end, log=True)


def _step(span: float) -> float:
    rough = span / 4 if span > 0 else 1.0
    power = 10.0 ** floor(log10(rough))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
