"""Find a trade by whatever the user has: the venue's id, our client order id, or the trade id."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ordersync_cli.errors import UsageError
from ordersync_cli.services.ports.rows import TradeFilter

if TYPE_CHECKING:
    from ordersync_cli.services.ports import Transaction

_DIGITS = 18  # of a 64-bit number
_TRADE = "trade:"


def trade_id_of(transaction: Transaction, wanted: str) -> int | None:
    """Resolve the venue's order id, our client order id or the trade id; None if unknown.

    An exact order id wins over a client order id, and both over a number; ``trade:7`` is the
    trade's number and nothing else.
    """
    return next(iter(_meant(transaction, wanted)), None)


def only_trade_id_of(transaction: Transaction, wanted: str) -> int | None:
    """Resolve it where something is done to the order: UsageError (2) where it names more than one trade."""
    meant = list(dict.fromkeys(_meant(transaction, wanted)))
    if len(meant) > 1:
        named = ", ".join(f"{_TRADE}{trade_id}" for trade_id in meant)
        raise UsageError(
            f"{wanted} names more than one trade: an id of one is the number of another. Nothing was changed.",
            f"Say which: {named}.",
        )
    return meant[0] if meant else None


def _meant(transaction: Transaction, wanted: str) -> Iterator[int]:
    """Yield the trades that this id may mean, the likeliest first."""
    yield from transaction.trades.ids_of(order_ids=[wanted]).values()
    yield from transaction.trades.ids_of(client_order_ids=[wanted]).values()
    digits = wanted.removeprefix(_TRADE)
    if digits.isascii() and digits.isdigit() and len(digits) <= _DIGITS:
        yield from (view.trade_id for view in transaction.trades.views(TradeFilter(trade_ids=[int(digits)])))
