"""Draws trades at random and holds them against the venue before anything is repaired."""

from __future__ import annotations

from datetime import timedelta

from ordersync_cli.domain.orders import Origin
from ordersync_cli.services.reconcile.audits import Audit, save_audit
from ordersync_cli.services.reconcile.light import read_views
from ordersync_cli.services.reconcile.listing import look_up
from ordersync_cli.services.reconcile.work import Work

AUDIT_RECENT = 100  # ended trades drawn from those touched within a day
AUDIT_PENDING = 50  # trades drawn from those that are pending
AUDIT_OLD = 20  # ended trades drawn from all the others
DAY = timedelta(days=1)
AGES = timedelta(days=36_500)


def audit(work: Work, old: int = AUDIT_OLD) -> None:
    """Draw without replacement, look, and write down who matched; ``old`` ended trades of any age among them."""
    drawn = _draw(work, old)
    orders = {v.order_id: v.trade_id for v in read_views(work, drawn) if v.order_id is not None}
    answered: set[int] = set()
    for part, _ in look_up(work, list(orders)):
        answered.update(orders[o.order_id] for o in part.orders if o.order_id in orders)
    if not answered:
        return
    work.tally.checked |= answered
    found = Audit(
        at=work.clock.now(),
        audited=frozenset(answered),
        differed=frozenset(answered & work.tally.differed),
    )
    with work.store.write() as transaction:
        save_audit(transaction, work.run_id, found)


def _draw(work: Work, old: int) -> list[int]:
    at = work.clock.now()
    lot = int(work.chance.uniform(0, 2**31))
    with work.store.read() as transaction:
        recent = transaction.trades.sample_terminal(at - DAY, AUDIT_RECENT, lot)
        any_age = transaction.trades.sample_terminal(at - AGES, AUDIT_RECENT + old, lot + 1)
        pending = work.chance.sample(transaction.trades.pending_ids(), AUDIT_PENDING)
        known = transaction.trades.load(pending, lock=False)
    ours = [i for i in pending if i in known and known[i].origin is not Origin.IMPORTED]
    older = [i for i in any_age if i not in set(recent)][:old]
    return [*recent, *older, *ours]
