"""The light pass: every pending trade and every unresolved intent, held against the venue."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ordersync_cli.domain.orders import OrderStatus, Status
from ordersync_cli.domain.trade import Change
from ordersync_cli.domain.view import TradeView
from ordersync_cli.services.ports import Quarantined, TradeFilter
from ordersync_cli.services.reconcile.absent import Intents
from ordersync_cli.services.reconcile.contradictions import contradicted
from ordersync_cli.services.reconcile.differences import told_otherwise
from ordersync_cli.services.reconcile.foreign import put_right
from ordersync_cli.services.reconcile.listing import look_up
from ordersync_cli.services.reconcile.named_twice import settle_named_twice
from ordersync_cli.services.reconcile.pass_report import Found
from ordersync_cli.services.reconcile.wishes import send_wishes
from ordersync_cli.services.reconcile.work import Work

# The second look must start 2 s after the end was first seen, on the venue's clock; a little
# more, because a look-up's time is known to the response's second only (Date header).
ZERO_PROOF_WAIT = 2.1
VIEWS_AT_ONCE = 500
ALL = 1_000_000
ENDED = {OrderStatus.CANCELLED, OrderStatus.EXPIRED, OrderStatus.FAILED, OrderStatus.FILLED}


@dataclass(slots=True)
class Followed:
    """What the looks of this pass left to do; only ids and times, never whole trades."""

    zero: dict[str, datetime | None] = field(default_factory=dict)  # order id: when its end was first seen
    told_otherwise: set[int] = field(default_factory=set)  # trades whose figures REST now tells otherwise
    wishes: set[int] = field(default_factory=set)  # trades whose wish to cancel is still to be sent
    missing: dict[str, TradeView] = field(default_factory=dict)
    unanswered: dict[str, TradeView] = field(default_factory=dict)
    named_twice: list[int] = field(default_factory=list)  # trades whose order another trade's row names

    def take(self, changes: Iterable[Change]) -> None:
        """Note what a change left to do."""
        for change in changes:
            now, trade = change.now, change.after
            if now.order_id is None:
                continue
            if now.awaits_zero_proof:
                self.zero[now.order_id] = now.closed_at
            else:
                self.zero.pop(now.order_id, None)
            if trade.trade_id is None:
                continue
            if told_otherwise(trade, now):
                self.told_otherwise.add(trade.trade_id)
            else:
                self.told_otherwise.discard(trade.trade_id)
            if trade.cancel is not None and not now.terminal:
                self.wishes.add(trade.trade_id)


@dataclass(slots=True, kw_only=True)
class LightPass:
    """Looks at what is not settled, and settles what the venue's word settles."""

    work: Work
    since: datetime | None = None  # also look again at every trade created since then
    only: frozenset[int] | None = None  # these trades and no others
    confirmed_within: timedelta | None = None  # open orders that the venue confirmed so lately are not asked for again
    followed: Followed = field(default_factory=Followed, init=False)

    def run(self) -> None:
        """Run the pass. Raises what its first failed look-up raised; all before it is committed."""
        if self.only is None:
            put_right(self.work)
        orders, intents = self._gather()
        self._look(orders)
        settle_named_twice(self.work, self.followed.named_twice)
        resolved = Intents(work=self.work).run(intents)
        self.followed.take(resolved)
        unsent = send_wishes(self.work, sorted(self.followed.wishes))
        self._prove_zero()
        self._fetch_fills()
        self._judge()
        if unsent is not None:
            raise unsent

    def _gather(self) -> tuple[dict[str, TradeView], list[int]]:
        """List what to ask for: order ids, and the trades of intents without one."""
        orders: dict[str, TradeView] = {}
        intents: list[int] = []
        since = None if self.confirmed_within is None else self.work.venue.now() - self.confirmed_within
        for view in read_views(self.work, self._ids()):
            self.work.tally.checked.add(view.trade_id)
            if view.order_id is not None and since is not None and _is_fresh(view, since):
                self.work.tally.answered.add(view.order_id)
            elif view.order_id is not None:
                orders[view.order_id] = view
                self._remember(view)
            elif view.status == Status.PENDING and view.order_status != OrderStatus.SUBMITTING:
                self.followed.named_twice.append(view.trade_id)
            elif view.order_status == OrderStatus.SUBMITTING or self.only is not None:
                intents.append(view.trade_id)  # one that was ruled out is listed for where it is asked for by name
        return orders, intents

    def _ids(self) -> list[int]:
        if self.only is not None:
            return sorted(self.only)
        shown_alive = contradicted(self.work.store)  # ended, but shown as alive since: asked for as if pending
        with self.work.store.read() as transaction:
            ids = set(transaction.trades.pending_ids())
            ids.update(transaction.trades.ids_of(order_ids=shown_alive).values())
            if self.since is not None:
                ids.update(v.trade_id for v in transaction.trades.views(TradeFilter(since=self.since)))
        return sorted(ids)

    def _remember(self, view: TradeView) -> None:
        if view.status != Status.PENDING:
            return
        if view.order_status in ENDED and not view.filled_size:
            self.followed.zero[str(view.order_id)] = view.closed_at
        if view.order_status == OrderStatus.CANCELLING:
            self.followed.wishes.add(view.trade_id)

    def _look(self, orders: dict[str, TradeView]) -> None:
        for part, recorded in look_up(self.work, orders):
            self.followed.take(recorded.changes)
            self.followed.missing |= {i: orders[i] for i in part.missing}
            self.followed.unanswered |= {i: orders[i] for i in part.unanswered}

    def _prove_zero(self) -> None:
        """Look once more, at all of them together, at what ended without a fill."""
        due = dict(self.followed.zero)
        if not due:
            return
        now = self.work.venue.now()
        waits = [(at + timedelta(seconds=ZERO_PROOF_WAIT) - now).total_seconds() for at in due.values() if at]
        wait = max(waits, default=0.0)
        self.work.pulse.step()
        if wait > 0:
            self.work.clock.sleep(min(wait, ZERO_PROOF_WAIT))
        for _, recorded in look_up(self.work, due):
            self.followed.take(recorded.changes)

    def _fetch_fills(self) -> None:
        """Fetch the fills of ended trades that are not verified, and of those whose figures REST tells otherwise."""
        with self.work.store.read() as transaction:
            due = [i for i in transaction.trades.unverified_ids(ALL) if self.only is None or i in self.only]
        due = sorted(self.followed.told_otherwise.union(due))
        wanted = {v.order_id: v for v in read_views(self.work, due) if v.order_id is not None}
        rows: Counter[str] = Counter()
        lost: list[Quarantined] = []
        for page in self.work.looker.fill_batches(list(wanted), self.work.lane, lost):
            self.work.record(page, self.work.unreadable(lost))
            lost.clear()
            rows.update({seen.order_id: len(seen.fills) for seen in page})
        self._missing_fills({v.trade_id for v in wanted.values()}, rows)

    def _missing_fills(self, asked: set[int], rows: Counter[str]) -> None:
        """Say which fills are still not there: List Fills lags Get Order (trap T03), for a while."""
        at = self.work.clock.now()
        with self.work.store.read() as transaction:
            due = [i for i in transaction.trades.unverified_ids(ALL) if i in asked]
        late = [v for v in read_views(self.work, due) if v.order_status in ENDED]
        self.work.report(
            [
                _found(
                    "extra_fill" if rows[str(v.order_id)] > (v.number_of_fills or 0) else "missing_fill",
                    v,
                    stored=f"{rows[str(v.order_id)]} fills listed",
                    venue=f"{v.number_of_fills or 0} fills, filled {v.filled_size or 0:f}",
                    since=v.closed_at,
                    at=at,
                )
                for v in late
            ]
        )

    def _judge(self) -> None:
        """Name what could not be settled."""
        at = self.work.clock.now()
        found = [missing_at_venue(view, at) for view in self.followed.missing.values()]
        found += [
            _found(
                "stale",
                view,
                stored=str(view.order_status),
                venue="its row cannot be read",
                since=view.confirmed_at or view.accepted_at or view.created_at,
                at=at,
            )
            for view in self.followed.unanswered.values()
        ]
        self.work.report(found)


