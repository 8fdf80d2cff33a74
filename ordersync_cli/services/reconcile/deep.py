"""The deep pass: every order and fill that the venue lists, held against every stored trade."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ordersync_cli.domain.orders import OrderStatus, Status
from ordersync_cli.domain.view import TradeView
from ordersync_cli.services.ports import FillPage, TradeFilter, Transaction
from ordersync_cli.services.reconcile.adoption import adopt
from ordersync_cli.services.reconcile.auditing import AUDIT_OLD, audit
from ordersync_cli.services.reconcile.external import External
from ordersync_cli.services.reconcile.light import LightPass, missing_at_venue
from ordersync_cli.services.reconcile.listing import Last, list_booked, list_created, look_up
from ordersync_cli.services.reconcile.witness import Witness
from ordersync_cli.services.reconcile.work import Work

ORDERS = "deep_orders"  # names of watermarks
FILLS = "deep_fills"
SLICE = timedelta(days=2)
OVERLAP = timedelta(minutes=10)
LONG_WINDOW = timedelta(days=7)
LONG_EVERY = timedelta(days=1)
BEFORE_INTENT = timedelta(minutes=5)  # clocks: an order is never created earlier than this before its attempt
KEPT_AT_MOST = 100_000  # external orders
_LONG_AT = "deep_long_at"


@dataclass(slots=True, kw_only=True)
class DeepPass:
    """Audits, settles what is pending, then reads the venue's books from the watermarks on."""

    work: Work
    since: datetime | None = None
    adopt: bool = False
    sample: int = AUDIT_OLD
    external: External = field(init=False)
    witness: Witness = field(init=False)

    def __post_init__(self) -> None:
        self.external = External(self.work)
        self.witness = Witness(self.work)

    def run(self) -> None:
        """Run the pass. Raises what its first failed look-up raised; all before it is committed."""
        self.work.venue.offset()  # before the venue was heard, "now" is this machine's clock: maybe wrong (trap T41)
        end = self.work.venue.now()
        audit(self.work, self.sample)
        LightPass(work=self.work).run()
        start = self._read_orders(end)
        self._read_fills(end)
        self._ask_for_unlisted(start, end)
        self._settle_late()
        if self.adopt:
            adopt_kept(self.work, self.external.order_ids)
        self.witness.note()
        self._remember_long(end)

    # ------------------------------------------------------------------ the venue's books

    def _read_orders(self, end: datetime) -> datetime:
        """List the orders created since the last deep pass, slice by slice; returns the first start."""
        start, moves = self._window(ORDERS, end)
        ceiling = self._ceiling()
        for low, high in slices(start, end):
            last = self._mover(ORDERS, min(high, ceiling)) if moves else None
            list_created(self.work, low, high, each=self.external.took, last=last)
        return start

    def _read_fills(self, end: datetime) -> None:
        """List the fills booked since the last deep pass, and the orders that they speak of."""
        start, moves = self._window(FILLS, end)
        ceiling = self._ceiling()
        for low, high in slices(start, end):
            last = self._mover(FILLS, min(high, ceiling)) if moves else None
            list_booked(self.work, low, high, before=self._know_orders, take=self.witness.took, last=last)

    def _know_orders(self, page: FillPage) -> None:
        """Fetch the orders of fills that neither the store nor this pass has heard of: old external ones."""
        ids = {f.order_id for f in page.fills}
        with self.work.store.read() as transaction:
            known = set(transaction.trades.ids_of(order_ids=ids))
        unknown = sorted(ids - known - self.external.order_ids.keys())
        for _ in look_up(self.work, unknown, each=self.external.took):
            pass

    def _window(self, name: str, end: datetime) -> tuple[datetime, bool]:
        """Tell from when on to read, and whether the watermark may move over what is read."""
        with self.work.store.read() as transaction:
            reached = transaction.runs.watermark(name)
        usual = end - LONG_WINDOW if reached is None or self._long_due(end) else reached - OVERLAP
        usual = min(usual, reached - OVERLAP) if reached is not None else usual
        if self.since is None:
            return usual, True
        # What lies between the watermark and a later start was not read: the watermark stays.
        return self.since, reached is not None and self.since <= reached

    def _long_due(self, end: datetime) -> bool:
        with self.work.store.read() as transaction:
            noted = transaction.notes.get(_LONG_AT)
        return noted is None or end - datetime.fromisoformat(noted) >= LONG_EVERY

    def _remember_long(self, end: datetime) -> None:
        if self.since is None and self._long_due(end):
            with self.work.store.write() as transaction:
                transaction.notes.set(_LONG_AT, end.isoformat())

    def _ceiling(self) -> datetime:
        """Tell how far a watermark may go: never past an unresolved intent."""
        with self.work.store.read() as transaction:
            trades = transaction.trades.load(self._intents(transaction), lock=False)
        sent = [t.attempt_at or t.created_at for t in trades.values()]
        return min([self.work.venue.now(), *(at - BEFORE_INTENT for at in sent)])

    def _intents(self, transaction: Transaction) -> list[int]:
        pending = transaction.trades.pending_ids()
        return [
            v.trade_id
            for start in range(0, len(pending), 500)
            for v in transaction.trades.views(TradeFilter(trade_ids=pending[start : start + 500]))
            if v.order_status == OrderStatus.SUBMITTING
        ]

    def _mover(self, name: str, to: datetime) -> Last:
        def move(transaction: Transaction) -> None:
            reached = transaction.runs.watermark(name)
            if reached is None or to > reached:
                transaction.runs.move_watermark(name, to, self.work.lease)

        return move

    # ------------------------------------------------------------------ the other direction

    def _ask_for_unlisted(self, start: datetime, end: datetime) -> None:
        """Ask by id for every stored order of the window that no listing showed."""
        with self.work.store.read() as transaction:
            views = transaction.trades.views(TradeFilter(since=start, until=end))
            missed = [r.trade_id for r in self.work.tally.known.values() if r.kind == "missing_at_venue" and r.trade_id]
            views += transaction.trades.views(TradeFilter(trade_ids=missed)) if missed else []
        silent: dict[str, TradeView] = {}
        for view in views:
            self.work.tally.checked.add(view.trade_id)
            if view.order_id is not None and view.order_id not in self.work.tally.answered:
                silent[view.order_id] = view
        already = {key for kind, key in self.work.tally.found if kind in {"missing_at_venue", "stale"}}
        asked = [order_id for order_id in silent if order_id not in already]
        found = []
        for part, _ in look_up(self.work, asked):
            found += [missing_at_venue(silent[i], self.work.clock.now()) for i in part.missing]
        self.work.report(found)

    def _settle_late(self) -> None:
        """Settle what the books showed as ended: fills, and the second look at what has none."""
        changed = {d.trade_id for d in self.work.tally.details.values() if d.new_status == Status.PENDING}
        LightPass(work=self.work, only=frozenset(changed)).run()


def adopt_kept(work: Work, listed: Iterable[str] = ()) -> None:
    """Take in the external orders that were listed now or at any time before, and settle them."""
    with work.store.read() as transaction:
        kept = [o.order_id for o in transaction.external.list(limit=KEPT_AT_MOST)]
    if adopt(work, list(dict.fromkeys([*listed, *kept]))):
        LightPass(work=work).run()


def slices(start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Cut [start, end) into slices, oldest first."""
    low = start
    while low < end:
        high = min(low + SLICE, end)
        yield low, high
        low = high
