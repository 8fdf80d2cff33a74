"""Measure durations as whole microseconds, so that reports aggregate them in SQL."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
BATCH = 1000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FINE = 16
DIGITS_OF_A_DATE = 100_000_000
MILLISECONDS_FROM = 100_000_000_000  # as seconds that would be the year 5138


def upgrade() -> None:
    """Add the table `measures` and fill it from the events that are there."""
    table = op.create_table(
        "measures",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("measure", sa.String(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("micros", sa.BigInteger(), nullable=False),
        sa.Column("bucket", sa.Integer(), nullable=False),
        sa.Column("error_us", sa.BigInteger()),
        sa.Column("trade_id", sa.BigInteger(), nullable=False),
        sa.Column("bot_id", sa.BigInteger()),
        sa.Column("product_id", sa.String(), nullable=False),
        sa.Column("order_type", sa.String(), nullable=False),
        sa.Column("at_once", sa.Boolean(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
    )
    # a report walks the words in front, and reads of each only the window: nothing is sorted, no row is fetched
    words = ["measure", "source", "product_id", "order_type", "at_once", "bucket"]
    op.create_index("ix_measures_report", "measures", [*words, "at_us", "micros", "error_us", "bot_id"])
    op.create_index("ix_measures_at", "measures", ["measure", "at_us"])
    op.create_index("ix_measures_trade_id", "measures", ["trade_id"])
    op.create_index(
        "ix_trades_report",
        "trades",
        ["status", "product_id", "side", "created_at", "filled_value", "total_fees", "bot_id"],
    )
    op.create_index("ix_runs_started_at", "runs", ["started_at"])
    by_hand = sa.text("source = 'sync'")
    op.create_index(
        "ix_trade_events_sync", "trade_events", ["committed_at"], sqlite_where=by_hand, postgresql_where=by_hand
    )
    assert table is not None
    _fill(table)


def _fill(table: sa.Table) -> None:
    """Measure what the events tell: sync latencies as they stand, and time in each status."""
    rows: list[dict[str, Any]] = []
    for trade, events in _histories():
        rows += _measured(trade, events)
        if len(rows) >= BATCH:
            op.bulk_insert(table, rows)
            rows = []
    if rows:
        op.bulk_insert(table, rows)


def _histories() -> Iterator[tuple[Any, list[Any]]]:
    bind = op.get_bind()
    trades = sa.table(
        "trades",
        # of created_at no type is said: a bot's own SQLite column holds whatever the bot wrote
        *(sa.column(n) for n in ("id", "bot_id", "product_id", "order_type", "origin", "created_at")),
    )
    events = sa.table(
        "trade_events",
        *(sa.column(n) for n in ("id", "trade_id", "old_status", "status", "order_status", "source")),
        sa.column("latency_seconds", sa.String()),
        sa.column("committed_at", sa.DateTime(timezone=True)),
    )
    after = 0
    while True:
        found = bind.execute(sa.select(trades).where(trades.c.id > after).order_by(trades.c.id).limit(BATCH)).all()
        if not found:
            return
        after = found[-1].id
        wanted = sa.select(events).where(events.c.trade_id.between(found[0].id, after))
        told = bind.execute(wanted.order_by(events.c.trade_id, events.c.id)).all()
        by_trade = {key: list(group) for key, group in groupby(told, key=lambda e: e.trade_id)}
        yield from ((trade, by_trade.get(trade.id, [])) for trade in found)


def _measured(trade: Any, events: list[Any]) -> Iterator[dict[str, Any]]:
    if not events:
        return
    at_once = trade.order_type == "MARKET" or (
        trade.order_type in {None, "OTHER"} and trade.origin in {None, "foreign", "imported"}
    )
    began = _meant(trade.created_at) or events[0].committed_at
    since = {"status": _micros(began), "order_status": _micros(began)}
    stood = {"status": events[0].status, "order_status": events[0].order_status}
    for event in events:
        at = _micros(event.committed_at)

        def row(measure: str, micros: int, at: int = at, event: Any = event) -> dict[str, Any]:
            return {
                "measure": measure,
                "at_us": at,
                "micros": micros,
                "bucket": _bucket(micros),
                "error_us": None,
                "trade_id": trade.id,
                "bot_id": trade.bot_id if isinstance(trade.bot_id, int) else None,
                "product_id": trade.product_id or "",
                "order_type": trade.order_type or "OTHER",
                "at_once": at_once,
                "source": event.source,
            }

        if event.latency_seconds is not None and trade.origin != "imported":
            yield row("sync_latency", int(Decimal(str(event.latency_seconds)) * 1_000_000))
        for word, name in (("status", "status"), ("order_status", "order")):
            now = getattr(event, word)
            if now != stood[word]:
                yield row(f"{name}:{stood[word]}", at - since[word])
                stood[word], since[word] = now, at


def _meant(written: Any) -> datetime | None:
    """Read a time as a bot meant it, text or seconds or milliseconds; None where nobody can tell."""
    try:
        if written is None or isinstance(written, datetime):
            return written
        text = str(written).strip()
        try:
            seconds = float(text)
        except ValueError:
            return datetime.fromisoformat(text)
        if seconds <= DIGITS_OF_A_DATE:  # 20260301 is a day, not a second of 1970
            return datetime.fromisoformat(text)
        return EPOCH + timedelta(seconds=seconds / 1000 if seconds > MILLISECONDS_FROM else seconds)
    except (ValueError, OverflowError):
        return None


def _micros(moment: datetime) -> int:
    aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return (aware - EPOCH) // timedelta(microseconds=1)


def _bucket(micros: int) -> int:
    if micros < FINE:
        return max(0, micros)
    shift = micros.bit_length() - 5
    return FINE * (shift + 1) + (micros >> shift) - FINE
