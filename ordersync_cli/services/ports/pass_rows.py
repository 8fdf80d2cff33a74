"""The rows that passes, alerts and deliveries leave in the store, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A lease held; ``token`` fences what its holder writes."""

    name: str
    holder: str
    token: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a pass, as its row says; ``result`` is None until it ended."""

    run_id: str
    mode: str  # light, deep
    started_at: datetime
    host: str
    pid: int
    finished_at: datetime | None = None
    result: str | None = None  # in_sync, drift, breaks, failed, died, skipped
    exit_code: int | None = None
    checked: int = 0
    updated_count: int = 0
    fills_added: int = 0
    adopted: int = 0
    requests: int = 0
    open_breaks: int = 0
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBreak:
    """A difference with a kind; one open row per (kind, order or client order id)."""

    break_id: int | None
    kind: str
    severity: str  # info, repaired, open
    key: str  # order id, else client order id, else another stable name
    order_id: str | None
    trade_id: int | None
    stored: str | None
    venue: str | None
    money_effect: Decimal | None
    first_seen: datetime
    last_seen: datetime
    resolved_at: datetime | None = None
    resolution: str | None = None
    times: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One message in the outbox for one sink."""

    delivery_id: int
    event_id: str
    sink: str  # "notification", or the name of an alert sink
    key: str  # what must stay in order: the trade, or the incident
    body: Mapping[str, Any]
    created_at: datetime
    attempts: int
    due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """One cause of alarm, opened once, repeated as a count, resolved once."""

    incident_id: str
    rule: str
    key: str  # what it is about: an order id, or "" for the whole
    severity: str
    message: str
    order_id: str | None
    count: int
    opened_at: datetime
    last_seen: datetime
    resolved_at: datetime | None = None
    acknowledged_at: datetime | None = None
