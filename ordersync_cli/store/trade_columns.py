"""Turns a trade into the columns of its row and back, without an ORM in between."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from ordersync_cli.domain import codec
from ordersync_cli.domain.orders import (
    OrderRequest,
    OrderStatus,
    OrderType,
    Origin,
    Side,
    Source,
    Status,
    StopDirection,
    TimeInForce,
)
from ordersync_cli.domain.trade import Standing, Trade, VenueOrder
from ordersync_cli.domain.view import TradeView, book_keeping, columns
from ordersync_cli.store.values import Values, lenient_number, order_named, whole

# What was asked for and how the row came here: written once.
FACTS = (
    "bot_id", "product_id", "side", "created_at", "client_order_id", "time_in_force",
    "base_size", "quote_size", "limit_price", "stop_price", "stop_direction", "end_time",
    "post_only", "origin",
)  # fmt: skip
_TIMES = ("submitted_at", "accepted_at", "filled_at", "closed_at", "confirmed_at", "updated_at")
_DECIMALS = (
    "filled_size", "average_filled_price", "filled_value", "total_fees", "sync_latency_seconds",
)  # fmt: skip
_PLAIN = (
    "order_type", "order_id", "status", "order_status", "venue_status", "number_of_fills", "fills_verified",
    "reason", "source",
)  # fmt: skip
_BOOKS = (
    "attempts", "attempt_at", "not_after", "verdict", "cancel", "settled", "awaits_look",
    "fills_due",
)  # fmt: skip
_EXACT = ("size", "price", "size_usd")
# What the join decides, and its book-keeping: written at each save.
DERIVED = (
    *_PLAIN, *_TIMES, *_DECIMALS, *(f"{name}_exact" for name in _EXACT), *_BOOKS,
    "written_order_id", "written_status", "written_filled_at",
)  # fmt: skip
# A bot's numbers are never overwritten with nothing: it may know what we do not know yet.
KEPT = (*_EXACT, *(f"written_{name}" for name in _EXACT))

LOADED = (
    "id", *FACTS, "order_type", *_BOOKS[:-2], "source", "submitted_at", "accepted_at", "updated_at",
    "confirmed_at", "sync_latency_seconds", "order_id", "order_status", "status", "filled_at",
    "size", "price", "size_usd",
)  # fmt: skip
VIEWED = (
    "id", "bot_id", "product_id", "side", "client_order_id", "created_at", *_PLAIN,
    *_TIMES, *_DECIMALS, *(f"{name}_exact" for name in _EXACT), *_EXACT,
)  # fmt: skip

_ENDED = {Status.COMPLETED.value: OrderStatus.FILLED, Status.FAILED.value: OrderStatus.FAILED}
_BOTS_OWN = {None, Origin.FOREIGN.value, Origin.IMPORTED.value}
_SPELLINGS = {Side.BUY: ("buy", "b", "bid"), Side.SELL: ("sell", "s", "ask")}
_ENUMS = ("", "side.", "orderside.")  # str() of an Enum member, as some bots write it
SIDES = {f"{enum}{word}": side for side, words in _SPELLINGS.items() for word in words for enum in _ENUMS}


# ---------------------------------------------------------------------------- writing


def facts(trade: Trade, values: Values) -> tuple[Any, ...]:
    """List the values of FACTS."""
    asked = trade.request
    return (
        asked.bot_id,
        asked.product_id,
        asked.side.value,
        values.time(trade.created_at),
        asked.client_order_id,
        None if asked.time_in_force is None else asked.time_in_force.value,
        values.decimal(asked.base_size),
        values.decimal(asked.quote_size),
        values.decimal(asked.limit_price),
        values.decimal(asked.stop_price),
        None if asked.stop_direction is None else asked.stop_direction.value,
        values.time(asked.end_time),
        asked.post_only,
        trade.origin.value,
    )


def derived(
    trade: Trade,
    standing: Standing,
    values: Values,
    own_word: tuple[str, Any] | None = None,
    never_null: frozenset[str] = frozenset(),
) -> tuple[Any, ...]:
    """List the values of DERIVED and KEPT; ``own_word`` is a bot's status and filled_at to be left.

    ``never_null`` are a bot's columns that get zero or "" where nothing is known yet.
    """
    public = {**columns(trade, standing), **book_keeping(trade)}
    if "order_id" in never_null and public["order_id"] is None:
        public["order_id"] = ""
    times = [values.time(public[name]) for name in _TIMES]
    if own_word is not None:
        public["status"], times[_TIMES.index("filled_at")] = own_word
    unknown = {name: 0.0 if name in never_null else None for name in _EXACT}
    numbers = [unknown[name] if public[name] is None else float(public[name]) for name in _EXACT]
    awaits = standing.status is Status.PENDING or standing.awaits_zero_proof
    return (
        *(public[name] for name in _PLAIN),
        *times,
        *(values.decimal(public[name]) for name in _DECIMALS),
        *(values.decimal(public[name]) for name in _EXACT),
        trade.attempts,
        values.time(trade.attempt_at),
        values.time(trade.not_after),
        None if trade.verdict is None else codec.dump_verdict(trade.verdict),
        None if trade.cancel is None else codec.dump_cancel(trade.cancel),
        None if trade.settled is None else codec.dump_settled(trade.settled),
        awaits,
        standing.fills_due,
        public["order_id"],
        public["status"],
        times[_TIMES.index("filled_at")],
        *numbers,
        *numbers,
    )


# ---------------------------------------------------------------------------- reading


def trade_of(
    row: Mapping[str, Any], orders: tuple[VenueOrder, ...], values: Values, *, sideless: bool = False
) -> Trade | None:
    """Build a trade from its row and registers; None for a bot's row without a readable side.

    With ``sideless`` a side stands in for one that cannot be read: it decides nothing of a row that
    names its order by id, and the bot's column keeps what the bot wrote.
    """
    request = _request(row, values, sideless=sideless)
    if request is None:
        return None
    return Trade(
        request=request,
        created_at=values.moment(row["created_at"]) or datetime(1970, 1, 1, tzinfo=UTC),
        trade_id=row["id"],
        origin=Origin(row["origin"] or Origin.FOREIGN),
        attempts=row["attempts"] or 0,
        attempt_at=values.moment(row["attempt_at"]),
        not_after=values.moment(row["not_after"]),
        verdict=None if row["verdict"] is None else codec.load_verdict(row["verdict"]),
        cancel=None if row["cancel"] is None else codec.load_cancel(row["cancel"]),
        settled=None if row["settled"] is None else codec.load_settled(row["settled"]),
        orders=orders,
        source=Source(row["source"] or Source.IMPORT),
        submitted_at=values.moment(row["submitted_at"]),
        accepted_at=values.moment(row["accepted_at"]),
        updated_at=values.moment(row["updated_at"]),
        confirmed_at=values.moment(row["confirmed_at"]),
        sync_latency_seconds=values.number(row["sync_latency_seconds"]),
    )


def view_of(row: Mapping[str, Any], values: Values) -> TradeView:
    """Build the public view of a row, whoever wrote it."""
    exact = {n: values.number(row[f"{n}_exact"]) for n in _EXACT}
    if row["order_status"] is None:  # a bot's own row that nobody has followed yet
        exact = {n: lenient_number(row[n]) if exact[n] is None else exact[n] for n in _EXACT}
    side = read_side(row["side"])
    return TradeView(
        trade_id=row["id"],
        bot_id=whole(row["bot_id"]),
        product_id=str(row["product_id"] or ""),
        side=str(row["side"] or "") if side is None else side.value,
        order_type=row["order_type"],
        client_order_id=row["client_order_id"],
        order_id=order_named(row["order_id"]),
        status=read_status(row["status"]),
        order_status=row["order_status"] or order_status_of_bot(row).value,
        venue_status=row["venue_status"],
        size=exact["size"],
        price=exact["price"],
        size_usd=exact["size_usd"],
        filled_size=values.number(row["filled_size"]),
        average_filled_price=values.number(row["average_filled_price"]),
        filled_value=values.number(row["filled_value"]),
        total_fees=values.number(row["total_fees"]),
        sync_latency_seconds=values.number(row["sync_latency_seconds"]),
        number_of_fills=row["number_of_fills"],
        fills_verified=bool(row["fills_verified"]),
        reason=row["reason"],
        created_at=values.moment(row["created_at"]) or datetime(1970, 1, 1, tzinfo=UTC),
        submitted_at=values.moment(row["submitted_at"]),
        accepted_at=values.moment(row["accepted_at"]),
        filled_at=values.moment(row["filled_at"]),
        closed_at=values.moment(row["closed_at"]),
        confirmed_at=values.moment(row["confirmed_at"]),
        updated_at=values.moment(row["updated_at"]),
        source=row["source"],
    )


def read_status(word: Any) -> str:
    """Read the status of a row whoever wrote it: what ends nothing is pending."""
    lowered = str(word or "").strip().lower()
    return lowered if lowered in _ENDED else Status.PENDING.value


def order_status_of_bot(row: Mapping[str, Any]) -> OrderStatus:
    """Tell where a bot's own row stands by its own word, until the venue has been asked."""
    ended = _ENDED.get(read_status(row["status"]))
    return ended or (OrderStatus.OPEN if order_named(row["order_id"]) else OrderStatus.SUBMITTING)


