"""Orders at the venue that no trade claims: listed, explained, and loud where they carry our tag."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta

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

    def took(self, recorded: Recorded) -> None:
        """List the external orders of a page; freeze placing where one carries our tag."""
        fresh = [o for o in recorded.external if o.order_id not in self.order_ids]
        self.order_ids.update(dict.fromkeys(o.order_id for o in fresh))
        tagged = [o for o in fresh if has_tag(o.client_order_id, self.tag)]
        if tagged:
            self._unknown_tagged(tagged)
        unknown = {o.order_id for o in tagged}
        self.work.report([self._found(o) for o in fresh if o.order_id not in unknown])

    def _unknown_tagged(self, orders: Iterable[OrderSeen]) -> None:
        """A restored backup, or a second copy of this store: nothing may be placed until somebody looks."""
        at = self.work.clock.now()
        for order in orders:
            with self.work.store.write() as transaction:
                if self._was_accepted(transaction, order.order_id):
                    self.work.tally.see(transaction, self._found(order), at)
                    continue
                found = self._found(order, kind="unknown_tagged_order", severity="open")
                self.work.tally.see(transaction, found, at)
                why = (
                    f"order {order.order_id} ({order.client_order_id}) carries this store's tag, but the store does "
                    "not know it: a restored backup, or a second copy."
                )
                freeze(transaction, why, at)
                self.work.alarm(transaction, "unknown_tagged_order", "critical", why, order.order_id)

    def _was_accepted(self, transaction: Transaction, order_id: str) -> bool:
        at = self.work.clock.now()
        rows = transaction.breaks.between(at - LOOK_BACK, at + timedelta(seconds=1))
        return any(
            r.kind == "unknown_tagged_order" and r.key == order_id and (r.resolution or "").startswith("accepted")
            for r in rows
        )

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
        )
