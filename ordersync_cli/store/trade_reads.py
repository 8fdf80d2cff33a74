"""Reading trades: whole, with their registers, and which trade claims an id."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ordersync_cli.domain.orders import Origin
from ordersync_cli.domain.trade import Trade, VenueOrder
from ordersync_cli.store import trade_columns
from ordersync_cli.store.registers import external_of, registers_of
from ordersync_cli.store.values import order_named

if TYPE_CHECKING:
    from ordersync_cli.store.context import Context

_LOADED = ", ".join(trade_columns.LOADED)


class TradeReads:
    """Loads whole trades inside one transaction."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._sql = context.sql

    def ids_of(self, order_ids: Iterable[str] = (), client_order_ids: Iterable[str] = ()) -> dict[str, int]:
        """Find which trade claims each id: its row first, then the registers, the oldest trade first."""
        sql = self._sql
        found: dict[str, int] = {}
        orders, clients = set(order_ids), sorted(set(client_order_ids))
        if clients:
            text = f"SELECT client_order_id, id FROM trades WHERE {sql.among('client_order_id')}"
            found.update(sql.rows(text, (sql.values.several(clients),)))
        if orders:
            # the index on order_id is partial, hence its own words
            text = f"SELECT order_id, id FROM trades WHERE {sql.among('order_id')} AND order_id <> ''"
            in_rows: dict[str, int] = dict(sql.rows(text, (sql.values.several(sorted(orders)),)))
            found.update(in_rows)
            orders -= in_rows.keys()
        if orders:
            text = (
                "SELECT v.order_id, v.trade_id FROM venue_orders v JOIN trades t ON t.id = v.trade_id "
                f"WHERE {sql.among('v.order_id')} AND NOT v.mismatch ORDER BY v.trade_id DESC"
            )
            found.update(sql.rows(text, (sql.values.several(sorted(orders)),)))
        return found

    def load(self, trade_ids: Iterable[int], *, lock: bool = True, sideless: bool = False) -> dict[int, Trade]:
        """Load whole trades; rows are locked in the order of their ids, so that nobody deadlocks.

        A bot's row without a readable side is left out: `unreadable()` names it. With ``sideless``
        it is loaded, now and by whatever else this transaction does, with a side that stands in.
        """
        sql = self._sql
        wanted = sorted(set(trade_ids))
        if not wanted:
            return {}
        text = f"SELECT {_LOADED} FROM trades WHERE {sql.among('id')} ORDER BY id"
        if lock:
            text += sql.for_update
        found = sql.rows(text, (sql.values.several(wanted),))
        if sideless:
            self._context.sideless.update(wanted)
        rows = [dict(zip(trade_columns.LOADED, row, strict=True)) for row in found]
        orders = self._orders_of(rows)
        trades: dict[int, Trade] = {}
        for row in rows:
            asked_for = row["id"] in self._context.sideless
            trade = trade_columns.trade_of(row, orders.get(row["id"], ()), sql.values, sideless=asked_for)
            if trade is not None:
                trades[row["id"]] = trade
                if row["order_status"] is None and not trade.orders:
                    self._context.unstored.add(row["id"])  # what was asked for is not written down yet
                self._context.own_words[row["id"]] = (row["status"], row["filled_at"])
                self._context.named[row["id"]] = row["order_id"]
        return trades

    def _orders_of(self, rows: Sequence[dict[str, Any]]) -> dict[int, tuple[VenueOrder, ...]]:
        orders = registers_of(self._sql, [row["id"] for row in rows])
        unfollowed = {
            row["order_id"]: row["id"]
            for row in rows
            if row["origin"] in {None, Origin.FOREIGN, Origin.IMPORTED}
            and order_named(row["order_id"])
            and row["id"] not in orders
        }
        if unfollowed:  # a row that names an order: whatever was seen of it as an external one counts
            seen = external_of(self._sql, list(unfollowed))
            for order_id, trade_id in unfollowed.items():
                known = seen.get(order_id) or VenueOrder(order_id=order_id)
                orders[trade_id] = (replace(known, accepted=True),)
                self._context.unstored.add(trade_id)
        return orders
