"""The REST routes of the exchange: one function each, from a request to the body of its answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ordersync_cli.simulator import catalogue
from ordersync_cli.simulator.desk import CANCEL_LIMIT, Behaviour, cancel_orders, create_order
from ordersync_cli.simulator.edits import edit_order
from ordersync_cli.simulator.listings import list_fills, number, one
from ordersync_cli.simulator.lookups import faulty_fills, faulty_order, faulty_page
from ordersync_cli.simulator.money import parse
from ordersync_cli.simulator.previews import preview_edit, preview_order
from ordersync_cli.simulator.products import CATALOGUE
from ordersync_cli.simulator.requests import NOT_FOUND, Call, error_answer, json_answer
from ordersync_cli.simulator.session import caught_up, reading, writing
from ordersync_cli.simulator.state import State
from ordersync_cli.simulator.times import second_text

API = "/api/v3/brokerage"


@dataclass(slots=True)
class Exchange:
    """What every route needs."""

    state: State
    behaviour: Behaviour


Route = Callable[[Exchange, Call], Any]


def _create(exchange: Exchange, call: Call) -> Any:
    body = call.body()
    with writing(exchange.state) as session:
        return create_order(session, body, exchange.behaviour)


def _cancel(exchange: Exchange, call: Call) -> Any:
    order_ids = call.body().get("order_ids")
    if not isinstance(order_ids, list) or not order_ids:
        return error_answer(400, "INVALID_ARGUMENT", "order_ids is required")
    if len(order_ids) > CANCEL_LIMIT:
        body = {"error": "InvalidArgument", "message": f"Too many orderIDs entered, limit is {CANCEL_LIMIT}"}
        return json_answer(body, 400)
    with writing(exchange.state) as session:
        return {"results": cancel_orders(session, [str(order_id) for order_id in order_ids])}


def _edit(exchange: Exchange, call: Call) -> Any:
    body = call.body()
    with writing(exchange.state) as session:
        reason = edit_order(session, str(body.get("order_id")), parse(body.get("price")), parse(body.get("size")))
    if not reason:
        return {"success": True, "errors": []}
    error = {"edit_failure_reason": reason, "preview_failure_reason": "UNKNOWN_PREVIEW_FAILURE_REASON"}
    return {"success": False, "errors": error if exchange.behaviour.edit_errors_as_object else [error]}


def _edit_preview(exchange: Exchange, call: Call) -> Any:
    body = call.body()
    with reading(exchange.state) as now:
        return preview_edit(exchange.state, body, now)


def _preview(exchange: Exchange, call: Call) -> Any:
    body = call.body()
    with reading(exchange.state) as now:
        return preview_order(exchange.state, body, now)


def _list_orders(exchange: Exchange, call: Call) -> Any:
    with reading(exchange.state) as now:
        return faulty_page(exchange.state, call, now)


def _list_fills(exchange: Exchange, call: Call) -> Any:
    with reading(exchange.state) as now:
        late = call.fault("late_fills")
        seen_at = now if late is None else now - int(late.seconds * 1_000_000)
        return faulty_fills(call, list_fills(exchange.state, call.query, seen_at))


def _get_order(exchange: Exchange, call: Call) -> Any:
    return faulty_order(exchange.state, call, caught_up(exchange.state))


def _accounts(exchange: Exchange, call: Call) -> Any:
    limit = min(max(number(call.query, "limit", 49), 1), 250)
    start = number(call.query, "cursor", 0)
    with reading(exchange.state):
        rows = catalogue.account_rows(exchange.state)
    page = rows[start : start + limit]
    more = len(rows) > start + limit
    return {"accounts": page, "has_next": more, "cursor": str(start + limit) if more else "", "size": len(page)}


def _account(exchange: Exchange, call: Call) -> Any:
    with reading(exchange.state):
        for row in catalogue.account_rows(exchange.state):
            if row["uuid"] == call.argument:
                return {"account": row}
    return error_answer(404, "NOT_FOUND", "account not found")


def _products(exchange: Exchange, call: Call) -> Any:
    query = call.query
    limit = number(query, "limit", 0) or None
    offset = number(query, "offset", 0)
    chosen, kind = query.get("product_ids", []), one(query, "product_type")
    return catalogue.product_list(exchange.state.market, exchange.state.now(), chosen, kind, limit, offset)


def _product(exchange: Exchange, call: Call) -> Any:
    product_id, _, rest = call.argument.partition("/")
    product = CATALOGUE.get(product_id)
    if product is None:
        return error_answer(404, "NOT_FOUND", "valid product_id is required")
    now = exchange.state.now()
    if not rest:
        return catalogue.product_body(product, exchange.state.market, now)
    if rest == "ticker":
        quote = exchange.state.market.quote(product, now)
        return {"trades": [], "best_bid": str(quote.bid), "best_ask": str(quote.ask)}
    return {"candles": []} if rest == "candles" else NOT_FOUND


def _product_book(exchange: Exchange, call: Call) -> Any:
    product = CATALOGUE.get(one(call.query, "product_id"))
    if product is None:
        return error_answer(404, "NOT_FOUND", "valid product_id is required")
    levels = min(max(number(call.query, "limit", 50), 1), 500)
    return catalogue.product_book(product, exchange.state.market, exchange.state.now(), levels)


def _best_bid_ask(exchange: Exchange, call: Call) -> Any:
    chosen = call.query.get("product_ids") or list(CATALOGUE)
    now = exchange.state.now()
    products = [CATALOGUE[product_id] for product_id in chosen if product_id in CATALOGUE]
    return {"pricebooks": [catalogue.price_book(product, exchange.state.market, now, 1) for product in products]}


def _summary(exchange: Exchange, _call: Call) -> Any:
    return catalogue.transaction_summary(exchange.state)


def _time(exchange: Exchange, _call: Call) -> Any:
    now = exchange.state.now()
    return {"iso": second_text(now), "epochSeconds": str(now // 1_000_000), "epochMillis": str(now // 1_000)}


def _old_time(exchange: Exchange, _call: Call) -> Any:
    now = exchange.state.now()
    return {"data": {"iso": second_text(now), "epoch": now // 1_000_000}}


def _old_accounts(exchange: Exchange, _call: Call) -> Any:
    with reading(exchange.state):
        return catalogue.old_account_rows(exchange.state)


def _fiat(_exchange: Exchange, _call: Call) -> Any:
    return catalogue.fiat_currencies()


def _crypto(_exchange: Exchange, _call: Call) -> Any:
    return catalogue.crypto_currencies()


def _rates(exchange: Exchange, _call: Call) -> Any:
    return catalogue.exchange_rates(exchange.state.market, exchange.state.now())


# Method, path -> route and the scope that the key needs (None: public). EP lists the permissions.
EXACT: dict[tuple[str, str], tuple[Route, str | None]] = {
    ("POST", f"{API}/orders"): (_create, "trade"),
    ("POST", f"{API}/orders/batch_cancel"): (_cancel, "trade"),
    ("POST", f"{API}/orders/edit"): (_edit, "trade"),
    ("POST", f"{API}/orders/edit_preview"): (_edit_preview, "view"),
    ("POST", f"{API}/orders/preview"): (_preview, "view"),
    ("GET", f"{API}/orders/historical/batch"): (_list_orders, "view"),
    ("GET", f"{API}/orders/historical/fills"): (_list_fills, "view"),
    ("GET", f"{API}/accounts"): (_accounts, "view"),
    ("GET", f"{API}/products"): (_products, "view"),
    ("GET", f"{API}/product_book"): (_product_book, "view"),
    ("GET", f"{API}/best_bid_ask"): (_best_bid_ask, "view"),
    ("GET", f"{API}/market/products"): (_products, None),
    ("GET", f"{API}/market/product_book"): (_product_book, None),
    ("GET", f"{API}/transaction_summary"): (_summary, "view"),
    ("GET", f"{API}/time"): (_time, None),
    ("GET", "/v2/time"): (_old_time, None),
    ("GET", "/v2/accounts"): (_old_accounts, "view"),
    ("GET", "/v2/currencies"): (_fiat, None),
    ("GET", "/v2/currencies/crypto"): (_crypto, None),
    ("GET", "/v2/exchange-rates"): (_rates, None),
}
PREFIXED: tuple[tuple[str, str, Route, str | None], ...] = (
    ("GET", f"{API}/orders/historical/", _get_order, "view"),
    ("GET", f"{API}/accounts/", _account, "view"),
    ("GET", f"{API}/products/", _product, "view"),
    ("GET", f"{API}/market/products/", _product, None),
)
KEY_PERMISSIONS = f"{API}/key_permissions"


def find(method: str, path: str) -> tuple[Route, str | None, str] | None:
    """Return the route, its scope and the argument in the path, or None."""
    found = EXACT.get((method, path))
    if found is not None:
        return *found, ""
    for verb, prefix, route, scope in PREFIXED:
        if verb == method and path.startswith(prefix):
            return route, scope, path[len(prefix) :]
    return None


def label(path: str) -> str:
    """Return the path with an id in it replaced, so that requests can be counted by what they ask."""
    if ("GET", path) not in EXACT:
        for _, prefix, _, _ in PREFIXED:
            if path.startswith(prefix):
                return prefix + "{id}"
    return path


def permissions(exchange: Exchange, scopes: frozenset[str]) -> dict[str, Any]:
    """Return GET /key_permissions for a key with these scopes."""
    return {
        "can_view": "view" in scopes,
        "can_trade": "trade" in scopes,
        "can_transfer": "transfer" in scopes,
        "portfolio_uuid": exchange.state.portfolio_id,
        "portfolio_type": "DEFAULT",
    }
