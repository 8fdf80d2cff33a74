"""Breaks: differences between what is stored and what the venue shows, each with a kind.

Compared before any repair. What the join repairs by itself is `repaired`; what it must not
decide (figures that shrank, a bot that has acted on `failed`) stays `open`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from ordersync_cli.domain.break_kinds import Break, BreakKind, Severity, external, unknown_tagged
from ordersync_cli.domain.decimals import EXACT, ZERO, plain
from ordersync_cli.domain.fills import content, quote_value
from ordersync_cli.domain.lifecycle import observe
from ordersync_cli.domain.matching import belongs, request_told
from ordersync_cli.domain.observations import FillsSeen, OrderSeen
from ordersync_cli.domain.orders import Figures, Fill, OrderStatus, OrderType, Source, Status
from ordersync_cli.domain.standing import derive
from ordersync_cli.domain.trade import Standing, Trade, VenueOrder
from ordersync_cli.domain.words import is_known, is_terminal, order_status_of

__all__ = [
    "Break",
    "BreakKind",
    "Severity",
    "compare",
    "contradicts_end",
    "external",
    "missing_at_venue",
    "own_breaks",
    "unknown_tagged",
]

UNKNOWN_OUTCOME_OPEN_AFTER = timedelta(minutes=5)
MISSING_FILL_OPEN_AFTER = timedelta(minutes=10)
STALE_AT_ONCE = timedelta(seconds=15)
STALE_RESTING = timedelta(seconds=60)
STALE_LOOK = timedelta(seconds=60)
CONTRADICTIONS = 3


def compare(
    trade: Trade,
    seen: OrderSeen,
    fills: FillsSeen | None = None,
    *,
    at: datetime,
    contradictions: int = 0,
) -> tuple[Break, ...]:
    """Compare a stored trade with what the venue shows, before repair.

    ``at`` is now on the venue's clock. ``contradictions`` counts the looks, this one included,
    that called the order alive 60 s and more after it had ended. A sight of somebody else's
    order is no difference of this trade.
    """
    was = derive(trade)
    after = observe(trade, seen, source=Source.RECONCILE, at=at).after
    if fills is not None:
        after = observe(after, fills, source=Source.RECONCILE, at=at).after
    order = next((o for o in after.orders if o.order_id == seen.order_id), None)
    if order is None or not belongs(after, order):
        return ()
    now = derive(after)
    found = [*_moves(trade, was, now), *_status(trade, was, now, seen, contradictions)]
    found += _figures(trade, was, now, seen)
    if fills is not None:
        found += _fills(trade, fills)
    return tuple(found)


def own_breaks(trade: Trade, *, at: datetime) -> tuple[Break, ...]:
    """List what is wrong with a trade by itself, without asking the venue; ``at`` as above."""
    now = derive(trade)
    return (
        *_duplicates(trade, now),
        *_unknown(trade, now, at),
        *_unverified(trade, now, at),
        *_stale(trade, now, at),
    )


def missing_at_venue(trade: Trade) -> Break:
    """Report an order that the venue itself says it does not have (404 NOT_FOUND)."""
    now = derive(trade)
    value = now.figures.filled_value if now.figures is not None else ZERO
    return Break(
        kind=BreakKind.MISSING_AT_VENUE,
        severity=Severity.OPEN,
        order_id=now.order_id,
        trade_id=trade.trade_id,
        stored=now.order_status.value,
        venue="not found",
        money_effect=EXACT.minus(value),
    )


def contradicts_end(trade: Trade, seen: OrderSeen) -> bool:
    """Tell whether a look calls an order alive 60 s and more after the venue had ended it."""
    order = _order(trade, seen.order_id)
    if order is None or order.term_at is None or is_terminal(seen.word) or not is_known(seen.word):
        return False
    return seen.as_of >= order.term_at + STALE_LOOK


def _moves(trade: Trade, was: Standing, now: Standing) -> list[Break]:
    """Report what the store had ruled out: a bot may have acted on it, so no repair closes it."""
    if was.status is not Status.FAILED or now.status is Status.FAILED:
        return []
    without_order = was.order_status in (OrderStatus.REJECTED, OrderStatus.NOT_PLACED)
    kinds = []
    if without_order:
        kinds.append(BreakKind.ABSENT_ORDER_APPEARED)
    if not without_order or now.status is Status.COMPLETED:
        kinds.append(BreakKind.FAILED_BUT_FILLED)
    effect = now.figures.filled_value if now.figures is not None else None
    stored = was.order_status.value
    return [_of(trade, kind, Severity.OPEN, now, (stored, now.order_status.value), effect) for kind in kinds]


def _status(trade: Trade, was: Standing, now: Standing, seen: OrderSeen, contradictions: int) -> list[Break]:
    if contradicts_end(trade, seen):
        severity = Severity.OPEN if contradictions >= CONTRADICTIONS else Severity.INFO
        pair = (was.order_status.value, order_status_of(seen.word).value)
        return [_of(trade, BreakKind.STATUS, severity, now, pair)]
    if was.order_status is now.order_status and was.status is now.status:
        return []
    pair = (f"{was.status} ({was.order_status})", f"{now.status} ({now.order_status})")
    return [_of(trade, BreakKind.STATUS, Severity.REPAIRED, now, pair)]


def _figures(trade: Trade, was: Standing, now: Standing, seen: OrderSeen) -> list[Break]:
    if seen.figures is None:
        return []
    stored, told, result = was.figures, seen.figures, now.figures
    assert result is not None  # the group just seen was joined in
    held = _order(trade, seen.order_id)
    if _is_stale(told, held, seen):
        return []
    severity = Severity.REPAIRED if _same(result, told) else Severity.OPEN
    found = []
    for kind, name in (
        (BreakKind.FILLED_SIZE, "filled_size"),
        (BreakKind.AVERAGE_FILLED_PRICE, "average_filled_price"),
        (BreakKind.TOTAL_FEES, "total_fees"),
    ):
        ours = getattr(stored, name) if stored is not None else None
        theirs = getattr(told, name)
        if (ZERO if ours is None else ours) != theirs:
            pair = (None if ours is None else plain(ours), plain(theirs))
            found.append(_of(trade, kind, severity, now, pair, _effect(kind, stored, told)))
    return found


def _is_stale(told: Figures, held: VenueOrder | None, seen: OrderSeen) -> bool:
    """Tell whether smaller figures are just an older look, and so no difference."""
    if held is None or held.figures is None:
        return False
    return told.filled_size < held.figures.figures.filled_size and seen.as_of <= held.figures.as_of


def _same(a: Figures, b: Figures) -> bool:
    return (a.filled_size, a.average_filled_price, a.total_fees) == (
        b.filled_size,
        b.average_filled_price,
        b.total_fees,
    )


def _effect(kind: BreakKind, stored: Figures | None, told: Figures) -> Decimal:
    """Tell the money at stake: fees for fees, else the value that was filled."""
    if kind is BreakKind.TOTAL_FEES:
        return EXACT.subtract(told.total_fees, stored.total_fees if stored else ZERO)
    return EXACT.subtract(told.filled_value, stored.filled_value if stored else ZERO)


def _fills(trade: Trade, listed: FillsSeen) -> list[Break]:
    held = _order(trade, listed.order_id)
    ours = {fill.entry_id: fill for fill in held.fills} if held is not None else {}
    theirs = {fill.entry_id: fill for fill in listed.fills}
    found = [
        _of_fill(trade, BreakKind.MISSING_FILL, Severity.REPAIRED, fill, effect=quote_value(fill))
        for entry_id, fill in sorted(theirs.items())
        if entry_id not in ours or content(ours[entry_id]) != content(fill)
    ]
    if listed.complete:
        found += [
            _of_fill(trade, BreakKind.EXTRA_FILL, Severity.OPEN, fill, effect=EXACT.minus(quote_value(fill)))
            for entry_id, fill in sorted(ours.items())
            if entry_id not in theirs
        ]
    return found


def _of_fill(trade: Trade, kind: BreakKind, severity: Severity, fill: Fill, *, effect: Decimal) -> Break:
    extra = kind is BreakKind.EXTRA_FILL
    text = f"{fill.trade_type} {plain(fill.size)} at {plain(fill.price)} ({fill.entry_id})"
    return Break(
        kind=kind,
        severity=severity,
        order_id=fill.order_id,
        trade_id=trade.trade_id,
        stored=text if extra else None,
        venue=None if extra else text,
        money_effect=effect,
    )


def _duplicates(trade: Trade, now: Standing) -> list[Break]:
    if not now.duplicates:
        return []
    pair = (now.order_id, ", ".join(now.duplicates))
    return [_of(trade, BreakKind.DUPLICATE, Severity.OPEN, now, pair)]


def _unknown(trade: Trade, now: Standing, at: datetime) -> list[Break]:
    if now.order_status is not OrderStatus.SUBMITTING:
        return []
    since = trade.attempt_at or trade.created_at
    late = at - since > UNKNOWN_OUTCOME_OPEN_AFTER
    severity = Severity.OPEN if late else Severity.INFO
    pair = (now.order_status.value, None)
    return [_of(trade, BreakKind.UNKNOWN_OUTCOME, severity, now, pair, trade.request.quote_size)]


def _unverified(trade: Trade, now: Standing, at: datetime) -> list[Break]:
    if not now.fills_due or now.figures is None or now.closed_at is None:
        return []
    late = at - now.closed_at > MISSING_FILL_OPEN_AFTER
    order = _order(trade, now.order_id)
    held = len(order.fills) if order is not None else 0
    pair = (f"{held} fills", f"{now.figures.number_of_fills} fills, {plain(now.figures.filled_size)}")
    return [_of(trade, BreakKind.MISSING_FILL, Severity.OPEN if late else Severity.INFO, now, pair)]


def _stale(trade: Trade, now: Standing, at: datetime) -> list[Break]:
    if now.status is not Status.PENDING or now.order_status is OrderStatus.SUBMITTING:
        return []
    limit = STALE_AT_ONCE if request_told(trade).order_type is OrderType.MARKET else STALE_RESTING
    since = trade.confirmed_at or now.accepted_at or trade.created_at
    if at - since <= limit:
        return []
    pair = (f"confirmed {since.isoformat()}", None)
    return [_of(trade, BreakKind.STALE, Severity.OPEN, now, pair)]


def _of(
    trade: Trade,
    kind: BreakKind,
    severity: Severity,
    now: Standing,
    pair: tuple[str | None, str | None],
    effect: Decimal | None = None,
) -> Break:
    return Break(
        kind=kind,
        severity=severity,
        order_id=now.order_id,
        trade_id=trade.trade_id,
        stored=pair[0],
        venue=pair[1],
        money_effect=effect,
    )


def _order(trade: Trade, order_id: str | None) -> VenueOrder | None:
    return next((o for o in trade.orders if o.order_id == order_id), None)
