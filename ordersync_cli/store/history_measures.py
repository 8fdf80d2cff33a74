"""Reads durations that were measured, counted by bucket in SQL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from ordersync_cli.domain.histogram import Histogram
from ordersync_cli.domain.orders import OrderStatus, Status
from ordersync_cli.services.ports.history import Cell, PendingSpan, Scope
from ordersync_cli.store.measures import ORDER, STATUS, micros_of
from ordersync_cli.store.sql import Row, Sql

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR = 3_600_000_000
_FAMILIES = {f"{STATUS}%": [STATUS + word for word in Status], f"{ORDER}%": [ORDER + word for word in OrderStatus]}
Tests = tuple[list[str], list[Any]]


class Measured:
    """The measures of a window, inside one reading transaction."""

    def __init__(self, sql: Sql) -> None:
        self._sql = sql

    def cells(self, scope: Scope, measure: str, by: Sequence[str] = (), slot_seconds: float = 3600) -> list[Cell]:
        """Count the samples of a measure by keys, bucket by bucket."""
        keys = [_key(name, scope, slot_seconds) for name in by]
        tests, values = self._measured(scope, measure)
        columns = ", ".join([*keys, "bucket"])
        places = ", ".join(str(i + 1) for i in range(len(keys) + 1))
        text = (
            f"SELECT {columns}, COUNT(*), SUM(micros), MAX(micros), MAX(error_us) FROM measures "
            f"WHERE {' AND '.join(tests)} GROUP BY {places}"
        )
        found: dict[tuple[Any, ...], list[Row]] = {}
        for row in self._sql.rows(text, values):
            found.setdefault(row[: len(keys)], []).append(row[len(keys) :])
        return [_cell(keys_, rows) for keys_, rows in sorted(found.items(), key=str)]

    def samples(
        self, scope: Scope, measure: str, by: Sequence[str], buckets: Sequence[int], slot_seconds: float = 3600
    ) -> Iterator[tuple[Any, ...]]:
        """Stream the samples that lie in these buckets: the keys, the bucket, the microseconds."""
        tests, values = self._measured(scope, measure)
        columns = ", ".join([*(_key(name, scope, slot_seconds) for name in by), "bucket", "micros"])
        text = f"SELECT {columns} FROM measures WHERE {' AND '.join([*tests, self._sql.among('bucket')])}"
        return self._sql.stream(text, [*values, self._sql.values.several(buckets)])

    def long_pending(self, scope: Scope, seconds: float) -> list[PendingSpan]:
        """List trades expected at once that left pending since the window began, after longer than that."""
        tests, values = whose(scope)
        tests = ["measure = ?", "at_us >= ?", "micros > ?", "at_once", *tests]
        text = (
            "SELECT trade_id, bot_id, product_id, at_us, micros FROM measures "
            f"WHERE {' AND '.join(tests)} ORDER BY at_us, trade_id"
        )
        wanted = [f"{STATUS}pending", micros_of(scope.since), round(seconds * 1_000_000), *values]
        return [
            PendingSpan(
                trade_id=trade_id,
                bot_id=bot_id,
                product_id=product_id,
                began_at=_moment(at_us - micros),
                ended_at=_moment(at_us),
            )
            for trade_id, bot_id, product_id, at_us, micros in self._sql.rows(text, wanted)
        ]

    def _measured(self, scope: Scope, measure: str) -> Tests:
        tests, values = whose(scope)
        window = [micros_of(scope.since), micros_of(scope.until)]
        named = self._sql.values.several(_FAMILIES.get(measure, [measure]))
        return [self._sql.among("measure"), "at_us >= ?", "at_us < ?", *tests], [named, *window, *values]


def whose(scope: Scope) -> Tests:
    """Say in SQL whose trades are asked for."""
    tests: list[str] = []
    values: list[Any] = []
    if scope.bot_id is not None:
        tests.append("bot_id = ?")
        values.append(scope.bot_id)
    if scope.product_id is not None:
        tests.append("product_id = ?")
        values.append(scope.product_id)
    return tests, values


def _key(name: str, scope: Scope, slot_seconds: float) -> str:
    if name == "hour":
        return f"at_us / {_HOUR} - 24 * (at_us / {24 * _HOUR})"
    if name == "slot":
        return f"(at_us - {micros_of(scope.since)}) / {max(1, round(slot_seconds * 1_000_000))}"
    if name not in {"measure", "source", "product_id", "order_type", "at_once"}:
        raise ValueError(f"no key {name}")
    return name


def _cell(keys: tuple[Any, ...], rows: Sequence[Row]) -> Cell:
    histogram = Histogram(
        {bucket: count for bucket, count, *_ in rows},
        sum(int(total) for _, _, total, *_ in rows),
        max(row[3] for row in rows),
    )
    errors = [row[4] for row in rows if row[4] is not None]
    return Cell(keys=keys, histogram=histogram, error_us=max(errors, default=None))


def _moment(at_us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=at_us)
