"""What the join notices that a person must hear of: beside the join, never part of it."""

from __future__ import annotations

from ordersync_cli.domain.fills import clean, rewritten
from ordersync_cli.domain.observations import FillsSeen, Observation, OrderSeen
from ordersync_cli.domain.orders import OrderStatus, Status
from ordersync_cli.domain.trade import Alarm, Standing, Trade, VenueOrder
from ordersync_cli.domain.words import is_known

CRITICAL = "critical"
WARNING = "warning"

FAILED_BUT_FILLED = "failed_but_filled"
ABSENT_ORDER_APPEARED = "absent_order_appeared"
UNKNOWN_VENUE_STATUS = "unknown_venue_status"
CLOCK_SKEW = "clock_skew"
BREAK_OPEN = "break_open"
FILL_CONTENT_CHANGED = "fill_content_changed"

WITHOUT_ORDER = (OrderStatus.REJECTED, OrderStatus.NOT_PLACED)


def alarms_of(before: Trade, was: Standing, now: Standing, observation: Observation) -> tuple[Alarm, ...]:
    """Tell what must be heard of, after one observation moved a trade from ``was`` to ``now``."""
    alarms = [*_moves(was, now), *_duplicates(was, now)]
    if isinstance(observation, OrderSeen):
        alarms += _sight(before, observation)
    elif isinstance(observation, FillsSeen):
        alarms += _listing(before, observation)
    return tuple(alarms)


def _moves(was: Standing, now: Standing) -> list[Alarm]:
    """Watch `status` move between words that are not `pending`: a bot has acted on the first."""
    if was.status is Status.COMPLETED and now.status is not Status.COMPLETED:
        text = f"was completed and is {now.order_status.value} now: it proved to be another order"
        return [_alarm(BREAK_OPEN, text, was.order_id)]
    if was.status is not Status.FAILED or now.status is Status.FAILED:
        return []
    found = []
    if was.order_status in WITHOUT_ORDER:
        text = f"was {was.order_status.value} and exists at the venue as {now.venue_status or 'open'}"
        found.append(_alarm(ABSENT_ORDER_APPEARED, text, now.order_id))
    if was.order_status not in WITHOUT_ORDER or now.status is Status.COMPLETED:
        size = now.figures.filled_size if now.figures is not None else "a part"
        text = f"was failed ({was.order_status.value}) and the venue shows {size} filled"
        found.append(_alarm(FAILED_BUT_FILLED, text, now.order_id))
    return found


def _duplicates(was: Standing, now: Standing) -> list[Alarm]:
    fresh = sorted(set(now.duplicates) - set(was.duplicates))
    if not fresh:
        return []
    text = f"duplicate: one intent has several orders: {now.order_id}, {', '.join(fresh)}"
    return [_alarm(BREAK_OPEN, text, now.order_id)]


def _sight(before: Trade, seen: OrderSeen) -> list[Alarm]:
    found = []
    known = _order(before, seen.order_id)
    last = known.raw.word if known is not None and known.raw is not None else None
    if not is_known(seen.word) and last != seen.word:
        text = f"the venue calls it {seen.word!r}, a status word not known here"
        found.append(_alarm(UNKNOWN_VENUE_STATUS, text, seen.order_id, WARNING))
    if seen.clamped:
        text = "an answer of the venue carried a time out of bounds; the bound was used"
        found.append(_alarm(CLOCK_SKEW, text, seen.order_id, WARNING))
    return found


def _listing(before: Trade, seen: FillsSeen) -> list[Alarm]:
    known = _order(before, seen.order_id)
    changed = rewritten(known.fills, [clean(f) for f in seen.fills]) if known is not None else ()
    if not changed:
        return []
    text = f"fills came again with another content: {', '.join(changed)}"
    return [_alarm(FILL_CONTENT_CHANGED, text, seen.order_id, WARNING)]


def _order(trade: Trade, order_id: str) -> VenueOrder | None:
    return next((o for o in trade.orders if o.order_id == order_id), None)


def _alarm(rule: str, message: str, order_id: str | None, severity: str = CRITICAL) -> Alarm:
    return Alarm(rule=rule, severity=severity, message=message, order_id=order_id)
