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
    from ordersync_cli.services.ports import FillPage, Store, Venue
    from ordersync_cli.services.record import Recorder

# Seconds: a look has as many even where the wait ends sooner, and one that hangs leaves as many to another.
LEAST = 1.0
FILLS_PATIENCE = 1.0  # seconds that a watcher which takes the fills has for it before we end without them
WATCHER_BEAT = 4.0  # seconds after which a watcher's beat no longer proves it alive


@dataclass(frozen=True, slots=True, kw_only=True)
class _Watcher:
    """What the watcher beside us does for us.

    ``patience``: seconds that it has before we look ourselves; ``again``: after each look of ours.
    """

    patience: float
    again: float = 0.0
    looks_left_to_us: int = 0
    takes_fills: bool = False


NOBODY = _Watcher(patience=0.0)
HEARING = _Watcher(patience=1.0)
# Without its feed a watcher needs the requests that we would make, and makes them (decision record 0103).
POLLING = _Watcher(patience=2.0, again=2.0, looks_left_to_us=1, takes_fills=True)


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
        known stays known. Where the key is refused there is no next look. Answers that do not come
        are given up with the wait, or a second later.
        """
        started = self.clock.monotonic()
        ends = started + wait
        learned, watcher = self._beside()
        own, patient_until = max(at_least, watcher.looks_left_to_us), watcher.patience
        try:
            while True:
                age = self.clock.monotonic() - started
                if age < patient_until and self._checks >= own and wait > age:
                    self.store.wait_for_change(max(0.001, min(0.1, wait - age)))
                    trade = self._stored(trade)
                elif age < wait or self._checks < at_least:
                    trade = self._look(trade, ends)
                    patient_until = max(patient_until, age + watcher.again)
                if self._settled(trade) and self._checks >= at_least:
                    trade = self._awaiting_fills(trade, ends) if watcher.takes_fills else self._with_fills(trade, ends)
                    break
                age = self.clock.monotonic() - started
                if age >= wait or self._problem:
                    break
                if age >= patient_until:
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

    def _beside(self) -> tuple[Learned, _Watcher]:
        """Load the learned schedule, and see what the watcher that drives this store leaves to us."""
        now = self.clock.now()
        with self.store.read() as transaction:
            learned = load_learned(transaction.notes.get("learned_schedule"))
            states = {
                w.feed_state
                for w in transaction.watchers.list()
                if w.role == "driving" and (now - w.beat_at).total_seconds() < WATCHER_BEAT
            }
        return learned, (HEARING if "live" in states else POLLING if states else NOBODY)

    def _stored(self, trade: Trade) -> Trade:
        trade_id = trade.trade_id
        assert trade_id is not None
        with self.store.read() as transaction:
            return transaction.trades.load([trade_id], lock=False)[trade_id]

    def _left(self, ends: float) -> float:
        return ends - self.clock.monotonic()

    def _look(self, trade: Trade, ends: float) -> Trade:
        order_id = _order_id(trade)
        self._checks += 1
        if order_id is None:
            return self._stored(trade)
        lane = Lane.FIRST_LOOK if self._checks == 1 else Lane.PLACE
        try:
            seen = self.venue.order(order_id, lane, within=max(LEAST, self._left(ends) - LEAST))
        except CredentialsRefused as refused:
            self._problem = refused.message
            return trade
        except OrdersyncError:
            return trade
        return trade if seen is None else self._recorded(trade, [seen])

    def _awaiting_fills(self, trade: Trade, ends: float) -> Trade:
        """Wait on the store for the fills that the watcher fetches; the venue is asked nothing."""
        ends = min(ends, self.clock.monotonic() + FILLS_PATIENCE)
        while derive(trade).fills_due and (left := self._left(ends)) > 0:
            self.store.wait_for_change(max(0.001, min(0.1, left)))
            trade = self._stored(trade)
        return trade

    def _with_fills(self, trade: Trade, ends: float) -> Trade:
        standing = derive(trade)
        if not standing.fills_due or standing.order_id is None:
            return trade
        rows = self._listed(standing.order_id, max(ends, self.clock.monotonic() + LEAST))
        return trade if rows is None else self._recorded(trade, [rows])

    def _listed(self, order_id: str, ends: float) -> FillsSeen | None:
        """List the fills page by page; what was read of a listing that breaks off stands, and is not complete."""
        pages: list[FillPage] = []
        cursor: str | None = None
        while (left := self._left(ends)) > 0:
            try:
                page = self.venue.fills_of([order_id], Lane.PLACE, cursor, within=left)
            except OrdersyncError:
                break
            pages.append(page)
            cursor = page.next_cursor
            if cursor is None or page.filter_ignored:
                break
        if not pages:
            return None
        return FillsSeen(
            order_id=order_id,
            as_of=pages[0].as_of,
            fills=tuple(fill for page in pages for fill in page.fills if fill.order_id == order_id),
            complete=cursor is None and not any(page.quarantined or page.filter_ignored for page in pages),
        )

    def _recorded(self, trade: Trade, seen: list[OrderSeen | FillsSeen]) -> Trade:
        trade_id = trade.trade_id
        assert trade_id is not None
        recorded = self.recorder.about(trade_id, seen, source=Source.PLACE)
        return recorded.changes[-1].after if recorded.changes else trade


def _order_id(trade: Trade) -> str | None:
    return derive(trade).order_id
