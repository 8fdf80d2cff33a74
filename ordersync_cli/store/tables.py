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


def _where(condition: str) -> dict[str, Any]:
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


def _exact() -> Any:
    return Field(default=None, sa_type=ExactDecimal)


def _long() -> Any:
    return Field(default=None, sa_type=Text)


class TradeRow(SQLModel, table=True):
    """One trade: a bot's own columns, the public columns, what was asked for, and book-keeping.

    Everything is nullable or has a default, so that a bot inserts with its own columns alone.
    """

    __tablename__ = "trades"
    __table_args__: ClassVar[Any] = (
        Index("uq_trades_order_id", "order_id", unique=True, **_where("order_id <> ''")),
        Index("uq_trades_client_order_id", "client_order_id", unique=True),
        Index("ix_trades_created_at", "created_at"),
        Index("ix_trades_bot_id", "bot_id"),
        Index("ix_trades_awaits_look", "id", **_where("awaits_look")),
        Index("ix_trades_fills_due", "id", **_where("fills_due")),
        Index("ix_trades_unfollowed", "id", **_where("order_status IS NULL")),
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
    size_exact: Decimal | None = _exact()
    price_exact: Decimal | None = _exact()
    size_usd_exact: Decimal | None = _exact()
    order_type: str | None = None
    client_order_id: str | None = None
    order_status: str | None = None  # NULL: a row of a bot that nobody has followed yet
    venue_status: str | None = None
    filled_size: Decimal | None = _exact()
    average_filled_price: Decimal | None = _exact()
    filled_value: Decimal | None = _exact()
    total_fees: Decimal | None = _exact()
    number_of_fills: int | None = None
    fills_verified: bool | None = None
    reason: str | None = _long()
    submitted_at: datetime | None = None
    accepted_at: datetime | None = None
    closed_at: datetime | None = None
    confirmed_at: datetime | None = None
    updated_at: datetime | None = None
    sync_latency_seconds: Decimal | None = _exact()
    source: str | None = None
    # what was asked for
    time_in_force: str | None = None
    base_size: Decimal | None = _exact()
    quote_size: Decimal | None = _exact()
    limit_price: Decimal | None = _exact()
    stop_price: Decimal | None = _exact()
    stop_direction: str | None = None
    end_time: datetime | None = None
    post_only: bool | None = None
    # book-keeping
    origin: str | None = None
    attempts: int | None = None
    attempt_at: datetime | None = None
    not_after: datetime | None = None
    verdict: str | None = _long()
    cancel: str | None = _long()
    settled: str | None = _long()
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
        Index("uq_venue_orders_external", "order_id", unique=True, **_where("trade_id IS NULL")),
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

    id: int | None = Field(default=None, primary_key=True, sa_type=Key)
    event_id: str = Field(unique=True)
    trade_id: int = Field(sa_type=BigInteger, index=True)
    bot_id: int | None = Field(default=None, sa_type=BigInteger)
    order_id: str | None = None
    client_order_id: str | None = None
    kind: str
    old_status: str | None = None
    status: str
    order_status: str
    venue_status: str | None = None
    filled_size: Decimal | None = _exact()
    average_filled_price: Decimal | None = _exact()
    filled_at: datetime | None = None
    source: str
    venue_time: datetime | None = None
    seen_at: datetime
    committed_at: datetime = Field(index=True)
    latency_seconds: Decimal | None = _exact()
    detail: str | None = _long()


class RunRow(SQLModel, table=True):
    """One run of a pass."""

    __tablename__ = "runs"
    __table_args__: ClassVar[Any] = (Index("ix_runs_mode", "mode", "started_at"),)

    run_id: str = Field(primary_key=True)
    mode: str
    started_at: datetime
    host: str
    pid: int
    finished_at: datetime | None = None
    result: str | None = None
    exit_code: int | None = None
    checked: int = 0
    updated_count: int = 0
    fills_added: int = 0
    adopted: int = 0
    requests: int = 0
    open_breaks: int = 0
    message: str | None = _long()


class BreakRow(SQLModel, table=True):
    """A difference that reconcile found; one unresolved row for each kind and key."""

    __tablename__ = "breaks"
    __table_args__: ClassVar[Any] = (
        Index("uq_breaks_open", "kind", "key", unique=True, **_where("resolved_at IS NULL")),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=Key)
    kind: str
    severity: str
    key: str
    order_id: str | None = None
    trade_id: int | None = Field(default=None, sa_type=BigInteger)
    stored: str | None = _long()
    venue: str | None = _long()
    money_effect: Decimal | None = _exact()
    first_seen: datetime
    last_seen: datetime
    resolved_at: datetime | None = None
    resolution: str | None = _long()
    times: int = 1


class OutboxRow(SQLModel, table=True):
    """One message to deliver to one sink; rows of one key go out in order."""

    __tablename__ = "outbox"
    __table_args__: ClassVar[Any] = (Index("ix_outbox_waiting", "sink", "key", "id", **_where("delivered_at IS NULL")),)

    id: int | None = Field(default=None, primary_key=True, sa_type=Key)
    event_id: str
    sink: str
    key: str
    body: str = Field(sa_type=Text)
    created_at: datetime
    attempts: int = 0
    due_at: datetime
    delivered_at: datetime | None = None
    problem: str | None = _long()


class IncidentRow(SQLModel, table=True):
    """One cause of alarm; one unresolved row for each rule and key."""

    __tablename__ = "incidents"
    __table_args__: ClassVar[Any] = (
        Index("uq_incidents_open", "rule", "key", unique=True, **_where("resolved_at IS NULL")),
    )

    incident_id: str = Field(primary_key=True)
    rule: str
    key: str
    severity: str
    message: str = Field(sa_type=Text)
    order_id: str | None = None
    count: int = 1
    opened_at: datetime
    last_seen: datetime
    resolved_at: datetime | None = None
    acknowledged_at: datetime | None = None


class LeaseRow(SQLModel, table=True):
    """Who may do what only one may do; ``token`` fences a holder that was taken over."""

    __tablename__ = "leases"

    name: str = Field(primary_key=True)
    holder: str | None = None
    token: int = Field(sa_type=BigInteger)
    beat: int = Field(sa_type=BigInteger)
    beat_at: datetime


class WatcherRow(SQLModel, table=True):
    """A running watcher, as it says of itself."""

    __tablename__ = "watchers"

    watcher_id: str = Field(primary_key=True)
    host: str
    pid: int
    started_at: datetime
    beat_at: datetime
    role: str
    feed_state: str
    feed_since: datetime
    feed_reason: str
    last_heartbeat_at: datetime | None = None
    last_frame_at: datetime | None = None
    clock_offset: Decimal | None = _exact()
    stream_misses: int = 0


class WatermarkRow(SQLModel, table=True):
    """How far a deep pass has read."""

    __tablename__ = "watermarks"

    name: str = Field(primary_key=True)
    reached: datetime


class NoteRow(SQLModel, table=True):
    """A small named value: venue, portfolio_id, tag, frozen, what was learned."""

    __tablename__ = "notes"

    name: str = Field(primary_key=True)
    value: str = Field(sa_type=Text)


class BudgetRow(SQLModel, table=True):
    """The request budget on Postgres; on SQLite it lies in a file beside the store."""

    __tablename__ = "budget"

    name: str = Field(primary_key=True)
    tokens: float = Field(sa_type=Double)
    penalty_seconds: float = Field(sa_type=Double)
    updated_at: datetime


class ImportRow(SQLModel, table=True):
    """Where an imported trade came from; ``source_key`` keeps a second import from doubling it.

    ``extra`` is JSON: the columns of the bot that ordersync has no place for.
    """

    __tablename__ = "imports"

    trade_id: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    source_key: str = Field(unique=True)
    source: str
    source_id: str | None = None
    extra: str | None = _long()
    imported_at: datetime
