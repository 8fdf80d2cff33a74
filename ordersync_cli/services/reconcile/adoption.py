"""Takes an external order into the store: a trade that names its order, with all that was seen of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from ordersync_cli.domain.observations import OrderSeen
from ordersync_cli.domain.orders import OrderRequest, OrderType, Origin, Side, Source
from ordersync_cli.domain.trade import Trade, VenueOrder
from ordersync_cli.services.ports import Transaction
from ordersync_cli.services.reconcile.work import Work
from ordersync_cli.services.record import Recorder


def adopt(work: Work, order_ids: Sequence[str]) -> int:
    """Look these external orders up and take them in; returns how many were new."""
    before = len(work.tally.adopted)
    for part in work.looker.batches(order_ids, work.lane):
        work.pulse.step()
        with work.store.write() as transaction:
            for seen in part.orders:
                at = work.clock.now()
                if adopt_in(transaction, seen, at=at, source=work.source, recorder=work.recorder) is not None:
                    work.tally.adopted.append(seen.order_id)
        recorded = work.record(part.orders)
        for change in recorded.changes:
            if change.after.trade_id is not None:
                work.tally.checked.add(change.after.trade_id)
    return len(work.tally.adopted) - before


def adopt_in(
    transaction: Transaction, seen: OrderSeen, *, at: datetime, source: Source, recorder: Recorder
) -> Trade | None:
    """Take one order in; None when a trade has it already. Its state follows by recording it."""
    if transaction.trades.ids_of(order_ids=[seen.order_id]):
        return None
    kept = transaction.external.load(seen.order_id) or VenueOrder(order_id=seen.order_id)
    client_order_id = seen.client_order_id or None
    if client_order_id and transaction.trades.ids_of(client_order_ids=[client_order_id]):
        client_order_id = None  # another trade has this id: this order is not its order
    return recorder.added_in(
        transaction,
        Trade(
            request=request_of(seen, client_order_id),
            created_at=seen.created_time or at,
            origin=Origin.ADOPTED,
            orders=(replace(kept, accepted=True),),
            source=source,
            updated_at=at,
        ),
    )


def request_of(seen: OrderSeen, client_order_id: str | None) -> OrderRequest:
    """Tell, as far as the venue shows it, what somebody asked for."""
    known = {kind.value: kind for kind in OrderType}
    return OrderRequest(
        product_id=seen.product_id or "",
        side=seen.side or Side.BUY,
        order_type=known.get(seen.order_type or "", OrderType.OTHER),
        client_order_id=client_order_id,
        base_size=seen.base_size,
        quote_size=seen.quote_size,
        limit_price=seen.limit_price,
        stop_price=seen.stop_price,
    )
