"""What a venue says of a key, its portfolio, and wishes that are not orders, as values."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPermissions:
    """What the key may do and which portfolio it is bound to."""

    can_view: bool
    can_trade: bool
    can_transfer: bool
    portfolio_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What the venue says an order would cost; ``errors`` is filled where it would refuse."""

    errors: tuple[str, ...]
    warnings: tuple[str, ...]
    order_total: Decimal | None
    commission_total: Decimal | None
    base_size: Decimal | None
    quote_size: Decimal | None
    average_price: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelAnswer:
    """The venue's answer to one wish to cancel; accepted does not mean cancelled."""

    order_id: str
    accepted: bool
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """What the key's portfolio holds of a currency."""

    currency: str
    available: Decimal
    hold: Decimal
