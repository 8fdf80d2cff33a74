"""The kinds of breaks, and those that one sight of an order is enough for."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from ordersync_cli.domain.observations import OrderSeen


class BreakKind(StrEnum):
    """The kinds of the contract."""

    FAILED_BUT_FILLED = "failed_but_filled"
    ABSENT_ORDER_APPEARED = "absent_order_appeared"
    UNKNOWN_TAGGED_ORDER = "unknown_tagged_order"
    STATUS = "status"
    FILLED_SIZE = "filled_size"
    AVERAGE_FILLED_PRICE = "average_filled_price"
    TOTAL_FEES = "total_fees"
    MISSING_FILL = "missing_fill"
    EXTRA_FILL = "extra_fill"
    MISSING_AT_VENUE = "missing_at_venue"
    EXTERNAL_ORDER = "external_order"
    UNKNOWN_OUTCOME = "unknown_outcome"
    DUPLICATE = "duplicate"
    STALE = "stale"


class Severity(StrEnum):
    """Only `open` breaks make a run end with exit code 10."""

    INFO = "info"
    REPAIRED = "repaired"
    OPEN = "open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """One difference; ``money_effect`` is venue minus store in quote currency, where it can be told."""

    kind: BreakKind
    severity: Severity
    order_id: str | None
    trade_id: int | None
    stored: str | None
    venue: str | None
    money_effect: Decimal | None = None


def external(seen: OrderSeen) -> Break:
    """Report an order that was placed elsewhere on the account."""
    return _seen_only(BreakKind.EXTERNAL_ORDER, Severity.INFO, seen)


def unknown_tagged(seen: OrderSeen) -> Break:
    """Report an order with this store's tag that the store does not know (trap T45)."""
    return _seen_only(BreakKind.UNKNOWN_TAGGED_ORDER, Severity.OPEN, seen)


def _seen_only(kind: BreakKind, severity: Severity, seen: OrderSeen) -> Break:
    value = seen.figures.filled_value if seen.figures is not None else None
    return Break(
        kind=kind,
        severity=severity,
        order_id=seen.order_id,
        trade_id=None,
        stored=None,
        venue=seen.word,
        money_effect=value,
    )
