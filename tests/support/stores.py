"""Stores of both kinds, empty and ready: what one contract suite runs against."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from ordersync_cli.clock import Chance, Clock, SystemChance, SystemClock
from ordersync_cli.store import open_store
from ordersync_cli.store.maintenance import upgrade
from ordersync_cli.store.trade_store import TradeStore
from tests.support.postgres import PostgresServer
from tests.support.ready_store import ready_store
from tests.support.virtual_clock import VirtualClock

KINDS = ("sqlite", "postgres")


class StorePlace:
    """Where one store lies; opens it as often as a test needs, as separate processes would."""

    def __init__(self, url: str, path: Path | None) -> None:
        self.url = url
        self.path = path
        self.clock = VirtualClock()
        self._open: list[TradeStore] = []

    @property
    def postgres(self) -> bool:
        return self.path is None

    def open(self, clock: Clock | None = None, chance: Chance | None = None, rate: float = 2.5) -> TradeStore:
        store = open_store(
            self.url,
            clock=clock or self.clock,
            chance=chance or SystemChance(),
            requests_per_second=rate,
        )
        self._open.append(store)
        return store

    def close(self) -> None:
        for store in self._open:
            store.close()


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StorePlace]:
    """A migrated, empty store: a SQLite file, then a Postgres database."""
    if request.param == "sqlite":
        path = tmp_path / "store.db"
        ready_store(path, SystemClock(), SystemChance()).close()
        found = StorePlace(f"sqlite:///{path}", path)
        yield found
        found.close()
        return
    url = request.getfixturevalue("emptied_postgres")
    found = StorePlace(url, None)
    yield found
    found.close()


@pytest.fixture(scope="session")
def one_postgres(postgres_server: PostgresServer) -> Iterator[str]:
    """One migrated database for every test of this process: making one takes longer than emptying it."""
    url = postgres_server.database()
    upgrade(url, SystemClock())
    yield url
    postgres_server.drop(url)


@pytest.fixture
def emptied_postgres(one_postgres: str) -> str:
    with psycopg.connect(plain_url(one_postgres), autocommit=True) as connection:
        connection.execute(
            "DO $$ DECLARE t text; BEGIN FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' "
            "AND tablename <> 'alembic_version' LOOP EXECUTE format('TRUNCATE %I RESTART IDENTITY', t); END LOOP; "
            "INSERT INTO notes VALUES ('schema_serves', '0001'); END $$"
        )
    return one_postgres


def plain_url(url: str) -> str:
    """Turn an SQLAlchemy URL into one that psycopg takes."""
    return url.replace("postgresql+psycopg://", "postgresql://")


@pytest.fixture
def store(place: StorePlace) -> TradeStore:
    """One open store on that place, in virtual time."""
    return place.open()


@pytest.fixture(params=KINDS)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A place where no store is yet."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'new.db'}"
        return
    server = request.getfixturevalue("postgres_server")
    url = server.database()
    yield url
    server.drop(url)
