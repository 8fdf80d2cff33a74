"""Finds the orders of intents whose answer was lost, or gathers the proof that there is none.

An intent without an answer is never guessed about. Listings by creation time either show its
order (matched by client order id in the join), or are complete looks that did not hold it; three
such looks over a minute, all after the signed request had died for 30 s, prove its absence.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ordersync_cli.domain import absence
from ordersync_cli.domain.absence import TOKEN_DEAD_FOR, Control, look_of, objection, proof_of
from ordersync_cli.domain.matching import may_be_ours, same_product
from ordersync_cli.domain.observations import AbsenceProven, Look
from ordersync_cli.domain.orders import OrderStatus, Origin
from ordersync_cli.domain.standing import derive
from ordersync_cli.domain.trade import Change, Trade
from ordersync_cli.errors import OrderRefused, UnreadableAnswer
from ordersync_cli.services.ports import FillPage, TradeFilter, Transaction
from ordersync_cli.services.ports.store import PORTFOLIO
from ordersync_cli.services.reconcile.listing import Listing, list_booked, list_created, look_up
from ordersync_cli.services.reconcile.named_twice import name_both
from ordersync_cli.services.reconcile.pass_report import Found
from ordersync_cli.services.reconcile.work import Work
from ordersync_cli.services.record import Recorded

FILL_MARGIN = timedelta(minutes=5)
CONTROLS_READ = 50  # newest rows among which the positive control is sought


@dataclass(frozen=True, slots=True, kw_only=True)
class _Key:
    """What is known of the key that lists: whether it can, and whether it sees the store's portfolio."""

    can_list: bool
    is_ours: bool


@dataclass(slots=True, kw_only=True)
class Intents:
    """Resolves unresolved intents by one listing for all of them."""

    work: Work
    _changes: list[Change] = field(default_factory=list, init=False)

    def run(self, trade_ids: Sequence[int]) -> list[Change]:
        """Look for the orders of these intents; returns the changes that this brought."""
        sent = [t for t in self._load(trade_ids) if t.attempt_at is not None]
        if sent:
            self._look(sent)
        for trade in self._load(trade_ids):
            if derive(trade).order_status is OrderStatus.SUBMITTING:
                self._unknown(trade)
        return self._changes

    def _load(self, trade_ids: Sequence[int]) -> list[Trade]:
        with self.work.store.read() as transaction:
            return list(transaction.trades.load(trade_ids, lock=False).values())

    def _look(self, trades: Sequence[Trade]) -> None:
        """List everything created since shortly before the oldest attempt, once for all of them."""
        key = _key(self.work)
        controls = {_id(t): self._control(t) for t in trades}
        start = min(_start(t, controls[_id(t)]) for t in trades)
        names = frozenset(t.request.client_order_id for t in trades)
        listing = list_created(self.work, start, None, take=self._took, names=names)
        left = self._told([t for t in self._load([_id(t) for t in trades]) if _unresolved(t)], listing)
        # A look counts only where it started after the token was dead for a while, so the
        # rest of the proof is not asked for before.
        dead = [t for t in left if t.not_after and listing.started_at > t.not_after + TOKEN_DEAD_FOR]
        if not dead:
            return
        suspects = self._with_unexplained_fills(dead, listing)
        left = [t for t in self._load([_id(t) for t in dead]) if _unresolved(t)]
        for trade in left:
            control = controls[_id(trade)]
            looked = absence.Listing(
                started_at=listing.started_at,
                window_start=listing.window_start,
                rows=listing.rows,
                order_ids=frozenset(listing.order_ids),
                every_page_read=not listing.cut,
                quarantined=listing.quarantined,
                holds_order=any(may_be_ours(trade, seen) for seen in listing.named),
                own_portfolio=key.is_ours or (control is not None and control.order_id in listing.order_ids),
                can_list=key.can_list,
                unexplained_fill=_id(trade) in suspects,
            )
            self._count(trade, looked, control)

    def _told(self, trades: Sequence[Trade], listing: Listing) -> list[Trade]:
        """Tell trades of listed orders that may be theirs; returns those of which still nothing is known.

        Where another row names such an order (a bot's own, say), the listing spoke to that row alone.
        """
        for trade in trades:
            theirs = [seen for seen in listing.named if may_be_ours(trade, seen)]
            if theirs:
                self._took(self.work.record_about({_id(trade): theirs}))
                name_both(self.work, [_id(trade)])
        return [t for t in self._load([_id(t) for t in trades]) if _unresolved(t)]

    def _took(self, recorded: Recorded) -> None:
        self._changes += recorded.changes

    def _control(self, trade: Trade) -> Control | None:
        """Find the newest order that the venue had accepted before this attempt."""
        assert trade.attempt_at is not None
        wanted = TradeFilter(until=trade.created_at, limit=CONTROLS_READ)
        with self.work.store.read() as transaction:
            ids = [v.trade_id for v in transaction.trades.views(wanted) if v.order_id is not None]
            candidates = transaction.trades.load(ids, lock=False)
        for trade_id in ids:
            known = candidates[trade_id]
            for order in known.orders:
                if known.origin is Origin.PLACED and order.raw is not None and order.created_time is not None:
                    return Control(order_id=order.order_id, created_time=order.created_time)
        return None

    def _with_unexplained_fills(self, trades: Sequence[Trade], listing: Listing) -> set[int]:
        """Tell whose product and side saw a fill that nobody's order explains."""
        start = min(t.attempt_at for t in trades if t.attempt_at is not None) - FILL_MARGIN
        fills: set[tuple[str, str, str | None]] = set()

        def take(page: FillPage, recorded: Recorded) -> None:
            fills.update((f.order_id, f.product_id, f.side) for f in page.fills)
            self._took(recorded)

        everybody = {_id(t) for t in trades}
        try:
            booked = list_booked(self.work, start, None, take=take)
        except (OrderRefused, UnreadableAnswer):
            return everybody  # nothing is known of the fills: no look counts
        if booked.quarantined:
            return everybody
        unexplained = self._unexplained({f[0] for f in fills}, listing)
        suspects = [f for f in fills if f[0] in unexplained]
        return {_id(t) for t in trades if any(_may_be_its(t, f) for f in suspects)}

    def _unexplained(self, order_ids: set[str], listing: Listing) -> set[str]:
        """Tell which of these orders neither the store nor the listing knows, after asking for them."""
        with self.work.store.read() as transaction:
            known = set(transaction.trades.ids_of(order_ids=order_ids))
        unknown = sorted(order_ids - known - listing.order_ids)
        found: set[str] = set()
        for part, recorded in look_up(self.work, unknown):
            self._took(recorded)
            found.update(o.order_id for o in part.orders)
        return set(unknown) - found

    def _count(self, trade: Trade, listing: absence.Listing, control: Control | None) -> None:
        """Write down a look that did not hold the order, and the proof once there are enough."""
        assert trade.not_after is not None
        needed = _start(trade, control)
        why_not = objection(listing, not_after=trade.not_after, needed_start=needed, control=control)
        if why_not is not None:
            self.work.tally.notes.append(f"{trade.request.client_order_id}: a look did not count: {why_not}")
            return
        with self.work.store.write() as transaction:
            looks = (*_looks(transaction, trade), look_of(listing, control))
            transaction.notes.set(_note(trade), _written(trade, looks))
        weighed = proof_of(looks, attempt=trade.attempts, not_after=trade.not_after, at=self.work.venue.now())
        if isinstance(weighed, AbsenceProven):
            grouped = {_id(trade): [weighed]}
            self._took(self.work.record_about(grouped, lambda tx, _: tx.notes.set(_note(trade), None)))
        else:
            self.work.tally.notes.append(f"{trade.request.client_order_id}: absence not proven: {weighed.why}")

    def _unknown(self, trade: Trade) -> None:
        at = self.work.clock.now()
        since = trade.submitted_at or trade.created_at
        key = trade.request.client_order_id or f"trade-{trade.trade_id}"
        found = Found(
            kind="unknown_outcome",
            severity="open",
            key=key,
            order_id=None,
            trade_id=trade.trade_id,
            stored="pending (submitting)",
            venue="no order with this client order id seen so far; it may exist",
            age_seconds=max(0.0, (at - since).total_seconds()),
        )
        self.work.report([found])


