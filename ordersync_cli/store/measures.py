"""Writes what a change lets us measure, as whole microseconds, in the transaction of the change itself.

Reports aggregate these in SQL on any size of store (decision record 0151). Measures:
``sync_latency`` (venue's time of the fill to the commit), ``cancel_bound`` (the venue last said
otherwise, to the commit: an upper bound), ``status:WORD`` and ``order:WORD`` (how long a trade
stood at the word that it leaves now).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from ordersync_cli.domain.histogram import bucket_of
from ordersync_cli.domain.matching import request_told
from ordersync_cli.domain.orders import OrderStatus, OrderType, Origin
from ordersync_cli.store.trade_news import latency_of, on_venue_clock

if TYPE_CHECKING:
    from ordersync_cli.domain.trade import Change, Trade
    from ordersync_cli.services.ports import ClockOffset
    from ordersync_cli.store.context import Context

SYNC_LATENCY = "sync_latency"
CANCEL_BOUND = "cancel_bound"
STATUS = "status:"
ORDER = "order:"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_ENDED = {OrderStatus.CANCELLED, OrderStatus.EXPIRED, OrderStatus.FAILED}
_BOTS_OWN = {Origin.FOREIGN, Origin.IMPORTED}
_COLUMNS = (
    "measure", "at_us", "micros", "bucket", "error_us", "trade_id", "bot_id", "product_id", "order_type",
    "at_once", "source",
)  # fmt: skip
_INSERT = f"INSERT INTO measures ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"


def micros_of(moment: datetime) -> int:
    """Tell a time as microseconds since 1970."""
    return (moment - _EPOCH) // _MICROSECOND


class Measures:
    """Measures changes inside one transaction."""

    def __init__(self, context: Context) -> None:
        self._sql = context.sql

    def take(self, changes: Sequence[Change], at: datetime, offset: ClockOffset | None) -> None:
        """Write what these changes, committed ``at``, measure; ``offset`` is venue's clock minus ours."""
        since = self._since([c for c in changes if _moves(c)])
        rows: list[tuple[Any, ...]] = []
        for change in changes:
            error = None if offset is None else round(offset.error * 1_000_000)
            rows += [_row(*measured, error, change, at) for measured in _latencies(change, at, offset)]
            for prefix, word in _moves(change):
                key = (change.after.trade_id or 0, prefix)
                began = since.get(key, micros_of(change.after.created_at))
                rows.append(_row(f"{prefix}{word}", micros_of(at) - began, None, change, at))
                since[key] = micros_of(at)
        self._sql.many(_INSERT, rows)

    def _since(self, changes: Iterable[Change]) -> dict[tuple[int, str], int]:
        """Tell since when these trades stand where they stood; those not found stand there since their creation."""
        ids = sorted({c.after.trade_id for c in changes if c.after.trade_id is not None})
        if not ids:
            return {}
        text = (
            "SELECT trade_id, measure, MAX(at_us) FROM measures "
            f"WHERE {self._sql.among('trade_id')} GROUP BY trade_id, measure"
        )
        found: dict[tuple[int, str], int] = {}
        for trade_id, measure, at_us in self._sql.rows(text, (self._sql.values.several(ids),)):
            for prefix in (STATUS, ORDER):
                if measure.startswith(prefix):
                    found[trade_id, prefix] = max(at_us, found.get((trade_id, prefix), at_us))
        return found


def expected_at_once(trade: Trade) -> bool:
    """Tell whether a bot waits for this trade: a market order, or a bot's own row of a type nobody knows."""
    kind = request_told(trade).order_type
    return kind is OrderType.MARKET or (kind is OrderType.OTHER and trade.origin in _BOTS_OWN)


def _moves(change: Change) -> list[tuple[str, str]]:
    moved = []
    if change.was.status is not change.now.status:
        moved.append((STATUS, change.was.status.value))
    if change.was.order_status is not change.now.order_status:
        moved.append((ORDER, change.was.order_status.value))
    return moved


def _latencies(change: Change, at: datetime, offset: ClockOffset | None) -> list[tuple[str, int]]:
    if change.after.origin is Origin.IMPORTED:
        return []
    latency = latency_of(change, at, offset).seconds
    found = [] if latency is None else [(SYNC_LATENCY, int(latency * 1_000_000))]
    if change.now.order_status in _ENDED and not change.was.terminal and change.now.terminal:
        before = change.before
        otherwise = before.confirmed_at or before.accepted_at or before.submitted_at or before.created_at
        found.append((CANCEL_BOUND, micros_of(on_venue_clock(at, offset)) - micros_of(otherwise)))
    return found


def _row(measure: str, micros: int, error: int | None, change: Change, at: datetime) -> tuple[Any, ...]:
    trade = change.after
    request = request_told(trade)
    micros = max(0, micros)  # nothing took less than no time, whatever the clocks say
    return (
        measure,
        micros_of(at),
        micros,
        bucket_of(micros),
        error,
        trade.trade_id,
        request.bot_id,
        request.product_id,
        request.order_type.value,
        expected_at_once(trade),
        change.source.value,
    )
