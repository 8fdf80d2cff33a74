"""Whole stores: a bot's database adopted, copies in every direction, backups, and pruning."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from decimal import Decimal

import psycopg
import pytest

from ordersync_cli.clock import SystemChance, SystemClock
from ordersync_cli.domain.orders import Origin, Source
from ordersync_cli.errors import SettingsError, StoreError, UsageError
from ordersync_cli.services.ports import Run, TradeFilter
from ordersync_cli.store import open_store
from ordersync_cli.store.adopt import adopt_table
from ordersync_cli.store.copying import copy
from ordersync_cli.store.maintenance import backup, prune, upgrade
from tests.support.stores import plain_url
from tests.support.trade_samples import add, fill, fills_seen, intent, recorder, seen
from tests.support.virtual_clock import START, VirtualClock

BOT_TABLE = {
    "sqlite": (
        "CREATE TABLE trades (id INTEGER PRIMARY KEY, bot_id INTEGER NOT NULL, product_id VARCHAR(20), side VARCHAR, "
        "size FLOAT, price FLOAT, order_id VARCHAR(64), status VARCHAR, size_usd NUMERIC(12, 2), created_at DATETIME, "
        "filled_at DATETIME, strategy TEXT NOT NULL DEFAULT 'dca', note TEXT)"
    ),
    "postgres": (
        "CREATE TABLE trades (id SERIAL PRIMARY KEY, bot_id INTEGER NOT NULL, product_id VARCHAR(20), side VARCHAR, "
        "size FLOAT, price NUMERIC(18, 2), order_id VARCHAR(64), status VARCHAR, size_usd NUMERIC(12, 2), "
        "created_at TIMESTAMP, filled_at TIMESTAMP, strategy TEXT NOT NULL DEFAULT 'dca', note TEXT)"
    ),
}
BOT_ROWS = (
    "INSERT INTO trades (id, bot_id, product_id, side, size, price, order_id, status, created_at, note) VALUES "
    "(7, 1, 'BTC-USD', 'buy', 0.1, 100, 'o-7', 'pending', '2026-03-01 11:00:00', 'mine'), "
    "(9, 1, 'BTC-USD', 'sell', 0.2, 101, 'o-9', 'completed', '2026-03-01 11:30:00', NULL), "
    "(11, 2, 'BTC-USD', 'sell', 0.3, 101, NULL, 'failed', '2026-03-01 11:40:00', NULL)"
)


class BotBase:
    """A bot's own database, on either side."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.kind = "sqlite" if url.startswith("sqlite") else "postgres"

    def run(self, *statements: str) -> list[tuple]:
        connection = (
            sqlite3.connect(self.url.removeprefix("sqlite:///"))
            if self.kind == "sqlite"
            else psycopg.connect(plain_url(self.url))
        )
        for statement in statements:
            cursor = connection.execute(statement)
        rows = cursor.fetchall() if cursor.description else []
        connection.commit()
        connection.close()
        return rows

    def make(self, table: str | None = None) -> BotBase:
        self.run(table or BOT_TABLE[self.kind])
        if table is None:
            self.run(BOT_ROWS)
        if table is None and self.kind == "postgres":
            self.run("SELECT setval('trades_id_seq', 11)")
        return self


@pytest.fixture
def bot(empty_url) -> BotBase:
    return BotBase(empty_url)


def opened(url, clock=None):
    return open_store(url, clock=clock or VirtualClock(), chance=SystemChance())


def test_a_bots_table_gains_columns_and_keeps_everything(bot) -> None:
    before = bot.make().run("SELECT * FROM trades ORDER BY id")

    adopted = adopt_table(bot.url, SystemClock())

    assert adopted.rows == 3
    assert {"client_order_id", "order_status", "size_exact"} <= set(adopted.columns_added)
    assert not {"id", "size", "note"} & set(adopted.columns_added)
    assert (
        bot.run(
            "SELECT id, bot_id, product_id, side, size, price, order_id, status, size_usd, created_at, filled_at, "
            "strategy, note FROM trades ORDER BY id"
        )
        == before
    )
    if bot.kind == "sqlite":
        kept = sqlite3.connect(adopted.backup)
        assert kept.execute("SELECT * FROM trades ORDER BY id").fetchall() == before
        assert kept.execute("SELECT COUNT(*) FROM sqlite_master WHERE type = 'table'").fetchone() == (1,)
        kept.close()
    assert adopt_table(bot.url, SystemClock()).columns_added == ()


