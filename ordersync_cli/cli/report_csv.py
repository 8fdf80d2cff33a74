"""Rows of a report as CSV: exact decimals, times in ISO 8601 UTC, one line a trade or fill."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

from ordersync_cli.services.plain import plain

_PART = 1_000
_FORMULA = frozenset("=+-@\t\r")


def csv_parts(columns: Sequence[str], rows: Iterator[Sequence[Any]]) -> Iterator[bytes]:
    """Give the heading, then the rows, a thousand at a time."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n")  # RFC 4180
    writer.writerow(columns)
    for number, row in enumerate(rows, 1):
        writer.writerow([_cell(value) for value in row])
        if number % _PART == 0:
            yield _taken(buffer)
    yield _taken(buffer)


def _taken(buffer: io.StringIO) -> bytes:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text.encode()


def _cell(value: Any) -> Any:
    """Write a value; text that a spreadsheet would run as a formula is quoted by an apostrophe."""
    kind = type(value)
    if kind is str:
        return f"'{value}" if value[:1] in _FORMULA else value
    if kind is bool:
        return "true" if value else "false"
    return value if value is None or kind is int else plain(value)
