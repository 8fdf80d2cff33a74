"""Turns Coinbase's order objects, of REST and of the user channel, into observations."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from ordersync_cli.domain.observations import Channel, Edit, OrderSeen
from ordersync_cli.domain.orders import NOTHING_FILLED, Figures, OrderType, Side
from ordersync_cli.venue.wire_values import (
    Json,
    Row,
    WireError,
    as_row,
    chosen_id,
    count,
    moment,
    need_id,
    need_text,
    number,
    positive,
    text,
    venue_id,
)

TERMINAL_WORDS = frozenset({"FILLED", "CANCELLED", "EXPIRED", "FAILED"})

# Coinbase docs, Create Order: exactly one of these keys; answers may add keys inside it.
_TYPE_OF_CONFIGURATION = {
    "market_market_ioc": OrderType.MARKET,
    "market_market_fok": OrderType.MARKET,
    "sor_limit_ioc": OrderType.LIMIT,
    "limit_limit_gtc": OrderType.LIMIT,
    "limit_limit_gtd": OrderType.LIMIT,
    "limit_limit_fok": OrderType.LIMIT,
    "stop_limit_stop_limit_gtc": OrderType.STOP_LIMIT,
    "stop_limit_stop_limit_gtd": OrderType.STOP_LIMIT,
    "trigger_bracket_gtc": OrderType.OTHER,
    "trigger_bracket_gtd": OrderType.OTHER,
    "twap_limit_gtd": OrderType.OTHER,
    "scaled_limit_gtc": OrderType.OTHER,
}
_LABELS = {"MARKET": OrderType.MARKET, "LIMIT": OrderType.LIMIT, "STOP_LIMIT": OrderType.STOP_LIMIT}
_REST_FIGURES = ("filled_size", "number_of_fills", "filled_value", "total_fees", "average_filled_price")
_FRAME_FIGURES = ("cumulative_quantity", "number_of_fills", "filled_value", "total_fees", "avg_price")


@dataclass(frozen=True, slots=True)
class Stamp:
    """When what was seen was true, on the venue's clock; ``clamped`` where that had to be bounded."""

    as_of: datetime
    clamped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What an order was placed with, as its configuration tells."""

    order_type: OrderType | None = None
    base_size: Decimal | None = None
    quote_size: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None


def rest_order(value: Json, stamp: Stamp) -> OrderSeen:
    """Read an order of Get Order or List Orders; raises WireError."""
    row = as_row(value, "order")
    word = need_text(row, "status")
    asked = _asked(row)
    label = asked.order_type or _labelled(text(row, "order_type"))
    return OrderSeen(
        order_id=need_id(row, "order_id"),
        as_of=stamp.as_of,
        clamped=stamp.clamped,
        channel=Channel.REST,
        word=word,
        figures=_rest_figures(row, word),
        client_order_id=chosen_id(row, "client_order_id"),
        product_id=text(row, "product_id"),
        side=_side(text(row, "side")),
        order_type=label,
        base_size=asked.base_size,
        quote_size=asked.quote_size,
        limit_price=asked.limit_price,
        stop_price=asked.stop_price,
        created_time=moment(row, "created_time"),
        last_fill_time=moment(row, "last_fill_time"),
        reason=_reason(row, word, ("reject_reason", "reject_message", "cancel_message")),
        edit=_last_edit(row),
        placement_source=text(row, "order_placement_source"),
    )


def frame_order(value: Json, stamp: Stamp, position: int) -> OrderSeen:
    """Read an order of the user channel; raises WireError.

    What the channel leaves out or writes as "0" is None. ``leaves_quantity`` is never read:
    it is 0 after a cancel and in the order's own currency (trap T08).
    """
    row = as_row(value, "order")
    word = need_text(row, "status")
    return OrderSeen(
        order_id=need_id(row, "order_id"),
        as_of=stamp.as_of,
        clamped=stamp.clamped,
        channel=Channel.WEBSOCKET,
        word=word,
        position=position,
        figures=_complete_figures(row, _FRAME_FIGURES),
        client_order_id=chosen_id(row, "client_order_id"),
        product_id=text(row, "product_id"),
        side=_side(text(row, "order_side") or text(row, "side")),
        order_type=_labelled(text(row, "order_type")),
        limit_price=positive(row, "limit_price"),
        stop_price=positive(row, "stop_price"),
        created_time=moment(row, "creation_time"),
        reason=_reason(row, word, ("reject_reason", "reject_Reason", "cancel_reason")),
    )


def order_id_of(value: Json) -> str | None:
    """Tell the id of an order that could not be read, where even that much can be."""
    try:
        return venue_id(as_row(value, "order"), "order_id")
    except WireError:
        return None


# ---------------------------------------------------------------------------- what was asked for


def _asked(row: Row) -> Asked:
    """Read the configuration: null, {} and unknown keys are met in real answers (trap T18)."""
    configuration = row.get("order_configuration")
    if configuration is None or configuration in ("", []):
        return Asked()
    named = as_row(configuration, "order_configuration")
    for key, order_type in _TYPE_OF_CONFIGURATION.items():
        if named.get(key) is not None:
            inner = as_row(named[key], f"order_configuration.{key}")
            return Asked(
                order_type=order_type,
                base_size=positive(inner, "base_size"),
                quote_size=positive(inner, "quote_size"),
                limit_price=positive(inner, "limit_price"),
                stop_price=positive(inner, "stop_price") or positive(inner, "stop_trigger_price"),
            )
    return Asked(order_type=OrderType.OTHER) if named else Asked()


def _labelled(label: str | None) -> OrderType | None:
    """Read an order type's label loosely: "Limit", "LIMIT", "Stop Limit", LIMIT_ORDER_TYPE are met."""
    if label is None:
        return None
    word = label.strip().upper().replace(" ", "_").removesuffix("_ORDER_TYPE")
    if not word or word.startswith("UNKNOWN"):
        return None
    return _LABELS.get(word, OrderType.OTHER)


