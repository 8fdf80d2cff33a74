"""A store, a scripted venue and the passes over them, in virtual time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from ordersync_cli.domain.identity import tagged_id
from ordersync_cli.domain.observations import AnswerKind, Channel, FillsSeen, OrderSeen, PlaceAnswer
from ordersync_cli.domain.orders import OrderRequest, OrderType, Origin, Side, Source
from ordersync_cli.domain.trade import Alarm, Trade, VenueOrder
from ordersync_cli.domain.view import TradeView
from ordersync_cli.services.ports import Store, TradeEvent, TradeFilter, Transaction
from ordersync_cli.services.reconcile.pass_report import PassReport
from ordersync_cli.services.reconcile.running import Passes, Wish
from ordersync_cli.services.record import Recorder
from ordersync_cli.store import open_store
from tests.support.fake_venue import FakeVenue
from tests.support.virtual_clock import SeededChance, VirtualClock


@dataclass
class Heard:
    """What was announced, instead of sinks."""

    alarms: list[Alarm] = field(default_factory=list)
    events: list[TradeEvent] = field(default_factory=list)

    def __call__(self, _: Transaction, alarms: Sequence[Alarm], events: Sequence[TradeEvent]) -> None:
        self.alarms += alarms
        self.events += events

    def rules(self) -> list[str]:
        return [a.rule for a in self.alarms]


class World:
    """Everything a pass needs; ``store`` is a real SQLite file unless another is given."""

    def __init__(
        self, folder: Path | None = None, *, url: str | None = None, venue: FakeVenue | None = None, seed: int = 1
    ) -> None:
        self.venue = venue or FakeVenue(VirtualClock())
        self.clock = self.venue.clock
        self.chance = SeededChance(seed)
        self.url = url or f"sqlite:///{folder}/orders.db"
        self.store: Store = open_store(self.url, clock=self.clock, chance=self.chance)
        self.store.claim(self.venue.name, self.venue.portfolio_id)
        self.heard = Heard()
        self.recorder = Recorder(store=self.store, clock=self.clock, announce=self.heard)
        self.passes = self.another()
        self._count = 0

    def another(self, **changes: object) -> Passes:
        """Make the passes of another process on the same store."""
        wanted = {
            "store": self.store,
            "venue": self.venue,
            "recorder": self.recorder,
            "clock": self.clock,
            "chance": self.chance,
            "host": "here",
            "pid": 1,
        } | changes
        return Passes(**wanted)  # type: ignore[arg-type]

    def close(self) -> None:
        self.store.close()

    def deep(self, wish: Wish | None = None) -> PassReport:
        """Run a deep pass a second later: what was created just now lies before its end then."""
        self.clock.advance(1)
        return self.passes.deep(wish=wish)

    # ------------------------------------------------------------------ what there is

    def request(self, **fields: object) -> OrderRequest:
        self._count += 1
        wanted: dict[str, object] = {
            "product_id": "BTC-USD",
            "side": Side.BUY,
            "order_type": OrderType.MARKET,
            "client_order_id": tagged_id(self.tag(), f"{self._count:08x}" + 24 * "0"),
            "quote_size": Decimal(25),
        } | fields
        return OrderRequest(**wanted)  # type: ignore[arg-type]

    def tag(self) -> str:
        with self.store.read() as transaction:
            return transaction.notes.get("tag") or ""

    def intent(self, **fields: object) -> Trade:
        """Commit an intent as `place` does; its answer is not there yet."""
        now = self.venue.now()
        with self.store.write() as transaction:
            return transaction.trades.add(
                Trade(
                    request=self.request(**fields),
                    created_at=self.clock.now(),
                    attempts=1,
                    attempt_at=now,
                    not_after=now + timedelta(seconds=30),
                    submitted_at=self.clock.now(),
                )
            )

    def placed(self, order_id: str, *, at_venue: bool = True, **fields: object) -> Trade:
        """Place an order that both sides know as open."""
        trade = self.intent(**fields)
        if at_venue:
            self.venue.accept(trade.request, order_id)
        answer = PlaceAnswer(kind=AnswerKind.ACCEPTED, attempt=1, at=self.venue.now(), order_id=order_id)
        self.recorder.about(_id(trade), [answer], source=Source.PLACE)
        return trade

    def known(self, order_id: str, **fields: object) -> Trade:
        """Place an order, and let the store know all that the venue shows of it."""
        trade = self.placed(order_id, **fields)
        self.sync(order_id)
        return trade

    def sync(self, order_id: str) -> None:
        """Bring the store up to the venue by hand, fills and zero proof included."""
        order = self.venue.orders[order_id]
        self.recorder.seen([order.seen(self.venue.now())], source=Source.POLL)
        self.clock.advance(3)
        listed = FillsSeen(order_id=order_id, as_of=self.venue.now(), fills=tuple(order.fills), complete=True)
        self.recorder.seen([order.seen(self.venue.now()), listed], source=Source.POLL)

    def imported(self, order_ids: Sequence[str]) -> None:
        """Take many stuck rows in at once, as `import` does: only the id is known."""
        with self.store.write() as transaction:
            for order_id in order_ids:
                transaction.trades.add(
                    Trade(
                        request=replace(self.request(), client_order_id=None),
                        created_at=self.clock.now() - timedelta(days=3),
                        origin=Origin.IMPORTED,
                        orders=(VenueOrder(order_id=order_id, accepted=True),),
                        source=Source.IMPORT,
                    )
                )

    def frame(self, order_id: str, word: str, **fields: object) -> None:
        """Let the feed say something about an order."""
        seen = OrderSeen(
            order_id=order_id,
            as_of=self.venue.now(),
            channel=Channel.WEBSOCKET,
            word=word,
            **fields,  # type: ignore[arg-type]
        )
        self.recorder.seen([seen], source=Source.WEBSOCKET)

    # ------------------------------------------------------------------ what is true now

    def view(self, name: str | int) -> TradeView:
        with self.store.read() as transaction:
            found_ids = transaction.trades.ids_of([str(name)], [str(name)])
            ids = [name] if isinstance(name, int) else sorted(set(found_ids.values()))
            (found,) = transaction.trades.views(TradeFilter(trade_ids=ids))
        return found

    def views(self) -> list[TradeView]:
        with self.store.read() as transaction:
            return transaction.trades.views(TradeFilter())

    def rows(self) -> list[TradeView]:
        """All public rows without what a look alone moves."""
        return [replace(v, confirmed_at=None, updated_at=None) for v in self.views()]

    def watermark(self, name: str) -> object:
        with self.store.read() as transaction:
            return transaction.runs.watermark(name)


def _id(trade: Trade) -> int:
    assert trade.trade_id is not None
    return trade.trade_id


DRY = Wish(dry_run=True)
