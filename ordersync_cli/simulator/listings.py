"""Look-ups of orders and fills: filters, pages and cursors of List Orders and List Fills."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ordersync_cli.simulator.orders import Order, Version, load_fill, version
from ordersync_cli.simulator.products import CATALOGUE
from ordersync_cli.simulator.state import State
from ordersync_cli.simulator.times import parse_time
from ordersync_cli.simulator.wire import rest_fill, rest_order

Query = Mapping[str, list[str]]
# Live cursors are large numbers in strings ("748478308"); ours are a place in the listing above these bases.
_ORDER_CURSORS = 748_000_000
_FILL_CURSORS = 114_000_000
_DEFAULT_ORDERS = 1_000
_DEFAULT_FILLS = 100
_LARGEST = 2**63 - 1
MOST_ORDERS = 2_147_483_647  # found by trial by gocryptotrader
MOST_FILLS = 3_000  # found by trial by gocryptotrader


class BadArgument(Exception):
    """A parameter that cannot be read."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of orders before it is printed."""

    orders: list[Version]
    has_next: bool
    cursor: str


def one(query: Query, name: str) -> str:
    """Return the last value given for a parameter, or ""."""
    values = query.get(name)
    return values[-1] if values else ""


def number(query: Query, name: str, default: int) -> int:
    """Return a whole-number parameter."""
    given = one(query, name)
    if not given:
        return default
    try:
        value = int(given)
    except ValueError as error:
        raise BadArgument(f"{name} is not a number") from error
    if abs(value) > _LARGEST:
        raise BadArgument(f"{name} is out of range")
    return value


def _moment(query: Query, name: str) -> int | None:
    given = one(query, name)
    if not given:
        return None
    at = parse_time(given)
    if at is None:
        raise BadArgument(f"{name} is not an RFC 3339 time")
    return at


def _cursor_place(query: Query, base: int) -> int | None:
    given = one(query, "cursor")
    if not given or given == "0":
        return None
    if not given.isascii() or not given.isdigit() or int(given) > _LARGEST:
        raise BadArgument("cursor is invalid")
    return int(given) - base


_LISTS = (("order_ids", "order_id"), ("product_ids", "product_id"), ("order_status", "status"))
_SPOT = frozenset({"SPOT", "UNKNOWN_PRODUCT_TYPE"})  # the only kind of product here
_ORDER_TYPE_KINDS = {"MARKET": "market", "LIMIT": "limit", "STOP_LIMIT": "stop_limit"}


def _kinds(query: Query) -> list[str]:
    return [_ORDER_TYPE_KINDS.get(name, name) for name in query["order_types"]]


def _products_of(assets: list[str]) -> list[str]:
    """Return the products in which one of the assets is bought or sold."""
    return [product.product_id for product in CATALOGUE.values() if {product.base, product.quote} & set(assets)]


def _order_conditions(query: Query) -> tuple[list[str], list[Any]]:
    conditions: list[str] = []
    values: list[Any] = []

    def among(column: str, chosen: list[str]) -> None:
        conditions.append(f"{column} IN ({','.join('?' * len(chosen))})")
        values.extend(chosen)

    for name, column in (*_LISTS, ("time_in_forces", "time_in_force")):
        if query.get(name):
            among(column, query[name])
    if query.get("order_types"):
        among("kind", _kinds(query))
    if query.get("asset_filters"):
        among("product_id", _products_of(query["asset_filters"]))
    if one(query, "order_side"):
        among("side", [one(query, "order_side")])
    if query.get("product_type") and one(query, "product_type") not in _SPOT:
        conditions.append("0")
    # Orders made in the simple app are invisible by default (SPEC: the default is RETAIL_ADVANCED).
    among("source", [one(query, "order_placement_source") or "RETAIL_ADVANCED"])
    for name, comparison in (("start_date", ">="), ("end_date", "<")):
        at = _moment(query, name)
        if at is not None:
            conditions.append(f"created_at {comparison} ?")
            values.append(at)
    return conditions, values


