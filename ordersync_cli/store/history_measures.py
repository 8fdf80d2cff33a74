"""Reads durations that were measured, counted by bucket in SQL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from ordersync_cli.domain.histogram import Histogram, bucket_of
from ordersync_cli.domain.orders import OrderStatus, Status
from ordersync_cli.services.ports.history import Cell, PendingSpan, Scope
from ordersync_cli.store.measures import ORDER, STATUS, micros_of
from ordersync_cli.store.sql import Row, Sql

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR = 3_600_000_000
_FAMILIES = {f"{STATUS}%": [STATUS + word for word in Status], f"{ORDER}%": [ORDER + word for word in OrderStatus]}
WORDS = ("measure", "source", "product_id", "order_type", "at_once", "bucket")  # what ix_measures_report begins with
_INDEX = "INDEXED BY ix_measures_report"  # SQLite: whatever its statistics say, or do not say yet
Tests = tuple[list[str], list[Any]]


class Measured:
    """The measures of a window, inside one reading transaction."""

    def __init__(self, sql: Sql) -> None:
        self._sql = sql
        self._known: dict[str, list[tuple[Any, ...]]] = {}

    def cells(self, scope: Scope, measure: str, by: Sequence[str] = (), slot_seconds: float = 3600) -> list[Cell]:
        """Count the samples of a measure by keys, bucket by bucket."""
        keys = [_key(name, scope, slot_seconds) for name in by]
        found: dict[tuple[Any, ...], list[Row]] = {}
        for row in self._counted(scope, measure, keys):
            found.setdefault(tuple(row[: len(keys)]), []).append(row[len(keys) :])
        return [_cell(keys_, rows) for keys_, rows in sorted(found.items(), key=str)]

    def samples(
        self, scope: Scope, measure: str, by: Sequence[str], buckets: Sequence[int], slot_seconds: float = 3600
    ) -> Iterator[tuple[Any, ...]]:
        """Stream the samples that lie in these buckets: the keys, the bucket, the microseconds."""
        columns = ", ".join([*(_key(name, scope, slot_seconds) for name in by), "bucket", "micros"])
        if self._sql.postgres:
            tests, values = self._measured(scope, measure)
            text = f"SELECT {columns} FROM measures WHERE {' AND '.join([*tests, self._sql.among('bucket')])}"
            yield from self._sql.stream(text, [*values, self._sql.values.several(buckets)])
            return
        wanted = set(buckets)
        for words in self._words(measure):
            if words[-1] in wanted:
                test, values = _part(scope, words)
                yield from self._sql.stream(f"SELECT {columns} FROM measures {_INDEX} WHERE {test}", values)

    def longest_pending(self, scope: Scope) -> int | None:
        """Tell the longest that a trade expected at once was pending, of those that left it in the window."""
        if self._sql.postgres:
            tests, values = self._measured(scope, f"{STATUS}pending")
            found = self._sql.rows(
                f"SELECT MAX(micros) FROM measures WHERE {' AND '.join([*tests, 'at_once'])}", values
            )
            return None if found[0][0] is None else int(found[0][0])
        longest: tuple[int, int] | None = None
        for words in sorted(self._words(f"{STATUS}pending"), key=lambda w: w[-1], reverse=True):
            if longest is not None and words[-1] < longest[0]:
                break
            if words[WORDS.index("at_once")]:
                test, values = _part(scope, words)
                ((micros,),) = self._sql.rows(f"SELECT MAX(micros) FROM measures WHERE {test}", values)
                if micros is not None and (longest is None or micros > longest[1]):
                    longest = (words[-1], micros)
        return None if longest is None else longest[1]

    def long_pending(self, scope: Scope, seconds: float) -> list[PendingSpan]:
        """List trades expected at once that left pending since the window began, after longer than that."""
        limit = round(seconds * 1_000_000)
        tests, values = whose(scope)
        tests = ["micros > ?", "at_once", "at_us >= ?", *tests]
        values = [limit, micros_of(scope.since), *values]
        text = "SELECT trade_id, bot_id, product_id, at_us, micros FROM measures WHERE measure = ? AND "
        if self._sql.postgres:
            tests.insert(0, "bucket >= ?")
            rows = self._sql.rows(text + " AND ".join(tests), [f"{STATUS}pending", bucket_of(limit), *values])
        else:
            named = " AND ".join(f"{name} = ?" for name in WORDS[1:])
            rows = [
                row
                for words in self._words(f"{STATUS}pending")
                if words[-1] >= bucket_of(limit)
                for row in self._sql.rows(f"{text}{named} AND {' AND '.join(tests)}", [*words, *values])
            ]
        rows.sort(key=lambda row: (row[3], row[0]))
        return [
            PendingSpan(
                trade_id=trade_id,
                bot_id=bot_id,
                product_id=product_id,
                began_at=_moment(at_us - micros),
                ended_at=_moment(at_us),
            )
            for trade_id, bot_id, product_id, at_us, micros in rows
        ]

    def _counted(self, scope: Scope, measure: str, keys: Sequence[str]) -> Iterator[Row]:
        """Count by the keys and the bucket.

        Postgres hashes; SQLite would sort every row, so there each run of equal words in front of
        the index is counted by itself, within the window.
        """
        error = "NULL" if measure.startswith((STATUS, ORDER)) else "MAX(error_us)"  # one clock measured those
        sums = f"COUNT(*), SUM(micros), MAX(micros), {error}"
        places = ", ".join(str(i + 1) for i in range(len(keys) + 1))
        columns = ", ".join([*keys, "bucket"])
        if self._sql.postgres:
            tests, values = self._measured(scope, measure)
            text = f"SELECT {columns}, {sums} FROM measures WHERE {' AND '.join(tests)} GROUP BY {places}"
            yield from self._sql.rows(text, values)
            return
        by_time = [key for key in keys if key not in WORDS]
        grouped = f" GROUP BY {', '.join(by_time)}" if by_time else ""
        chosen = ", ".join([*by_time, sums])
        for words in self._words(measure):
            test, values = _part(scope, words)
            named = dict(zip(WORDS, words, strict=True))
            for row in self._sql.rows(f"SELECT {chosen} FROM measures {_INDEX} WHERE {test}{grouped}", values):
                if row[len(by_time)]:
                    times = dict(zip(by_time, row, strict=False))
                    found = [named[k] if k in named else times[k] for k in keys]
                    yield (*found, named["bucket"], *row[len(by_time) :])

    def _words(self, measure: str) -> list[tuple[Any, ...]]:
        """List the different words in front of the index, by jumping from one to the next."""
        if measure not in self._known:
            names = _FAMILIES.get(measure, [measure])
            self._known[measure] = [words for name in names for words in runs_of(self._sql, "measures", WORDS, (name,))]
        return self._known[measure]

    def _measured(self, scope: Scope, measure: str) -> Tests:
        tests, values = whose(scope)
        window = [micros_of(scope.since), micros_of(scope.until)]
        named = self._sql.values.several(_FAMILIES.get(measure, [measure]))
        return [self._sql.among("measure"), "at_us >= ?", "at_us < ?", *tests], [named, *window, *values]


def runs_of(sql: Sql, table: str, columns: Sequence[str], fixed: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """List the different values of columns that begin an index on SQLite, a jump for each: no scan."""
    if len(fixed) == len(columns):
        yield fixed
        return
    column = columns[len(fixed)]
    test = "".join(f"{name} IS ? AND " for name in columns[: len(fixed)])
    if sql.row(f"SELECT 1 FROM {table} WHERE {test}{column} IS NULL LIMIT 1", fixed):
        yield from runs_of(sql, table, columns, (*fixed, None))
    found = sql.row(f"SELECT MIN({column}) FROM {table} WHERE {test}{column} IS NOT NULL", fixed)
    while found is not None and found[0] is not None:
        yield from runs_of(sql, table, columns, (*fixed, found[0]))
        found = sql.row(f"SELECT MIN({column}) FROM {table} WHERE {test}{column} > ?", (*fixed, found[0]))


def _part(scope: Scope, words: Sequence[Any]) -> tuple[str, list[Any]]:
    tests = [f"{name} = ?" for name in WORDS] + ["at_us >= ?", "at_us < ?"]
    values = [*words, micros_of(scope.since), micros_of(scope.until)]
    if scope.bot_id is not None:
        tests.append("bot_id = ?")
        values.append(scope.bot_id)
    if scope.product_id is not None:
        tests.append("product_id = ?")
        values.append(scope.product_id)
    return " AND ".join(tests), values


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


def created_in(sql: Sql, scope: Scope) -> Tests:
    """Say in SQL which trades were created in the window, by the index.

    A bot may write its times on SQLite with a T, which as text sorts after every other time of its
    day: where such are on the first or last day of the window, they are compared as they are meant.
    """
    since, until = (sql.values.time(moment) for moment in (scope.since, scope.until))
    tests = ["created_at >= ?", "created_at < ?"]
    if sql.postgres or not any(_spelt_with_a_t(sql, day) for day in (since[:10], until[:10])):
        return tests, [since, until]
    exact = created(sql)
    return [*tests, f"{exact} >= ?", f"{exact} < ?"], [since, f"{until[:10]}U", since, until]


def _spelt_with_a_t(sql: Sql, day: str) -> bool:
    text = "SELECT 1 FROM trades WHERE created_at >= ? AND created_at < ? LIMIT 1"
    return sql.row(text, (f"{day}T", f"{day}U")) is not None


def created(sql: Sql) -> str:
    """Spell the time of a trade's creation so that it compares with times of ours."""
    return "created_at" if sql.postgres else "REPLACE(created_at, 'T', ' ')"


def _key(name: str, scope: Scope, slot_seconds: float) -> str:
    if name == "hour":
        return f"at_us / {_HOUR} - 24 * (at_us / {24 * _HOUR})"
    if name == "slot":
        return f"(at_us - {micros_of(scope.since)}) / {max(1, round(slot_seconds * 1_000_000))}"
    if name not in {"measure", "source", "product_id", "order_type", "at_once"}:
        raise ValueError(f"no key {name}")
    return name


def _cell(keys: tuple[Any, ...], rows: Sequence[Row]) -> Cell:
    counts: dict[int, int] = {}
    for bucket, count, *_ in rows:
        counts[bucket] = counts.get(bucket, 0) + count
    histogram = Histogram(counts, sum(int(total) for _, _, total, *_ in rows), max(row[3] for row in rows))
    errors = [row[4] for row in rows if row[4] is not None]
    return Cell(keys=keys, histogram=histogram, error_us=max(errors, default=None))


def _moment(at_us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=at_us)
