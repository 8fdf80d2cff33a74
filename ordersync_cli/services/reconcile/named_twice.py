"""Compares the order that a trade was answered with, where another trade's row names that order already.

A reused client order id is answered with the old order's id (trap T13). The row that had it first
keeps it, so a look-up by id speaks of that row alone; the newer trade has to be told by its own number.
"""

from __future__ import annotations

from collections.abc import Sequence

from ordersync_cli.domain.standing import derive
from ordersync_cli.services.reconcile.pass_report import Found
from ordersync_cli.services.reconcile.work import Work


def settle_named_twice(work: Work, trade_ids: Sequence[int]) -> None:
    """Look at the orders that these trades name and their rows cannot; tell each trade what was seen.

    An order of other terms makes the newer trade `rejected` (the client order id is in use). One that
    is both trades' own moves both, and is an open break: one execution stands in two rows.
    """
    with work.store.read() as transaction:
        trades = transaction.trades.load(trade_ids, lock=False)
    named: dict[str, list[int]] = {}
    for trade_id, trade in sorted(trades.items()):
        order_id = derive(trade).order_id
        if order_id is not None:
            named.setdefault(order_id, []).append(trade_id)
    for part in work.looker.batches(named, work.lane):
        for seen in part.orders:
            work.record_about({trade_id: [seen] for trade_id in named[seen.order_id]})
    name_both(work, trade_ids)


def name_both(work: Work, trade_ids: Sequence[int]) -> None:
    """Report those of these trades that claim an order which another row has."""
    with work.store.read() as transaction:
        trades = transaction.trades.load(trade_ids, lock=False)
        standing = {trade_id: derive(trade) for trade_id, trade in sorted(trades.items())}
        rows = transaction.trades.ids_of(order_ids=[s.order_id for s in standing.values() if s.order_id])
    found = [
        Found(
            kind="duplicate",
            severity="open",
            key=trades[trade_id].request.client_order_id or f"trade-{trade_id}",
            order_id=now.order_id,
            trade_id=trade_id,
            stored=f"trades {rows[now.order_id]} and {trade_id} both have the order {now.order_id}",
            venue=now.venue_status,
            age_seconds=0.0,
            money_effect=now.figures.filled_value if now.figures is not None else None,
        )
        for trade_id, now in standing.items()
        if now.order_id is not None and now.venue_status and rows.get(now.order_id, trade_id) != trade_id
    ]
    work.report(found)