def _is_fresh(view: TradeView, since: datetime) -> bool:
    """Tell whether the venue has called this order open since then: whoever asked, it was asked for."""
    confirmed = view.confirmed_at
    return view.order_status == OrderStatus.OPEN and confirmed is not None and confirmed >= since


def read_views(work: Work, trade_ids: list[int]) -> Iterator[TradeView]:
    """Read public rows in portions."""
    for start in range(0, len(trade_ids), VIEWS_AT_ONCE):
        with work.store.read() as transaction:
            rows = transaction.trades.views(TradeFilter(trade_ids=trade_ids[start : start + VIEWS_AT_ONCE]))
        yield from rows


def missing_at_venue(view: TradeView, at: datetime) -> Found:
    """Report an order that Get Order itself says the venue does not have (404 NOT_FOUND)."""
    since = view.accepted_at or view.submitted_at or view.created_at
    text = f"404: no order {view.order_id}"
    return _found("missing_at_venue", view, stored=view.status, venue=text, since=since, at=at)


def _found(kind: str, view: TradeView, *, stored: str, venue: str, since: datetime | None, at: datetime) -> Found:
    return Found(
        kind=kind,
        severity="open",
        key=view.order_id or view.client_order_id or f"trade-{view.trade_id}",
        order_id=view.order_id,
        trade_id=view.trade_id,
        stored=stored,
        venue=venue,
        age_seconds=0.0 if since is None else max(0.0, (at - since).total_seconds()),
    )