def test_an_adopted_bot_is_unblocked_and_goes_on_with_its_own_rows(bot) -> None:
    bot.make()
    adopt_table(bot.url, SystemClock())
    store = opened(bot.url)
    with store.read() as transaction:
        assert transaction.trades.pending_ids() == [7]
        assert transaction.trades.load([7])[7].origin is Origin.IMPORTED
    sight = seen("o-7", "FILLED", "0.1", client_order_id="theirs", figures=None)
    recorded = recorder(store).seen(
        [sight, seen("o-7", "FILLED", "0.1", client_order_id="theirs")], source=Source.RECONCILE
    )
    assert [event.latency_seconds for event in recorded.events] == [None] * len(recorded.events)
    bot.run(
        "INSERT INTO trades (bot_id, product_id, side, order_id, status, created_at) "
        "VALUES (2, 'BTC-USD', 'buy', 'o-12', 'pending', '2026-03-01 12:00:00')"
    )
    mine = add(store, intent(bot_id=2))

    rows = {row[0]: row[1:] for row in bot.run("SELECT id, status, strategy, note FROM trades")}
    assert rows[7] == ("completed", "dca", "mine")
    assert (rows[9], rows[11]) == (("completed", "dca", None), ("failed", "dca", None))
    assert rows[mine] == ("pending", "dca", None)
    with store.read() as transaction:
        assert len(transaction.trades.pending_ids()) == 2
        assert transaction.trades.overwritten_ids() == []
        views = {view.trade_id: view for view in transaction.trades.views(TradeFilter())}
    assert views[7].filled_at == START
    assert views[7].created_at == START - timedelta(hours=1)
    store.close()


def test_rounding_by_a_bots_own_column_types_is_no_foreign_write(bot) -> None:
    bot.make()
    adopt_table(bot.url, SystemClock())
    store = opened(bot.url)
    add(store, intent(bot_id=1, quote_size=Decimal("25.123456789"), limit_price=Decimal("1.23456")))

    with store.read() as transaction:
        assert transaction.trades.overwritten_ids() == []
        view = next(v for v in transaction.trades.views(TradeFilter()) if v.client_order_id == "c-1")
    assert (view.size_usd, view.price) == (Decimal("25.123456789"), Decimal("1.23456"))
    store.close()


ODD_TABLES = {
    "`account` is NOT NULL without a default": "account TEXT NOT NULL",
    "`filled_at` is NOT NULL, and an intent does not know it yet": "filled_at TIMESTAMP NOT NULL",
    "`order_type` has another meaning here": "order_type TEXT",
    "`filled_size` has another meaning here": "filled_size FLOAT",
}


@pytest.mark.parametrize("problem", ODD_TABLES)
def test_a_table_that_cannot_be_shared_is_named_and_not_changed(bot, problem) -> None:
    columns = "id INTEGER PRIMARY KEY, product_id TEXT, side TEXT, order_id TEXT, status TEXT"
    bot.make(f"CREATE TABLE trades ({columns}, {ODD_TABLES[problem]})")

    with pytest.raises(SettingsError) as refused:
        adopt_table(bot.url, SystemClock())

    assert refused.value.exit_code == 3
    assert problem in refused.value.message
    assert bot.run("SELECT * FROM trades") == []
    with pytest.raises(SettingsError):
        opened(bot.url)


def test_an_order_that_is_in_two_rows_is_named(bot) -> None:
    bot.make()
    bot.run("INSERT INTO trades (bot_id, order_id) VALUES (1, 'o-7'), (1, ''), (1, '')")

    with pytest.raises(SettingsError, match=r"o-7 \(2 rows\)"):
        adopt_table(bot.url, SystemClock())


def test_a_dry_run_of_an_adoption_changes_nothing(bot) -> None:
    bot.make()
    assert adopt_table(bot.url, SystemClock(), dry_run=True).rows == 3
    assert len(bot.run("SELECT * FROM trades")[0]) == 13


def test_a_database_without_trades_is_not_adopted(bot) -> None:
    bot.run("CREATE TABLE bots (id INTEGER PRIMARY KEY)")
    with pytest.raises(SettingsError, match="no table `trades`"):
        adopt_table(bot.url, SystemClock())


# ---------------------------------------------------------------------------- copies