def read_side(word: Any) -> Side | None:
    """Read a side however a bot spells it; None if unreadable."""
    return SIDES.get(str(word or "").strip().lower())


def _request(row: Mapping[str, Any], values: Values, *, sideless: bool) -> OrderRequest | None:
    if row["order_status"] is None:
        return _bot_request(row, values, sideless=sideless)
    return OrderRequest(
        product_id=row["product_id"],
        side=read_side(row["side"]) or Side.BUY,
        # of a bot's own row nobody here knew the type: what stands there is what the venue told (decision record 0152)
        order_type=OrderType.OTHER if row["origin"] in _BOTS_OWN else OrderType(row["order_type"]),
        time_in_force=None if row["time_in_force"] is None else TimeInForce(row["time_in_force"]),
        client_order_id=row["client_order_id"],
        base_size=values.number(row["base_size"]),
        quote_size=values.number(row["quote_size"]),
        limit_price=values.number(row["limit_price"]),
        stop_price=values.number(row["stop_price"]),
        stop_direction=None if row["stop_direction"] is None else StopDirection(row["stop_direction"]),
        end_time=values.moment(row["end_time"]),
        post_only=bool(row["post_only"]),
        bot_id=whole(row["bot_id"]),
    )


def _bot_request(row: Mapping[str, Any], values: Values, *, sideless: bool) -> OrderRequest | None:
    """Read what a bot wrote of its own order (or an import copied, exactly); zero is "not known"."""
    side = read_side(row["side"]) or (Side.BUY if sideless else None)
    if side is None:
        return None
    return OrderRequest(
        product_id=str(row["product_id"] or ""),
        side=side,
        order_type=OrderType.OTHER,
        client_order_id=row["client_order_id"] or None,
        base_size=values.number(row["base_size"]) or _asked(row["size"]),
        quote_size=values.number(row["quote_size"]) or _asked(row["size_usd"]),
        limit_price=values.number(row["limit_price"]) or _asked(row["price"]),
        bot_id=whole(row["bot_id"]),
    )


def _asked(value: Any) -> Decimal | None:
    number = lenient_number(value)
    return number if number is not None and number > 0 else None
