"""A scripted venue in memory: the Venue port over a dictionary of orders, with faults on request.

Not the simulator: it has no market and no wire. A test says what the venue holds (`add`, `fill`,
`end`), what goes wrong (`fail`, `leave_out`, `hide`, `unreadable`, ...), and reads `calls`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

from ordersync_cli.domain.observations import AnswerKind, Channel, Edit, OrderSeen, PlaceAnswer
from ordersync_cli.domain.orders import (
    NOTHING_FILLED,
    ZERO,
    Figures,
    Fill,
    OrderRequest,
    OrderType,
    Product,
    Side,
)
from ordersync_cli.errors import OrderRefused, UnreadableAnswer, VenueUnavailable
from ordersync_cli.services.ports import (
    Balance,
    CancelAnswer,
    ClockOffset,
    FillPage,
    KeyPermissions,
    Lane,
    OrderPage,
    Preview,
    Quarantined,
    SignedOrder,
)
from tests.support.virtual_clock import VirtualClock

TERMINAL = {"FILLED", "CANCELLED", "EXPIRED", "FAILED"}


@dataclass
class FakeOrder:
    """One order as the imagined venue holds it; tests may change any field."""

    order_id: str
    created_time: datetime
    client_order_id: str = ""
    product_id: str = "BTC-USD"
    side: Side = Side.BUY
    order_type: OrderType = OrderType.MARKET
    base_size: Decimal | None = None
    quote_size: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    word: str = "OPEN"
    figures: Figures = NOTHING_FILLED
    fills: list[Fill] = field(default_factory=list)
    last_fill_time: datetime | None = None
    reason: str | None = None
    edit: Edit | None = None
    placement_source: str = "RETAIL_ADVANCED"

    def seen(self, as_of: datetime) -> OrderSeen:
        return OrderSeen(
            order_id=self.order_id,
            as_of=as_of,
            channel=Channel.REST,
            word=self.word,
            figures=self.figures,
            client_order_id=self.client_order_id,
            product_id=self.product_id,
            side=self.side,
            order_type=self.order_type.value,
            base_size=self.base_size,
            quote_size=self.quote_size,
            limit_price=self.limit_price,
            stop_price=self.stop_price,
            created_time=self.created_time,
            last_fill_time=self.last_fill_time,
            reason=self.reason,
            edit=self.edit,
            placement_source=self.placement_source,
        )


@dataclass
class Fault:
    """Raise ``error`` at calls named ``call`` (or any), after ``skip`` of them, ``times`` times."""

    error: Callable[[], Exception]
    call: str | None
    skip: int
    times: int | None


class FakeVenue:
    """The Venue port; everything it is asked is counted in ``calls``."""

    name = "fake"

    def __init__(self, clock: VirtualClock | None = None, *, simulated: bool = True) -> None:
        self.clock = clock or VirtualClock()
        self.simulated = simulated
        self.orders: dict[str, FakeOrder] = {}
        self.calls: list[tuple[str, tuple[str, ...]]] = []
        self.cancels: list[str] = []
        self.page_size = 250
        self.says_more = False  # on the last page, and not where
        self.fills_page_size = 100
        self.max_ids = 100  # larger batches are refused
        self.minded: set[str] = set()  # a request to cancel that holds one of these is refused as a whole
        self.seconds_per_request = 0.0
        self.portfolio_id = "portfolio-1"
        self.offset_seconds = 0.0
        self.leave_out: set[str] = set()  # batched look-ups do not answer these
        self.hidden: set[str] = set()  # Get Order says 404, listings do not show them
        self.unlisted: set[str] = set()  # only listings do not show them
        self.unreadable: set[str] = set()  # their row cannot be read, anywhere
        self.unreadable_fills: set[str] = set()  # entry ids
        self.hidden_fills: set[str] = set()  # entry ids that List Fills does not show yet
        self.filter_ignored = False  # batched look-ups answer with everything
        self.stale: dict[str, OrderSeen] = {}  # look-ups answer with this instead
        self.listed_as: dict[str, tuple[str, ...]] = {}  # batched look-ups list it once under each of these words
        self.next_answer: Callable[[SignedOrder, int], PlaceAnswer] | None = None
        self.before_call: Callable[[str], None] | None = None
        self.wallet: tuple[Balance, ...] = ()
        self._faults: list[Fault] = []
        self._entries = 0

    # ------------------------------------------------------------------ what a test says

    def add(self, order_id: str, **fields: object) -> FakeOrder:
        """Put an order on the venue; created now unless told."""
        fields.setdefault("created_time", self.now())
        order = FakeOrder(order_id=order_id, **fields)  # type: ignore[arg-type]
        self.orders[order_id] = order
        return order

    def accept(self, request: OrderRequest, order_id: str, **fields: object) -> FakeOrder:
        """Put the order of a request on the venue."""
        fields.setdefault("created_time", self.now())
        order = FakeOrder(
            order_id=order_id,
            client_order_id=request.client_order_id or "",
            product_id=request.product_id,
            side=request.side,
            order_type=request.order_type,
            base_size=request.base_size,
            quote_size=request.quote_size,
            limit_price=request.limit_price,
            stop_price=request.stop_price,
            **fields,  # type: ignore[arg-type]
        )
        self.orders[order_id] = order
        return order

    def fill(self, order_id: str, size: str, price: str, fee: str = "0", **fields: object) -> Fill:
        """Execute part of an order: one more fill, and the cumulative figures."""
        order = self.orders[order_id]
        self._entries += 1
        base, at = Decimal(size), Decimal(price)
        fill = Fill(
            entry_id=f"entry-{self._entries}",
            order_id=order_id,
            venue_trade_id=f"t{self._entries}",
            trade_type="FILL",
            price=at,
            size=base,
            size_in_quote=False,
            commission=Decimal(fee),
            trade_time=self.now(),
            sequence_timestamp=self.now(),
            product_id=order.product_id,
            side=order.side,
            liquidity_indicator="TAKER",
        )
        fill = replace(fill, **fields)  # type: ignore[arg-type]
        order.fills.append(fill)
        was = order.figures
        filled = was.filled_size + base
        value = was.filled_value + base * at
        order.figures = Figures(
            filled_size=filled,
            number_of_fills=was.number_of_fills + 1,
            filled_value=value,
            total_fees=was.total_fees + Decimal(fee),
            average_filled_price=value / filled if filled else ZERO,
        )
        order.last_fill_time = fill.trade_time
        return fill

    def end(self, order_id: str, word: str, reason: str | None = None) -> None:
        """Give an order its last word."""
        self.orders[order_id].word = word
        self.orders[order_id].reason = reason

    def fail(
        self,
        error: Callable[[], Exception] | None = None,
        *,
        call: str | None = None,
        skip: int = 0,
        times: int | None = 1,
    ) -> Fault:
        """Let calls fail from now on (``times=None``: until `heal`)."""
        fault = Fault(error or (lambda: VenueUnavailable("The venue is away.")), call, skip, times)
        self._faults.append(fault)
        return fault

    def heal(self) -> None:
        self._faults.clear()

    def count(self, call: str) -> int:
        return Counter(name for name, _ in self.calls)[call]

    # ------------------------------------------------------------------ the port

    @property
    def requests_made(self) -> int:
        return len(self.calls)

    def now(self) -> datetime:
        return self.clock.now() + timedelta(seconds=self.offset_seconds)

    def offset(self) -> ClockOffset:
        return ClockOffset(seconds=self.offset_seconds, error=0.01, measured_at=self.clock.now())

    def known_offset(self) -> ClockOffset:
        return self.offset()

    def key_permissions(self, lane: Lane) -> KeyPermissions:
        self._call("key_permissions")
        return KeyPermissions(can_view=True, can_trade=True, can_transfer=False, portfolio_id=self.portfolio_id)

    def product(self, product_id: str, lane: Lane) -> Product | None:
        self._call("product", product_id)
        return Product(
            product_id=product_id,
            base_increment=Decimal("0.00000001"),
            quote_increment=Decimal("0.01"),
            price_increment=Decimal("0.01"),
            base_min_size=Decimal("0.00000001"),
            base_max_size=Decimal(3400),
            quote_min_size=Decimal(1),
            quote_max_size=Decimal(150000000),
            price=Decimal(60000),
        )

    def preview(self, request: OrderRequest, lane: Lane) -> Preview:
        self._call("preview")
        return Preview(
            errors=(), warnings=(), order_total=None, commission_total=None, base_size=None,
            quote_size=None, average_price=None,
        )  # fmt: skip

    def sign(self, request: OrderRequest) -> SignedOrder:
        now = self.now()
        return SignedOrder(request=request, body={}, token="t", signed_at=now, not_after=now + timedelta(seconds=30))

    def send(self, signed: SignedOrder, attempt: int) -> PlaceAnswer:
        self._call("send", str(signed.request.client_order_id))
        if self.next_answer is not None:
            return self.next_answer(signed, attempt)
        order_id = f"order-{len(self.orders) + 1}"
        self.accept(signed.request, order_id)
        return PlaceAnswer(kind=AnswerKind.ACCEPTED, attempt=attempt, at=self.now(), order_id=order_id)

    def order(self, order_id: str, lane: Lane, *, within: float | None = None) -> OrderSeen | None:
        as_of = self._call("order", order_id, within=within)
        if order_id in self.unreadable:
            raise UnreadableAnswer(f"The order {order_id} cannot be read.")
        if order_id not in self.orders or order_id in self.hidden:
            return None
        return self._look(order_id, as_of)

    def orders_by_id(self, order_ids: Sequence[str], lane: Lane, cursor: str | None = None) -> OrderPage:
        as_of = self._call("orders_by_id", *order_ids)
        if len(order_ids) > self.max_ids:
            raise OrderRefused("Too many order ids.")
        if self.filter_ignored:
            page = self._order_page(sorted(self.orders), as_of, cursor)
            return replace(page, filter_ignored=any(o.order_id not in order_ids for o in page.orders))
        held = [i for i in order_ids if i in self.orders and i not in self.hidden | self.leave_out]
        return self._order_page(held, as_of, cursor)

    def orders_created(
        self, start: datetime, end: datetime | None, lane: Lane, cursor: str | None = None, limit: int = 250
    ) -> OrderPage:
        as_of = self._call("orders_created", start.isoformat(), str(end), str(cursor))
        held = [
            o.order_id
            for o in sorted(self.orders.values(), key=lambda o: (o.created_time, o.order_id), reverse=True)
            if o.created_time >= start
            and (end is None or o.created_time < end)
            and o.order_id not in self.hidden | self.unlisted
        ]
        return self._order_page(held, as_of, cursor, limit)

    def fills_of(
        self, order_ids: Sequence[str], lane: Lane, cursor: str | None = None, *, within: float | None = None
    ) -> FillPage:
        as_of = self._call("fills_of", *order_ids, within=within)
        rows = [f for i in order_ids if i in self.orders for f in self.orders[i].fills]
        return self._fill_page(rows, as_of, cursor)

    def fills_booked(self, start: datetime, end: datetime | None, lane: Lane, cursor: str | None = None) -> FillPage:
        as_of = self._call("fills_booked", start.isoformat(), str(end), str(cursor))
        rows = [
            f
            for o in self.orders.values()
            for f in o.fills
            if f.sequence_timestamp >= start and (end is None or f.sequence_timestamp < end)
        ]
        return self._fill_page(rows, as_of, cursor)

    def cancel(self, order_ids: Sequence[str], lane: Lane) -> tuple[CancelAnswer, ...]:
        self._call("cancel", *order_ids)
        if not self.minded.isdisjoint(order_ids):
            raise OrderRefused("Cancel Orders: the venue answered 400 (INVALID_ARGUMENT: order_ids).")
        answers = []
        for order_id in order_ids:
            order = self.orders.get(order_id)
            accepted = order is not None and order.word not in TERMINAL
            if accepted:
                self.cancels.append(order_id)
            answers.append(
                CancelAnswer(order_id=order_id, accepted=accepted, reason=None if accepted else "UNKNOWN_CANCEL_ORDER")
            )
        return tuple(answers)

    def balances(self, lane: Lane) -> tuple[Balance, ...]:
        self._call("balances")
        return self.wallet

    # ------------------------------------------------------------------ inside

    def _call(self, name: str, *arguments: str, within: float | None = None) -> datetime:
        """Count a call, let a fault happen, and tell when the request started."""
        if self.before_call is not None:
            self.before_call(name)
        self.calls.append((name, arguments))
        as_of = self.now()
        if within is not None and within < self.seconds_per_request:
            self.clock.advance(within)
            raise VenueUnavailable("No answer in time.")
        self.clock.advance(self.seconds_per_request)
        for fault in self._faults:
            if fault.call not in {None, name}:
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            if fault.times is None or fault.times > 0:
                fault.times = None if fault.times is None else fault.times - 1
                raise fault.error()
        return as_of

    def _look(self, order_id: str, as_of: datetime) -> OrderSeen:
        return self.stale.get(order_id) or self.orders[order_id].seen(as_of)

    def _row(self, order_id: str, word: str, as_of: datetime) -> OrderSeen:
        seen = self._look(order_id, as_of)
        if word in {"", seen.word}:
            return seen
        return replace(seen, word=word, figures=NOTHING_FILLED, last_fill_time=None)

    def _order_page(self, order_ids: Sequence[str], as_of: datetime, cursor: str | None, limit: int = 250) -> OrderPage:
        size = min(limit, self.page_size)
        at = int(cursor or 0)
        rows = [(i, word) for i in order_ids for word in self.listed_as.get(i, ("",))]
        shown = rows[at : at + size]
        ids = [i for i, _ in shown]
        more = at + size < len(rows)
        return OrderPage(
            orders=tuple(self._row(i, word, as_of) for i, word in shown if i not in self.unreadable),
            quarantined=tuple(
                Quarantined(where="order", problem="filled_size is a list", order_id=i)
                for i in ids
                if i in self.unreadable
            ),
            next_cursor=str(at + size) if more else None,
            as_of=as_of,
            cut=self.says_more and not more,
        )

    def _fill_page(self, rows: Sequence[Fill], as_of: datetime, cursor: str | None) -> FillPage:
        odd = self.unreadable_fills
        shown = [f for f in rows if f.entry_id not in self.hidden_fills | odd]
        at = int(cursor or 0)
        size = self.fills_page_size
        more = at + size < len(shown)
        return FillPage(
            fills=tuple(shown[at : at + size]),
            quarantined=tuple(
                Quarantined(where="List Fills", problem="size is no number", order_id=f.order_id)
                for f in rows
                if f.entry_id in odd
            ),
            next_cursor=str(at + size) if more else None,
            as_of=as_of,
        )
