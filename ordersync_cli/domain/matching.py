"""Whose order is it: whether a venue order is the one that an intent asked for.

A shared client order id proves nothing by itself: another program may have used it yesterday,
and the venue answers a reused id with `success` and the old order (Coinbase docs, Create
Order, client_order_id; traps T13, T44).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum

from ordersync_cli.domain.observations import Channel, OrderSeen
from ordersync_cli.domain.orders import OrderRequest, OrderType, Origin
from ordersync_cli.domain.trade import Trade, VenueOrder

CREATED_SLACK = timedelta(minutes=5)
MATCHING_GOES_ON = timedelta(days=7)
CLIENT_ORDER_ID_IN_USE = "client_order_id_in_use"
TOLD_TYPES = frozenset({OrderType.MARKET, OrderType.LIMIT, OrderType.STOP_LIMIT})
ONE_BOOK = frozenset({"USD", "USDC"})
NEVER = datetime.max.replace(tzinfo=UTC)


class Match(Enum):
    """What one sight of an order says about whose it is."""

    YES = "yes"  # our client order id, and nothing carried that contradicts the request
    UNDECIDED = "undecided"  # too little carried
    OTHER_OR_EDITED = "other_or_edited"  # another size or price in a frame: it may have been edited since
    OTHER_TERMS = "other_terms"  # another size or price, unedited
    NO = "no"  # another client order id, product or side


def needs_match(trade: Trade) -> bool:
    """Tell whether orders must match the request; a row that names an order id just names it."""
    return trade.origin is Origin.PLACED and trade.request.client_order_id is not None


def same_product(a: str, b: str) -> bool:
    """Compare products; X-USD and X-USDC are one book under two names (trap T25)."""
    if a == b:
        return True
    base_a, _, quote_a = a.rpartition("-")
    base_b, _, quote_b = b.rpartition("-")
    return base_a == base_b and {quote_a, quote_b} <= ONE_BOOK


def compare(request: OrderRequest, seen: OrderSeen) -> Match:
    """Hold one sight of an order against a request, as far as the source carried the fields."""
    if seen.client_order_id is not None and seen.client_order_id != request.client_order_id:
        return Match.NO
    if seen.product_id is not None and not same_product(seen.product_id, request.product_id):
        return Match.NO
    if seen.side is not None and seen.side != request.side:
        return Match.NO
    if seen.edit is None and not _same_terms(request, seen):
        # A frame shows the price in force but not that it was edited: only REST can tell.
        return Match.OTHER_TERMS if seen.channel is Channel.REST else Match.OTHER_OR_EDITED
    return Match.YES if seen.client_order_id is not None else Match.UNDECIDED


def may_be_ours(trade: Trade, seen: OrderSeen) -> bool:
    """Tell whether a listed order is, or may yet prove to be, the order of this intent."""
    if any(o.order_id == seen.order_id and o.accepted for o in trade.orders):
        return True
    if not needs_match(trade) or seen.client_order_id != trade.request.client_order_id:
        return False
    verdict = compare(trade.request, seen)
    return verdict in (Match.YES, Match.UNDECIDED, Match.OTHER_OR_EDITED) and not _too_old(trade, seen.created_time)


def ours(trade: Trade) -> tuple[VenueOrder, ...]:
    """List the venue orders that belong to this trade; the first is the primary one."""
    return tuple(sorted((o for o in trade.orders if belongs(trade, o)), key=_age_key))


def belongs(trade: Trade, order: VenueOrder) -> bool:
    """Tell whether a venue order is this trade's own."""
    if not needs_match(trade):
        return order.accepted
    return (order.accepted or order.matched) and not contradicts(trade, order)


def contradicts(trade: Trade, order: VenueOrder) -> bool:
    """Tell whether an order was seen to be another than the one asked for."""
    other_terms = order.terms_differ and order.edit is None
    return order.mismatch or other_terms or _too_old(trade, order.created_time)


def is_doubtful(order: VenueOrder) -> bool:
    """Tell whether an order may be somebody else's, until REST has shown its terms.

    A reused client order id is answered with the old order; a frame of it shows terms that are
    not ours, as a frame of our own order does that was edited.
    """
    return order.frame_differs and not order.matched


def id_in_use(trade: Trade) -> bool:
    """Tell whether our client order id, or the id we were answered, is an order of somebody else."""
    if not needs_match(trade):
        return False
    wanted = trade.request.client_order_id
    return any(
        contradicts(trade, order) and (order.accepted or order.client_order_id == wanted) for order in trade.orders
    )


def request_told(trade: Trade) -> OrderRequest:
    """Tell what was asked for, with the type that the venue told of an order of which nobody here knew it."""
    request = trade.request
    if request.order_type is not OrderType.OTHER:
        return request
    told = next((order.order_type for order in ours(trade) if order.order_type is not None), None)
    return request if told is None else replace(request, order_type=OrderType(told))


def still_matching(closed_at: datetime | None, now: datetime) -> bool:
    """Tell whether orders are still matched to an intent: for 7 days after its verdict."""
    return closed_at is None or now - closed_at <= MATCHING_GOES_ON


def _same_terms(request: OrderRequest, seen: OrderSeen) -> bool:
    sizes = ((request.base_size, seen.base_size), (request.quote_size, seen.quote_size))
    carried = any(theirs is not None for _, theirs in sizes)
    if carried and not _converted(request, seen) and not any(_equal(ours_, theirs) for ours_, theirs in sizes):
        return False
    if any(_differ(ours_, theirs) for ours_, theirs in sizes):
        return False
    if seen.limit_price and seen.limit_price != request.limit_price:
        return False
    if request.limit_price is not None and seen.order_type == "MARKET":
        return False
    return not _differ(request.stop_price, seen.stop_price)


def _converted(request: OrderRequest, seen: OrderSeen) -> bool:
    """Tell whether the venue may show the base size that a quote-sized limit order works out to.

    Whether it does is not documented. Taking it for another order would call a live order
    rejected, and the bot would buy twice; the price is compared all the same.
    """
    by_quote = request.limit_price is not None and request.quote_size is not None
    return by_quote and seen.quote_size is None


def _equal(a: Decimal | None, b: Decimal | None) -> bool:
    return a is not None and a == b


def _differ(a: Decimal | None, b: Decimal | None) -> bool:
    return a is not None and b is not None and a != b


def _too_old(trade: Trade, created_time: datetime | None) -> bool:
    """Tell whether an order is older than anything this intent can have sent.

    A second attempt under one id may be answered with the order of the first, so with several
    attempts the intent's own birth counts.
    """
    if created_time is None:
        return False
    sent = trade.attempt_at or trade.created_at
    if trade.attempts > 1:
        sent = min(sent, trade.created_at)
    return created_time < sent - CREATED_SLACK


def _age_key(order: VenueOrder) -> tuple[bool, datetime, str]:
    created = order.created_time
    return created is None, created or NEVER, order.order_id
