"""Streams whole rows of a window, for exports: never more than a handful in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ordersync_cli.services.ports.history import Scope
from ordersync_cli.store.history_measures import created_in
from ordersync_cli.store.sql import Sql

_TRADES = {
    "trade_id": "id", "bot_id": "", "product_id": "", "side": "", "order_type": "", "client_order_id": "",
    "order_id": "", "status": "", "order_status": "", "venue_status": "", "size": "size_exact",
    "price": "price_exact", "size_usd": "size_usd_exact", "filled_size": "", "average_filled_price": "",
    "filled_value": "", "total_fees": "", "number_of_fills": "", "fills_verified": "", "reason": "",
    "created_at": "", "submitted_at": "", "accepted_at": "", "filled_at": "", "closed_at": "", "confirmed_at": "",
    "updated_at": "", "sync_latency_seconds": "", "source": "",
}  # fmt: skip
_FILLS = {
    "entry_id": "f.entry_id", "order_id": "f.order_id", "trade_id": "t.id", "bot_id": "t.bot_id",
    "client_order_id": "t.client_order_id", "product_id": "f.product_id", "side": "COALESCE(f.side, t.side)",
    "venue_trade_id": "f.venue_trade_id", "trade_type": "f.trade_type", "price": "f.price", "size": "f.size",
    "size_in_quote": "f.size_in_quote", "commission": "f.commission", "trade_time": "f.trade_time",
    "sequence_timestamp": "f.sequence_timestamp", "liquidity_indicator": "f.liquidity_indicator",
}  # fmt: skip
_FLAGS = {"fills_verified", "size_in_quote"}
_DECIMALS = {
    "size", "price", "size_usd", "filled_size", "average_filled_price", "filled_value", "total_fees",
    "sync_latency_seconds", "commission",
}  # fmt: skip


def exported(
    sql: Sql, scope: Scope, rows: str, tests: Sequence[str], values: Sequence[Any]
) -> tuple[Sequence[str], Iterator[Sequence[Any]]]:
    """Stream trades (by creation) or fills (by the venue's time of the fill), oldest first."""
    if rows == "trades":
        wanted = {name: column or name for name, column in _TRADES.items()}
        within, window = created_in(sql, scope)
        text = f"FROM trades WHERE {' AND '.join([*within, *tests])} ORDER BY created_at, id"
    else:
        wanted, window = _FILLS, [sql.values.time(scope.since), sql.values.time(scope.until)]
        owned = [f"t.{test}" for test in tests]
        conditions = " AND ".join(["f.trade_time >= ?", "f.trade_time < ?", "t.order_id <> ''", *owned])
        text = (
            f"FROM fills f JOIN trades t ON t.order_id = f.order_id WHERE {conditions} "
            "ORDER BY f.trade_time, f.entry_id"
        )
    turn = [_turn(name, sql) for name in wanted]
    found = sql.stream(f"SELECT {', '.join(wanted.values())} {text}", [*window, *values])
    return tuple(wanted), ([f(v) for f, v in zip(turn, row, strict=True)] for row in found)


def _turn(name: str, sql: Sql) -> Callable[[Any], Any]:
    if name.endswith(("_at", "_time", "_timestamp")):
        return sql.values.moment
    if name in _DECIMALS:
        return sql.values.number
    if name in _FLAGS:
        return lambda value: None if value is None else bool(value)
    return _as_it_stands


def _as_it_stands(value: Any) -> Any:
    """Give what a bot wrote into its own columns: on SQLite anything may stand there, and is shown as text."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return str(value) if isinstance(value, float) else value
