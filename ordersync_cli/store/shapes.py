"""Maps a flat value of the ports to the columns of its table and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from operator import attrgetter
from typing import Any, Generic, TypeVar

from ordersync_cli.store.values import Values

T = TypeVar("T")
_NAMES: dict[type, tuple[str, ...]] = {}


def _names(kind: type) -> tuple[str, ...]:
    """List the fields of a dataclass; asked for with each row, so remembered."""
    found = _NAMES.get(kind)
    if found is None:
        found = _NAMES[kind] = tuple(field.name for field in fields(kind))
    return found


@dataclass(frozen=True)
class _Plan:
    """How the fields of one dataclass become columns; made once, since it is followed for each row."""

    read: Callable[[Any], tuple[Any, ...]]
    times: tuple[int, ...]
    decimals: tuple[int, ...]


@dataclass(frozen=True)
class Shape(Generic[T]):
    """One table whose columns are the fields of one dataclass, some under another name."""

    table: str
    kind: type[T]
    times: frozenset[str]
    decimals: frozenset[str] = frozenset()
    renamed: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """List the dataclass's fields."""
        return _names(self.kind)

    def columns(self, without: str = "") -> tuple[str, ...]:
        """List the columns, in the order of the fields."""
        return tuple(self.renamed.get(name, name) for name in self.names if name != without)

    def select(self) -> str:
        """Begin a SELECT of all columns."""
        return f"SELECT {', '.join(self.columns())} FROM {self.table}"

    def insert(self, without: str = "") -> str:
        """Write an INSERT of all columns but one that the database gives; the text is kept."""
        text = self._inserts.get(without)
        if text is None:
            columns = self.columns(without)
            marks = ", ".join("?" * len(columns))
            text = self._inserts[without] = f"INSERT INTO {self.table} ({', '.join(columns)}) VALUES ({marks})"
        return text

    def row(self, value: T, values: Values, without: str = "") -> tuple[Any, ...]:
        """List a value's columns as the database wants them."""
        plan = self._plans.get(without)
        if plan is None:
            plan = self._plans[without] = self._plan([name for name in self.names if name != without])
        found = list(plan.read(value))
        for place in plan.times:
            found[place] = values.time(found[place])
        for place in plan.decimals:
            found[place] = values.decimal(found[place])
        return tuple(found)

    def read(self, row: Sequence[Any], values: Values) -> T:
        """Build a value from a row of `select`."""
        found = dict(zip(self.names, row, strict=True))
        for name in self.times:
            found[name] = values.moment(found[name])
        for name in self.decimals:
            found[name] = values.number(found[name])
        return self.kind(**found)

    @cached_property
    def _inserts(self) -> dict[str, str]:
        return {}

    @cached_property
    def _plans(self) -> dict[str, _Plan]:
        return {}

    def _plan(self, names: Sequence[str]) -> _Plan:
        return _Plan(
            read=attrgetter(*names),
            times=tuple(i for i, name in enumerate(names) if name in self.times),
            decimals=tuple(i for i, name in enumerate(names) if name in self.decimals),
        )
