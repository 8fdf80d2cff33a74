"""Turns rows of List Fills into fills."""

from __future__ import annotations

from decimal import Decimal

from ordersync_cli.domain.orders import Fill, Side
from ordersync_cli.venue.wire_values import (
    Json,
    WireError,
    as_row,
    flag,
    moment,
    need_id,
    need_number,
    number,
    text,
)


def fill(value: Json) -> Fill:
    """Read one fill; raises WireError.

    ``size`` stays as the venue wrote it, in quote currency where ``size_in_quote``. One of
    the two times stands in for the other where it is absent.
    """
    row = as_row(value, "fill")
    booked, traded = moment(row, "sequence_timestamp"), moment(row, "trade_time")
    sequence_timestamp = booked or traded
    trade_time = traded or booked
    if sequence_timestamp is None or trade_time is None:
        raise WireError("sequence_timestamp and trade_time are missing")
    side = (text(row, "side") or "").upper()
    return Fill(
        entry_id=need_id(row, "entry_id"),
        order_id=need_id(row, "order_id"),
        venue_trade_id=text(row, "trade_id") or "",
        # A row without its type is not taken for a plain fill: it would be summed by guess.
        trade_type=text(row, "trade_type") or "UNKNOWN",
        price=need_number(row, "price"),
        size=need_number(row, "size"),
        size_in_quote=flag(row, "size_in_quote"),
        commission=number(row, "commission") or Decimal(0),
        trade_time=trade_time,
        sequence_timestamp=sequence_timestamp,
        product_id=text(row, "product_id") or "",
        side=Side(side) if side in {"BUY", "SELL"} else None,
        liquidity_indicator=text(row, "liquidity_indicator") or "UNKNOWN_LIQUIDITY_INDICATOR",
    )
