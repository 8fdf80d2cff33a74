"""One look by REST at every pending trade, for `watch --once`."""

from __future__ import annotations

from ordersync_cli.clock import Clock
from ordersync_cli.domain.orders import Source
from ordersync_cli.domain.standing import derive
from ordersync_cli.services.ports import Lane, Store, Venue
from ordersync_cli.services.reconcile.looks import Looker
from ordersync_cli.services.record import Recorder


def look_once(store: Store, venue: Venue, recorder: Recorder, clock: Clock, only: frozenset[int] | None) -> int:
    """Look every pending trade up, batched, and commit batch by batch; returns how many were asked for.

    Raises what a look-up raised; what was committed before it stays.
    """
    with store.read() as transaction:
        ids = [k for k in transaction.trades.pending_ids() if only is None or k in only]
        trades = transaction.trades.load(ids, lock=False)
    order_ids = [order_id for trade in trades.values() if (order_id := derive(trade).order_id) is not None]
    looker = Looker(venue, clock)
    due: list[str] = []
    for part in looker.batches(order_ids, Lane.POLL):
        recorded = recorder.seen(part.orders, source=Source.POLL)
        due += [c.now.order_id for c in recorded.changes if c.now.fills_due and c.now.order_id is not None]
    for rows in looker.fill_batches(due, Lane.POLL):
        recorder.seen(rows, source=Source.POLL)
    return len(order_ids)
