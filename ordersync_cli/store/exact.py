"""The column type that keeps every digit of a decimal, on SQLite too."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, NoReturn

from sqlalchemy import Numeric, Text
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.sql.operators import OperatorType, eq, is_, is_not, ne
from sqlalchemy.types import TypeDecorator, TypeEngine

from ordersync_cli.domain.decimals import canonical, plain

_ALLOWED = {eq, ne, is_, is_not}


class ExactDecimal(TypeDecorator[Decimal]):
    """Canonical text on SQLite, plain NUMERIC on Postgres.

    SQLModel's own Decimal is REAL on SQLite (99999999999.99999999 came back 100000000000), and
    NUMERIC(38,18) rounds the 19th digit (decision record 0102). Text has no numeric order, so
    comparing by size and arithmetic in SQL are refused: fetch the rows and use Python.
    """

    impl = Text
    cache_ok = True

    class comparator_factory(TypeDecorator.Comparator[Decimal]):  # noqa: N801 - SQLAlchemy's name
        """Lets only equality through."""

        def operate(self, op: OperatorType, *other: Any, **kwargs: Any) -> Any:
            """Refuse every operator that would look at the text as a number."""
            if op not in _ALLOWED:
                _refuse(op)
            return super().operate(op, *other, **kwargs)

        def reverse_operate(self, op: OperatorType, other: Any, **kwargs: Any) -> Any:
            """Refuse the same from the right-hand side."""
            if op not in _ALLOWED:
                _refuse(op)
            return super().reverse_operate(op, other, **kwargs)

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the column's type."""
        return dialect.type_descriptor(Numeric() if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        """Write canonical digits; refuses floats, NaN and infinities."""
        if value is None:
            return None
        if not isinstance(value, Decimal):
            raise TypeError(f"{value!r} is no Decimal")
        return canonical(value) if dialect.name == "postgresql" else plain(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:  # noqa: ARG002
        """Read every digit back."""
        return None if value is None else Decimal(value)


def _refuse(op: OperatorType) -> NoReturn:
    name = getattr(op, "__name__", str(op))
    raise TypeError(f"{name} on an exact decimal is text order on SQLite: compare in Python")