def everything(store):
    with store.read() as transaction:
        trades = transaction.trades
        ids = [view.trade_id for view in trades.views(TradeFilter())]
        return (
            trades.load(ids), trades.views(TradeFilter()), trades.events_after(0, 100),
            transaction.external.list(), transaction.runs.last("light"), transaction.runs.watermark("orders"),
            transaction.notes.get("tag"), transaction.breaks.open(),
        )  # fmt: skip


def filled(store) -> None:
    store.claim("simulator", "p-1")
    exact = Decimal("123456789012345.678901234567891")
    for number in range(3):
        add(store, intent(f"c-{number}", at=START + timedelta(seconds=number), bot_id=number))
    recorder(store).seen(
        [seen("o-1", "FILLED", str(exact), client_order_id="c-1"), seen("x-1", client_order_id="theirs")],
        source=Source.POLL,
    )
    recorder(store).seen([fills_seen(fill("e-1", size=str(exact)))], source=Source.POLL)
    with store.write() as transaction:
        transaction.runs.start(Run(run_id="r", mode="light", started_at=START, host="h", pid=1), None)
        transaction.runs.move_watermark("orders", START, None)
        transaction.outbox.put("webhook", "1", "e", {"n": 1}, START)


def test_a_store_is_copied_into_an_empty_one_of_either_kind(place, empty_url) -> None:
    store = place.open()
    filled(store)

    counts = copy(place.url, empty_url, SystemClock())

    assert (counts["trades"], counts["fills"], counts["outbox"]) == (3, 1, 1)
    target = opened(empty_url)
    assert everything(target) == everything(store)
    assert add(target, intent("c-new")) == 4
    with target.transaction() as sql:
        planned = sql.rows("SELECT reltuples FROM pg_class WHERE relname = 'trades'") if sql.postgres else [(3,)]
    assert planned == [(3,)]  # what the planner of a report goes by
    target.close()
    with pytest.raises(SettingsError, match="in use already"):
        copy(place.url, empty_url, SystemClock())


def test_a_backup_is_a_store_of_its_own(place, tmp_path) -> None:
    store = place.open()
    filled(store)
    target = tmp_path / "backup.db"
    if place.postgres:
        with pytest.raises(UsageError) as told:
            backup(place.url, target)
        assert "pg_dump" in told.value.remedy
        return
    with store.write() as transaction:
        transaction.notes.set("in_flight", "not committed yet")
        backup(place.url, target)

    copied = opened(f"sqlite:///{target}")
    assert everything(copied) == everything(store)
    with copied.read() as transaction:
        assert transaction.notes.get("in_flight") is None
    copied.close()
    with pytest.raises(UsageError, match="there already"):
        backup(place.url, target)
    with pytest.raises(StoreError):
        backup(f"sqlite:///{tmp_path}/none.db", tmp_path / "b.db")


# ---------------------------------------------------------------------------- pruning


def test_pruning_drops_what_is_settled_and_old_and_nothing_else(place) -> None:
    store = place.open()
    filled(store)
    with store.write() as transaction:
        delivery = transaction.outbox.due(START, 1)[0]
        transaction.outbox.put("webhook", "2", "e-2", {}, START)
        transaction.outbox.delivered(delivery.delivery_id, START)
        for number in range(2):
            run = Run(
                run_id=f"d-{number}", mode="deep", started_at=START + number * timedelta(hours=1), host="h", pid=1
            )
            transaction.runs.start(run, None)
            transaction.runs.finish(
                Run(**{f: getattr(run, f) for f in ("run_id", "mode", "started_at", "host", "pid")}, finished_at=START),
                None,
            )
    before = everything(store)
    later = START + timedelta(days=1)
    store._clock.advance(1)

    dropped = prune(store, later)

    after = everything(store)
    assert dropped["outbox"] == 1
    assert dropped["runs"] == 1
    assert dropped["trade_events"] >= 1
    assert after[:2] == before[:2], "trades, registers and fills stay"
    pending = {view.trade_id for view in after[1] if view.status == "pending"}
    kept = {event.trade_id for _, event in after[2]}
    assert pending <= kept
    assert after[2][-1] == before[2][-1]
    with store.read() as transaction:
        assert transaction.outbox.undelivered()[0] == 1
        assert transaction.notes.get("pruning") is None
    with pytest.raises(StoreError, match="append-only"), store.transaction() as sql:
        sql.run("DELETE FROM trade_events")
    assert prune(store, later)["outbox"] == 0


def test_upgrade_of_a_bots_database_is_refused(bot) -> None:
    bot.make()
    with pytest.raises(SettingsError, match="no store"):
        upgrade(bot.url, SystemClock())
