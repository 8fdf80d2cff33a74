"""Find a trade by whatever the user has: the venue's id, our client order id, or the trade id."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ordersync_cli.services.ports import Transaction

_DIGITS = 18  # of a 64-bit number


def trade_id_of(transaction: Transaction, wanted: str) -> int | None:
    """Resolve the venue's order id, our client order id or the trade id; None if unknown.

    An exact order id wins over a client order id, and both over a number.
    """
    ids = transaction.trades.ids_of(order_ids=[wanted])
    if wanted in ids:
        return ids[wanted]
    ids = transaction.trades.ids_of(client_order_ids=[wanted])
    if wanted in ids:
        return ids[wanted]
    if wanted.isascii() and wanted.isdigit() and len(wanted) <= _DIGITS:
        number = int(wanted)
        return number if transaction.trades.load([number], lock=False) else None
    return None
