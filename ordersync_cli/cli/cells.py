"""Short words for a screen: ages, sizes, bars; each fits the width it is given."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

BAR = ("█", "░")
BAR_PLAIN = ("#", ".")


def age(seconds: float | None) -> str:
    """Say a time span in at most five characters: 0.4s, 12s, 4m10, 3h05, 12d."""
    if seconds is None:
        return "never"
    if seconds < 9.95:
        return f"{max(0.0, seconds):.1f}s"
    whole = round(seconds)
    if whole < 100:
        return f"{whole}s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}m{rest:02d}" if minutes < 100 else f"{minutes}m"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02d}" if hours < 48 else f"{hours // 24}d"


def since(then: datetime | None, now: datetime, shift: timedelta = timedelta(0)) -> str:
    """Say how long ago something was."""
    return "never" if then is None else age((now - then + shift).total_seconds())


def clock_time(at: datetime) -> str:
    """Say a time of day, UTC."""
    return at.strftime("%H:%M:%S")


def number(value: Decimal | None, width: int) -> str:
    """Write a decimal without zeros at its end, cut (never rounded up) with … where it does not fit."""
    if value is None:
        return ""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    if len(text) <= width:
        return text
    whole = text.partition(".")[0]
    if len(whole) + 2 <= width:
        return text[: width - 1] + "…"
    return whole if len(whole) <= width else whole[: max(1, width - 1)] + "…"


def fit(text: str, width: int, *, right: bool = False) -> str:
    """Pad or cut a text to exactly this width."""
    if len(text) > width:
        text = text[: max(0, width - 1)] + "…" if width > 1 else text[:width]
    return text.rjust(width) if right else text.ljust(width)


def bar(part: float | None, width: int, *, plain: bool = False) -> str:
    """Draw how much is done, with the per cent behind it (width includes it)."""
    full, empty = BAR_PLAIN if plain else BAR
    if part is None:
        return fit("", width)
    part = min(1.0, max(0.0, part))
    room = max(1, width - 5)
    done = int(room * part)
    if part > 0 and done == 0:
        done = 1
    percent = "100" if part >= 1 else str(min(99, int(part * 100)))
    return full * done + empty * (room - done) + f" {percent:>3}%"
