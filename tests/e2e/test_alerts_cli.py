"""Alerts and notifications as cron makes them: the installed command, a venue that goes away, real webhooks."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager

import pytest

from tests.support.listener import listening

pytestmark = pytest.mark.slow
PATIENCE = 60


def command(*words, **environ):
    return subprocess.run(
        [sys.executable, "-m", "ordersync_cli", *words],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env={**os.environ, **environ},
        check=False,
    )


@contextmanager
def simulator(state, port="0"):
    words = [sys.executable, "-m", "ordersync_cli", "simulator", "--json", "--state", str(state), "--port", port]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.wait(10)
        process.stdout.close()


def test_T30_an_outage_between_cron_runs_is_one_alert_and_its_end_another(tmp_path):
    with listening() as hook, ExitStack() as first:
        venue = first.enter_context(simulator(tmp_path / "exchange.db"))
        environ = {
            "ORDERSYNC_VENUE": "coinbase",
            "ORDERSYNC_REST_URL": venue["rest_url"],
            "ORDERSYNC_WS_URL": venue["ws_url"],
            "ORDERSYNC_KEY_FILE": venue["key_file"],
            "ORDERSYNC_DATABASE_URL": f"sqlite:///{tmp_path}/store.db",
            "ORDERSYNC_ALERT_URLS": hook.url,
            "ORDERSYNC_ALERT_VENUE_UNREACHABLE": "1s",
        }
        orders = [
            command(
                "place", "buy", "BTC-USD", "--base-size", "0.001", "--limit", "20000", "--yes", "--no-wait", **environ
            )
            for _ in range(2)
        ]
        assert [o.returncode for o in orders] == [0, 0]
        first.close()
        codes = [command("reconcile", **environ).returncode]
        time.sleep(1.1)
        codes += [command("reconcile", **environ).returncode for _ in range(2)]
        assert codes == [6, 6, 6]
        assert [(b["rule"], b["state"]) for b in hook.bodies] == [("venue_unreachable", "opened")]
        assert hook.bodies[0]["simulated"] is False
        with simulator(tmp_path / "exchange.db", venue["rest_url"].rpartition(":")[2]):
            assert command("reconcile", **environ).returncode == 0
        assert [(b["rule"], b["state"]) for b in hook.bodies[1:]] == [("venue_unreachable", "resolved")]


def test_place_queues_notifications_and_the_next_cron_run_delivers_them_signed(tmp_path):
    with listening() as hook:
        environ = {
            "ORDERSYNC_VENUE": "simulator",
            "ORDERSYNC_DATABASE_URL": f"sqlite:///{tmp_path}/store.db",
            "ORDERSYNC_WEBHOOK_URL": f"{hook.url}/trades",
            "ORDERSYNC_WEBHOOK_SECRET": "s3cret",
        }
        placed = command("place", "buy", "BTC-USD", "--quote-size", "25", "--yes", "--json", **environ)
        trade = json.loads(placed.stdout)["trade"]
        assert hook.got == []
        assert command("reconcile", **environ).returncode == 0
        told = [g.json for g in hook.got]
        assert {t["order_id"] for t in told} <= {None, trade["order_id"]}
        assert (told[0]["old_status"], told[0]["order_status"]) == (None, "submitting"), "the intent is the first"
        assert told[-1]["status"] == "completed"
        assert [t["at"] for t in told] == sorted(t["at"] for t in told)
        assert all(t["type"] == "trade_status_update" and t["simulated"] for t in told)
        for got in hook.got:
            wanted = hmac.new(b"s3cret", got.content, hashlib.sha256).hexdigest()
            assert got.headers["X-Ordersync-Signature"] == f"sha256={wanted}"
            assert got.headers["X-Ordersync-Event-Id"] == got.json["event_id"]
