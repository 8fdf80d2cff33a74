"""Asks the venue about the key, products and balances, previews orders, and asks for cancels."""

from __future__ import annotations

import decimal
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import quote

from ordersync_cli.errors import UnreadableAnswer, UsageError
from ordersync_cli.services import ports
from ordersync_cli.venue import wire_account, wire_answers
from ordersync_cli.venue.http_errors import Refused
from ordersync_cli.venue.lookups import read_answer
from ordersync_cli.venue.redact import redacted
from ordersync_cli.venue.wire_pages import page
from ordersync_cli.venue.wire_requests import preview_body

if TYPE_CHECKING:
    from ordersync_cli.clock import Clock
    from ordersync_cli.domain.orders import OrderRequest, Product
    from ordersync_cli.services.ports import Balance, CancelAnswer, KeyPermissions, Lane, Preview
    from ordersync_cli.venue.caller import Caller
    from ordersync_cli.venue.wire_orders import Stamp
    from ordersync_cli.venue.wire_pages import Rows
    from ordersync_cli.venue.wire_values import Json

PRODUCT_KEPT = 30.0  # seconds: increments hardly ever change, trading_disabled may
MOST_CANCELS = 100  # Coinbase docs, Cancel Orders: "Too many orderIDs entered, limit is 100"
ACCOUNTS_A_PAGE = 250  # the documented maximum of List Accounts
MOST_ACCOUNT_PAGES = 100


class AccountLookups:
    """Everything beside orders and fills; see ``services.ports.Venue`` for what each call promises."""

    def __init__(self, caller: Caller, clock: Clock) -> None:
        self._caller = caller
        self._clock = clock
        self._products: dict[str, tuple[float, Product]] = {}

    def key_permissions(self, lane: Lane) -> KeyPermissions:
        """Tell what the key may do, and the portfolio it is bound to."""
        where = "Key permissions"
        answer = self._caller.read(lane, "/key_permissions", {}, where)
        return read_answer(answer, where, lambda body, _: wire_account.key_permissions(body))

    def product(self, product_id: str, lane: Lane) -> Product | None:
        """Fetch a product, or remember it for 30 s; None when the venue does not know it."""
        kept = self._products.get(product_id)
        if kept is not None and self._clock.monotonic() - kept[0] < PRODUCT_KEPT:
            return kept[1]
        if not product_id.strip():
            return None
        where = "Get Product"
        try:
            answer = self._caller.read(lane, f"/products/{quote(product_id, safe='')}", {}, where)
        except Refused as refused:
            if refused.says_no_such_product:
                return None
            raise
        found = read_answer(answer, where, lambda body, _: wire_account.product(body))
        self._products[product_id] = (self._clock.monotonic(), found)
        return found

    def preview(self, request: OrderRequest, lane: Lane) -> Preview:
        """Ask what an order would cost, without placing it."""
        where = "Preview Order"
        try:
            answer = self._caller.ask(lane, "/orders/preview", preview_body(request), where)
        except Refused as refused:
            if refused.status == HTTPStatus.NOT_FOUND:  # a server of the wire format need not know this call
                return wire_answers.preview({"warning": ["there is no preview at this venue"]})
            said = ": ".join(part for part in (refused.body.word, refused.body.said) if part)
            return wire_answers.refused_preview(redacted(said, 200))
        return read_answer(answer, where, lambda body, _: wire_answers.preview(body))

    def cancel(self, order_ids: Sequence[str], lane: Lane) -> tuple[CancelAnswer, ...]:
        """Ask for cancels, at most 100 at once; sent once.

        Answers are matched by order id; an id that the venue left out has no answer here.
        """
        wanted = list(dict.fromkeys(order_id for order_id in order_ids if order_id))
        if not wanted:  # an empty list makes the venue hang
            return ()
        if len(wanted) > MOST_CANCELS:
            raise UsageError(f"At most {MOST_CANCELS} orders are cancelled in one request.")
        where = "Cancel Orders"
        answer = self._caller.write(lane, "/orders/batch_cancel", {"order_ids": wanted}, where)
        answers = read_answer(answer, where, lambda body, _: wire_answers.cancel_answers(body))
        by_id = {one.order_id: one for one in answers}
        return tuple(by_id[order_id] for order_id in wanted if order_id in by_id)

    def balances(self, lane: Lane) -> tuple[Balance, ...]:
        """List what the portfolio holds, summed by currency over its accounts."""
        where = "List Accounts"
        sums: dict[str, Balance] = {}
        cursor: str | None = None
        seen: set[str] = set()
        for _ in range(MOST_ACCOUNT_PAGES):
            params = {"limit": str(ACCOUNTS_A_PAGE)} | ({"cursor": cursor} if cursor else {})
            answer = self._caller.read(lane, "/accounts", params, where)
            rows = read_answer(answer, where, _accounts_after(cursor))
            if rows.quarantined:
                raise UnreadableAnswer(f"{where}: {rows.quarantined[0].problem}.")
            for one in rows.read:
                sums[one.currency] = _added(sums.get(one.currency), one)
            cursor = rows.next_cursor
            if cursor is None or cursor in seen:
                break
            seen.add(cursor)
        return tuple(sums[currency] for currency in sorted(sums))


def _accounts_after(cursor: str | None) -> Callable[[Json, Stamp], Rows[Balance]]:
    return lambda body, _: page(body, "accounts", "List Accounts", wire_account.balance, cursor)


def _added(sum_: Balance | None, one: Balance) -> Balance:
    if sum_ is None:
        return one
    with decimal.localcontext(prec=200):  # exact: the default context keeps 28 digits
        return ports.Balance(currency=one.currency, available=sum_.available + one.available, hold=sum_.hold + one.hold)
