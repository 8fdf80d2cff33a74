"""Tell in words why a row reads as it does: what was stored, what was said, which rule decided."""

from __future__ import annotations

from decimal import Decimal

from ordersync_cli.domain.observations import Channel
from ordersync_cli.domain.orders import Figures, OrderStatus, Status
from ordersync_cli.domain.trade import Change, KeyedFigures, Standing, Trade, VenueOrder

CHANNELS = {Channel.REST: "REST", Channel.WEBSOCKET: "the user channel"}


def explain_change(change: Change) -> tuple[str, ...]:
    """Explain one change: stored, said, rule, written."""
    return (
        f"stored: {standing_text(change.was)}",
        *said(change.after, change.now),
        f"rule: {rule(change.after, change.now)}",
        f"written: {standing_text(change.now)}",
    )


def explain_trade(trade: Trade, standing: Standing) -> tuple[str, ...]:
    """Explain a trade that nothing new was told of."""
    return (
        f"stored: {standing_text(standing)}",
        *said(trade, standing),
        f"rule: {rule(trade, standing)}",
        "written: nothing, the row says it already",
    )


def standing_text(standing: Standing) -> str:
    """Write where a trade stands in one line."""
    parts = [f"{standing.status.value} ({standing.order_status.value})"]
    if standing.venue_status:
        parts.append(f"venue word {standing.venue_status}")
    if standing.figures is not None:
        parts.append(figures_text(standing.figures))
    if standing.reason:
        parts.append(f"reason {standing.reason}")
    if standing.terminal and standing.order_id is not None:
        parts.append("fills verified" if standing.fills_verified else "fills not verified")
    return ", ".join(parts)


def figures_text(figures: Figures) -> str:
    """Write a group of figures in one line."""
    return (
        f"filled {_text(figures.filled_size)} at {_text(figures.average_filled_price)}, "
        f"value {_text(figures.filled_value)}, fees {_text(figures.total_fees)}, "
        f"fills {figures.number_of_fills}"
    )


def said(trade: Trade, standing: Standing) -> tuple[str, ...]:
    """List what each source has said of the orders of this trade."""
    lines: list[str] = []
    for order in trade.orders:
        lines += _said_of(order)
    if trade.cancel is not None:
        lines.append(f"said: cancel {trade.cancel.step.name.lower()}, asked at {trade.cancel.requested_at:%H:%M:%S}")
    if trade.verdict is not None:
        lines.append(f"said: our verdict {trade.verdict.kind.name.lower()} ({trade.verdict.reason})")
    if trade.settled is not None:
        lines.append(f"said: settled by hand as {trade.settled.word} ({trade.settled.reason})")
    if not lines:
        lines.append("said: nothing yet; no source knows an order of this intent")
    if standing.duplicates:
        lines.append(f"said: more than one order matches: {', '.join(standing.duplicates)}")
    return tuple(lines)


def _said_of(order: VenueOrder) -> list[str]:
    lines = []
    if order.raw is not None:
        word = order.raw
        lines.append(
            f"said: {CHANNELS[word.channel]} at {word.as_of:%Y-%m-%dT%H:%M:%S.%fZ}: {order.order_id} is {word.word}"
        )
    if order.terminal is not None and (order.raw is None or order.raw.word != order.terminal):
        lines.append(f"said: {order.order_id} had ended as {order.terminal}")
    if order.figures is not None:
        keyed = order.figures
        lines.append(
            f"said: {CHANNELS[keyed.channel]} at {keyed.as_of:%Y-%m-%dT%H:%M:%S.%fZ}: {figures_text(keyed.figures)}"
        )
    newer = _newer_figures(order)
    if newer is not None:
        lines.append(
            f"said: {CHANNELS[newer.channel]} at {newer.as_of:%Y-%m-%dT%H:%M:%S.%fZ}: {figures_text(newer.figures)}"
        )
    if order.fills:
        lines.append(f"said: List Fills: {len(order.fills)} rows")
    if order.accepted and order.raw is None:
        lines.append(f"said: the create answer (or the row itself) names {order.order_id}; nobody has looked yet")
    return lines


def rule(trade: Trade, standing: Standing) -> str:
    """Name the rule that decides where this trade stands."""
    if trade.settled is not None and standing.order_status.value == trade.settled.word:
        return "an operator settled it by hand; the venue's word would outrank that"
    if standing.order_id is None:
        return _rule_without_order(trade, standing)
    return _rule_of_status(standing) + _rule_of_figures(trade, standing)


def _rule_of_status(standing: Standing) -> str:
    if not standing.terminal:
        return "the newest word of the venue that is not terminal counts; figures only grow"
    if standing.status is Status.FAILED:
        return "ended without fills, and a second look at least 2 s later agreed: no money moved"
    if standing.awaits_zero_proof:
        return "ended without fills so far: pending until a second look at least 2 s later agrees"
    if standing.status is Status.PENDING:
        return "ended by the venue's word, but its figures are not complete yet"
    if standing.order_status is OrderStatus.FILLED:
        return "FILLED by the venue's own word: completed"
    return f"{standing.venue_status} with fills: completed, what was filled stays"


def _rule_of_figures(trade: Trade, standing: Standing) -> str:
    """Say which figures count where REST now tells smaller ones than before."""
    order = next((o for o in trade.orders if o.order_id == standing.order_id), None)
    newer = None if order is None else _newer_figures(order)
    if newer is None:
        return ""
    if newer.figures == standing.figures:
        return "; the smaller figures count: they are exactly what its fills give"
    return "; the larger figures stay: its fills do not give exactly what REST tells since"


def _newer_figures(order: VenueOrder) -> KeyedFigures | None:
    """Give what REST told after the largest figures, where it is something else."""
    largest, newest = order.figures, order.rest_figures
    if largest is None or newest is None or newest.as_of <= largest.as_of or newest.figures == largest.figures:
        return None
    return newest


def _rule_without_order(trade: Trade, standing: Standing) -> str:
    if trade.verdict is not None and trade.verdict.looks:
        return f"proven absent by {len(trade.verdict.looks)} complete listings after its token had died"
    if standing.order_status is OrderStatus.SUBMITTING:
        return "no answer and no proof of absence: unknown is never guessed"
    return "no venue order exists for it: our own verdict counts"


def _text(value: Decimal) -> str:
    return format(value, "f")
