"""Rows that another program writes into our table: followed where they can be, put right where they lie.

A bot may insert its own rows; they are picked up like any pending trade. What it writes over a
column that the join decides is written again, with an alert: only the venue moves those.
"""

from __future__ import annotations

from ordersync_cli.domain.trade import Alarm
from ordersync_cli.domain.view import TradeView
from ordersync_cli.services.ports import TradeFilter, Transaction
from ordersync_cli.services.reconcile.pass_report import Detail, Found
from ordersync_cli.services.reconcile.work import Work

AT_ONCE = 100


def put_right(work: Work) -> None:
    """Write again what was overwritten, and name the rows that cannot be followed."""
    with work.store.read() as transaction:
        overwritten = transaction.trades.overwritten_ids()
        unreadable = transaction.trades.unreadable()
    for start in range(0, len(overwritten), AT_ONCE):
        work.pulse.step()
        with work.store.write() as transaction:
            _rewrite(work, transaction, overwritten[start : start + AT_ONCE])
    work.report([_unreadable(trade_id, why) for trade_id, why in unreadable.items()])


def _rewrite(work: Work, transaction: Transaction, trade_ids: list[int]) -> None:
    wanted = TradeFilter(trade_ids=trade_ids)
    before = {v.trade_id: v for v in transaction.trades.views(wanted)}
    transaction.trades.rewrite(trade_ids)
    alarms = []
    for view in transaction.trades.views(wanted):
        was = before[view.trade_id]
        work.tally.checked.add(view.trade_id)
        text = f"another program wrote over trade {view.trade_id} ({_words(was)}); it reads {_words(view)} again"
        alarms.append(Alarm(rule="foreign_write", severity="warning", message=text, order_id=view.order_id))
        if was.status != view.status:
            _count(work, transaction, was, view)
    work.recorder.announce(transaction, alarms, [])


def _count(work: Work, transaction: Transaction, was: TradeView, view: TradeView) -> None:
    key = view.order_id or view.client_order_id or f"trade-{view.trade_id}"
    found = Found(
        kind="status",
        severity="repaired",
        key=key,
        order_id=view.order_id,
        trade_id=view.trade_id,
        stored=_words(was),
        venue=_words(view),
        age_seconds=0.0,
    )
    work.tally.see(transaction, found, work.clock.now())
    work.tally.details[view.trade_id] = Detail(
        key=key,
        trade_id=view.trade_id,
        old_status=was.status,
        new_status=view.status,
        old_order_status=was.order_status,
        new_order_status=view.order_status,
        venue_status=view.venue_status,
        filled_size=view.filled_size,
        explanation=(
            f"stored: {_words(was)}, written by another program",
            "rule: what the join decides is moved by the venue's word alone",
            f"written: {_words(view)}",
        ),
    )


def _unreadable(trade_id: int, why: str) -> Found:
    return Found(
        kind="stale",
        severity="open",
        key=f"trade-{trade_id}",
        order_id=None,
        trade_id=trade_id,
        stored=f"a row of another program that cannot be followed: {why}",
        venue=None,
        age_seconds=0.0,
    )


def _words(view: TradeView) -> str:
    return f"{view.status} ({view.order_status})"
