"""Turn typed values into JSON's: decimals as strings, times as ISO 8601 UTC ending in Z."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any


def plain(value: Any) -> Any:
    """Turn a value, and all that is inside it, into what JSON can carry; refuses floats.

    Decimals keep every digit and never show an exponent.
    """
    match value:
        case None | bool() | int() | str():
            return value
        case Decimal():
            return format(value, "f")
        case datetime():
            return f"{value.astimezone(UTC).isoformat(timespec='microseconds')[:-6]}Z"
        case Mapping():
            return {str(k): plain(v) for k, v in value.items()}
        case list() | tuple():
            return [plain(v) for v in value]
        case _:
            raise TypeError(f"{type(value).__name__} has no exact form in JSON")
