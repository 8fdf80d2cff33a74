"""Reads products, key permissions, accounts and the venue's clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from ordersync_cli.domain.orders import Product
from ordersync_cli.services import ports
from ordersync_cli.venue.wire_values import (
    WireError,
    as_row,
    flag,
    moment,
    need_id,
    need_number,
    need_text,
    number,
    positive,
    text,
)

if TYPE_CHECKING:
    from ordersync_cli.services.ports import Balance, KeyPermissions
    from ordersync_cli.venue.wire_values import (
        Json,
        Row,
    )

_GONE = frozenset({"offline", "delisted"})


def product(body: Json) -> Product:
    """Read a product; raises WireError. Numbers that the venue leaves empty are None."""
    row = as_row(body, "product")
    quote_increment = need_number(row, "quote_increment")
    return Product(
        product_id=need_text(row, "product_id"),
        base_increment=need_number(row, "base_increment"),
        quote_increment=quote_increment,
        price_increment=positive(row, "price_increment") or quote_increment,
        base_min_size=number(row, "base_min_size") or Decimal(0),
        base_max_size=positive(row, "base_max_size"),
        quote_min_size=number(row, "quote_min_size") or Decimal(0),
        quote_max_size=positive(row, "quote_max_size"),
        price=positive(row, "price"),
        aliases=_aliases(row),
        trading_disabled=flag(row, "trading_disabled")
        or flag(row, "is_disabled")
        or (text(row, "status") or "online").lower() in _GONE,
        cancel_only=flag(row, "cancel_only"),
        limit_only=flag(row, "limit_only"),
        post_only=flag(row, "post_only"),
        view_only=flag(row, "view_only"),
    )


def _aliases(row: Row) -> tuple[str, ...]:
    """Name the other products of the same book: BTC-USDC is BTC-USD under another name (trap T25)."""
    alias = text(row, "alias")
    others = row.get("alias_to") or []
    names = [alias, *(others if isinstance(others, list) else [others])]
    return tuple(dict.fromkeys(name for name in names if isinstance(name, str) and name))


def key_permissions(body: Json) -> KeyPermissions:
    """Read what a key may do; raises WireError."""
    row = as_row(body, "key_permissions")
    return ports.KeyPermissions(
        can_view=flag(row, "can_view"),
        can_trade=flag(row, "can_trade"),
        can_transfer=flag(row, "can_transfer"),
        portfolio_id=need_id(row, "portfolio_uuid"),
    )


def balance(value: Json) -> Balance:
    """Read one account of List Accounts; raises WireError."""
    row = as_row(value, "account")
    available = as_row(row.get("available_balance") or {}, "available_balance")
    hold = as_row(row.get("hold") or {}, "hold")
    return ports.Balance(
        currency=need_text(row, "currency"),
        available=number(available, "value") or Decimal(0),
        hold=number(hold, "value") or Decimal(0),
    )


@dataclass(frozen=True, slots=True)
class Told:
    """What a clock of the venue showed: some moment from ``earliest`` to ``latest``."""

    earliest: datetime
    latest: datetime


def server_time(body: Json) -> Told:
    """Read GET /time, to the millisecond where it tells them; raises WireError."""
    row = as_row(body, "time")
    for key, per_second in (("epochMillis", 1000), ("epochSeconds", 1)):
        value = number(row, key)
        if value is not None and 0 < value < 10**11 * per_second:
            start = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=float(value / per_second))
            return Told(start, start + timedelta(seconds=1 / per_second))
    iso = moment(row, "iso")
    if iso is None:
        raise WireError("the venue's time is missing")
    return Told(iso, iso + timedelta(seconds=0 if iso.microsecond else 1))


def date_header(value: str | None) -> Told | None:
    """Read an HTTP Date header, which is cut to the second; None where it cannot be."""
    if not value:
        return None
    try:
        read = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    start = read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
    return Told(start, start + timedelta(seconds=1))
