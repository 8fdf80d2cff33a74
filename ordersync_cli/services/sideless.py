"""A bot's row whose side cannot be read: shown and settled by hand, never asked for or cancelled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ordersync_cli.services.ports.rows import TradeFilter

if TYPE_CHECKING:
    from ordersync_cli.services.ports import Transaction


def sideless(transaction: Transaction, trade_id: int) -> str | None:
    """Say why a stored trade cannot be followed; None for one that can."""
    if transaction.trades.load([trade_id], lock=False):
        return None
    (view,) = transaction.trades.views(TradeFilter(trade_ids=[trade_id]))
    return f"trade {trade_id} is a bot's own row and cannot be followed: its side reads {view.side!r}"


def way_out(trade_id: int) -> str:
    """Say what to do about such a row."""
    return (
        f"Write buy or sell into the column `side` of trade {trade_id}, and it is followed; or settle it: "
        f"ordersync resolve trade:{trade_id} --as WORD --reason TEXT"
    )
