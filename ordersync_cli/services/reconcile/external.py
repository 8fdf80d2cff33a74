"""Orders at the venue that no trade claims: listed, explained, and loud where they carry our tag."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ordersync_cli.domain.identity import has_tag
from ordersync_cli.domain.observations import OrderSeen
from ordersync_cli.services.freeze import freeze
from ordersync_cli.services.ports import Transaction
from ordersync_cli.services.reconcile.pass_report import Found
from ordersync_cli.services.reconcile.work import Work
from ordersync_cli.services.record import Recorded

LOOK_BACK = timedelta(days=30)  # how long an acceptance of a tagged order is remembered
PLACED_BY = {
    "RETAIL_SIMPLE": "placed in the simple app",
    "RETAIL_ADVANCED": "placed by API or in the Advanced app",
}


@dataclass(slots=True)
class External:
    """Collects what a pass saw of orders that are not ours."""

    work: Work
    tag: str = field(init=False)
    order_ids: dict[str, None] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        with self.work.store.read() as transaction:
            self.tag = transaction.notes.get("tag") or ""

    def took(self, transaction: Transaction, recorded: Recorded) -> None:
        """List the external orders of a page; freeze placing where one carries our tag.

        Inside the page's own transaction: the watermark that moves with it would hide them from
        the next pass.
        """
        fresh = {o.order_id: o for o in recorded.external if o.order_id not in self.order_ids}
        self.order_ids.update(dict.fromkeys(fresh))
        at = self.work.clock.now()
        tagged = [i for i, order in fresh.items() if has_tag(order.client_order_id, self.tag)]
        unknown = set(tagged) - self._accepted(transaction, at) if tagged else set()
        for order_id in sorted(fresh):  # rows are locked in the order of their ids
            if order_id not in unknown:
                self.work.tally.see(transaction, self._found(fresh[order_id]), at)
        for order_id in sorted(unknown):
            self._unknown_tagged(transaction, fresh[order_id], at)

    def _unknown_tagged(self, transaction: Transaction, order: OrderSeen, at: datetime) -> None:
        """A restored backup, or a second copy of this store: nothing may be placed until somebody looks."""
        self.work.tally.see(transaction, self._found(order, kind="unknown_tagged_order", severity="open"), at)
        why = (
            f"order {order.order_id} ({order.client_order_id}) carries this store's tag, but the store does "
            "not know it: a restored backup, or a second copy."
        )
        freeze(transaction, why, at)
        self.work.alarm(transaction, "unknown_tagged_order", "critical", why, order.order_id)

    def _accepted(self, transaction: Transaction, at: datetime) -> set[str]:
        """Name the tagged orders that a person has accepted."""
        rows = transaction.breaks.between(at - LOOK_BACK, at + timedelta(seconds=1))
        return {r.key for r in rows if r.kind == "unknown_tagged_order" and (r.resolution or "").startswith("accepted")}

    def _found(self, order: OrderSeen, *, kind: str = "external_order", severity: str = "info") -> Found:
        figures = order.figures
        filled = f", filled {figures.filled_size:f}" if figures is not None else ""
        side = order.side.value if order.side is not None else ""
        source = PLACED_BY.get(order.placement_source or "", order.placement_source or "")
        since = order.created_time
        age = 0.0 if since is None else (self.work.venue.now() - since).total_seconds()
        return Found(
            kind=kind,
            severity=severity,
            key=order.order_id,
            order_id=order.order_id,
            trade_id=None,
            stored=None,
            venue=f"{order.word} {side} {order.product_id}{filled}, {source}".rstrip(", "),
            age_seconds=max(0.0, age),
            money_effect=figures.filled_value if figures is not None else None,
            lasts=kind == "external_order",  # how long a tagged one stays accepted is told by its rows
        )
