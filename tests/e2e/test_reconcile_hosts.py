"""`reconcile` of two hosts on one Postgres, a holder that is killed, and an outage told once an hour."""

from __future__ import annotations

import sqlite3
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ordersync_cli.clock import SystemClock
from ordersync_cli.simulator.server import SimulatorServer
from ordersync_cli.store.maintenance import upgrade
from tests.support.listener import listening
from tests.support.patience import eventually, in_time
from tests.support.postgres import PostgresServer
from tests.support.stage import FILL_SOON, Stage
from tests.support.stores import plain_url

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
BUY = ("buy", "BTC-USD", "--quote-size", "25", "--no-wait")
SLOW = {"kind": "delay", "seconds": 30, "path": "*/historical/*"}


class SharedStage(Stage):
    """A stage whose store is a Postgres that several hosts share."""

    def __init__(self, folder: Path, exchange: SimulatorServer, url: str) -> None:
        super().__init__(folder, exchange)
        self.url = url
        self.environment["ORDERSYNC_DATABASE_URL"] = url

    def rows(self, statement: str = "SELECT * FROM trades ORDER BY id") -> list[dict[str, Any]]:
        with psycopg.connect(plain_url(self.url), row_factory=psycopg.rows.dict_row) as connection:
            return connection.execute(statement).fetchall()  # type: ignore[arg-type]


@pytest.fixture
def shared(tmp_path: Path, postgres_server: PostgresServer) -> Iterator[SharedStage]:
    url = postgres_server.database()
    upgrade(url, SystemClock())
    with SimulatorServer(tmp_path / "exchange.db", seed=7, rate_limit=None) as exchange:
        yield SharedStage(tmp_path, exchange, url)
    postgres_server.drop(url)


def stuck(stage: Stage) -> str:
    stage.exchange.control.script(FILL_SOON)
    order_id = stage.place(*BUY).document["trade"]["order_id"]
    eventually(lambda: any(o["order_id"] == order_id and o["status"] == "FILLED" for o in stage.orders()))
    return str(order_id)


def held(stage: Stage, mode: str) -> subprocess.Popen[str]:
    """Start a run that holds its lease while the exchange keeps it waiting."""
    running = stage.start("reconcile", *(["--deep"] if mode == "deep" else []))
    eventually(lambda: stage.rows(f"SELECT 1 FROM runs WHERE mode = '{mode}' AND finished_at IS NULL"), 30)
    return running


@pytest.mark.parametrize("mode", ["light", "deep"])
def test_T35_two_hosts_never_run_at_once_and_a_killed_holder_is_taken_over(shared: SharedStage, mode: str) -> None:
    order_id = stuck(shared)
    words = ("reconcile", "--deep") if mode == "deep" else ("reconcile",)
    shared.exchange.control.fault(**SLOW)
    running = held(shared, mode)
    try:
        skipped = shared.run(*words)
        assert (skipped.code, skipped.out, skipped.err) == (12, "", "")
    finally:
        running.kill()
        running.communicate(timeout=20)
    shared.exchange.control.faults.replace([])
    before = time.monotonic()
    rescued = shared.run(*words)
    assert rescued.code == 0, rescued.err
    assert order_id in rescued.out
    in_time(before, 40, "the take-over (nobody waits for ever)")
    assert shared.differences() == []
    results = [r["result"] for r in shared.rows("SELECT result FROM runs ORDER BY started_at")]
    assert results == ["died", "skipped", "drift"]
    assert [r["rule"] for r in shared.rows("SELECT rule FROM incidents WHERE rule = 'run_died'")] == ["run_died"]


def test_T30_an_outage_is_one_incident_and_is_told_again_after_an_hour(stage: Stage) -> None:
    with listening() as hook:
        stage.environment |= {"ORDERSYNC_ALERT_URLS": hook.url, "ORDERSYNC_ALERT_VENUE_UNREACHABLE": "1s"}
        for _ in range(4):
            stuck(stage)
        before = stage.rows()
        stage.exchange.control.fault(kind="status", status=503, path="/api/v3/*")
        first = stage.run("reconcile")
        assert (first.code, len(first.err.splitlines())) == (6, 1)
        time.sleep(1.1)
        for words in (("reconcile",), ("reconcile", "--deep"), ("reconcile",)):
            quiet = stage.run(*words)
            assert (quiet.code, quiet.out, quiet.err) == (6, "", "")
        assert [(b["rule"], b["state"]) for b in hook.bodies] == [("venue_unreachable", "opened")]
        an_hour_ago = datetime.now(UTC) - timedelta(hours=1, seconds=1)
        with sqlite3.connect(stage.database) as connection:
            connection.execute("UPDATE notes SET value = ? WHERE name = 'outage_said_at'", (an_hour_ago.isoformat(),))
        connection.close()
        again = stage.run("reconcile")
        assert (again.code, len(again.err.splitlines())) == (6, 1)
        assert stage.rows() == before, "no trade changed"
        assert len(hook.bodies) == 1
        stage.exchange.control.faults.replace([])
        assert stage.run("reconcile").code == 0
        assert stage.differences() == []
        assert [(b["rule"], b["state"]) for b in hook.bodies if b["rule"] == "venue_unreachable"] == [
            ("venue_unreachable", "opened"),
            ("venue_unreachable", "resolved"),
        ]


def test_a_threshold_of_the_settings_reaches_its_rule(stage: Stage) -> None:
    """A resting order whose answer is lost: unknown for a minute by default, for a second here."""
    with listening() as hook:
        stage.environment["ORDERSYNC_ALERT_URLS"] = hook.url
        stage.exchange.control.fault(kind="status", method="POST", path="/api/v3/brokerage/orders", status=500, count=1)
        assert stage.place(*BUY).code == 8
        time.sleep(1.2)
        assert stage.run("reconcile").code == 0
        assert [b for b in hook.bodies if b["rule"] == "outcome_unknown"] == []
        stage.run("reconcile", ORDERSYNC_ALERT_OUTCOME_UNKNOWN="1s")
        assert [b["state"] for b in hook.bodies if b["rule"] == "outcome_unknown"] == ["opened"]
