"""Differences that no repair ends: the venue shows what had been ruled out, or one intent twice."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from ordersync_cli.domain.alarms import ABSENT_ORDER_APPEARED, FAILED_BUT_FILLED
from ordersync_cli.domain.decimals import EXACT, ZERO
from ordersync_cli.domain.orders import NOTHING_FILLED, Status
from ordersync_cli.domain.trade import Change, Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One way in which a row was wrong; ``money_effect`` in quote currency.

    ``stands``: the row stays as it is, so that every look finds it again.
    """

    kind: str
    stored: str
    venue: str
    severity: str = "repaired"
    money_effect: Decimal | None = None
    stands: bool = False


def lasting(change: Change) -> tuple[Difference, ...]:
    """List what stays open until somebody has looked: a bot may have acted on what was stored (record 0002)."""
    was, now = change.was, change.now
    found = []
    kind = _ruled_out(was, now)
    if kind is not None:
        figures = now.figures or NOTHING_FILLED
        effect = EXACT.add(figures.filled_value, figures.total_fees)
        found.append(
            Difference(kind=kind, stored=in_words(was), venue=in_words(now), severity="open", money_effect=effect)
        )
    if now.duplicates and not was.duplicates:
        names = ", ".join((now.order_id or "", *now.duplicates))
        found.append(Difference(kind="duplicate", stored=str(now.order_id), venue=names, severity="open"))
    return tuple(found)


def in_words(standing: Standing) -> str:
    """Tell where a trade stands, as breaks say it."""
    return f"{standing.status.value} ({standing.order_status.value})"


def _ruled_out(was: Standing, now: Standing) -> str | None:
    """Name the kind where the venue shows what we had ruled out."""
    if was.status is not Status.FAILED or now.status is Status.FAILED:
        return None
    if was.order_id is not None and (now.figures or NOTHING_FILLED).filled_size > ZERO:
        return FAILED_BUT_FILLED
    return ABSENT_ORDER_APPEARED
