"""Ends a pass: which breaks are gone, what the result is, and what a person must hear of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from ordersync_cli.domain.orders import OrderStatus, Status
from ordersync_cli.domain.view import TradeView
from ordersync_cli.errors import StoreError
from ordersync_cli.services.ports import StoredBreak, TradeFilter, Transaction
from ordersync_cli.services.reconcile import drift
from ordersync_cli.services.reconcile.acceptance import Accepted, accepted_breaks, forget_accepted
from ordersync_cli.services.reconcile.differences import UNTIL_ACCEPTED
from ordersync_cli.services.reconcile.light import read_views
from ordersync_cli.services.reconcile.pass_report import Detail, Found, PassReport
from ordersync_cli.services.reconcile.work import Work

SETTLED_FEED = timedelta(seconds=30)  # a feed that was live this long should have told of it


def close_pass(work: Work, *, requests: int) -> PassReport:
    """Resolve what is gone and sum the pass up; the caller writes the run's row."""
    at = work.clock.now()
    work.report(_lost_repairs(work))
    with work.store.write() as transaction:
        if work.lease is not None:
            transaction.fence(work.lease)
        forget_accepted(transaction, _no_longer_accepted(transaction, work))
        over = [row for row in work.tally.not_found_again() if _is_gone(transaction, work, row)]
        for row in over:
            transaction.breaks.resolve(row.key, [row.kind], at, "gone: a later pass did not find it again")
        _sound_drift(transaction, work, at)
        alerts = sum(1 for i in transaction.incidents.between(work.started_at, at) if i.opened_at >= work.started_at)
    gone = {(row.kind, row.key) for row in over}
    breaks = (*work.tally.found.values(), *work.tally.still_open(gone))
    report = _report(work, work.tally.details.values(), requests, at)
    return replace(report, breaks=breaks, alerts=alerts, result=_result(work, breaks))


def cut_short(work: Work, *, requests: int) -> PassReport | None:
    """Sum up what a pass committed before it failed; None where the store cannot say."""
    details = work.tally.details
    try:
        kept = [details[v.trade_id] for v in read_views(work, list(details)) if _reads_as_after(details[v.trade_id], v)]
    except StoreError:
        return None
    return _report(work, kept, requests, work.clock.now())


def _report(work: Work, details: Iterable[Detail], requests: int, at: datetime) -> PassReport:
    return PassReport(
        run_id=work.run_id,
        mode=work.mode,
        dry_run=work.dry,
        started_at=work.started_at,
        finished_at=at,
        checked=len(work.tally.checked),
        details=tuple(details),
        breaks=tuple(work.tally.found.values()),
        adopted=tuple(work.tally.adopted),
        fills_added=work.tally.fills_added,
        requests=requests,
        alerts=0,
        result=None,
        notes=tuple(work.tally.notes),
    )


def _lost_repairs(work: Work) -> list[Found]:
    """Read every repaired row back; one that reads as before the repair is a break of our own making."""
    details = work.tally.details
    return [
        Found(
            kind="status",
            severity="open",
            key=details[view.trade_id].key,
            order_id=view.order_id,
            trade_id=view.trade_id,
            stored=f"{view.status} ({view.order_status}), read back after the repair",
            venue=f"{details[view.trade_id].new_status} ({details[view.trade_id].new_order_status})",
            age_seconds=0.0,
            lasts=False,
        )
        for view in read_views(work, list(details))
        if _reads_as_before(details[view.trade_id], view)
    ]


def _reads_as_before(detail: Detail, view: TradeView) -> bool:
    before = (detail.old_status, detail.old_order_status)
    return before != (detail.new_status, detail.new_order_status) and before == (view.status, view.order_status)


def _reads_as_after(detail: Detail, view: TradeView) -> bool:
    """Tell whether a change was committed: what a failed transaction counted was rolled back."""
    return (detail.new_status, detail.new_order_status) == (view.status, view.order_status)


def _result(work: Work, breaks: Iterable[Found]) -> str:
    if any(found.severity == "open" for found in breaks):
        return "breaks"
    return "drift" if work.tally.details or work.tally.adopted else "in_sync"


def _no_longer_accepted(transaction: Transaction, work: Work) -> set[Accepted]:
    """List the acceptances that are over: of what is gone, and of what says something else now."""
    seen = work.tally.accepted | work.tally.found.keys()  # one may have been accepted after this pass found it
    unseen = [a for a in accepted_breaks(transaction).values() if a.identity not in seen]
    return work.tally.changed | {a for a in unseen if _is_gone(transaction, work, a)}


def _is_gone(transaction: Transaction, work: Work, row: StoredBreak | Accepted) -> bool:
    """Tell whether the cause of a break was looked for in this pass and is not there any more."""
    if row.kind in UNTIL_ACCEPTED:
        return False
    view = _view(transaction, row)
    match row.kind:
        case "unknown_outcome":
            return view is not None and view.order_status != OrderStatus.SUBMITTING
        case "missing_fill" | "extra_fill":
            return view is not None and view.fills_verified
        case "external_order":
            return row.key in transaction.trades.ids_of(order_ids=[row.key])
        case "missing_at_venue" | "stale":
            was_pending = row.kind == "stale" or row.stored == Status.PENDING
            settled = view is not None and view.status != Status.PENDING
            return row.key in work.tally.answered or (was_pending and settled)
        case _:
            return row.key in work.tally.answered


def _view(transaction: Transaction, row: StoredBreak | Accepted) -> TradeView | None:
    if row.trade_id is None:
        return None
    views = transaction.trades.views(TradeFilter(trade_ids=[row.trade_id]))
    return views[0] if views else None


def _sound_drift(transaction: Transaction, work: Work, at: datetime) -> None:
    """Sound the alarm where this pass found what a live feed should have told, or a settled row was wrong."""
    live = any(
        w.role == "driving" and w.feed_state == "live" and at - w.feed_since > SETTLED_FEED
        for w in transaction.watchers.list()
    )
    drift.said(transaction, work.mode)
    missed, first = work.tally.drift.missed(live=live)
    if not missed:
        return
    message = f"a pass repaired {missed} trades that nobody had told of; the first: {first}"
    work.alarm(transaction, "drift_found", "warning", message, None)
