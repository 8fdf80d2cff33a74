"""What is claimed of every venue, be it a recording, the simulator, or Coinbase itself.

Each claim is a function of a `Visit`; it asks only what any venue can be asked, and its requests
depend on the answers alone, so that a recording of it can be played.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import ROUND_DOWN, Decimal

from ordersync_cli.clock import Chance
from ordersync_cli.domain.observations import AnswerKind, OrderSeen, PlaceAnswer
from ordersync_cli.domain.orders import (
    Fill,
    OrderRequest,
    OrderType,
    Product,
    Side,
    StopDirection,
    TimeInForce,
)
from ordersync_cli.services.ports import Lane, Venue

PRODUCT = "BTC-USD"
LOOKS = 60
ENDED = {"FILLED", "CANCELLED", "EXPIRED", "FAILED"}


@dataclass(frozen=True)
class Visit:
    """A venue to ask, where ids come from, and how to wait between two looks."""

    venue: Venue
    chance: Chance
    pause: Callable[[float], None]

    def product(self) -> Product:
        found = self.venue.product(PRODUCT, Lane.PLACE)
        assert found is not None
        assert found.price is not None
        return found

    def market(self, side: Side = Side.BUY, quote: str = "25") -> OrderRequest:
        return OrderRequest(
            product_id=PRODUCT,
            side=side,
            order_type=OrderType.MARKET,
            quote_size=Decimal(quote),
            client_order_id=self.chance.uuid(),
        )

    def resting(self, times_price: str = "0.5", **changes: object) -> OrderRequest:
        product = self.product()
        assert product.price is not None
        price = (product.price * Decimal(times_price)).quantize(product.price_increment, ROUND_DOWN)
        size = (Decimal(20) / price).quantize(product.base_increment, ROUND_DOWN)
        request = OrderRequest(
            product_id=PRODUCT,
            side=Side.BUY,
            order_type=OrderType.LIMIT,
            base_size=size,
            limit_price=price,
            time_in_force=TimeInForce.GTC,
            client_order_id=self.chance.uuid(),
        )
        return replace(request, **changes)  # type: ignore[arg-type]

    def place(self, request: OrderRequest) -> PlaceAnswer:
        return self.venue.send(self.venue.sign(request), 1)

    def accepted(self, request: OrderRequest) -> str:
        answer = self.place(request)
        assert answer.kind is AnswerKind.ACCEPTED, answer
        assert answer.order_id is not None
        return answer.order_id

    def look_until(self, order_id: str, done: Callable[[OrderSeen], bool]) -> OrderSeen:
        for _ in range(LOOKS):
            seen = self.venue.order(order_id, Lane.SYNC)
            if seen is not None and done(seen):
                return seen
            self.pause(0.25)
        raise AssertionError(f"{order_id} never came that far")

    def all_fills(self, order_id: str, count: int) -> list[Fill]:
        for _ in range(LOOKS):
            rows: dict[str, Fill] = {}
            cursor: str | None = None
            while True:
                page = self.venue.fills_of([order_id], Lane.SYNC, cursor)
                rows.update({row.entry_id: row for row in page.fills})
                cursor = page.next_cursor
                if cursor is None:
                    break
            if len(rows) >= count:
                return list(rows.values())
            self.pause(0.25)
        raise AssertionError(f"the fills of {order_id} never came")

    def cancel(self, *order_ids: str) -> None:
        answers = self.venue.cancel(order_ids, Lane.SYNC)
        assert [one.order_id for one in answers if one.accepted] == list(order_ids), answers
        for order_id in order_ids:
            self.look_until(order_id, lambda seen: seen.word in ENDED)


def the_key_may_view_and_trade(visit: Visit) -> None:
    permissions = visit.venue.key_permissions(Lane.SYNC)
    assert permissions.can_view
    assert permissions.can_trade
    assert permissions.portfolio_id


def the_clock_is_told_within_a_second(visit: Visit) -> None:
    assert visit.venue.offset().error < 1.0


def a_product_tells_its_increments(visit: Visit) -> None:
    product = visit.product()
    assert product.product_id == PRODUCT
    assert 0 < product.base_increment < 1
    assert product.price_increment > 0
    assert not product.trading_disabled


def an_unknown_product_is_none(visit: Visit) -> None:
    assert visit.venue.product("NOSUCH-USD", Lane.PLACE) is None


def a_market_order_by_quote_fills_and_its_fills_agree(visit: Visit) -> None:
    request = visit.market()
    order_id = visit.accepted(request)
    seen = visit.look_until(order_id, lambda seen: seen.word == "FILLED")
    assert (seen.client_order_id, seen.side, seen.order_type) == (request.client_order_id, Side.BUY, OrderType.MARKET)
    assert seen.quote_size == Decimal(25)
    figures = seen.figures
    assert figures is not None
    assert figures.filled_size > 0
    assert figures.filled_value + figures.total_fees <= 25
    fills = visit.all_fills(order_id, figures.number_of_fills)
    assert len(fills) == figures.number_of_fills
    assert sum(fill.commission for fill in fills) == figures.total_fees
    value = sum(fill.size if fill.size_in_quote else fill.size * fill.price for fill in fills)
    assert abs(value - figures.filled_value) < Decimal("0.000001")


def a_market_order_by_base_fills(visit: Visit) -> None:
    size = Decimal("0.001").quantize(visit.product().base_increment)
    request = replace(visit.market(Side.SELL), quote_size=None, base_size=size)
    seen = visit.look_until(visit.accepted(request), lambda seen: seen.word == "FILLED")
    assert seen.figures is not None
    assert seen.figures.filled_size == size


def a_resting_order_is_open_and_can_be_cancelled(visit: Visit) -> None:
    request = visit.resting()
    order_id = visit.accepted(request)
    seen = visit.look_until(order_id, lambda seen: seen.word == "OPEN")
    assert (seen.base_size, seen.limit_price) == (request.base_size, request.limit_price)
    assert seen.order_type == OrderType.LIMIT
    visit.cancel(order_id)
    ended = visit.look_until(order_id, lambda seen: seen.word == "CANCELLED")
    assert ended.figures is not None
    assert ended.figures.filled_size == 0


def every_kind_of_order_is_taken(visit: Visit) -> None:
    product = visit.product()
    assert product.price is not None
    stop = (product.price * 2).quantize(product.price_increment)
    end = visit.look_until(visit.accepted(visit.market()), lambda seen: seen.created_time is not None).created_time
    assert end is not None
    resting = [
        visit.resting(post_only=True),
        visit.resting(time_in_force=TimeInForce.GTD, end_time=(end + timedelta(days=1)).replace(microsecond=0)),
        visit.resting("2.1", order_type=OrderType.STOP_LIMIT, stop_price=stop, stop_direction=StopDirection.UP),
    ]
    ids = [visit.accepted(request) for request in resting]
    visit.cancel(*ids)
    for kind in (TimeInForce.IOC, TimeInForce.FOK):
        answer = visit.place(visit.resting(time_in_force=kind))
        if answer.order_id is not None:
            seen = visit.look_until(answer.order_id, lambda seen: seen.word in ENDED)
            assert seen.word != "FILLED"
        else:
            assert answer.kind is AnswerKind.REJECTED


def a_refused_order_names_its_reason(visit: Visit) -> None:
    answer = visit.place(visit.market(quote="100000000"))
    assert answer.kind is AnswerKind.REJECTED
    assert answer.reason
    assert not answer.reason.startswith("UNKNOWN")
    assert not answer.credentials


def the_same_client_order_id_makes_no_second_order(visit: Visit) -> None:
    request = visit.resting()
    order_id = visit.accepted(request)
    visit.look_until(order_id, lambda seen: seen.word == "OPEN")
    again = visit.place(request)
    assert again.kind is AnswerKind.UNKNOWN or again.order_id == order_id
    visit.cancel(order_id)


def an_unknown_order_is_none(visit: Visit) -> None:
    assert visit.venue.order("00000000-0000-4000-8000-000000000000", Lane.SYNC) is None


def orders_are_looked_up_by_their_ids(visit: Visit) -> None:
    ids = [visit.accepted(visit.resting()) for _ in range(3)]
    for order_id in ids:
        visit.look_until(order_id, lambda seen: seen.word == "OPEN")
    page = visit.venue.orders_by_id([*ids, "00000000-0000-4000-8000-000000000000"], Lane.POLL)
    assert {seen.order_id for seen in page.orders} == set(ids)
    assert not page.filter_ignored
    assert not page.quarantined
    visit.cancel(*ids)


def a_listing_by_creation_is_complete_page_by_page(visit: Visit) -> None:
    ids = [visit.accepted(visit.resting()) for _ in range(3)]
    seen = [visit.look_until(order_id, lambda seen: seen.word == "OPEN") for order_id in ids]
    created = [one.created_time for one in seen if one.created_time is not None]
    start, end = min(created), max(created) + timedelta(milliseconds=1)
    listed: list[str] = []
    cursor: str | None = None
    for _ in range(20):
        page = visit.venue.orders_created(start, end, Lane.DEEP, cursor, limit=1)
        listed += [one.order_id for one in page.orders]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert cursor is None
    assert set(ids) <= set(listed)
    assert len(listed) == len(set(listed))
    visit.cancel(*ids)


def fills_are_listed_by_the_time_they_were_booked(visit: Visit) -> None:
    order_id = visit.accepted(visit.market())
    seen = visit.look_until(order_id, lambda seen: seen.word == "FILLED")
    assert seen.figures is not None
    fills = visit.all_fills(order_id, seen.figures.number_of_fills)
    first, last = min(f.sequence_timestamp for f in fills), max(f.sequence_timestamp for f in fills)
    page = visit.venue.fills_booked(first, last + timedelta(milliseconds=1), Lane.DEEP)
    assert {fill.entry_id for fill in fills} <= {fill.entry_id for fill in page.fills}


def a_cancel_of_an_unknown_order_is_not_accepted(visit: Visit) -> None:
    answers = visit.venue.cancel(["00000000-0000-4000-8000-000000000000"], Lane.SYNC)
    assert not any(one.accepted for one in answers)


def a_preview_costs_nothing(visit: Visit) -> None:
    told = visit.venue.preview(visit.market(), Lane.PLACE)
    assert told.errors == ()
    assert told.order_total is not None
    assert told.order_total <= 25
    assert visit.venue.preview(visit.market(quote="100000000"), Lane.PLACE).errors


def balances_name_their_currencies(visit: Visit) -> None:
    held = {one.currency: one for one in visit.venue.balances(Lane.LIGHT)}
    assert held["USD"].available > 0
    assert held["USD"].hold >= 0


def seed_of(claim: Callable[[Visit], None], seed: int) -> int:
    """Make a seed of its own for a claim: two claims must not share a client order id."""
    return seed * 1_000_003 + zlib.crc32(claim.__name__.encode())


CLAIMS: list[Callable[[Visit], None]] = [
    the_key_may_view_and_trade,
    the_clock_is_told_within_a_second,
    a_product_tells_its_increments,
    an_unknown_product_is_none,
    a_market_order_by_quote_fills_and_its_fills_agree,
    a_market_order_by_base_fills,
    a_resting_order_is_open_and_can_be_cancelled,
    every_kind_of_order_is_taken,
    a_refused_order_names_its_reason,
    the_same_client_order_id_makes_no_second_order,
    an_unknown_order_is_none,
    orders_are_looked_up_by_their_ids,
    a_listing_by_creation_is_complete_page_by_page,
    fills_are_listed_by_the_time_they_were_booked,
    a_cancel_of_an_unknown_order_is_not_accepted,
    a_preview_costs_nothing,
    balances_name_their_currencies,
]
