"""Takes an existing bot's `trades` in: exactly, without doubles, and without touching their source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol

from ordersync_cli.clock import Clock
from ordersync_cli.domain.orders import Status
from ordersync_cli.errors import SettingsError, UsageError
from ordersync_cli.services.foreign_row import MAPPABLE, NEEDED, ForeignRow, read_row
from ordersync_cli.services.ports import Store, Transaction

_BATCH = 1000
_MOST_NAMED = 1000  # problems listed one by one; all are counted

Progress = Callable[[int, int], None]


class Source(Protocol):
    """A bot's table, open for reading only."""

    @property
    def shown(self) -> str:
        """Name it without a password."""
        ...

    @property
    def identity(self) -> str:
        """Tell it from every other table."""
        ...

    @property
    def columns(self) -> Sequence[str]:
        """List its columns."""
        ...

    def count(self) -> int:
        """Count its rows."""
        ...

    def batches(self, size: int) -> Iterator[list[dict[str, Any]]]:
        """Read all its rows by name, in one snapshot."""
        ...


@dataclass(slots=True, kw_only=True)
class ImportResult:
    """What an import did, or would do; ``problems`` name rows by their id at the source."""

    source: str
    dry_run: bool
    in_place: bool = False
    rows: int = 0
    imported: int = 0
    already_there: int = 0
    order_ids_added: int = 0
    pending: int = 0
    completed: int = 0
    failed: int = 0
    without_order_id: list[str] = field(default_factory=list)
    duplicates: int = 0
    problem_count: int = 0
    problems: list[dict[str, Any]] = field(default_factory=list)
    kept_aside: list[str] = field(default_factory=list)
    mapped: dict[str, str] = field(default_factory=dict)
    backup: str | None = None
    columns_added: list[str] = field(default_factory=list)

    def odd(self, row: ForeignRow, problem: str) -> None:
        """Note what was odd about a row."""
        self.problem_count += 1
        if len(self.problems) < _MOST_NAMED:
            self.problems.append({"source_id": row.source_id, "order_id": row.order_id, "problem": problem})

    def count(self, row: ForeignRow) -> None:
        """Count a row by its status, and name it where it is odd or nothing can be asked about it."""
        self.imported += 1
        for problem in row.problems:
            self.odd(row, problem)
        match row.status:
            case Status.COMPLETED:
                self.completed += 1
            case Status.FAILED:
                self.failed += 1
            case _:
                self.pending += 1
                if row.order_id is None:
                    self.without_order_id.append(row.source_id or row.source_key[:12])


def read_mapping(pairs: Sequence[str], columns: Sequence[str]) -> dict[str, str]:
    """Read `OLD=NEW` pairs. Raises UsageError (2) for one that cannot be meant."""
    mapping: dict[str, str] = {}
    for pair in pairs:
        old, equals, new = (part.strip() for part in pair.partition("="))
        if not (old and equals and new):
            raise UsageError(f"--map {pair!r} is not OLD=NEW.", "Write for instance --map qty=size")
        if old not in columns:
            raise UsageError(f"--map {pair!r}: the table has no column {old!r}.", f"It has {', '.join(columns)}.")
        if new not in MAPPABLE:
            raise UsageError(f"--map {pair!r}: ordersync reads no column {new!r}.", f"It reads {', '.join(MAPPABLE)}.")
        if new in mapping.values() or old in mapping:
            raise UsageError(f"--map {pair!r} names a column that another --map names already.")
        mapping[old] = new
    return mapping


def check_columns(columns: Sequence[str], mapping: Mapping[str, str], shown: str) -> None:
    """Raise SettingsError (3) where a column is missing without which nothing can be followed."""
    has = {mapping.get(name, name) for name in columns}
    missing = [name for name in NEEDED if name not in has]
    if missing:
        raise SettingsError(
            f"The table `trades` in {shown} has no column {', '.join(missing)}. Nothing was imported.",
            f"Say which column it is: --map OLD={missing[0]}. The table has {', '.join(columns)}.",
        )


def renamed(cells: Mapping[str, Any], mapping: Mapping[str, str]) -> dict[str, Any]:
    """Give the cells our names; a column that a mapped one replaces keeps its own name, marked."""
    taken = set(mapping.values())
    result = {(f"{k} (unmapped)" if k in taken else k): v for k, v in cells.items() if k not in mapping}
    return {**result, **{mapping[k]: v for k, v in cells.items() if k in mapping}}


