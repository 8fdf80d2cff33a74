"""Name what a change repaired: each way in which the stored row and the venue differed."""

from __future__ import annotations

from ordersync_cli.domain.breaks import STALE_LOOK
from ordersync_cli.domain.orders import NOTHING_FILLED, ZERO
from ordersync_cli.domain.ruled_out import Difference, in_words, lasting
from ordersync_cli.domain.trade import Change, Standing, Trade

# Money moved where it had been ruled out: stays open until somebody has looked (decision record 0002).
UNTIL_ACCEPTED = frozenset({"failed_but_filled", "absent_order_appeared", "unknown_tagged_order", "duplicate"})
_RULED_OUT = UNTIL_ACCEPTED - {"duplicate"}


def differences(change: Change) -> tuple[Difference, ...]:
    """List how the row differed from the venue before this change; nothing where it only grew older."""
    was, now = change.was, change.now
    before, after = was.figures or NOTHING_FILLED, now.figures or NOTHING_FILLED
    found = list(lasting(change))
    ruled_out = any(one.kind in _RULED_OUT for one in found)
    if not ruled_out and (was.status, was.order_status) != (now.status, now.order_status):
        effect = after.filled_value - before.filled_value if was.status is not now.status else None
        found.append(Difference(kind="status", stored=in_words(was), venue=in_words(now), money_effect=effect))
    for kind in ("filled_size", "average_filled_price", "total_fees"):
        old, new = getattr(before, kind), getattr(after, kind)
        if old != new:
            effect = {
                "filled_size": after.filled_value - before.filled_value,
                "total_fees": after.total_fees - before.total_fees,
            }.get(kind)
            found.append(Difference(kind=kind, stored=f"{old:f}", venue=f"{new:f}", money_effect=effect))
    found += _shrunk(change)
    return tuple(found)


def edited_to(change: Change) -> str | None:
    """Tell the size and price in force where the order was edited at the venue: followed, and no break (trap T12)."""
    was, now = change.was, change.now
    if was.order_id is None or (was.base_size, was.limit_price) == (now.base_size, now.limit_price):
        return None
    size, price = (format(value, "f") for value in (now.base_size or ZERO, now.limit_price or ZERO))
    return f"{size} at {price}"


def told_otherwise(trade: Trade, standing: Standing) -> bool:
    """Tell whether REST's newest figures are not those in force: then the fills must decide (a REVERSAL, say)."""
    order = next((o for o in trade.orders if o.order_id == standing.order_id), None)
    if order is None or order.figures is None or order.rest_figures is None:
        return False
    newest = order.rest_figures
    return newest.as_of > order.figures.as_of and newest.figures != standing.figures


def _shrunk(change: Change) -> list[Difference]:
    """Name figures that the venue now shows smaller after the end, and that no reading of the fills explains.

    A stale look shows smaller figures too, so only what was seen well after the end counts.
    """
    order = next((o for o in change.after.orders if o.order_id == change.now.order_id), None)
    if order is None or order.figures is None or order.rest_figures is None or order.term_at is None:
        return []
    newest, held = order.rest_figures, order.figures
    if newest.as_of < max(held.as_of, order.term_at + STALE_LOOK) or change.now.figures == newest.figures:
        return []
    if newest.figures.filled_size >= held.figures.filled_size:
        return []
    stored, told = held.figures.filled_size, newest.figures.filled_size
    effect = newest.figures.filled_value - held.figures.filled_value
    return [
        Difference(
            kind="filled_size",
            stored=f"{stored:f}",
            venue=f"{told:f}",
            severity="open",
            money_effect=effect,
            stands=True,
        )
    ]
