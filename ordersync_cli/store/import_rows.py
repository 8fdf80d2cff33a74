"""Rows that an import brings: into `trades` as a bot would write them, and where each came from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ordersync_cli.domain.orders import OrderStatus, OrderType, Origin, Source, Status
from ordersync_cli.services.ports import TradeEvent

if TYPE_CHECKING:
    from ordersync_cli.services.foreign_row import ForeignRow
    from ordersync_cli.store.context import Context

_COLUMNS = (
    "bot_id", "product_id", "side", "size", "price", "order_id", "status", "size_usd", "created_at",
    "filled_at", "client_order_id", "size_exact", "price_exact", "size_usd_exact", "order_type",
    "base_size", "quote_size", "limit_price", "origin", "source", "updated_at",
)  # fmt: skip
_INSERT = f"INSERT INTO trades ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))}) RETURNING id"
_CAME_FROM = (
    "INSERT INTO imports (trade_id, source_key, source, source_id, extra, imported_at) VALUES (?, ?, ?, ?, ?, ?)"
)
_READ_IN_PLACE = ("id", "bot_id", "product_id", "side", "size", "price", "order_id", "status", "size_usd")
_ENDED = {Status.COMPLETED.value: OrderStatus.FILLED, Status.FAILED.value: OrderStatus.FAILED}


class ImportRows:
    """Imported rows inside one transaction (the port `ImportTable`)."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._sql = context.sql

    def known(self, source_keys: Sequence[str]) -> dict[str, int]:
        """Find the trades that were imported from these places before."""
        if not source_keys:
            return {}
        sql = self._sql
        text = f"SELECT source_key, trade_id FROM imports WHERE {sql.among('source_key')}"
        return dict(sql.rows(text, (sql.values.several(source_keys),)))

    def take_in(self, rows: Sequence[ForeignRow], source: str, at: datetime) -> list[int]:
        """Insert rows as a bot would: unfollowed, so that the next pass asks the venue for them.

        A row whose side cannot be read is kept as a bot's own (no origin), and never followed.
        """
        sql, values = self._sql, self._sql.values
        trade_ids: list[int] = []
        for row in rows:
            ((trade_id,),) = sql.rows_written(_INSERT, self._cells(row, at))
            trade_ids.append(int(trade_id))
        sql.many(
            _CAME_FROM,
            [
                (trade_id, row.source_key, source, row.source_id, _extra(row), values.time(at))
                for trade_id, row in zip(trade_ids, rows, strict=True)
            ],
        )
        self._context.tell([self._event(trade_id, row, at) for trade_id, row in zip(trade_ids, rows, strict=True)])
        return trade_ids

    def lacks_order_id(self, trade_id: int) -> bool:
        """Tell whether an imported row is still without an order id, and nobody settled it."""
        text = "SELECT 1 FROM trades WHERE id = ? AND COALESCE(order_id, '') = '' AND order_status IS NULL"
        return self._sql.row(text, (trade_id,)) is not None

    def name_order(self, trade_id: int, order_id: str) -> None:
        """Give an imported row the order id that the bot wrote meanwhile."""
        self._sql.run("UPDATE trades SET order_id = ? WHERE id = ?", (order_id, trade_id))

    def unread(self, limit: int) -> list[dict[str, Any]]:
        """List rows of a table taken over in place whose numbers have not been read exactly yet."""
        text = (
            f"SELECT {', '.join(_READ_IN_PLACE)} FROM trades "
            "WHERE origin = 'imported' AND order_type IS NULL AND order_status IS NULL ORDER BY id LIMIT ?"
        )
        return [dict(zip(_READ_IN_PLACE, row, strict=True)) for row in self._sql.rows(text, (limit,))]

    def read_in_place(self, rows: Sequence[ForeignRow], at: datetime) -> None:
        """Write what was asked for beside the bot's own columns, which stay as they are.

        A row whose side cannot be read loses its origin: it is the bot's own, and never followed.
        """
        values = self._sql.values
        self._sql.many(
            "UPDATE trades SET order_type = ?, base_size = ?, quote_size = ?, limit_price = ?, size_exact = ?, "
            "price_exact = ?, size_usd_exact = ?, source = ?, origin = ?, updated_at = COALESCE(updated_at, ?) "
            "WHERE id = ? AND order_status IS NULL",
            [
                (
                    OrderType.OTHER.value,
                    values.decimal(_asked(row.size)),
                    values.decimal(_asked(row.size_usd)),
                    values.decimal(_asked(row.price)),
                    values.decimal(row.size),
                    values.decimal(row.price),
                    values.decimal(row.size_usd),
                    Source.IMPORT.value,
                    Origin.IMPORTED.value if row.followable else None,
                    values.time(at),
                    int(row.source_id or 0),
                )
                for row in rows
            ],
        )
        self._context.tell([self._event(int(row.source_id or 0), row, at) for row in rows], quietly=True)

    def _cells(self, row: ForeignRow, at: datetime) -> tuple[Any, ...]:
        values = self._sql.values
        return (
            row.bot_id,
            row.product_id,
            row.side,
            self._number("size", row.size),
            self._number("price", row.price),
            "" if row.order_id is None and "order_id" in self._context.never_null else row.order_id,
            row.status,
            self._number("size_usd", row.size_usd),
            values.time(row.created_at),
            values.time(row.filled_at),
            row.client_order_id,
            values.decimal(row.size),
            values.decimal(row.price),
            values.decimal(row.size_usd),
            OrderType.OTHER.value,
            values.decimal(_asked(row.size)),
            values.decimal(_asked(row.size_usd)),
            values.decimal(_asked(row.price)),
            Origin.IMPORTED.value if row.followable else None,
            Source.IMPORT.value,
            values.time(at),
        )

    def _number(self, name: str, number: Decimal | None) -> float | None:
        if number is None:
            return 0.0 if name in self._context.never_null else None
        return float(number)

    def _event(self, trade_id: int, row: ForeignRow, at: datetime) -> TradeEvent:
        order_status = _ENDED.get(row.status) or (OrderStatus.OPEN if row.order_id else OrderStatus.SUBMITTING)
        return TradeEvent(
            event_id=self._context.chance.uuid(),
            trade_id=trade_id,
            bot_id=row.bot_id,
            order_id=row.order_id,
            client_order_id=row.client_order_id,
            kind=Origin.IMPORTED.value,
            old_status=None,
            status=row.status,
            order_status=order_status.value,
            venue_status=None,
            filled_size=None,
            average_filled_price=None,
            filled_at=row.filled_at,
            source=Source.IMPORT.value,
            venue_time=None,
            seen_at=at,
            committed_at=at,
            latency_seconds=None,
            detail="; ".join(row.problems) or None,
        )


def _asked(number: Decimal | None) -> Decimal | None:
    """Zero stands for "not known" in a bot's row."""
    return number if number is not None and number > 0 else None


def _extra(row: ForeignRow) -> str | None:
    return json.dumps(row.extra) if row.extra else None
