"""Settings, exit 3, and what is sent to others: as the contract says, through processes and another exchange."""

from __future__ import annotations

import hashlib
import hmac
import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from tests.support.listener import listening
from tests.support.other_http import Fault
from tests.support.other_stage import other_stage

UPDATE_KEYS = {
    *("type", "at", "trade_id", "bot_id", "order_id", "client_order_id", "old_status", "status", "order_status"),
    *("venue_status", "filled_size", "average_filled_price", "filled_at", "updated_at", "source", "venue_time"),
    "latency_seconds",
}
BUY = ("buy", "BTC-USD", "--quote-size", "25")


def started(words: tuple[str, ...], **environ: str) -> subprocess.Popen[str]:
    """Start a command with nothing else in its environment, as cron may."""
    return subprocess.Popen(
        [sys.executable, "-m", "ordersync_cli", *words],
        env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_T49_whatever_could_be_green_on_a_toy_is_3(tmp_path: Path) -> None:
    key = tmp_path / "key.json"
    key.write_text("{}")
    key.chmod(0o644)
    home = {"HOME": str(tmp_path)}
    file = {**home, "ORDERSYNC_KEY_FILE": str(key)}
    pair = {**home, "COINBASE_API_KEY": "k", "COINBASE_API_SECRET": "s3cr3t-s3cr3t"}
    named = {"ORDERSYNC_VENUE": "coinbase"}
    rest, ws = {"ORDERSYNC_REST_URL": "http://127.0.0.1:9"}, {"ORDERSYNC_WS_URL": "ws://127.0.0.1:9"}
    far = {"ORDERSYNC_REST_URL": "http://192.0.2.1", "ORDERSYNC_WS_URL": "ws://192.0.2.1"}
    cases = [
        (("reconcile",), home),
        (("watch",), home),
        (("report", "--check"), home),
        (("place", *BUY, "--yes"), home),
        (("list",), file),  # credentials without a venue: every command
        (("watch", "--once"), pair),
        (("reconcile",), {**file, **pair, **named}),  # both kinds of key
        (("reconcile",), {**file, **named, **rest}),  # one address
        (("reconcile",), {**file, **named, **ws}),
        (("reconcile",), {**pair, **named, **far}),  # plain addresses beyond loopback
        (("reconcile",), {**file, **named, **rest, **ws}),  # a key that others can read
        (("reconcile",), {**named, **rest, **ws, **home}),  # no key at all
        (("reconcile", "--database", "nonsense"), {**named, **pair}),
    ]
    runs = [(words, environ, started((*words, "--json"), **environ)) for words, environ in cases]
    for words, environ, process in runs:
        out, err = process.communicate(timeout=90)
        assert process.returncode == 3, (words, environ, err)
        assert json.loads(out)["error"]["code"] == 3, (words, out)
        assert "Traceback" not in err
        assert "s3cr3t" not in out + err
        assert err.count("ordersync: ") == 1, err
    assert not list(tmp_path.rglob("simulated*.db")), "the simulator was never touched"


def test_what_is_committed_is_posted_signed_and_alerts_have_their_keys(tmp_path: Path) -> None:
    with other_stage(tmp_path) as stage, listening() as hook, listening() as pager:
        stage.environment |= {
            "ORDERSYNC_WEBHOOK_URL": f"{hook.url}/hook",
            "ORDERSYNC_WEBHOOK_SECRET": "a-secret-word",
            "ORDERSYNC_ALERT_URLS": f"{pager.url}/alert",
        }
        assert stage.place(*BUY, "--bot-id", "3").code == 0
        with closing(sqlite3.connect(stage.database, timeout=10)) as connection, connection:
            connection.execute("UPDATE trades SET status = 'pending'")  # what another program would do
        mended = stage.run("reconcile")
        assert (mended.code, "a-secret-word" in mended.out + mended.err) == (0, False)
        row = stage.rows()[0]
    assert hook.got, mended
    for sent in hook.got:
        wanted = hmac.new(b"a-secret-word", sent.content, hashlib.sha256).hexdigest()
        assert sent.headers["X-Ordersync-Signature"] == f"sha256={wanted}"
        assert set(sent.json) >= UPDATE_KEYS
        assert sent.json["type"] == "trade_status_update"
    assert len({sent.headers["X-Ordersync-Event-Id"] for sent in hook.got}) == len(hook.got)
    last = hook.bodies[-1]
    assert (last["order_id"], last["status"], last["bot_id"]) == (row["order_id"], "completed", 3)
    (alert,) = pager.bodies
    assert set(alert) >= {"incident_id", "rule", "severity", "state", "count", "order_id", "message", "at"}
    assert (alert["rule"], alert["state"], alert["order_id"]) == ("foreign_write", "opened", row["order_id"])


def test_T38_a_key_that_stops_working_is_read_again_once_then_alerted_and_4(tmp_path: Path) -> None:
    with other_stage(tmp_path) as stage, listening() as pager:
        stage.environment["ORDERSYNC_ALERT_URLS"] = f"{pager.url}/alert"
        state = stage.exchange.state
        state.books.usual = [(0.0, "OPEN", "0")]
        assert stage.place(*BUY, "--no-wait").code == 0
        watching = stage.start("watch", "--json", "--no-feed")
        assert watching.stdout is not None
        assert json.loads(watching.stdout.readline())["type"] == "snapshot"
        refused = Fault("GET /", "status_before", count=1000, status=401, body="Unauthorized")
        state.faults.append(refused)
        out, err = watching.communicate(timeout=60)
        assert (watching.returncode, "refuses the key" in err) == (4, True), (out, err)
        (alert,) = [body for body in pager.bodies if body["state"] == "opened"]
        assert (alert["rule"], alert["severity"], "refuses the key" in alert["message"]) == (
            *("venue_unreachable", "critical"),
            True,
        )
        state.lines.clear()
        failed = stage.run("reconcile", "--json")
        assert (failed.code, failed.document["error"]["kind"]) == (4, "credentials")
        assert state.lines.count("GET /key_permissions") == 2, "asked again once, with the key as it is now"
        refused.count = 0
        assert stage.run("reconcile").code == 0
    assert pager.bodies[-1]["state"] == "resolved"


def test_the_key_in_the_environment_works_and_is_shown_nowhere(tmp_path: Path) -> None:
    with other_stage(tmp_path) as stage:
        key = json.loads(stage.exchange.key_file.read_text())
        del stage.environment["ORDERSYNC_KEY_FILE"]
        escaped = key["privateKey"].replace("\n", "\\n")  # as an .env file holds it
        pair = {"COINBASE_API_KEY": key["name"], "COINBASE_API_SECRET": escaped}
        log = tmp_path / "run.log"
        done = stage.place(*BUY, "--verbose", "--log-file", str(log), "--log-format", "json", **pair)
        shown = stage.run("config", "show", **pair)
    assert done.code == 0, done.err
    assert stage.differences() == []
    said = done.out + done.err + shown.out + shown.err + log.read_text() + str(stage.rows("SELECT * FROM notes"))
    for line in key["privateKey"].splitlines()[1:-1]:
        assert line not in said
    steps = [json.loads(line)["message"] for line in log.read_text().splitlines()]
    for step in ("the intent of trade 1 is committed", "POST /api/v3/brokerage/orders: 200", "completed (filled)"):
        assert any(step in said for said in steps), steps
