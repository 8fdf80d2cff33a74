"""Which trades are due for what, as ids, and the public rows as views."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ordersync_cli.store import trade_columns
from ordersync_cli.store.schema import overwritten

if TYPE_CHECKING:
    from ordersync_cli.domain.view import TradeView
    from ordersync_cli.services.ports import TradeFilter
    from ordersync_cli.store.context import Context

_VIEWED = ", ".join(trade_columns.VIEWED)
_BLANK = "' \t\n\r'"  # an id of nothing but these names no order, as an empty one
_OF_A_BOT = (
    f"order_status IS NULL AND LTRIM(order_id, {_BLANK}) <> '' "
    "AND LOWER(COALESCE(status, '')) NOT IN ('completed', 'failed')"
)
_READABLE = ", ".join(f"'{word}'" for word in trade_columns.SIDES)
_UNFOLLOWED = f"{_OF_A_BOT} AND LOWER(TRIM(side)) IN ({_READABLE})"


class TradeLists:
    """Lists trades inside one transaction."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._sql = context.sql

    def views(self, wanted: TradeFilter) -> list[TradeView]:
        """List public rows, newest first; ``since`` and ``until`` are about their creation."""
        sql, values = self._sql, self._sql.values
        tests: list[tuple[str, Any]] = []
        if wanted.status is not None:
            tests.append(("status = ?", wanted.status))
        if wanted.bot_id is not None:
            tests.append(("bot_id = ?", wanted.bot_id))
        if wanted.product_id is not None:
            tests.append(("product_id = ?", wanted.product_id))
        if wanted.since is not None:
            tests.append(("created_at >= ?", values.time(wanted.since)))
        if wanted.until is not None:
            tests.append(("created_at < ?", values.time(wanted.until)))
        if wanted.trade_ids is not None:
            tests.append((sql.among("id"), values.several(wanted.trade_ids)))
        text = f"SELECT {_VIEWED} FROM trades"
        if tests:
            text += " WHERE " + " AND ".join(test for test, _ in tests)
        text += " ORDER BY created_at DESC, id DESC"
        parameters = [value for _, value in tests]
        if wanted.limit is not None:
            text += " LIMIT ?"
            parameters.append(wanted.limit)
        rows = (dict(zip(trade_columns.VIEWED, r, strict=True)) for r in sql.rows(text, parameters))
        return [trade_columns.view_of(row, values) for row in rows]

    def pending_ids(self) -> list[int]:
        """List trades that must still be asked for, a bot's own pending rows included."""
        text = f"SELECT id FROM trades WHERE awaits_look UNION SELECT id FROM trades WHERE {_UNFOLLOWED} ORDER BY id"
        return [trade_id for (trade_id,) in self._sql.rows(text)]

    def unverified_ids(self, limit: int) -> list[int]:
        """List ended trades whose fills do not account for their figures yet, oldest first."""
        text = "SELECT id FROM trades WHERE fills_due ORDER BY id LIMIT ?"
        return [trade_id for (trade_id,) in self._sql.rows(text, (limit,))]

    def foreign_ids(self) -> list[int]:
        """List a bot's own pending rows with an order id that nobody has followed yet."""
        text = f"SELECT id FROM trades WHERE {_UNFOLLOWED} ORDER BY id"
        return [trade_id for (trade_id,) in self._sql.rows(text)]

    def overwritten_ids(self) -> list[int]:
        """List followed trades in which another program overwrote what we had derived."""
        text = f"SELECT id FROM trades WHERE {overwritten(postgres=self._sql.postgres)} ORDER BY id"
        return [trade_id for (trade_id,) in self._sql.rows(text)]

    def unreadable(self) -> dict[int, str]:
        """Name a bot's own pending rows that cannot be followed, each with what is wrong."""
        text = f"SELECT id, side FROM trades WHERE {_OF_A_BOT} ORDER BY id"
        return {
            trade_id: f"its side reads {side!r}"
            for trade_id, side in self._sql.rows(text)
            if trade_columns.read_side(side) is None
        }

    def sample_terminal(self, since: datetime, limit: int, draw: int) -> list[int]:
        """Draw distinct ended trades touched since then, imported ones left out; one seed, one draw."""
        text = (
            "SELECT id FROM trades WHERE updated_at >= ? AND NOT awaits_look "
            "AND order_id <> '' AND origin <> 'imported' ORDER BY id"
        )
        rows = self._sql.rows(text, (self._sql.values.time(since),))
        return drawn([trade_id for (trade_id,) in rows], limit, draw)


def drawn(members: Sequence[int], limit: int, draw: int) -> list[int]:
    """Draw without replacement, each member alike; the same seed draws the same."""

    def lot(member: int) -> bytes:
        return hashlib.sha256(f"{draw}:{member}".encode()).digest()

    return sorted(sorted(members, key=lot)[:limit])
