"""Remembers ended orders that REST goes on showing as not ended; they are asked for again.

A terminal word never reopens. But a look-up that says otherwise a minute after the end, three
times, is a contradiction that a person must see, and the order is followed as if pending.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from ordersync_cli.domain.breaks import CONTRADICTIONS, contradicts_end
from ordersync_cli.domain.observations import OrderSeen
from ordersync_cli.domain.trade import Change
from ordersync_cli.domain.words import is_terminal
from ordersync_cli.services.ports import Store
from ordersync_cli.services.reconcile.pass_report import Found
from ordersync_cli.services.reconcile.work import Work

_NOTE = "contradicted"


def contradicted(store: Store) -> dict[str, int]:
    """Count, by order, the looks that called it alive after its end."""
    with store.read() as transaction:
        return _counts(transaction.notes.get(_NOTE))


def note_contradictions(work: Work, orders: Iterable[OrderSeen], changes: Iterable[Change]) -> None:
    """Count looks that contradict a stored end, forget those that confirm it, name the third."""
    # of an order that is listed twice in one answer (trap T27) the row that confirms the end counts
    seen = {o.order_id: o for o in sorted(orders, key=lambda o: is_terminal(o.word))}
    ended = {i for i, order in seen.items() if is_terminal(order.word)}
    denied = [
        (seen[change.was.order_id], change)
        for change in changes
        if change.was.order_id in seen and contradicts_end(change.before, seen[change.was.order_id])
    ]
    if not denied and (not ended or ended.isdisjoint(contradicted(work.store))):
        return
    found: list[Found] = []
    with work.store.write() as transaction:
        # another pass counts other orders in the same note: read here, where nobody else writes it
        counts = _counts(transaction.notes.get(_NOTE, lock=True))
        for order_id in ended:
            counts.pop(order_id, None)
        for order, change in denied:
            counts[order.order_id] = counts.get(order.order_id, 0) + 1
            if counts[order.order_id] >= CONTRADICTIONS:
                found.append(_found(order, change))
        transaction.notes.set(_NOTE, json.dumps(counts, sort_keys=True) if counts else None)
    work.report(found)


def _counts(note: str | None) -> dict[str, int]:
    counts: dict[str, int] = json.loads(note or "{}")
    return counts


def _found(order: OrderSeen, change: Change) -> Found:
    return Found(
        kind="status",
        severity="open",
        key=order.order_id,
        order_id=order.order_id,
        trade_id=change.after.trade_id,
        stored=str(change.was.venue_status),
        venue=f"{order.word}, in {CONTRADICTIONS} looks or more after its end",  # no count: one look more is no news
        age_seconds=0.0,
    )