def list_orders(state: State, query: Query) -> Page:
    """Return one page, newest creation first; a singular product_id is silently ignored, as the real one does."""
    conditions, values = _order_conditions(query)
    limit = number(query, "limit", _DEFAULT_ORDERS)
    limit = limit if 0 < limit <= MOST_ORDERS else _DEFAULT_ORDERS
    place = _cursor_place(query, _ORDER_CURSORS)
    sort_by = one(query, "sort_by")
    if sort_by in ("", "UNKNOWN_SORT_BY"):
        if place is not None:
            conditions.append("seq < ?")
            values.append(place)
        sql = f"SELECT doc FROM orders WHERE {' AND '.join(conditions)} ORDER BY seq DESC LIMIT ?"  # noqa: S608
        rows = state.sql.execute(sql, (*values, limit + 1)).fetchall()
        orders = [version(row[0]) for row in rows]
        page = orders[:limit]
        more = len(orders) > limit
        return Page(page, more, str(_ORDER_CURSORS + page[-1].order.seq) if more else "")
    sql = f"SELECT doc FROM orders WHERE {' AND '.join(conditions)}"  # noqa: S608
    orders = sorted((version(row[0]) for row in state.sql.execute(sql, values)), key=_sort_key(sort_by), reverse=True)
    start = place or 0
    page = orders[start : start + limit]
    more = len(orders) > start + limit
    return Page(page, more, str(_ORDER_CURSORS + start + limit) if more else "")


def _sort_key(sort_by: str) -> Any:
    if sort_by == "LIMIT_PRICE":
        return lambda look: look.order.limit_price or Decimal(0)
    return lambda look: look.order.last_fill_at or (0 if sort_by == "LAST_FILL_TIME" else look.order.created_at)


def print_order(state: State, order: Order) -> dict[str, Any]:
    """Return an order as REST prints it, its own cursor included (recorded, not in the spec)."""
    return {**rest_order(order, state.user_id, state.portfolio_id), "cursor": str(_ORDER_CURSORS + order.seq)}


def print_version(state: State, look: Version) -> dict[str, Any]:
    """Return a version of an order as REST prints it; not to be changed."""
    if look.printed is None:
        look.printed = print_order(state, look.order)
    return look.printed


def order_page(state: State, page: Page) -> dict[str, Any]:
    """Return the List Orders answer."""
    orders = [print_version(state, look) for look in page.orders]
    return {"orders": orders, "sequence": "0", "has_next": page.has_next, "cursor": page.cursor}


def order_as_of(state: State, order_id: str, at: int | None) -> Version | None:
    """Return an order now, or as it stood at a moment in the past."""
    if at is None:
        row = state.sql.execute("SELECT doc FROM orders WHERE order_id = ?", (order_id,)).fetchone()
    else:
        row = state.sql.execute(
            "SELECT doc FROM events WHERE order_id = ? AND at <= ? ORDER BY id DESC LIMIT 1", (order_id, at)
        ).fetchone()
    return None if row is None else version(row[0])


def _fill_conditions(query: Query, now: int) -> tuple[list[str], list[Any]]:
    conditions: list[str] = ["visible_at <= ?"]
    values: list[Any] = [now]

    def among(condition: str, chosen: list[str]) -> None:
        conditions.append(condition.format(",".join("?" * len(chosen))))
        values.extend(chosen)

    for name, column in (("order_ids", "order_id"), ("trade_ids", "trade_id"), ("product_ids", "product_id")):
        if query.get(name):
            among(f"{column} IN ({{}})", query[name])
    if query.get("order_types"):
        among("order_id IN (SELECT order_id FROM orders WHERE kind IN ({}))", _kinds(query))
    if query.get("asset_filters"):
        among("product_id IN ({})", _products_of(query["asset_filters"]))
    if query.get("product_types") and not _SPOT & set(query["product_types"]):
        conditions.append("0")
    if one(query, "order_side"):
        among("side IN ({})", [one(query, "order_side")])
    for name, comparison in (("start_sequence_timestamp", ">="), ("end_sequence_timestamp", "<")):
        at = _moment(query, name)
        if at is not None:
            conditions.append(f"booked_at {comparison} ?")
            values.append(at)
    return conditions, values


def list_fills(state: State, query: Query, now: int) -> dict[str, Any]:
    """Return one page of fills, newest booking first; a full page has a cursor, and there is no has_next."""
    conditions, values = _fill_conditions(query, now)
    place = _cursor_place(query, _FILL_CURSORS)
    if place is not None:
        conditions.append("(booked_at, seq) < (SELECT booked_at, seq FROM fills WHERE seq = ?)")
        values.append(place)
    limit = number(query, "limit", _DEFAULT_FILLS)
    limit = min(limit, MOST_FILLS) if limit > 0 else _DEFAULT_FILLS
    sql = f"SELECT seq, doc FROM fills WHERE {' AND '.join(conditions)} ORDER BY booked_at DESC, seq DESC LIMIT ?"  # noqa: S608
    rows = state.sql.execute(sql, (*values, limit)).fetchall()
    fills = [
        rest_fill(load_fill(doc), state.user_id, state.portfolio_id, str(_FILL_CURSORS + seq)) for seq, doc in rows
    ]
    return {"fills": fills, "cursor": str(_FILL_CURSORS + rows[-1][0]) if len(rows) == limit else ""}
