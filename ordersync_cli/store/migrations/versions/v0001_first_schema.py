"""Make the tables of the store; a bot's own `trades`, when it is adopted, only gains columns."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import context, op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

EXACT = sa.Text().with_variant(sa.Numeric(), "postgresql")
TIME = sa.DateTime(timezone=True)
KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
BOT_NUMBER: sa.types.TypeEngine[float] = sa.Double().with_variant(sa.REAL(), "sqlite")
NOW = {
    "sqlite": "(strftime('%Y-%m-%d %H:%M:%f000', 'now'))",
    "postgresql": "now()",
}
GUARDED = "SELECT 1 FROM notes WHERE name = 'pruning'"


def upgrade() -> None:
    """Make everything."""
    dialect = op.get_bind().dialect.name
    if context.config.attributes.get("adopt"):
        _add_to_trades()
    else:
        op.create_table(
            "trades",
            sa.Column("id", KEY, primary_key=True),
            *_bot_columns(dialect),
            *_added_columns(),
            *_written_columns({}),
            sqlite_autoincrement=True,
        )
    _index_trades(dialect)
    _orders_and_fills()
    _events()
    _runs()
    _findings()
    _processes()
    _guards(dialect)
    _news(dialect)
    serves = sa.table("notes", sa.column("name"), sa.column("value"))
    op.execute(serves.insert().values(name="schema_serves", value="0001"))


def _text(name: str, **more: Any) -> sa.Column[Any]:
    return sa.Column(name, sa.String(), **more)


def _times(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, TIME) for name in names]


def _bot_columns(dialect: str) -> list[sa.Column[Any]]:
    return [
        sa.Column("bot_id", sa.BigInteger()),
        _text("product_id"),
        _text("side"),
        sa.Column("size", BOT_NUMBER),
        sa.Column("price", BOT_NUMBER),
        _text("order_id"),
        _text("status", server_default="pending"),
        sa.Column("size_usd", BOT_NUMBER),
        sa.Column("created_at", TIME, server_default=sa.text(NOW[dialect])),
        sa.Column("filled_at", TIME),
    ]


def _added_columns() -> list[sa.Column[Any]]:
    exact = (
        "size_exact", "price_exact", "size_usd_exact", "filled_size", "average_filled_price",
        "filled_value", "total_fees", "sync_latency_seconds", "base_size", "quote_size",
        "limit_price", "stop_price",
    )  # fmt: skip
    text = (
        "order_type", "client_order_id", "order_status", "venue_status", "source",
        "time_in_force", "stop_direction", "origin",
    )  # fmt: skip
    times = (
        "submitted_at", "accepted_at", "closed_at", "confirmed_at", "updated_at", "end_time",
        "attempt_at", "not_after",
    )  # fmt: skip
    flags = ("fills_verified", "post_only", "awaits_look", "fills_due")
    return [
        *(sa.Column(name, EXACT) for name in exact),
        *(_text(name) for name in text),
        *_times(*times),
        *(sa.Column(name, sa.Boolean()) for name in flags),
        *(sa.Column(name, sa.Integer()) for name in ("number_of_fills", "attempts")),
        *(sa.Column(name, sa.Text()) for name in ("reason", "verdict", "cancel", "settled")),
    ]


def _written_columns(types: dict[str, Any]) -> list[sa.Column[Any]]:
    """Twins of the bot's columns, of the very type they have: what is rounded is rounded alike."""
    usual = {
        "order_id": sa.String(),
        "status": sa.String(),
        "filled_at": TIME,
        "size": BOT_NUMBER,
        "price": BOT_NUMBER,
        "size_usd": BOT_NUMBER,
    }
    # SQLite takes a column without a type, SQLAlchemy makes none
    found = {name: kind for name, kind in types.items() if not isinstance(kind, sa.types.NullType)}
    return [sa.Column(f"written_{n}", found.get(n, usual[n])) for n in usual]


def _add_to_trades() -> None:
    bind = op.get_bind()
    present = {column["name"]: column["type"] for column in sa.inspect(bind).get_columns("trades")}
    wanted = [*_bot_columns(bind.dialect.name), *_added_columns(), *_written_columns(present)]
    for column in wanted:
        if column.name not in present:
            # SQLite takes no expression as the default of an added column
            column.server_default = None
            op.add_column("trades", column)
    op.execute("UPDATE trades SET origin = 'imported' WHERE origin IS NULL")