def _side(word: str | None) -> Side | None:
    return Side(word.upper()) if word is not None and word.upper() in {"BUY", "SELL"} else None


# ---------------------------------------------------------------------------- what has become of it


def _complete_figures(row: Row, names: tuple[str, ...]) -> Figures | None:
    """Read the figures as one group: with one absent or empty there is none."""
    size_name, count_name, value_name, fees_name, price_name = names
    filled_size, number_of_fills = number(row, size_name), count(row, count_name)
    filled_value, total_fees = number(row, value_name), number(row, fees_name)
    average = number(row, price_name)
    for name, figure in ((size_name, filled_size), (value_name, filled_value), (count_name, number_of_fills)):
        if figure is not None and figure < 0:
            raise WireError(f"{name} is negative")
    if filled_size is None or number_of_fills is None or filled_value is None or total_fees is None or average is None:
        return None
    return Figures(
        filled_size=filled_size,
        number_of_fills=number_of_fills,
        filled_value=filled_value,
        total_fees=total_fees,
        average_filled_price=average,
    )


def _rest_figures(row: Row, word: str) -> Figures | None:
    figures = _complete_figures(row, _REST_FIGURES)
    if figures is None and word in TERMINAL_WORDS and _says_nothing_filled(row):
        return NOTHING_FILLED
    return figures


def _says_nothing_filled(row: Row) -> bool:
    """Tell whether an order that ended shows zero or "" in every figure, and nothing against it.

    Never-filled orders carry "" (seen in the field). What names no filled size at all, or
    shows the time of a fill, is not taken for a zero: money could hide behind it.
    """
    if row.get("filled_size") is None or moment(row, "last_fill_time") is not None:
        return False
    if number(row, "completion_percentage"):
        return False
    return not any(number(row, name) for name in _REST_FIGURES)


def _reason(row: Row, word: str, names: tuple[str, ...]) -> str | None:
    """Give why an order ended unfilled: the first text that says something.

    None for FILLED: a quote-sized market BUY ends FILLED with cancel text "Internal error" as
    its normal end (trap T02).
    """
    if word == "FILLED":
        return None
    for name in names:
        said = text(row, name)
        if said is not None and said.strip() and said != "REJECT_REASON_UNSPECIFIED":
            return said.strip()
    return None


def _last_edit(row: Row) -> Edit | None:
    """Read the newest replacement; the history holds at most five, in no promised order (trap T12)."""
    history = row.get("edit_history")
    if not isinstance(history, list):
        return None
    edits = []
    for entry in history:
        replaced = as_row(entry, "edit_history")
        at = moment(replaced, "replace_accept_timestamp")
        if at is not None:
            edits.append(Edit(accepted_at=at, size=positive(replaced, "size"), price=positive(replaced, "price")))
    zero = Decimal(0)
    return max(edits, key=lambda e: (e.accepted_at, e.size or zero, e.price or zero), default=None)
