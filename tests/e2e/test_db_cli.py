"""`db ...` as a user types it: schema, copies, backups and pruning, on SQLite and on a real Postgres."""

from __future__ import annotations

import json
import sqlite3

import psycopg
import pytest

from ordersync_cli.__main__ import main
from tests.support.stage import Stage
from tests.support.stores import plain_url

BUY = ("buy", "BTC-USD", "--base-size", "0.001", "--limit", "20000", "--no-wait")


@pytest.fixture
def bare_postgres(postgres_server):
    url = postgres_server.database()
    yield url
    postgres_server.drop(url)


@pytest.fixture
def call(capsys):
    def calling(*words):
        code = main([*words, "--json"])
        return code, json.loads(capsys.readouterr().out)

    return calling


def test_a_new_sqlite_store_needs_nothing_and_says_so(call, tmp_path) -> None:
    url = f"sqlite:///{tmp_path}/new.db"
    code, told = call("db", "current", "--database", url)
    assert (code, told["revision"], told["state"]) == (0, None, "empty")
    assert not (tmp_path / "new.db").exists(), "looking makes nothing"
    code, told = call("db", "upgrade", "--database", url)
    assert (code, told["before"], told["backup"]) == (0, None, None)
    code, after = call("db", "current", "--database", url)
    assert (code, after["revision"], after["state"]) == (0, told["after"], "current")
    code, again = call("db", "upgrade", "--database", url)
    assert (code, again["before"]) == (0, again["after"])


def test_postgres_waits_for_an_upgrade_with_9_and_works_afterwards(call, bare_postgres) -> None:
    code, told = call("list", "--database", bare_postgres)
    assert (code, told["error"]["code"]) == (9, 9)
    assert "db upgrade" in told["error"]["remedy"]
    assert call("db", "current", "--database", bare_postgres)[0] == 9
    assert call("db", "upgrade", "--database", bare_postgres)[0] == 0
    assert call("db", "current", "--database", bare_postgres)[0] == 0
    assert call("list", "--database", bare_postgres)[0] == 0
    code, told = call("db", "backup", "/tmp/never-written.dump", "--database", bare_postgres)
    assert (code, told["error"]["code"]) == (2, 2)
    assert "pg_dump" in told["error"]["remedy"]


def test_a_store_is_backed_up_copied_to_postgres_and_pruned(stage: Stage, bare_postgres, call, tmp_path) -> None:
    assert stage.place(*BUY).code == 0
    assert stage.run("reconcile").code == 0
    file = tmp_path / "copy.db"
    assert stage.run("db", "backup", str(file)).code == 0
    with sqlite3.connect(file) as copied:
        assert copied.execute("SELECT COUNT(*) FROM trades").fetchone() == (1,)
    copied.close()
    assert stage.run("db", "backup", str(file)).code == 2, "a file that is there is never overwritten"

    source = f"sqlite:///{stage.database}"
    code, told = call("db", "copy", source, bare_postgres)
    assert (code, told["rows"]["trades"]) == (0, 1)
    assert call("db", "copy", source, bare_postgres)[0] == 3, "only into an empty one"
    (row,) = stage.rows("SELECT id, client_order_id, order_id, status FROM trades")
    with psycopg.connect(plain_url(bare_postgres)) as connection:
        found = connection.execute("SELECT id, client_order_id, order_id, status FROM trades").fetchall()
    assert found == [tuple(row.values())]

    runs = len(stage.rows("SELECT * FROM runs"))
    assert stage.run("db", "prune", "--older-than", "90d").code == 0
    assert len(stage.rows("SELECT * FROM runs")) == runs
    assert stage.run("reconcile").code == 0
    pruned = stage.run("db", "prune", "--older-than", "0s", "--json")
    assert pruned.code == 0, pruned.err
    assert pruned.document["rows"]["runs"] == 1, "the last one of each mode stays"
    assert len(stage.rows()) == 1
    assert stage.run("db", "prune").code == 2
    mistyped = stage.run("db", "prune", "--older-than", "2125-01-01", "--json")
    assert (mistyped.code, mistyped.document["rows"]) == (2, {}), "a year too far is no way to drop everything"
