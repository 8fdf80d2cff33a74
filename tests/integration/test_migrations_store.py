"""Migrations from every revision with rows in place, and the agreement of migrations and tables."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlmodel import Session, SQLModel, select

from ordersync_cli.clock import SystemChance, SystemClock
from ordersync_cli.domain.orders import Source
from ordersync_cli.errors import StoreError
from ordersync_cli.services.ports import TradeFilter
from ordersync_cli.store import open_store, process_tables, tables, trade_columns
from ordersync_cli.store.event_rows import EVENT
from ordersync_cli.store.maintenance import current, upgrade
from ordersync_cli.store.registers import FILL_COLUMNS
from ordersync_cli.store.schema import HEAD, REVISIONS
from ordersync_cli.store.upkeep import engine_of, locked, migrate
from ordersync_cli.store.urls import locate
from tests.support.trade_samples import add, fill, fills_seen, intent, recorder, seen
from tests.support.virtual_clock import START

VERSIONS = Path(trade_columns.__file__).parent / "migrations" / "versions"


def opened(url):
    return open_store(url, clock=SystemClock(), chance=SystemChance())


def at_revision(url: str, revision: str) -> None:
    """Make a store as an older version of this program left it, with rows of every kind."""
    at = locate(url)
    with locked(at) as (connection, sql):
        migrate(connection, target=revision)
        now = sql.values.time(START)
        sql.run(
            "INSERT INTO trades (product_id, side, order_id, client_order_id, status, order_status, order_type, "
            "origin, quote_size, filled_size, created_at, awaits_look, fills_due, source) VALUES "
            "('BTC-USD', 'BUY', 'o-1', 'c-1', 'completed', 'filled', 'MARKET', 'placed', ?, ?, ?, ?, ?, 'place')",
            (
                sql.values.decimal(START_SIZE),
                sql.values.decimal(START_SIZE),
                now,
                False,
                True,
            ),
        )
        sql.run(
            "INSERT INTO venue_orders (order_id, trade_id, mismatch, registers, first_seen_at, updated_at) "
            "VALUES ('o-1', 1, ?, ?, ?, ?)",
            (False, '{"order_id":"o-1","accepted":true}', now, now),
        )
        sql.run(
            "INSERT INTO trade_events (event_id, trade_id, kind, status, order_status, source, seen_at, committed_at) "
            "VALUES ('e-1', 1, 'intent', 'pending', 'submitting', 'place', ?, ?)",
            (now, now),
        )
        sql.run("INSERT INTO notes (name, value) VALUES ('venue', 'simulator')")


START_SIZE = fill("e", size="12345678901234567890.123456789").size


@pytest.mark.parametrize("revision", REVISIONS[:-1])
def test_every_older_store_is_brought_forward_with_its_rows(empty_url, revision) -> None:
    at_revision(empty_url, revision)
    postgres = locate(empty_url).postgres
    if postgres:
        with pytest.raises(StoreError, match=f"has schema {revision}"):
            opened(empty_url)
        done = upgrade(empty_url, SystemClock())
        assert (done.before, done.after, done.backup, done.changed) == (revision, HEAD, None, True)
    store = opened(empty_url)

    with store.read() as transaction:
        trade = transaction.trades.load([1])[1]
        (view,) = transaction.trades.views(TradeFilter())
        assert [event.event_id for event in transaction.trades.events(1)] == ["e-1"]
        assert transaction.notes.get("venue") == "simulator"
    assert (trade.request.quote_size, view.filled_size, view.created_at) == (START_SIZE, START_SIZE, START)
    assert trade.orders[0].accepted
    store.close()
    assert current(empty_url, SystemClock()).revision == HEAD
    if not postgres:
        (backup,) = locate(empty_url).path.parent.glob("new.db.before-*.bak")
        kept = sqlite3.connect(backup)
        assert kept.execute("SELECT version_num FROM alembic_version").fetchone() == (revision,)
        assert kept.execute("SELECT order_id FROM trades").fetchall() == [("o-1",)]
        kept.close()


def test_an_odd_time_in_an_older_store_is_read_as_it_was_meant_or_left_out(tmp_path) -> None:
    """A bot writes its own rows, and SQLite takes any time from it."""
    url = f"sqlite:///{tmp_path}/new.db"
    at_revision(url, "0002")
    meant = int(START.timestamp()) - 10
    odd = (meant, meant + 0.5, meant * 1000, str(meant), "", "30/11/2026", b"x", None)
    with locked(locate(url)) as (_, sql):
        for number, written in enumerate(odd, 2):
            sql.run("INSERT INTO trades (id, created_at) VALUES (?, ?)", (number, written))
            for word, before in (("completed", "pending"), ("failed", "completed")):
                sql.run(
                    "INSERT INTO trade_events (event_id, trade_id, kind, old_status, status, order_status, source, "
                    "seen_at, committed_at) VALUES (?, ?, 'change', ?, ?, 'open', 'poll', ?, ?)",
                    (f"{word}-{number}", number, before, word, *(sql.values.time(START),) * 2),
                )

    with opened(url).transaction() as sql:
        took = sql.rows("SELECT trade_id, micros FROM measures WHERE measure = 'status:completed' ORDER BY trade_id")
    assert [micros / 1e6 for _, micros in took] == [10, 9.5, 10, 10, 0, 0, 0, 0]


def test_an_empty_old_store_needs_no_backup(tmp_path) -> None:
    url = f"sqlite:///{tmp_path}/new.db"
    with locked(locate(url)) as (connection, _):
        migrate(connection, target=REVISIONS[0])
    opened(url).close()

    assert list(tmp_path.glob("*.bak")) == []


def test_an_upgrade_of_what_is_current_changes_nothing(empty_url) -> None:
    upgrade(empty_url, SystemClock())
    again = upgrade(empty_url, SystemClock())

    assert not again.changed
    assert current(empty_url, SystemClock()).state == "current"


def test_the_migrations_make_the_tables_that_are_declared(empty_url) -> None:
    upgrade(empty_url, SystemClock())
    assert process_tables
    engine = engine_of(locate(empty_url))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, SQLModel.metadata)
    engine.dispose()

    # an index on what a partial index excludes is said in SQL that both databases spell differently
    known = {"ix_trades_overwritten"}
    assert [d for d in differences if not (d[0] == "remove_index" and d[1].name in known)] == []


def test_the_revisions_are_those_of_the_files() -> None:
    files = sorted(path.name[1:5] for path in VERSIONS.glob("v*.py"))

    assert tuple(files) == REVISIONS


def test_the_statements_know_every_column() -> None:
    trades = set(tables.TradeRow.__table__.columns.keys())
    written = {"id", *trade_columns.FACTS, *trade_columns.DERIVED, *trade_columns.KEPT}

    assert written == trades
    assert {"id", *EVENT.columns()} == set(tables.TradeEventRow.__table__.columns.keys())
    assert set(FILL_COLUMNS) == set(tables.FillRow.__table__.columns.keys())


def test_the_declared_tables_read_what_the_store_writes(place) -> None:
    store = place.open()
    add(store, intent(base_size=START_SIZE, quote_size=None))
    recorder(store).seen([seen("o-1", "FILLED", str(START_SIZE))], source=Source.POLL)
    recorder(store).seen([fills_seen(fill("e-1", size=str(START_SIZE)))], source=Source.POLL)
    engine = engine_of(store.location)
    with Session(engine) as session:
        row = session.exec(select(tables.TradeRow)).one()
        told = session.exec(select(tables.FillRow)).one()
        found = session.exec(select(tables.TradeRow).where(tables.TradeRow.filled_size == START_SIZE)).all()
        assert (row.filled_size, row.size_exact, told.size) == (START_SIZE,) * 3
        assert isinstance(row.size, float)
        assert row.filled_at == row.created_at == told.trade_time == START
        assert row.fills_verified is True
        assert len(found) == 1
        with pytest.raises(TypeError, match="compare in Python"):
            select(tables.TradeRow).where(tables.TradeRow.filled_size > START_SIZE)
    engine.dispose()


def test_a_newer_schema_that_still_serves_is_worked_on(empty_url) -> None:
    upgrade(empty_url, SystemClock())
    _say(empty_url, "UPDATE alembic_version SET version_num = '9999'")
    store = opened(empty_url)
    add(store, intent())
    store.close()

    _say(empty_url, "UPDATE notes SET value = '9998' WHERE name = 'schema_serves'")
    with pytest.raises(StoreError, match="newer") as refused:
        opened(empty_url)
    assert refused.value.exit_code == 9
    with pytest.raises(StoreError, match="newer"):
        upgrade(empty_url, SystemClock())
    assert current(empty_url, SystemClock()).state == "newer"


def test_opening_a_current_store_imports_neither_sqlalchemy_nor_alembic(tmp_path) -> None:
    import subprocess
    import sys

    url = f"sqlite:///{tmp_path}/store.db"
    opened(url).close()
    script = (
        "import sys; from ordersync_cli.clock import *; from ordersync_cli.store import open_store; "
        f"s = open_store({url!r}, clock=SystemClock(), chance=SystemChance()); s.claim('simulator', None); s.close(); "
        "print([m for m in ('sqlalchemy', 'sqlmodel', 'pydantic', 'alembic', 'psycopg') if m in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)

    assert told.stdout.strip() == "[]"


def _say(url: str, statement: str) -> None:
    engine = engine_of(locate(url))
    with engine.begin() as connection:
        connection.execute(sa.text(statement))
    engine.dispose()


def test_a_current_store_is_not_upgraded_by_a_reader_of_its_schema(tmp_path) -> None:
    missing = f"sqlite:///{tmp_path}/none.db"

    assert replace(current(missing, SystemClock()), shown="").revision is None
    assert not (tmp_path / "none.db").exists()
