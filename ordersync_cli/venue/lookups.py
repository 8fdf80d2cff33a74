"""Looks orders and fills up by REST, one request a call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

from ordersync_cli.errors import UnreadableAnswer, UsageError
from ordersync_cli.services.ports import FillPage, OrderPage
from ordersync_cli.venue.http_errors import Refused
from ordersync_cli.venue.redact import redacted
from ordersync_cli.venue.wire_fills import fill
from ordersync_cli.venue.wire_orders import rest_order
from ordersync_cli.venue.wire_pages import page
from ordersync_cli.venue.wire_values import WireError, as_row, rfc3339

if TYPE_CHECKING:
    from ordersync_cli.domain.observations import OrderSeen
    from ordersync_cli.domain.orders import Fill
    from ordersync_cli.services.ports import Lane
    from ordersync_cli.venue.caller import Answer, Caller
    from ordersync_cli.venue.transport import Params
    from ordersync_cli.venue.wire_orders import Stamp
    from ordersync_cli.venue.wire_pages import Rows
    from ordersync_cli.venue.wire_values import Json

T = TypeVar("T")

MOST_IDS = 100
FILLS_A_PAGE = 250
ORDERS_PATH = "/orders/historical/batch"
FILLS_PATH = "/orders/historical/fills"


class OrderLookups:
    """The venue's orders and fills; see ``services.ports.Venue`` for what each call promises."""

    def __init__(self, caller: Caller, fills_a_page: int = FILLS_A_PAGE) -> None:
        self._caller = caller
        self._fills_a_page = fills_a_page

    def order(self, order_id: str, lane: Lane, *, within: float | None = None) -> OrderSeen | None:
        """Get one order, ``within`` so many seconds; None only for the venue's own 404 NOT_FOUND."""
        if not order_id.strip():
            raise UsageError("An order id is needed to look an order up.")
        try:
            path = f"/orders/historical/{quote(order_id, safe='')}"
            answer = self._caller.read(lane, path, {}, "Get Order", within=within)
        except Refused as refused:
            if refused.says_no_such_order:
                return None
            raise
        seen = read_answer(answer, "Get Order", _one_order)
        if seen.order_id != order_id:
            raise UnreadableAnswer(f"Get Order: asked for {order_id}, the venue answered with {seen.order_id}.")
        return seen

    def orders_by_id(self, order_ids: Sequence[str], lane: Lane, cursor: str | None = None) -> OrderPage:
        """Look up at most 100 orders in one request; ids left out prove nothing (trap T48).

        Ids in the answer that were not asked for mean that the filter was ignored: they are left
        out, and the listing goes no further.
        """
        wanted = _few_ids(order_ids)
        params = {"order_ids": wanted, "limit": str(MOST_IDS), **_at(cursor)}
        found = self._orders(lane, params, cursor)
        ignored = any(order.order_id not in wanted for order in found.orders)
        if not ignored:
            return found
        return OrderPage(
            orders=tuple(order for order in found.orders if order.order_id in wanted),
            quarantined=tuple(row for row in found.quarantined if row.order_id in wanted),
            next_cursor=None,
            as_of=found.as_of,
            filter_ignored=True,
        )

    def orders_created(
        self,
        start: datetime,
        end: datetime | None,
        lane: Lane,
        cursor: str | None = None,
        limit: int = 250,
    ) -> OrderPage:
        """List orders by creation time in [start, end), without any other filter."""
        params = {"start_date": rfc3339(start), "limit": str(limit), **_at(cursor)}
        if end is not None:
            params["end_date"] = rfc3339(end)
        return self._orders(lane, params, cursor)

    def fills_of(
        self, order_ids: Sequence[str], lane: Lane, cursor: str | None = None, *, within: float | None = None
    ) -> FillPage:
        """List the fills of at most 100 orders, ``within`` so many seconds a page."""
        wanted = _few_ids(order_ids)
        found = self._fills(lane, {"order_ids": wanted}, cursor, within)
        if all(one.order_id in wanted for one in found.fills):
            return found
        return FillPage(
            fills=tuple(one for one in found.fills if one.order_id in wanted),
            quarantined=found.quarantined,
            next_cursor=None,
            as_of=found.as_of,
            filter_ignored=True,
        )

    def fills_booked(self, start: datetime, end: datetime | None, lane: Lane, cursor: str | None = None) -> FillPage:
        """List fills by sequence timestamp in [start, end)."""
        params = {"start_sequence_timestamp": rfc3339(start)}
        if end is not None:
            params["end_sequence_timestamp"] = rfc3339(end)
        return self._fills(lane, params, cursor)

    # ------------------------------------------------------------------ pages

    def _orders(self, lane: Lane, params: Params, cursor: str | None) -> OrderPage:
        where = "List Orders"
        answer = self._caller.read(lane, ORDERS_PATH, params, where)

        def rows(body: Json, stamp: Stamp) -> Rows[OrderSeen]:
            return page(body, "orders", where, lambda row: rest_order(row, stamp), cursor)

        found = read_answer(answer, where, rows)
        return OrderPage(
            orders=found.read,
            quarantined=found.quarantined,
            next_cursor=found.next_cursor,
            as_of=answer.stamp.as_of,
            cut=found.cut,
        )

    def _fills(self, lane: Lane, params: Params, cursor: str | None, within: float | None = None) -> FillPage:
        where = "List Fills"
        sized = {**params, "limit": str(self._fills_a_page), **_at(cursor)}
        answer = self._caller.read(lane, FILLS_PATH, sized, where, within=within)

        def rows(body: Json, _: Stamp) -> Rows[Fill]:
            return page(body, "fills", where, fill, cursor)

        found = read_answer(answer, where, rows)
        return FillPage(
            fills=found.read,
            quarantined=found.quarantined,
            next_cursor=found.next_cursor,
            as_of=answer.stamp.as_of,
        )


def read_answer(answer: Answer, where: str, read: Callable[[Json, Stamp], T]) -> T:
    """Read an answer by the wire's rules. Raises UnreadableAnswer (exit 7)."""
    try:
        return read(answer.body, answer.stamp)
    except WireError as error:
        raise UnreadableAnswer(f"{where}: the venue's answer cannot be read ({redacted(str(error), 160)}).") from None


def _one_order(body: Json, stamp: Stamp) -> OrderSeen:
    return rest_order(as_row(body, "Get Order").get("order"), stamp)


def _few_ids(order_ids: Sequence[str]) -> list[str]:
    wanted = list(dict.fromkeys(order_id for order_id in order_ids if order_id))
    if not wanted:  # without ids the venue would list everything
        raise UsageError("Order ids are needed to look orders up.")
    if len(wanted) > MOST_IDS:
        raise UsageError(f"At most {MOST_IDS} orders are looked up in one request.")
    return wanted


def _at(cursor: str | None) -> dict[str, str]:
    return {} if cursor is None else {"cursor": cursor}
