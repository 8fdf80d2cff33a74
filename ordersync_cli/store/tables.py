"""The tables of the store, as SQLModel classes: other programs may read them with these.

The migrations build them, a test compares the two; the hot path writes the same columns without
importing this module, which costs 0.25 s (decision record 0101).
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

from sqlalchemy import REAL, BigInteger, Double, Index, Integer, Text, text
from sqlalchemy.types import TypeEngine
from sqlmodel import Field, SQLModel

from ordersync_cli.store.exact import ExactDecimal

Key: TypeEngine[int] = BigInteger().with_variant(Integer(), "sqlite")  # only INTEGER numbers its rows on SQLite
BotNumber: TypeEngine[float] = Double().with_variant(REAL(), "sqlite")  # what a bot's Float column reads


def where(condition: str) -> dict[str, Any]:
    """Say of which rows an index is, on both databases."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


def exact() -> Any:
    """Declare an exact decimal that may be absent."""
    return Field(default=None, sa_type=ExactDecimal)


def long_text() -> Any:
    """Declare a text of any length that may be absent."""
    return Field(default=None, sa_type=Text)


class TradeRow(SQLModel, table=True):
    """One trade: a bot's own columns, the public columns, what was asked for, and book-keeping.

    Everything is nullable or has a default, so that a bot inserts with its own columns alone.
    """

    __tablename__ = "trades"
    __table_args__: ClassVar[Any] = (
        Index("uq_trades_order_id", "order_id", unique=True, **where("order_id <> ''")),
        Index("uq_trades_client_order_id", "client_order_id", unique=True),
        Index("ix_trades_created_at", "created_at"),
        Index("ix_trades_report", "status", "product_id", "side", "created_at", "filled_value", "total_fees", "bot_id"),
        Index("ix_trades_bot_id", "bot_id"),
        Index("ix_trades_awaits_look", "id", **where("awaits_look")),
        Index("ix_trades_fills_due", "id", **where("fills_due")),
        Index("ix_trades_unfollowed", "id", **where("order_status IS NULL")),
        {"sqlite_autoincrement": True},
    )

    # a bot's columns
    id: int | None = Field(default=None, primary_key=True, sa_type=Key)
    bot_id: int | None = Field(default=None, sa_type=BigInteger)
    product_id: str | None = None
    side: str | None = None
    size: float | None = Field(default=None, sa_type=BotNumber)
    price: float | None = Field(default=None, sa_type=BotNumber)
    order_id: str | None = None
    status: str | None = Field(default="pending", sa_column_kwargs={"server_default": "pending"})
    size_usd: float | None = Field(default=None, sa_type=BotNumber)
    created_at: datetime | None = None  # the migration gives it the database's clock as default
    filled_at: datetime | None = None
    # the other keys of the trade JSON
    size_exact: Decimal | None = exact()
    price_exact: Decimal | None = exact()
    size_usd_exact: Decimal | None = exact()
    order_type: str | None = None
    client_order_id: str | None = None
    order_status: str | None = None  # NULL: a row of a bot that nobody has followed yet
    venue_status: str | None = None
    filled_size: Decimal | None = exact()
    average_filled_price: Decimal | None = exact()
    filled_value: Decimal | None = exact()
    total_fees: Decimal | None = exact()
    number_of_fills: int | None = None
    fills_verified: bool | None = None
    reason: str | None = long_text()
    submitted_at: datetime | None = None
    accepted_at: datetime | None = None
    closed_at: datetime | None = None
    confirmed_at: datetime | None = None
    updated_at: datetime | None = None
    sync_latency_seconds: Decimal | None = exact()
    source: str | None = None
    # what was asked for
    time_in_force: str | None = None
    base_size: Decimal | None = exact()
    quote_size: Decimal | None = exact()
    limit_price: Decimal | None = exact()
    stop_price: Decimal | None = exact()
    stop_direction: str | None = None
    end_time: datetime | None = None
    post_only: bool | None = None
    # book-keeping
    origin: str | None = None
    attempts: int | None = None
    attempt_at: datetime | None = None
    not_after: datetime | None = None
    verdict: str | None = long_text()
    cancel: str | None = long_text()
    settled: str | None = long_text()
    awaits_look: bool | None = None
    fills_due: bool | None = None
    # what we wrote last into the bot's columns: where they differ, somebody else wrote
    written_order_id: str | None = None
    written_status: str | None = None
    written_filled_at: datetime | None = None
    written_size: float | None = Field(default=None, sa_type=BotNumber)
    written_price: float | None = Field(default=None, sa_type=BotNumber)
    written_size_usd: float | None = Field(default=None, sa_type=BotNumber)


class VenueOrderRow(SQLModel, table=True):
    """The registers of one venue order for one trade, or of an external one (no trade)."""

    __tablename__ = "venue_orders"
    __table_args__: ClassVar[Any] = (
        Index("uq_venue_orders_claim", "order_id", "trade_id", unique=True),
        Index("uq_venue_orders_external", "order_id", unique=True, **where("trade_id IS NULL")),
        Index("ix_venue_orders_trade_id", "trade_id"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=Key)
    order_id: str
    trade_id: int | None = Field(default=None, sa_type=BigInteger)
    client_order_id: str | None = None
    product_id: str | None = None
    mismatch: bool = False
    registers: str = Field(sa_type=Text)
    first_seen_at: datetime
    updated_at: datetime


class FillRow(SQLModel, table=True):
    """One row of the venue's List Fills; ``entry_id`` is its only identity."""

    __tablename__ = "fills"

    entry_id: str = Field(primary_key=True)
    order_id: str = Field(index=True)
    venue_trade_id: str
    trade_type: str
    price: Decimal = Field(sa_type=ExactDecimal)
    size: Decimal = Field(sa_type=ExactDecimal)
    size_in_quote: bool
    commission: Decimal = Field(sa_type=ExactDecimal)
    trade_time: datetime
    sequence_timestamp: datetime
    product_id: str
    side: str | None = None
    liquidity_indicator: str


class TradeEventRow(SQLModel, table=True):
    """One line of the audit; a trigger refuses to change or delete it, except by `db prune`."""

    __tablename__ = "trade_events"
    __table_args__: ClassVar[Any] = (Index("ix_trade_events_sync", "committed_at", **where("source = 'sync'")),)

    id: int | None = Field(default=None, primary_key=True, sa_type=Key)
    event_id: str = Field(unique=True, index=True)
    trade_id: int = Field(sa_type=BigInteger, index=True)
    bot_id: int | None = Field(default=None, sa_type=BigInteger)
    order_id: str | None = None
    client_order_id: str | None = None
    kind: str
    old_status: str | None = None
    status: str
    order_status: str
    venue_status: str | None = None
    filled_size: Decimal | None = exact()
    average_filled_price: Decimal | None = exact()
    filled_at: datetime | None = None
    source: str
    venue_time: datetime | None = None
    seen_at: datetime
    committed_at: datetime = Field(index=True)
    latency_seconds: Decimal | None = exact()
    detail: str | None = long_text()


class ImportRow(SQLModel, table=True):
    """Where an imported trade came from; ``source_key`` keeps a second import from doubling it.

    ``extra`` is JSON: the columns of the bot that ordersync has no place for.
    """

    __tablename__ = "imports"

    trade_id: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    source_key: str = Field(unique=True, index=True)
    source: str
    source_id: str | None = None
    extra: str | None = long_text()
    imported_at: datetime