def rows_of(source: Source, mapping: Mapping[str, str]) -> Iterator[list[ForeignRow]]:
    """Read a table batch by batch, as it was meant."""
    seen: Counter[str] = Counter()
    for batch in source.batches(_BATCH):
        rows = []
        for cells in batch:
            named = renamed(cells, mapping)
            row = read_row(named, source.identity)
            seen[row.source_key] += 1
            if seen[row.source_key] > 1:
                row = read_row(named, source.identity, seen[row.source_key] - 1)
            rows.append(row)
        yield rows


@dataclass(frozen=True, slots=True)
class Importer:
    """Copies a bot's rows into the store, a few hundred in each transaction.

    Interrupted, it is run again: what is there already is found by its order id, or by its place
    at the source.
    """

    store: Store
    clock: Clock

    def run(self, source: Source, mapping: Mapping[str, str], *, dry_run: bool, progress: Progress) -> ImportResult:
        """Take every row in; with ``dry_run`` only tell what would be done."""
        check_columns(source.columns, mapping, source.shown)
        named = {mapping.get(name, name) for name in source.columns}
        result = ImportResult(source=source.shown, dry_run=dry_run, mapped=dict(mapping))
        result.kept_aside = sorted(named - set(MAPPABLE))
        total, done = source.count(), 0
        taken: set[str] = set()
        for rows in rows_of(source, mapping):
            if dry_run:
                with self.store.read() as reading:
                    self._take(reading, rows, result, taken, write=False)
            else:
                with self.store.write() as writing:
                    self._take(writing, rows, result, taken, write=True)
            done += len(rows)
            progress(done, max(total, done))
        return result

    def _take(
        self,
        transaction: Transaction,
        rows: Sequence[ForeignRow],
        result: ImportResult,
        taken: set[str],
        *,
        write: bool,
    ) -> None:
        at = self.clock.now()
        known = transaction.imports.known([r.source_key for r in rows])
        owners = transaction.trades.ids_of([r.order_id for r in rows if r.order_id])
        new: list[ForeignRow] = []
        for row in rows:
            result.rows += 1
            if row.source_key in known:
                self._again(transaction, row, known[row.source_key], owners, result, write=write)
            elif row.order_id and row.order_id in taken:
                result.duplicates += 1
                result.odd(row, f"order id {row.order_id} stands in an earlier row too: this row was left out")
            elif row.order_id and row.order_id in owners:
                result.already_there += 1
            else:
                new.append(_dated(row, result, at))
            if row.order_id:
                taken.add(row.order_id)
        for row in new:
            result.count(row)
        if write:
            transaction.imports.take_in(new, result.source, at)

    def _again(
        self,
        transaction: Transaction,
        row: ForeignRow,
        trade_id: int,
        owners: Mapping[str, int],
        result: ImportResult,
        *,
        write: bool,
    ) -> None:
        """See a row again: only an order id that it got meanwhile is new."""
        result.already_there += 1
        if row.order_id is None or row.order_id in owners:
            return
        if transaction.imports.lacks_order_id(trade_id):
            result.order_ids_added += 1
            if write:
                transaction.imports.name_order(trade_id, row.order_id)


@dataclass(frozen=True, slots=True)
class Overtaker:
    """Reads the rows of a table that has just become the store, beside the bot's own columns."""

    store: Store
    clock: Clock

    def run(self, shown: str, rows: int, progress: Progress) -> ImportResult:
        """Read every row not read yet; run again, it finds none and changes nothing."""
        result = ImportResult(source=shown, dry_run=False, in_place=True, rows=rows)
        while True:
            with self.store.write() as writing:
                batch = [read_row(cells, "") for cells in writing.imports.unread(_BATCH)]
                if not batch:
                    break
                writing.imports.read_in_place(batch, self.clock.now())
            for row in batch:
                result.count(row)
            progress(min(result.imported, rows), rows)
        result.already_there = max(rows - result.imported, 0)
        return result


def look_in_place(source: Source, progress: Progress) -> ImportResult:
    """Tell what taking a table over would find in it; reads only."""
    result = ImportResult(source=source.shown, dry_run=True, in_place=True)
    result.kept_aside = sorted(set(source.columns) - set(MAPPABLE))
    total = source.count()
    for rows in rows_of(source, {}):
        for row in rows:
            result.count(row)
        result.rows += len(rows)
        progress(result.rows, max(total, result.rows))
    return result


def _dated(row: ForeignRow, result: ImportResult, at: datetime) -> ForeignRow:
    """Give a row without a creation time the best one there is: the bot's last look must not change."""
    if row.created_at is not None:
        return row
    result.odd(row, "created_at is empty: filled_at, or the time of this import, stands for it")
    return replace(row, created_at=row.filled_at or at)
