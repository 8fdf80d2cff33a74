"""Venue orders that no trade claims: followed as values, taken in only when somebody adopts them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ordersync_cli.domain.fills import clean
from ordersync_cli.domain.merge import join_order
from ordersync_cli.domain.observations import FillsSeen, OrderSeen
from ordersync_cli.domain.orders import OrderRequest, OrderType, Origin, Side
from ordersync_cli.domain.registers import sighting
from ordersync_cli.domain.trade import Trade, VenueOrder
from ordersync_cli.store.context import Context
from ordersync_cli.store.registers import external_of, put_external, put_fills


class Externals:
    """Keeps external orders inside one transaction, through the same join as trades."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._sql = context.sql

    def save(self, orders: Sequence[OrderSeen], *, now: datetime) -> None:
        """Join what was seen into what is kept, rows locked in the order of their ids."""
        if not orders:
            return
        wanted = sorted({seen.order_id for seen in orders})
        known = external_of(self._sql, wanted, lock=True)
        joined = dict(known)
        for seen in orders:
            told = sighting(_anybody(seen, now), seen)
            before = joined.get(seen.order_id)
            joined[seen.order_id] = told if before is None else join_order(before, told)
        moved = [joined[order_id] for order_id in wanted if joined[order_id] != known.get(order_id)]
        put_external(self._sql, moved, now)

    def load(self, order_id: str) -> VenueOrder | None:
        """Load an external order with its fills."""
        return external_of(self._sql, [order_id]).get(order_id)

    def list(self, limit: int = 1000) -> list[VenueOrder]:
        """List external orders, the last seen first."""
        text = "SELECT order_id FROM venue_orders WHERE trade_id IS NULL ORDER BY updated_at DESC, order_id LIMIT ?"
        wanted = [order_id for (order_id,) in self._sql.rows(text, (limit,))]
        found = external_of(self._sql, wanted)
        return [found[order_id] for order_id in wanted]

    def fills(self, rows: Sequence[FillsSeen]) -> None:
        """Keep fills of external orders, so that an adoption has them."""
        at = self._context.clock.now()
        known = external_of(self._sql, sorted({seen.order_id for seen in rows}), lock=True)
        for seen in rows:
            before = known.get(seen.order_id) or VenueOrder(order_id=seen.order_id)
            told = VenueOrder(
                order_id=seen.order_id,
                fills=tuple(clean(fill) for fill in seen.fills if fill.order_id == seen.order_id),
                fills_read=seen.as_of if seen.complete else None,
            )
            after = join_order(before, told)
            put_fills(self._sql, [fill for fill in after.fills if fill not in set(before.fills)])
            known[seen.order_id] = after
        put_external(self._sql, known.values(), at)


def _anybody(seen: OrderSeen, now: datetime) -> Trade:
    """Stand in for the trade of an order that nobody asked for: nothing is compared with it."""
    request = OrderRequest(product_id=seen.product_id or "", side=seen.side or Side.BUY, order_type=OrderType.OTHER)
    return Trade(request=request, created_at=now, origin=Origin.ADOPTED)
