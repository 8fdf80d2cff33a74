"""Maps a flat value of the ports to the columns of its table and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
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
        """Write an INSERT of all columns but one that the database gives."""
        columns = self.columns(without)
        marks = ", ".join("?" * len(columns))
        return f"INSERT INTO {self.table} ({', '.join(columns)}) VALUES ({marks})"

    def row(self, value: T, values: Values, without: str = "") -> tuple[Any, ...]:
        """List a value's columns as the database wants them."""
        return tuple(self._written(name, getattr(value, name), values) for name in self.names if name != without)

    def read(self, row: Sequence[Any], values: Values) -> T:
        """Build a value from a row of `select`."""
        found = dict(zip(self.names, row, strict=True))
        for name in self.times:
            found[name] = values.moment(found[name])
        for name in self.decimals:
            found[name] = values.number(found[name])
        return self.kind(**found)

    def _written(self, name: str, content: Any, values: Values) -> Any:
        if name in self.times:
            return values.time(content)
        return values.decimal(content) if name in self.decimals else content