def _index_trades(dialect: str) -> None:
    differs = "IS DISTINCT FROM" if dialect == "postgresql" else "IS NOT"
    ours = ("order_id", "status", "filled_at", "size", "price", "size_usd")
    tests = " OR ".join(f"{name} {differs} written_{name}" for name in ours)
    op.create_index("ix_trades_created_at", "trades", ["created_at"])
    op.create_index("ix_trades_bot_id", "trades", ["bot_id"])
    op.create_index("uq_trades_client_order_id", "trades", ["client_order_id"], unique=True)
    _partial("uq_trades_order_id", "trades", ["order_id"], "order_id <> ''", unique=True)
    _partial("ix_trades_awaits_look", "trades", ["id"], "awaits_look")
    _partial("ix_trades_fills_due", "trades", ["id"], "fills_due")
    _partial("ix_trades_unfollowed", "trades", ["id"], "order_status IS NULL")
    overwritten = f"order_status IS NOT NULL AND ({tests})"
    _partial("ix_trades_overwritten", "trades", ["id"], overwritten)


def _partial(name: str, table: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, unique=unique, sqlite_where=condition, postgresql_where=condition)


def _orders_and_fills() -> None:
    op.create_table(
        "venue_orders",
        sa.Column("id", KEY, primary_key=True),
        _text("order_id", nullable=False),
        sa.Column("trade_id", sa.BigInteger()),
        _text("client_order_id"),
        _text("product_id"),
        sa.Column("mismatch", sa.Boolean(), nullable=False),
        sa.Column("registers", sa.Text(), nullable=False),
        sa.Column("first_seen_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
    )
    op.create_index("uq_venue_orders_claim", "venue_orders", ["order_id", "trade_id"], unique=True)
    op.create_index("ix_venue_orders_trade_id", "venue_orders", ["trade_id"])
    _partial("uq_venue_orders_external", "venue_orders", ["order_id"], "trade_id IS NULL", unique=True)
    op.create_table(
        "fills",
        _text("entry_id", primary_key=True),
        *(_text(name, nullable=False) for name in ("order_id", "venue_trade_id", "trade_type")),
        *(sa.Column(name, EXACT, nullable=False) for name in ("price", "size", "commission")),
        sa.Column("size_in_quote", sa.Boolean(), nullable=False),
        sa.Column("trade_time", TIME, nullable=False),
        sa.Column("sequence_timestamp", TIME, nullable=False),
        _text("product_id", nullable=False),
        _text("side"),
        _text("liquidity_indicator", nullable=False),
    )
    op.create_index("ix_fills_order_id", "fills", ["order_id"])


def _events() -> None:
    op.create_table(
        "trade_events",
        sa.Column("id", KEY, primary_key=True),
        _text("event_id", nullable=False),
        sa.Column("trade_id", sa.BigInteger(), nullable=False),
        sa.Column("bot_id", sa.BigInteger()),
        *(_text(name) for name in ("order_id", "client_order_id", "old_status", "venue_status")),
        *(_text(name, nullable=False) for name in ("kind", "status", "order_status", "source")),
        *(sa.Column(name, EXACT) for name in ("filled_size", "average_filled_price", "latency_seconds")),
        *_times("filled_at", "venue_time"),
        sa.Column("seen_at", TIME, nullable=False),
        sa.Column("committed_at", TIME, nullable=False),
        sa.Column("detail", sa.Text()),
    )
    op.create_index("ix_trade_events_event_id", "trade_events", ["event_id"], unique=True)
    op.create_index("ix_trade_events_trade_id", "trade_events", ["trade_id"])
    op.create_index("ix_trade_events_committed_at", "trade_events", ["committed_at"])


def _runs() -> None:
    counts = ("checked", "updated_count", "fills_added", "adopted", "requests", "open_breaks")
    op.create_table(
        "runs",
        _text("run_id", primary_key=True),
        _text("mode", nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        _text("host", nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("finished_at", TIME),
        _text("result"),
        sa.Column("exit_code", sa.Integer()),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in counts),
        sa.Column("message", sa.Text()),
    )
    op.create_index("ix_runs_mode", "runs", ["mode", "started_at"])
    op.create_table(
        "watermarks",
        _text("name", primary_key=True),
        sa.Column("reached", TIME, nullable=False),
    )


def _findings() -> None:
    op.create_table(
        "breaks",
        sa.Column("id", KEY, primary_key=True),
        *(_text(name, nullable=False) for name in ("kind", "severity", "key")),
        _text("order_id"),
        sa.Column("trade_id", sa.BigInteger()),
        *(sa.Column(name, sa.Text()) for name in ("stored", "venue", "resolution")),
        sa.Column("money_effect", EXACT),
        sa.Column("first_seen", TIME, nullable=False),
        sa.Column("last_seen", TIME, nullable=False),
        sa.Column("resolved_at", TIME),
        sa.Column("times", sa.Integer(), nullable=False),
    )
    _partial("uq_breaks_open", "breaks", ["kind", "key"], "resolved_at IS NULL", unique=True)
    op.create_table(
        "incidents",
        _text("incident_id", primary_key=True),
        *(_text(name, nullable=False) for name in ("rule", "key", "severity")),
        sa.Column("message", sa.Text(), nullable=False),
        _text("order_id"),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("opened_at", TIME, nullable=False),
        sa.Column("last_seen", TIME, nullable=False),
        *_times("resolved_at", "acknowledged_at"),
    )
    _partial("uq_incidents_open", "incidents", ["rule", "key"], "resolved_at IS NULL", unique=True)
    op.create_table(
        "outbox",
        sa.Column("id", KEY, primary_key=True),
        *(_text(name, nullable=False) for name in ("event_id", "sink", "key")),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", TIME, nullable=False),
        sa.Column("delivered_at", TIME),
        sa.Column("problem", sa.Text()),
    )
    _partial("ix_outbox_waiting", "outbox", ["sink", "key", "id"], "delivered_at IS NULL")
    _partial("ix_outbox_undelivered", "outbox", ["id", "due_at"], "delivered_at IS NULL")


def _processes() -> None:
    op.create_table(
        "leases",
        _text("name", primary_key=True),
        _text("holder"),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.Column("beat", sa.BigInteger(), nullable=False),
        sa.Column("beat_at", TIME, nullable=False),
    )
    op.create_table(
        "watchers",
        _text("watcher_id", primary_key=True),
        *(_text(n, nullable=False) for n in ("host", "role", "feed_state", "feed_reason")),
        sa.Column("pid", sa.Integer(), nullable=False),
        *(sa.Column(n, TIME, nullable=False) for n in ("started_at", "beat_at", "feed_since")),
        *_times("last_heartbeat_at", "last_frame_at"),
        sa.Column("clock_offset", EXACT),
        sa.Column("stream_misses", sa.Integer(), nullable=False),
    )
    op.create_table("notes", _text("name", primary_key=True), sa.Column("value", sa.Text(), nullable=False))
    op.create_table(
        "budget",
        _text("name", primary_key=True),
        sa.Column("tokens", sa.Double(), nullable=False),
        sa.Column("penalty_seconds", sa.Double(), nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
    )


def _guards(dialect: str) -> None:
    """Make the audit append-only, but for `db prune`, which leaves a note while it deletes."""
    message = "trade_events is append-only"
    if dialect == "postgresql":
        op.execute(
            "CREATE FUNCTION ordersync_keep_events() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"IF TG_OP = 'DELETE' AND EXISTS ({GUARDED}) THEN RETURN OLD; END IF; "
            f"RAISE EXCEPTION '{message}' USING ERRCODE = 'integrity_constraint_violation'; "
            "END $$"
        )
        op.execute(
            "CREATE TRIGGER ordersync_keep_events BEFORE UPDATE OR DELETE ON trade_events "
            "FOR EACH ROW EXECUTE FUNCTION ordersync_keep_events()"
        )
        return
    op.execute(
        "CREATE TRIGGER ordersync_keep_events BEFORE UPDATE ON trade_events "
        f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
    )
    op.execute(
        "CREATE TRIGGER ordersync_keep_deleted_events BEFORE DELETE ON trade_events "
        f"WHEN NOT EXISTS ({GUARDED}) BEGIN SELECT RAISE(ABORT, '{message}'); END"
    )


def _news(dialect: str) -> None:
    """Let a bot's own inserts and deletes be noticed."""
    let_go = "UPDATE venue_orders SET trade_id = NULL WHERE trade_id = OLD.id"
    if dialect == "postgresql":
        op.execute(
            "CREATE FUNCTION ordersync_let_go() RETURNS trigger LANGUAGE plpgsql "
            # a bot that may delete its trades need not have rights on our tables
            "SECURITY DEFINER SET search_path FROM CURRENT AS $$ BEGIN "
            "DELETE FROM venue_orders v WHERE v.trade_id = OLD.id AND EXISTS "
            "(SELECT 1 FROM venue_orders o WHERE o.order_id = v.order_id AND o.id <> v.id); "
            f"{let_go}; RETURN NULL; END $$"
        )
        op.execute(
            "CREATE TRIGGER ordersync_let_go AFTER DELETE ON trades FOR EACH ROW EXECUTE FUNCTION ordersync_let_go()"
        )
        op.execute(
            "CREATE FUNCTION ordersync_tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "PERFORM pg_notify('ordersync_rows', TG_OP); RETURN NULL; END $$"
        )
        op.execute(
            "CREATE TRIGGER ordersync_tell AFTER INSERT OR UPDATE OR DELETE ON trades "
            "FOR EACH STATEMENT EXECUTE FUNCTION ordersync_tell()"
        )
        return
    op.execute(
        "CREATE TRIGGER ordersync_let_go AFTER DELETE ON trades BEGIN "
        "DELETE FROM venue_orders WHERE trade_id = OLD.id AND order_id IN (SELECT o.order_id "
        "FROM venue_orders o WHERE o.trade_id IS NULL OR o.trade_id <> OLD.id); "
        f"{let_go}; END"
    )