def _key(work: Work) -> _Key:
    """Check that the key looks into the store's portfolio (another one would show nothing).

    Raises SettingsError for another portfolio.
    """
    try:
        key = work.venue.key_permissions(work.lane)
    except (OrderRefused, UnreadableAnswer):  # a server of the wire format need not know this call
        with work.store.read() as transaction:
            return _Key(can_list=False, is_ours=transaction.notes.get(PORTFOLIO) is None)
    work.store.claim(work.venue.name, key.portfolio_id)
    return _Key(can_list=key.can_view, is_ours=True)


def _start(trade: Trade, control: Control | None) -> datetime:
    assert trade.attempt_at is not None
    return absence.window_start(trade.submitted_at or trade.attempt_at, trade.attempt_at, control)


def _may_be_its(trade: Trade, fill: tuple[str, str, str | None]) -> bool:
    _, product_id, side = fill
    return same_product(product_id, trade.request.product_id) and side in {None, trade.request.side}


def _unresolved(trade: Trade) -> bool:
    return derive(trade).order_status is OrderStatus.SUBMITTING


def _id(trade: Trade) -> int:
    assert trade.trade_id is not None
    return trade.trade_id


# ---------------------------------------------------------------------- looks kept between runs


def _note(trade: Trade) -> str:
    return f"looks:{trade.trade_id}"


def _written(trade: Trade, looks: Iterable[Look]) -> str:
    rows = [
        [look.started_at.isoformat(), look.window_start.isoformat(), look.rows, look.positive_control] for look in looks
    ]
    return json.dumps({"attempt": trade.attempts, "looks": rows})


def _looks(transaction: Transaction, trade: Trade) -> tuple[Look, ...]:
    """Read the looks of this attempt; those of an earlier one say nothing about it."""
    noted = json.loads(transaction.notes.get(_note(trade), lock=True) or "{}")
    if noted.get("attempt") != trade.attempts:
        return ()
    return tuple(
        Look(
            started_at=datetime.fromisoformat(started),
            window_start=datetime.fromisoformat(start),
            rows=rows,
            positive_control=control,
        )
        for started, start, rows, control in noted["looks"]
    )
