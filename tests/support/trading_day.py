"""A day of trading at a simulated exchange, with an outage in it, in virtual time: what reports are tested on.

The store hears of each order by place, feed, poll and passes, at times that this module chooses and
writes down; the exchange's own ledger says what was true.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from ordersync_cli.domain.observations import AnswerKind, FillsSeen, PlaceAnswer
from ordersync_cli.domain.orders import OrderRequest, OrderType, Side, Source
from ordersync_cli.domain.trade import Trade
from ordersync_cli.services.ports import Incident, Run, StoredBreak
from ordersync_cli.services.reconcile.audits import Audit, save_audit
from ordersync_cli.services.record import Recorder
from ordersync_cli.store.trade_store import TradeStore
from ordersync_cli.venue.venue_clock import Stamp
from ordersync_cli.venue.wire_fills import fill as read_fill
from ordersync_cli.venue.wire_orders import rest_order
from ordersync_cli.venue.wire_values import parse_json
from tests.support.simulator_world import OPENED_AT, limit, market
from tests.support.simulator_world import World as Exchange
from tests.support.virtual_clock import VirtualClock

OPENED = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=OPENED_AT)
OUTAGE = (timedelta(hours=13), timedelta(hours=13, minutes=40))
DAY = timedelta(hours=24)
PRODUCTS = ("BTC-USD", "ETH-USD")


@dataclass
class TradingDay:
    """What happened, beside what was stored of it."""

    exchange: Exchange
    store: TradeStore
    clock: VirtualClock
    seed: int = 5
    fills_seen: list[tuple[datetime, datetime, str]] = field(default_factory=list)  # venue time, commit, source
    pending: dict[int, tuple[datetime, datetime, int, bool]] = field(default_factory=dict)  # began, ended, bot, market
    order_of: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._recorder = Recorder(store=self.store, clock=self.clock)
        self._due: list[tuple[datetime, int, Callable[[], None]]] = []
        self._count = 0
        self._mute = False

    @property
    def outage(self) -> tuple[datetime, datetime]:
        return OPENED + OUTAGE[0], OPENED + OUTAGE[1]

    def live(self, orders: int = 150, length: timedelta = DAY) -> None:
        """Trade for a day (or less): orders at random, the feed a moment behind, passes by the clock."""
        for _ in range(orders):
            self._at(OPENED + self._random.random() * (length - timedelta(minutes=30)), self._place)
        for minute in range(5, int(length / timedelta(minutes=1)), 5):
            self._at(OPENED + timedelta(minutes=minute), self._light)
        for hour in range(1, int(length / timedelta(hours=1))):
            self._at(OPENED + timedelta(hours=hour, seconds=7), self._deep)
        self._at(self.outage[0] + timedelta(seconds=30), self._alarm)
        self._at(OPENED + length, lambda: None)
        while self._due:
            at, _, act = heapq.heappop(self._due)
            self._go(max(at, self.clock.now()))
            act()

    def ledger(self) -> dict[str, dict[str, object]]:
        """Give the exchange's own truth by order id."""
        return {row["order_id"]: row for row in self.exchange.ledger()["orders"]}

    # ------------------------------------------------------------------ inside

    def _at(self, moment: datetime, act: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._due, (moment, self._count, act))

    def _after(self, seconds: float, act: Callable[[], None]) -> None:
        self._at(self.clock.now() + timedelta(seconds=seconds), act)

    def _go(self, moment: datetime) -> None:
        self.clock.advance((moment - self.clock.now()).total_seconds())
        self.exchange.clock = (self.clock.now() - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)

    def _out(self) -> bool:
        return self.outage[0] <= self.clock.now() < self.outage[1]

    def _place(self) -> None:
        draw = self._random
        product, side = draw.choice(PRODUCTS), draw.choice((Side.BUY, Side.SELL))
        at_once = draw.random() < 0.8
        size = Decimal("0.01") if product == "BTC-USD" else Decimal("0.2")
        price = Decimal("69000") if product == "BTC-USD" else Decimal("3500")
        asked = OrderRequest(
            product_id=product,
            side=side,
            order_type=OrderType.MARKET if at_once else OrderType.LIMIT,
            client_order_id=f"day-{self._count}",
            base_size=size,
            limit_price=None if at_once else price * (Decimal("0.999") if side is Side.BUY else Decimal("1.001")),
            bot_id=draw.randrange(1, 5),
        )
        self._count += 1
        now = self.clock.now()
        with self.store.write() as transaction:
            trade = transaction.trades.add(
                Trade(request=asked, created_at=now, attempts=1, attempt_at=now, submitted_at=now,
                      not_after=now + timedelta(seconds=30))
            )  # fmt: skip
        assert trade.trade_id is not None
        shape = market(base_size=str(size)) if at_once else limit(str(size), str(asked.limit_price))
        order_id = self.exchange.accepted(
            shape, client_order_id=asked.client_order_id, product_id=product, side=side.value
        )
        self.order_of[trade.trade_id] = order_id
        self.pending[trade.trade_id] = (now, now, asked.bot_id or 0, at_once)
        self._go(now + timedelta(milliseconds=draw.randrange(20, 90)))
        answer = PlaceAnswer(kind=AnswerKind.ACCEPTED, attempt=1, at=self.clock.now(), order_id=order_id)
        self._recorder.about(trade.trade_id, [answer], source=Source.PLACE)
        for number, seconds in enumerate((0.15, 0.6, 1.5, 4.0)):
            source = Source.PLACE if number == 0 else Source.POLL if draw.random() < 0.15 else Source.WEBSOCKET
            self._after(seconds + draw.random() * 0.2, lambda t=trade.trade_id, s=source: self._look(t, s))  # type: ignore[misc]
        for minutes in (1, 10, 20):
            self._after(60 * minutes, lambda t=trade.trade_id: self._look(t, Source.WEBSOCKET))  # type: ignore[misc]

    def _look(self, trade_id: int, source: Source) -> None:
        """Hear of an order as it now is; nobody hears anything in the outage."""
        if self._out():
            return
        order_id, now = self.order_of[trade_id], self.clock.now()
        seen = rest_order(parse_json(_text(self.exchange.order(order_id))), Stamp(now))
        observations: list[object] = [seen]
        if seen.word in {"FILLED", "CANCELLED", "EXPIRED"}:
            rows = tuple(read_fill(parse_json(_text(row))) for row in self.exchange.fills(order_id))
            observations.append(FillsSeen(order_id=order_id, as_of=now, fills=rows, complete=True))
        done = self._recorder.about(trade_id, observations, source=source)  # type: ignore[arg-type]
        for change in done.changes:
            if change.figures_changed and change.venue_time is not None:
                self.fills_seen.append((change.venue_time, now, source.value))
            if change.was.status.value == "pending" != change.now.status.value:
                began, _, bot, at_once = self.pending[trade_id]
                self.pending[trade_id] = (began, now, bot, at_once)

    def _run(self, mode: str, result: str, seconds: float, updated: int = 0, requests: int = 2) -> str:
        self._count += 1
        at = self.clock.now()
        run = Run(run_id=f"run-{self._count}", mode=mode, started_at=at, host="here", pid=1)
        ended = replace(
            run, finished_at=at + timedelta(seconds=seconds), result=result, updated_count=updated, requests=requests,
            exit_code=6 if result == "failed" else 0,
        )  # fmt: skip
        with self.store.write() as transaction:
            transaction.runs.finish(ended, None)
        return run.run_id

    def _light(self) -> None:
        if self._out():
            if (self.clock.now() - self.outage[0]) < timedelta(minutes=10):
                self._run("light", "failed", 10.0)
            return  # then cron itself was dead
        self._run("light", "in_sync", 0.4)
        with self.store.read() as reading:
            waiting = reading.trades.pending_ids()
        for trade_id in waiting:
            self._look(trade_id, Source.RECONCILE)

    def _deep(self) -> None:
        if self._out():
            self._run("deep", "failed", 30.0)
            return
        run_id = self._run("deep", "in_sync", 3.0, requests=9)
        now = self.clock.now()
        with self.store.write() as transaction:
            ids = transaction.trades.sample_terminal(now - timedelta(hours=6), 10, self.seed)
            save_audit(transaction, run_id, Audit(at=now, audited=frozenset(ids), differed=frozenset()))

    def _alarm(self) -> None:
        start, end = self.outage
        with self.store.write() as transaction:
            transaction.incidents.raise_(
                Incident(incident_id="i-1", rule="venue_unreachable", key="", severity="critical", order_id=None,
                         message="the venue cannot be reached", count=1, opened_at=start + timedelta(seconds=30),
                         last_seen=end)
            )  # fmt: skip
            transaction.incidents.resolve("i-1", end + timedelta(seconds=10))
            transaction.breaks.see(
                StoredBreak(break_id=None, kind="status", severity="repaired", key="o-1", order_id="o-1", trade_id=None,
                            stored="pending", venue="FILLED", money_effect=None, first_seen=end, last_seen=end,
                            resolved_at=end, resolution="repaired")
            )  # fmt: skip


def _text(row: object) -> str:
    import json

    return json.dumps(row)


def trading_day(folder: Path, store: TradeStore, clock: VirtualClock, seed: int = 5) -> TradingDay:
    """Open an exchange beside a store whose clock stands at the opening."""
    return TradingDay(Exchange(folder / "exchange.db", seed), store, clock, seed)
