"""What goes wrong with a store is said in one clear StoreError, and nothing is half-written."""

from __future__ import annotations

import os
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from ordersync_cli.clock import SystemChance, SystemClock
from ordersync_cli.errors import SettingsError, StoreError
from ordersync_cli.services.ports import TradeFilter
from ordersync_cli.store import open_store, sqlite
from ordersync_cli.store.maintenance import upgrade
from tests.support.stores import StorePlace, plain_url
from tests.support.trade_samples import add, intent


def opened(url):
    return open_store(url, clock=SystemClock(), chance=SystemChance())


def is_exit_9(caught, *words: str) -> None:
    error = caught.value
    assert error.exit_code == 9
    assert error.remedy
    for word in words:
        assert word in error.message


def nothing_written(store) -> None:
    with store.read() as transaction:
        assert transaction.trades.views(TradeFilter()) == []


@pytest.fixture
def plain_user():
    """Be somebody who may not write everywhere, for a moment; root may."""

    @contextmanager
    def nobody() -> Iterator[None]:
        root = os.geteuid() == 0
        if root:
            os.seteuid(65534)
        try:
            yield
        finally:
            if root:
                os.seteuid(0)

    return nobody


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
class TestSqlite:
    """T36 on a file."""

    def test_T36_locked_by_another_program(self, place, monkeypatch) -> None:
        monkeypatch.setattr(sqlite, "BUSY_MS", 50)
        store = place.open()
        other = sqlite3.connect(place.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")

        with pytest.raises(StoreError) as caught:
            add(store, intent())

        is_exit_9(caught, "locked")
        other.execute("ROLLBACK")
        other.close()
        nothing_written(store)
        assert add(store, intent()) == 1

    def test_T36_a_new_file_that_another_process_writes_to_is_waited_for(self, tmp_path, place) -> None:
        """Two commands at once on a fresh store: one may find the other's migration check under way."""
        path = tmp_path / "new.db"
        other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        other.execute("CREATE TABLE t (a)")
        other.execute("BEGIN IMMEDIATE")
        ending = threading.Timer(0.2, other.execute, ["ROLLBACK"])
        ending.start()

        connection = sqlite.connect(path, wal=True)

        ending.join()
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        connection.close()
        other.close()

    def test_T36_reading_goes_on_while_another_program_writes(self, place) -> None:
        store = place.open()
        add(store, intent())
        other = sqlite3.connect(place.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        other.execute("UPDATE trades SET bot_id = 5")
        with store.read() as transaction:
            assert transaction.trades.views(TradeFilter())[0].bot_id is None
        other.execute("ROLLBACK")
        other.close()

    def test_T36_disk_full(self, place) -> None:
        store = place.open()
        add(store, intent())
        connection = store._database._opened()
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count={pages}")

        with pytest.raises(StoreError) as caught:
            add(store, intent("c-" + "x" * 100_000))

        is_exit_9(caught, "disk is full")
        connection.execute("PRAGMA max_page_count=1000000")
        assert add(store, intent("c-2")) == 2

    def test_T36_read_only(self, place) -> None:
        store = place.open()
        store._database._opened().execute("PRAGMA query_only=ON")

        with pytest.raises(StoreError) as caught:
            add(store, intent())

        is_exit_9(caught, "read-only")

    def test_T36_read_only_directory(self, place, plain_user) -> None:
        with tempfile.TemporaryDirectory(dir="/tmp") as closed:
            Path(closed).chmod(0o555)
            with plain_user(), pytest.raises(StoreError) as caught:
                opened(f"sqlite:///{closed}/store.db")

        is_exit_9(caught, "cannot be opened")

    def test_T36_read_only_file(self, place, plain_user) -> None:
        with tempfile.TemporaryDirectory(dir="/tmp") as folder:
            path = Path(folder) / "store.db"
            opened(f"sqlite:///{path}").close()
            path.chmod(0o444)
            Path(folder).chmod(0o555)
            with plain_user(), pytest.raises(StoreError) as caught:
                add(opened(f"sqlite:///{path}"), intent())

        is_exit_9(caught)

    def test_T36_a_place_where_no_file_can_be(self, place) -> None:
        with pytest.raises(StoreError) as caught:
            opened("sqlite:////proc/store.db")

        is_exit_9(caught, "cannot be opened")

    def test_T36_missing_directory(self, tmp_path, place) -> None:
        with pytest.raises(StoreError) as caught:
            opened(f"sqlite:///{tmp_path}/none/store.db")

        is_exit_9(caught, "directory")
        assert not (tmp_path / "none").exists()

    def test_T36_not_a_database(self, tmp_path, place) -> None:
        path = tmp_path / "letter.txt"
        path.write_text("Dear Sir or Madam, " * 100)

        with pytest.raises(StoreError) as caught:
            opened(f"sqlite:///{path}")

        is_exit_9(caught, "not a SQLite database")
        assert path.read_text().startswith("Dear")

    def test_a_bots_own_database_is_not_changed(self, tmp_path, place) -> None:
        path = tmp_path / "bot.db"
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE trades (id INTEGER PRIMARY KEY, order_id TEXT)")
        connection.close()

        before = path.read_bytes()

        with pytest.raises(SettingsError) as caught:
            opened(f"sqlite:///{path}")

        assert caught.value.exit_code == 3
        assert "import" in caught.value.remedy
        assert path.read_bytes() == before
        assert list(tmp_path.glob("bot.db*")) == [path]

    def test_a_damaged_budget_file_is_made_anew(self, place) -> None:
        store = place.open()
        bucket = place.path.with_name(f"{place.path.name}.budget")
        bucket.write_text("not a bucket " * 100)

        assert store.budget.left() == 10

    def test_two_threads_take_turns(self, place) -> None:
        store = place.open(SystemClock())
        failures: list[BaseException] = []

        def work(number: int) -> None:
            try:
                for step in range(20):
                    add(store, intent(f"c-{number}-{step}"))
                    store.wait_for_change(0)
            except BaseException as problem:  # noqa: BLE001 - told by the assertion below
                failures.append(problem)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert failures == []
        with store.read() as transaction:
            assert len(transaction.trades.views(TradeFilter())) == 60


@pytest.mark.parametrize("place", ["postgres"], indirect=True)
class TestPostgres:
    """T36 on a server."""

    def test_T36_unreachable_and_no_secret_in_the_message(self, place) -> None:
        for url in (
            "postgresql+psycopg://bot:hunter22@127.0.0.1:1/trades?connect_timeout=2",
            "postgresql://bot@127.0.0.1:1/trades?password=hunter22",
        ):
            with pytest.raises(StoreError) as caught:
                opened(url)
            is_exit_9(caught, "cannot be reached", "127.0.0.1")
            assert "hunter22" not in str(caught.value.message + caught.value.remedy)

    def test_T36_no_such_database(self, place, postgres_server) -> None:
        with pytest.raises(StoreError) as caught:
            opened(place.url.replace("/t", "/never_", 1))

        is_exit_9(caught)

    def test_T36_connection_lost_in_mid_transaction(self, place) -> None:
        store = place.open()
        with pytest.raises(StoreError) as caught, store.write() as transaction:  # noqa: PT012
            transaction.trades.add(intent())
            _end_others(place)
            transaction.trades.add(intent("c-2"))

        is_exit_9(caught, "cannot be reached")
        nothing_written(store)
        assert add(store, intent())

    def test_T36_connections_lost_while_idle(self, place) -> None:
        store = place.open()
        nothing_written(store)
        store.wait_for_change(0)
        add(store, intent())
        store.budget.left()
        _end_others(place)

        assert add(store, intent("c-2"))
        nothing_read(store)
        assert store.budget.left() <= 10
        assert store.wait_for_change(0.1), "what was told meanwhile is not known"

    def test_T36_locked_by_another_program(self, place) -> None:
        store = place.open()
        trade_id = add(store, intent())
        with psycopg.connect(plain_url(place.url)) as other:
            other.execute("SELECT 1 FROM trades FOR UPDATE")
            with pytest.raises(StoreError) as caught, store.write() as transaction:  # noqa: PT012
                transaction._context.sql.run("SET LOCAL lock_timeout = '50ms'")
                transaction.trades.load([trade_id])

        is_exit_9(caught, "locked")

    def test_T36_a_migration_that_nobody_ran(self, place, postgres_server) -> None:
        url = postgres_server.database()
        with pytest.raises(StoreError) as caught:
            opened(url)

        is_exit_9(caught, "no tables")
        assert "db upgrade" in caught.value.remedy
        upgrade(url, SystemClock())
        opened(url).close()
        postgres_server.drop(url)


def nothing_read(store) -> None:
    with store.read() as transaction:
        transaction.trades.last_event()


def _end_others(place: StorePlace) -> None:
    with psycopg.connect(plain_url(place.url), autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def test_a_url_that_cannot_be_meant_is_refused() -> None:
    for url in (
        "store.db",
        "mysql://host/db",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:/",
        "postgresql://h:port/x",
    ):
        with pytest.raises(SettingsError) as caught:
            opened(url)
        assert caught.value.exit_code == 3
