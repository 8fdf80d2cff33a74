"""Venue orders that no trade claims: followed as values, taken in only when somebody adopts them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ordersync_cli.domain.merge import join_order
from ordersync_cli.domain.observations import FillsSeen, OrderSeen
from ordersync_cli.domain.registers import external_sight
from ordersync_cli.domain.trade import VenueOrder
from ordersync_cli.store.context import Context
from ordersync_cli.store.registers import external_of, fills_of, put_external, put_fills


class Externals:
    """Keeps external orders inside one transaction, through the same join as trades."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._sql = context.sql

    def save(self, orders: Sequence[OrderSeen], *, now: datetime) -> None:
        """Join what was seen into what is kept, rows locked in the order of their ids."""
        claimed = self._claimed(orders)
        orders = [seen for seen in orders if seen.order_id not in claimed]
        if not orders:
            return
        wanted = sorted({seen.order_id for seen in orders})
        known = external_of(self._sql, wanted, lock=True)
        joined = dict(known)
        for seen in orders:
            told = external_sight(seen, now)
            before = joined.get(seen.order_id)
            joined[seen.order_id] = told if before is None else join_order(before, told)
        moved = [joined[order_id] for order_id in wanted if joined[order_id] != known.get(order_id)]
        put_external(self._sql, moved, now)

    def load(self, order_id: str) -> VenueOrder | None:
        """Load an external order with its fills."""
        return external_of(self._sql, [order_id]).get(order_id)

    def list(self, limit: int = 1000) -> list[VenueOrder]:
        """List external orders, the last seen first; not one that a trade claimed while it was written down here."""
        text = (
            "SELECT order_id FROM venue_orders v WHERE trade_id IS NULL AND NOT EXISTS (SELECT 1 FROM venue_orders c "
            "WHERE c.order_id = v.order_id AND c.trade_id IS NOT NULL AND NOT c.mismatch) "
            "ORDER BY updated_at DESC, order_id LIMIT ?"
        )
        wanted = [order_id for (order_id,) in self._sql.rows(text, (limit,))]
        found = external_of(self._sql, wanted)
        return [found[order_id] for order_id in wanted]

    def fills(self, rows: Sequence[FillsSeen]) -> None:
        """Keep fills of external orders, so that an adoption has them.

        Those of an order that a trade has claimed meanwhile count for that trade.
        """
        claimed = self._claimed(rows)
        at = self._context.clock.now()
        wanted = sorted({seen.order_id for seen in rows})
        known = external_of(self._sql, wanted, lock=True)
        stored = fills_of(self._sql, wanted)
        joined: dict[str, VenueOrder] = {}
        for seen in rows:
            new = VenueOrder(order_id=seen.order_id, fills=stored.get(seen.order_id, ()))
            before = joined.get(seen.order_id) or known.get(seen.order_id, new)
            after = join_order(before, external_sight(seen, at))
            put_fills(self._sql, [fill for fill in after.fills if fill not in set(before.fills)])
            joined[seen.order_id] = after
        moved = [o for o in joined.values() if o.order_id not in claimed and o != known.get(o.order_id)]
        put_external(self._sql, moved, at)

    def _claimed(self, rows: Sequence[OrderSeen] | Sequence[FillsSeen]) -> set[str]:
        among = self._sql.among("order_id")
        text = f"SELECT order_id FROM venue_orders WHERE {among} AND trade_id IS NOT NULL AND NOT mismatch"
        wanted = sorted({seen.order_id for seen in rows})
        return {order_id for (order_id,) in self._sql.rows(text, (self._sql.values.several(wanted),))}
