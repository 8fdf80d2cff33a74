"""The registers of venue orders and their fills: what the join has kept, apart from the public row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from ordersync_cli.domain import codec
from ordersync_cli.domain.matching import contradicts, needs_match
from ordersync_cli.domain.orders import Fill, Side
from ordersync_cli.domain.trade import Trade, VenueOrder
from ordersync_cli.store.sql import Sql
from ordersync_cli.store.values import Values

FILL_COLUMNS = (
    "entry_id", "order_id", "venue_trade_id", "trade_type", "price", "size", "size_in_quote",
    "commission", "trade_time", "sequence_timestamp", "product_id", "side", "liquidity_indicator",
)  # fmt: skip
_FILLS = ", ".join(FILL_COLUMNS)
_PUT_FILL = (
    f"INSERT INTO fills ({_FILLS}) VALUES ({', '.join('?' * len(FILL_COLUMNS))}) "
    "ON CONFLICT (entry_id) DO UPDATE SET " + ", ".join(f"{name} = excluded.{name}" for name in FILL_COLUMNS[1:])
)
_ORDER_COLUMNS = "order_id, trade_id, client_order_id, product_id, mismatch, registers, first_seen_at, updated_at"
_UPDATED = ", ".join(
    f"{name} = excluded.{name}" for name in ("client_order_id", "product_id", "mismatch", "registers", "updated_at")
)
_PUT_CLAIM = (
    f"INSERT INTO venue_orders ({_ORDER_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
    f"ON CONFLICT (order_id, trade_id) DO UPDATE SET {_UPDATED}"
)

_REMEMBERED = 1_000  # texts of registers; the same text always reads as the same order
_read: dict[str, VenueOrder] = {}


def registers_of(sql: Sql, trade_ids: Sequence[int]) -> dict[int, tuple[VenueOrder, ...]]:
    """Load the venue orders of trades with their fills, by order id."""
    text = (
        "SELECT trade_id, order_id, registers, EXISTS (SELECT 1 FROM fills f WHERE f.order_id = v.order_id) "
        f"FROM venue_orders v WHERE {sql.among('trade_id')} ORDER BY trade_id, order_id"
    )
    rows = sql.rows(text, (sql.values.several(trade_ids),))
    fills = fills_of(sql, {order_id for _, order_id, _, has_fills in rows if has_fills})
    found: dict[int, list[VenueOrder]] = {}
    for trade_id, order_id, registers, _ in rows:
        found.setdefault(trade_id, []).append(_order(registers, fills.get(order_id, ())))
    return {trade_id: tuple(orders) for trade_id, orders in found.items()}


def external_of(sql: Sql, order_ids: Sequence[str], *, lock: bool = False) -> dict[str, VenueOrder]:
    """Load orders that no trade claims, with their fills."""
    text = (
        f"SELECT order_id, registers FROM venue_orders WHERE {sql.among('order_id')} "
        "AND trade_id IS NULL ORDER BY order_id"
    )
    rows = sql.rows(text + (sql.for_update if lock else ""), (sql.values.several(order_ids),))
    fills = fills_of(sql, {order_id for order_id, _ in rows})
    return {order_id: _order(registers, fills.get(order_id, ())) for order_id, registers in rows}


def fills_of(sql: Sql, order_ids: Iterable[str]) -> dict[str, tuple[Fill, ...]]:
    """Load fills by order id, each set sorted by entry id."""
    wanted = sorted(set(order_ids))
    if not wanted:
        return {}
    text = f"SELECT {_FILLS} FROM fills WHERE {sql.among('order_id')} ORDER BY entry_id"
    found: dict[str, list[Fill]] = {}
    for row in sql.rows(text, (sql.values.several(wanted),)):
        fill = _fill(row, sql.values)
        found.setdefault(fill.order_id, []).append(fill)
    # bytewise, as Python sorts: a server's collation may order otherwise
    return {key: tuple(sorted(fills, key=_entry_id)) for key, fills in found.items()}


def put_fills(sql: Sql, fills: Iterable[Fill]) -> None:
    """Write fills that the join has chosen; a later booking of an entry replaces the earlier."""
    sql.many(_PUT_FILL, (_fill_row(fill, sql.values) for fill in sorted(fills, key=_entry_id)))


def put_claims(sql: Sql, pairs: Iterable[tuple[Trade | None, Trade]], at: datetime) -> None:
    """Write the venue orders of trades that differ from before, with what is new of their fills."""
    rows: list[tuple[Any, ...]] = []
    claimed: list[str] = []
    fills: dict[str, Fill] = {}
    now = sql.values.time(at)
    for before, after in pairs:
        known = {} if before is None else {order.order_id: order for order in before.orders}
        for order in after.orders:
            old = known.get(order.order_id)
            if old == order:
                continue
            foreign = needs_match(after) and contradicts(after, order)
            rows.append(_order_row(order, after.trade_id, now, mismatch=foreign))
            if old is None and not foreign:
                claimed.append(order.order_id)
            old_fills = {} if old is None else {fill.entry_id: fill for fill in old.fills}
            fills.update((f.entry_id, f) for f in order.fills if old_fills.get(f.entry_id) != f)
    if claimed:  # no longer external ones; a DELETE by itself locks rows as it finds them, and so may deadlock
        no_longer = f"FROM venue_orders WHERE trade_id IS NULL AND {sql.among('order_id')}"
        wanted = (sql.values.several(claimed),)
        if sql.rows(f"SELECT order_id {no_longer} ORDER BY order_id{sql.for_update}", wanted):
            sql.run(f"DELETE {no_longer}", wanted)
    sql.many(_PUT_CLAIM, rows)
    put_fills(sql, fills.values())


def put_external(sql: Sql, orders: Iterable[VenueOrder], at: datetime) -> None:
    """Write orders that no trade claims."""
    now = sql.values.time(at)
    text = (
        f"INSERT INTO venue_orders ({_ORDER_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
        f"ON CONFLICT (order_id) WHERE trade_id IS NULL DO UPDATE SET {_UPDATED}"
    )
    sql.many(text, [_order_row(order, None, now, mismatch=False) for order in orders])


def _order(registers: str, fills: tuple[Fill, ...]) -> VenueOrder:
    """Read an order from its text: what this process wrote itself, it need not parse again."""
    order = _read.get(registers) or _remembered(registers, codec.load_order(registers))
    return replace(order, fills=fills) if fills else order


def _remembered(registers: str, order: VenueOrder) -> VenueOrder:
    if len(_read) >= _REMEMBERED:
        _read.clear()
    _read[registers] = order
    return order


def _order_row(order: VenueOrder, trade_id: int | None, now: Any, *, mismatch: bool) -> tuple[Any, ...]:
    registers = codec.dump_order(order)
    _remembered(registers, replace(order, fills=()) if order.fills else order)
    return (
        order.order_id,
        trade_id,
        order.client_order_id,
        order.product_id,
        mismatch,
        registers,
        now,
        now,
    )


def _entry_id(fill: Fill) -> str:
    return fill.entry_id


def _fill(row: Sequence[Any], values: Values) -> Fill:
    read = dict(zip(FILL_COLUMNS, row, strict=True))
    for name in ("price", "size", "commission"):
        read[name] = values.number(read[name])
    for name in ("trade_time", "sequence_timestamp"):
        read[name] = values.moment(read[name])
    read["size_in_quote"] = bool(read["size_in_quote"])
    read["side"] = None if read["side"] is None else Side(read["side"])
    return Fill(**read)


def _fill_row(fill: Fill, values: Values) -> tuple[Any, ...]:
    return (
        fill.entry_id,
        fill.order_id,
        fill.venue_trade_id,
        fill.trade_type,
        values.decimal(fill.price),
        values.decimal(fill.size),
        fill.size_in_quote,
        values.decimal(fill.commission),
        values.time(fill.trade_time),
        values.time(fill.sequence_timestamp),
        fill.product_id,
        None if fill.side is None else fill.side.value,
        fill.liquidity_indicator,
    )
