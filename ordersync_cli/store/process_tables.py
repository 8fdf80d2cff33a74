"""The tables beside the trades, as SQLModel classes: what passes, alerts and processes leave there."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

from sqlalchemy import BigInteger, Double, Index, Text
from sqlmodel import Field, SQLModel

from ordersync_cli.store.tables import Key, exact, long_text, where


class RunRow(SQLModel, table=True):
    """One run of a pass."""

    __tablename__ = "runs"
    __table_args__: ClassVar[Any] = (
        Index("ix_runs_mode", "mode", "started_at"),
        Index("ix_runs_started_at", "started_at"),
    )

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
    message: str | None = long_text()


class BreakRow(SQLModel, table=True):
    """A difference that reconcile found; one unresolved row for each kind and key."""

    __tablename__ = "breaks"
    __table_args__: ClassVar[Any] = (
        Index("uq_breaks_open", "kind", "key", unique=True, **where("resolved_at IS NULL")),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=Key)
    kind: str
    severity: str
    key: str
    order_id: str | None = None
    trade_id: int | None = Field(default=None, sa_type=BigInteger)
    stored: str | None = long_text()
    venue: str | None = long_text()
    money_effect: Decimal | None = exact()
    first_seen: datetime
    last_seen: datetime
    resolved_at: datetime | None = None
    resolution: str | None = long_text()
    times: int = 1


class OutboxRow(SQLModel, table=True):
    """One message to deliver to one sink; rows of one key go out in order."""

    __tablename__ = "outbox"
    __table_args__: ClassVar[Any] = (
        Index("ix_outbox_waiting", "sink", "key", "id", **where("delivered_at IS NULL")),
        Index("ix_outbox_undelivered", "id", "due_at", **where("delivered_at IS NULL")),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=Key)
    event_id: str
    sink: str
    key: str
    body: str = Field(sa_type=Text)
    created_at: datetime
    attempts: int = 0
    due_at: datetime
    delivered_at: datetime | None = None
    problem: str | None = long_text()


class IncidentRow(SQLModel, table=True):
    """One cause of alarm; one unresolved row for each rule and key."""

    __tablename__ = "incidents"
    __table_args__: ClassVar[Any] = (
        Index("uq_incidents_open", "rule", "key", unique=True, **where("resolved_at IS NULL")),
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
    clock_offset: Decimal | None = exact()
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


class MeasureRow(SQLModel, table=True):
    """A duration that a change measured, in whole microseconds; reports add these up in SQL.

    ``at_us`` is the commit, in microseconds since 1970; ``bucket`` that of domain/histogram.py.
    """

    __tablename__ = "measures"
    __table_args__: ClassVar[Any] = (
        Index(
            "ix_measures_report", "measure", "source", "product_id", "order_type", "at_once", "bucket", "at_us",
            "micros", "error_us", "bot_id",
        ),
        Index("ix_measures_at", "measure", "at_us"),
    )  # fmt: skip

    id: int | None = Field(default=None, primary_key=True, sa_type=Key)
    measure: str
    at_us: int = Field(sa_type=BigInteger)
    micros: int = Field(sa_type=BigInteger)
    bucket: int
    error_us: int | None = Field(default=None, sa_type=BigInteger)
    trade_id: int = Field(sa_type=BigInteger, index=True)
    bot_id: int | None = Field(default=None, sa_type=BigInteger)
    product_id: str
    order_type: str
    at_once: bool
    source: str
