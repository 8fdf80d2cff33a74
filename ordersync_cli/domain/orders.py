"""The words and values of an order: what was asked for, and where it stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

ZERO = Decimal(0)


class Side(StrEnum):
    """The venue's word for the direction of an order."""

    BUY = "BUY"
    SELL = "SELL"


class OrderType(StrEnum):
    """The venue's order types, read from the order's configuration rather than its label."""

    MARKET = "MARKET"
    LIMIT = "LIMIT"
    STOP_LIMIT = "STOP_LIMIT"
    OTHER = "OTHER"  # brackets, TWAP, scaled, liquidations: followed, never placed


class TimeInForce(StrEnum):
    """How long an order lives."""

    GTC = "gtc"
    GTD = "gtd"
    IOC = "ioc"
    FOK = "fok"


class StopDirection(StrEnum):
    """On which side of the market a stop waits."""

    UP = "up"
    DOWN = "down"


class Status(StrEnum):
    """What a bot reads: the three words of its own table."""

    PENDING = "pending"
    COMPLETED = "completed"
    FAILED = "failed"


class OrderStatus(StrEnum):
    """What is known of the order."""

    SUBMITTING = "submitting"
    OPEN = "open"
    CANCELLING = "cancelling"
    FILLED = "filled"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    FAILED = "failed"
    REJECTED = "rejected"
    NOT_PLACED = "not_placed"


class Source(StrEnum):
    """What brought a change into the store."""

    PLACE = "place"
    WEBSOCKET = "websocket"
    POLL = "poll"
    RECONCILE = "reconcile"
    SYNC = "sync"
    IMPORT = "import"


class Origin(StrEnum):
    """How a trade came into the store."""

    PLACED = "placed"  # by `place`: an intent of ours
    ADOPTED = "adopted"  # an external order taken in
    IMPORTED = "imported"  # from an existing bot's table
    FOREIGN = "foreign"  # a row that a bot inserted itself


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRequest:
    """What somebody asked the venue to do; never changes after the intent is committed.

    Sizes are in base or quote currency, prices in quote currency. ``client_order_id`` is
    None for a row that a bot inserted by itself.
    """

    product_id: str
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce | None = None
    client_order_id: str | None = None
    base_size: Decimal | None = None
    quote_size: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    stop_direction: StopDirection | None = None
    end_time: datetime | None = None
    post_only: bool = False
    bot_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The venue's cumulative figures of one order, complete or not there at all.

    ``filled_size`` in base, ``filled_value`` (without fees), ``total_fees`` and
    ``average_filled_price`` in quote currency.
    """

    filled_size: Decimal
    number_of_fills: int
    filled_value: Decimal
    total_fees: Decimal
    average_filled_price: Decimal


NOTHING_FILLED = Figures(
    filled_size=ZERO,
    number_of_fills=0,
    filled_value=ZERO,
    total_fees=ZERO,
    average_filled_price=ZERO,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """One row of List Fills; ``entry_id`` is its only identity.

    ``size`` is in quote currency where ``size_in_quote``; ``trade_type`` is FILL, REVERSAL,
    CORRECTION or SYNTHETIC (or a word we do not know yet).
    """

    entry_id: str
    order_id: str
    venue_trade_id: str
    trade_type: str
    price: Decimal
    size: Decimal
    size_in_quote: bool
    commission: Decimal
    trade_time: datetime
    sequence_timestamp: datetime
    product_id: str
    side: Side | None
    liquidity_indicator: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """What may be ordered of a product, and in which steps."""

    product_id: str
    base_increment: Decimal
    quote_increment: Decimal
    price_increment: Decimal
    base_min_size: Decimal
    base_max_size: Decimal | None
    quote_min_size: Decimal
    quote_max_size: Decimal | None
    price: Decimal | None
    aliases: tuple[str, ...] = ()
    trading_disabled: bool = False
    cancel_only: bool = False
    limit_only: bool = False
    post_only: bool = False
    view_only: bool = False
