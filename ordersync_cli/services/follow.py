"""Follow one order right after it was placed: look at once, then on a learned schedule."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ordersync_cli.domain.observations import FillsSeen
from ordersync_cli.domain.orders import Source
from ordersync_cli.domain.schedule import class_of, load_learned, next_look
from ordersync_cli.domain.standing import derive
from ordersync_cli.errors import CredentialsRefused, OrdersyncError
from ordersync_cli.services.ports import Lane

if TYPE_CHECKING:
    from ordersync_cli.clock import Clock
    from ordersync_cli.domain.observations import OrderSeen
    from ordersync_cli.domain.schedule import Learned
    from ordersync_cli.domain.trade import Standing, Trade
    from ordersync_cli.services.ports import Store, Venue
    from ordersync_cli.services.record import Recorder

WATCHER_PATIENCE = 1.0  # seconds that a live watcher may take before we look ourselves
WATCHER_BEAT = 4.0  # seconds after which a watcher's beat no longer proves it alive


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """The trade as it stands after the checks; ``problem`` is why they were given up early."""

    trade: Trade
    standing: Standing
    checks: int
    problem: str = ""


@dataclass(slots=True, kw_only=True)
class Follower:
    """Follows one order by look-ups, or through the store beside a live watcher."""

    store: Store
    venue: Venue
    recorder: Recorder
    clock: Clock
    _checks: int = field(default=0, init=False)
    _problem: str = field(default="", init=False)

    def follow(self, trade: Trade, *, wait: float, at_least: int = 0) -> Followed:
        """Look until the trade is settled, or ``wait`` seconds have passed.

        At least ``at_least`` looks are tried whatever the wait. A look that fails is not an
        answer, whatever failed: the order was accepted, the next look is made instead, and what is
        known stays known. Where the key is refused there is no next look.
        """
        started = self.clock.monotonic()
        learned, watched = self._beside()
        try:
            while True:
                age = self.clock.monotonic() - started
                if watched and age < WATCHER_PATIENCE and self._checks >= at_least and wait > age:
                    self.store.wait_for_change(min(0.1, wait - age))
                    trade = self._stored(trade)
                elif age < wait or self._checks < at_least:
                    trade = self._look(trade)
                if self._settled(trade) and self._checks >= at_least:
                    trade = self._with_fills(trade)
                    break
                age = self.clock.monotonic() - started
                if age >= wait or self._problem:
                    break
                if not watched or age >= WATCHER_PATIENCE:
                    self._pause(trade, learned, age, wait)
        except KeyboardInterrupt:
            trade = self._stored(trade)
        return Followed(trade=trade, standing=derive(trade), checks=self._checks, problem=self._problem)

    def _pause(self, trade: Trade, learned: Learned, age: float, wait: float) -> None:
        standing = derive(trade)
        if standing.awaits_zero_proof:
            pause = 2.05
        else:
            pause = next_look(learned, class_of(trade.request), age, looks_done=self._checks, live=False)
        self.clock.sleep(max(0.0, min(pause, wait - age)))

    @staticmethod
    def _settled(trade: Trade) -> bool:
        standing = derive(trade)
        return standing.status != "pending"

    def _beside(self) -> tuple[Learned, bool]:
        """Load the learned schedule, and see whether a live watcher drives this store."""
        now = self.clock.now()
        with self.store.read() as transaction:
            learned = load_learned(transaction.notes.get("learned_schedule"))
            watched = any(
                w.role == "driving" and w.feed_state == "live" and (now - w.beat_at).total_seconds() < WATCHER_BEAT
                for w in transaction.watchers.list()
            )
        return learned, watched

    def _stored(self, trade: Trade) -> Trade:
        trade_id = trade.trade_id
        assert trade_id is not None
        with self.store.read() as transaction:
            return transaction.trades.load([trade_id], lock=False)[trade_id]

    def _look(self, trade: Trade) -> Trade:
        order_id = _order_id(trade)
        self._checks += 1
        if order_id is None:
            return self._stored(trade)
        try:
            seen = self.venue.order(order_id, Lane.FIRST_LOOK if self._checks == 1 else Lane.PLACE)
        except CredentialsRefused as refused:
            self._problem = refused.message
            return trade
        except OrdersyncError:
            return trade
        return trade if seen is None else self._recorded(trade, [seen])

    def _with_fills(self, trade: Trade) -> Trade:
        standing = derive(trade)
        if not standing.fills_due or standing.order_id is None:
            return trade
        try:
            page = self.venue.fills_of([standing.order_id], Lane.PLACE)
        except OrdersyncError:
            return trade
        mine = tuple(f for f in page.fills if f.order_id == standing.order_id)
        rows = FillsSeen(
            order_id=standing.order_id,
            as_of=page.as_of,
            fills=mine,
            complete=page.next_cursor is None and not page.quarantined and not page.filter_ignored,
        )
        return self._recorded(trade, [rows])

    def _recorded(self, trade: Trade, seen: list[OrderSeen | FillsSeen]) -> Trade:
        trade_id = trade.trade_id
        assert trade_id is not None
        recorded = self.recorder.about(trade_id, seen, source=Source.PLACE)
        return recorded.changes[-1].after if recorded.changes else trade


def _order_id(trade: Trade) -> str | None:
    return derive(trade).order_id
