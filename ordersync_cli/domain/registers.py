"""What one observation says, as registers: a fragment of a trade that can be joined into it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from ordersync_cli.domain.decimals import ZERO, canonical
from ordersync_cli.domain.fills import clean, union
from ordersync_cli.domain.matching import TOLD_TYPES, Match, compare, needs_match
from ordersync_cli.domain.observations import (
    AbsenceProven,
    AnswerKind,
    CancelSeen,
    Channel,
    Edit,
    FillsSeen,
    Observation,
    OrderSeen,
    PlaceAnswer,
)
from ordersync_cli.domain.orders import Figures, OrderRequest, OrderType, Origin, Side
from ordersync_cli.domain.standing import is_zero
from ordersync_cli.domain.trade import (
    KeyedFigures,
    KeyedWord,
    Trade,
    VenueOrder,
    Verdict,
    VerdictKind,
)
from ordersync_cli.domain.words import FILLED, SETTLED_WORDS, is_known, is_terminal

NOT_SENT = "not_sent"
PROVEN_ABSENT = "proven_absent"
REFUSED = "refused"
# "An order with that id exists" is the opposite of a refusal (trap T14), and a reason that the
# venue itself calls unknown decides nothing.
DUPLICATE = "DUPLICATE_CLIENT_ORDER_ID"
UNKNOWN_REASON = "UNKNOWN_"


def fragment(trade: Trade, observation: Observation) -> Trade | None:
    """Turn an observation into a fragment of this trade; None where it says nothing of it.

    Depends on facts fixed at the start of the trade only, never on its registers. ValueError
    for a settlement by an unknown word.
    """
    match observation:
        case OrderSeen():
            return _of_order(trade, sighting(trade, observation))
        case FillsSeen():
            return _of_order(trade, _listing(observation))
    empty = _empty(trade)
    match observation:
        case PlaceAnswer():
            return _answered(trade, observation)
        case CancelSeen():
            return replace(empty, cancel=observation)
        case AbsenceProven():
            return replace(empty, verdict=_absence(observation))
    if observation.word not in SETTLED_WORDS:
        raise ValueError(f"not a word to settle a trade by: {observation.word!r}")
    return replace(empty, settled=observation)


def sighting(trade: Trade, seen: OrderSeen) -> VenueOrder:
    """Turn one sight of an order into its registers."""
    terminal = is_terminal(seen.word)
    figures = _clean(seen.figures)
    group = _group(seen, figures, terminal=terminal)
    word = KeyedWord(word=seen.word, as_of=seen.as_of, channel=seen.channel, position=seen.position)
    zero = terminal and seen.channel is Channel.REST and figures is not None and is_zero(figures)
    filled = figures is not None and figures.filled_size > ZERO
    match = compare(trade.request, seen) if needs_match(trade) else Match.UNDECIDED
    return VenueOrder(
        order_id=seen.order_id,
        matched=match is Match.YES,
        mismatch=match is Match.NO,
        terms_differ=match is Match.OTHER_TERMS,
        frame_differs=match is Match.OTHER_OR_EDITED,
        client_order_id=seen.client_order_id,
        product_id=seen.product_id,
        order_type=_type_told(trade.request, seen),
        created_time=seen.created_time,
        terminal=seen.word if terminal else None,
        term_at=seen.as_of if terminal else None,
        open_word=word if is_known(seen.word) and not terminal else None,
        raw=word,
        figures=group,
        rest_figures=group if seen.channel is Channel.REST else None,
        # FILLED with size 0 is half an answer: the figures are still to come.
        final=terminal and figures is not None and (filled or seen.word != FILLED),
        zero_look=seen.as_of if zero else None,
        edit=_clean_edit(seen.edit),
        edit_as_of=seen.as_of if seen.edit is not None else None,
        first_seen_at=seen.as_of,
        last_fill_time=seen.last_fill_time,
        filled_frame_at=seen.as_of if terminal and filled else None,
        reason=seen.reason or None,
        reason_as_of=seen.as_of if seen.reason else None,
    )


def _type_told(request: OrderRequest, seen: OrderSeen) -> str | None:
    """Tell the type of an order that nobody here knew; a frame, and a word for "another", prove none."""
    unknown = request.order_type is OrderType.OTHER and seen.channel is Channel.REST
    return seen.order_type if unknown and seen.order_type in TOLD_TYPES else None


def _empty(trade: Trade, *orders: VenueOrder) -> Trade:
    return Trade(request=trade.request, created_at=trade.created_at, origin=trade.origin, orders=orders)


def external_sight(seen: OrderSeen | FillsSeen, now: datetime) -> VenueOrder:
    """Turn what was seen of an order that no trade claims into its registers: nothing is compared with it."""
    if isinstance(seen, FillsSeen):
        return _listing(seen)
    request = OrderRequest(product_id=seen.product_id or "", side=seen.side or Side.BUY, order_type=OrderType.OTHER)
    return sighting(Trade(request=request, created_at=now, origin=Origin.ADOPTED), seen)


def _of_order(trade: Trade, order: VenueOrder) -> Trade | None:
    """Keep out other orders where a row named its order: which one that is was fixed at its start."""
    named = needs_match(trade) or any(o.order_id == order.order_id and o.accepted for o in trade.orders)
    return _empty(trade, order) if named else None


def _group(seen: OrderSeen, figures: Figures | None, *, terminal: bool) -> KeyedFigures | None:
    if figures is None:
        return None
    return KeyedFigures(figures=figures, as_of=seen.as_of, channel=seen.channel, terminal=terminal)


def _listing(seen: FillsSeen) -> VenueOrder:
    rows = union((), tuple(clean(fill) for fill in seen.fills if fill.order_id == seen.order_id))
    return VenueOrder(
        order_id=seen.order_id,
        fills=rows,
        fills_read=seen.as_of if seen.complete else None,
    )


def _answered(trade: Trade, answer: PlaceAnswer) -> Trade | None:
    if answer.kind is AnswerKind.ACCEPTED and answer.order_id:
        order = VenueOrder(
            order_id=answer.order_id,
            accepted=True,
            accepted_as_of=answer.at,
            first_seen_at=answer.at,
        )
        return _of_order(trade, order)
    if answer.kind is AnswerKind.REJECTED and not _ambiguous(answer):
        reason = answer.reason or answer.message or REFUSED
        return replace(_empty(trade), verdict=_verdict(answer.attempt, answer.at, reason, refused=True))
    if answer.kind is AnswerKind.NOT_SENT:
        return replace(_empty(trade), verdict=_verdict(answer.attempt, answer.at, NOT_SENT, refused=False))
    return None


def _ambiguous(answer: PlaceAnswer) -> bool:
    reason = answer.reason or ""
    vague = reason == DUPLICATE or reason.startswith(UNKNOWN_REASON)
    return vague and not answer.credentials


def _verdict(attempt: int, at: datetime, reason: str, *, refused: bool) -> Verdict:
    kind = VerdictKind.REJECTED if refused else VerdictKind.NOT_PLACED
    return Verdict(attempt=attempt, kind=kind, at=at, reason=reason)


def _absence(proof: AbsenceProven) -> Verdict:
    return Verdict(
        attempt=proof.attempt,
        kind=VerdictKind.NOT_PLACED,
        at=proof.at,
        reason=PROVEN_ABSENT,
        looks=proof.looks,
        burns_id=True,
    )


def _clean(figures: Figures | None) -> Figures | None:
    if figures is None:
        return None
    return Figures(
        filled_size=canonical(figures.filled_size),
        number_of_fills=figures.number_of_fills,
        filled_value=canonical(figures.filled_value),
        total_fees=canonical(figures.total_fees),
        average_filled_price=canonical(figures.average_filled_price),
    )


def _clean_edit(edit: Edit | None) -> Edit | None:
    if edit is None:
        return None
    return Edit(
        accepted_at=edit.accepted_at,
        size=None if edit.size is None else canonical(edit.size),
        price=None if edit.price is None else canonical(edit.price),
    )
