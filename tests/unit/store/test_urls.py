"""Where a store lies, and that no message of it holds a secret."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from ordersync_cli.errors import AlreadyKnown, SettingsError, StoreError
from ordersync_cli.store.faults import translated
from ordersync_cli.store.urls import locate, masked


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:////var/a%20b.db", "/var/a%20b.db"), ("sqlite:///a.db", "a.db"),
        ("SQLite:///a/b.db?mode=rw", "a/b.db"),
        ("sqlite:///~/x.db", None),
    ],
)  # fmt: skip
def test_a_file_is_found(url: str, path: str | None) -> None:
    found = locate(url)

    assert not found.postgres
    assert found.path == (Path.home() / "x.db" if path is None else Path(path))


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_a_server_is_found_and_its_password_is_not_shown(scheme: str) -> None:
    found = locate(f"{scheme}://bot:s3cret%21@db.example:5433/trades?sslmode=require")

    assert found.postgres
    assert found.conninfo == "postgresql://bot:s3cret%21@db.example:5433/trades?sslmode=require"
    assert found.shown == "postgresql://bot:***@db.example:5433/trades?sslmode=require"
    assert "s3cret" not in repr(found)
    assert "s3cret!" not in found.masked("driver said: s3cret! and s3cret%21")


def test_secrets_are_masked_wherever_they_stand() -> None:
    assert masked("postgresql://u:p@ss@h/d") == "postgresql://u:***@h/d"
    assert masked("host=h password='a b' user=u") == "host=h password=*** user=u"
    assert masked("postgresql://h/d?password=x&user=u") == "postgresql://h/d?password=***&user=u"
    with pytest.raises(SettingsError) as refused:
        locate("mysql://u:topsecret@h/d")
    assert "topsecret" not in refused.value.message


class OfPostgres(Exception):
    """An error as psycopg raises it."""

    def __init__(self, sqlstate: str | None, text: str = "said so\nDETAIL: more") -> None:
        super().__init__(text)
        self.sqlstate = sqlstate


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("28P01", "refuses this user"), ("3D000", "does not exist"), ("53100", "disk is full"), ("55P03", "is locked"),
        ("57014", "longer than 30 s"), ("57P01", "cannot be reached"), ("08006", "cannot be reached"),
        (None, "cannot be reached"), ("25006", "read-only"), ("42501", "not do that"), ("40P01", "deadlock"),
        ("42P01", "lacks a table"), ("23514", "refuses a row"), ("XX000", "failed"),
    ],
)  # fmt: skip
def test_every_fault_of_a_server_is_said_clearly(state: str | None, said: str) -> None:
    told = translated(OfPostgres(state), locate("postgresql://h/d"))

    assert isinstance(told, StoreError)
    assert said in told.message
    assert "DETAIL" not in told.message
    assert told.remedy


def test_an_id_that_is_taken_is_told_apart() -> None:
    assert isinstance(translated(OfPostgres("23505"), locate("postgresql://h/d")), AlreadyKnown)
    unique = sqlite3.IntegrityError("UNIQUE constraint failed: trades.order_id")
    assert isinstance(translated(unique, locate("sqlite:///a.db")), AlreadyKnown)
    check = translated(sqlite3.IntegrityError("CHECK constraint failed"), locate("sqlite:///a.db"))
    assert not isinstance(check, AlreadyKnown)
    assert "refuses a row" in check.message
