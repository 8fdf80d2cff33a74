"""Breaks that stay open until a person accepts them, whichever source brought them (decision record 0002)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from ordersync_cli.domain.ruled_out import lasting

if TYPE_CHECKING:
    from ordersync_cli.domain.ruled_out import Difference
    from ordersync_cli.domain.trade import Change
    from ordersync_cli.services.ports import StoredBreak, Transaction


def open_lasting(transaction: Transaction, changes: Iterable[Change], at: datetime) -> None:
    """Open them in the transaction of the change: a pass that comes later finds row and venue alike."""
    for change in changes:
        for difference in lasting(change):
            transaction.breaks.see(_row(change, difference, at))


def _row(change: Change, difference: Difference, at: datetime) -> StoredBreak:
    from ordersync_cli.services.ports import StoredBreak  # `place` seldom needs it

    return StoredBreak(
        break_id=None,
        kind=difference.kind,
        severity=difference.severity,
        key=break_key(change),
        order_id=change.now.order_id,
        trade_id=change.after.trade_id,
        stored=difference.stored,
        venue=difference.venue,
        money_effect=difference.money_effect,
        first_seen=at,
        last_seen=at,
    )


def break_key(change: Change) -> str:
    """Name a break's order by its id, else by our client order id, else by the trade."""
    trade = change.after
    return change.now.order_id or trade.request.client_order_id or f"trade-{trade.trade_id}"
