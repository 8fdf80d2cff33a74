"""`reconcile` as cron runs it: a process, its exit codes, what it prints, its pings and its metrics."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.listener import Listener, listening
from tests.support.patience import eventually, in_time
from tests.support.stage import FILL_SOON, Stage

BUY = ("buy", "BTC-USD", "--quote-size", "25", "--no-wait")
KEYS = {
    "run_id", "mode", "dry_run", "started_at", "finished_at", "checked", "updated_count", "details", "breaks",
    "adopted", "fills_added", "requests", "alerts", "result", "simulated", "error", "notes",
}  # fmt: skip


def stuck(stage: Stage) -> str:
    """Place an order, and let the venue fill it with nobody looking; returns its id."""
    stage.exchange.control.script(FILL_SOON)
    placed = stage.place(*BUY)
    order_id = placed.document["trade"]["order_id"]
    eventually(lambda: any(o["order_id"] == order_id and o["status"] == "FILLED" for o in stage.orders()))
    return str(order_id)


def rids(got: Listener) -> set[str]:
    return {parse_qs(urlsplit(r.path).query)["rid"][0] for r in got.got}


def paths(got: Listener) -> list[str]:
    return [urlsplit(r.path).path for r in got.got]


def runs(stage: Stage) -> list[dict[str, object]]:
    return stage.rows("SELECT * FROM runs ORDER BY started_at")


def test_a_stuck_order_gets_one_line_and_then_silence(stage: Stage) -> None:
    order_id = stuck(stage)
    first = stage.run("reconcile")
    assert (first.code, first.err) == (0, "")
    (line,) = first.out.splitlines()
    assert order_id in line
    assert "completed" in line
    second = stage.run("reconcile")
    assert (second.code, second.out, second.err) == (0, "", "")
    assert stage.differences() == []
    assert [(r["mode"], r["result"], r["exit_code"]) for r in runs(stage)] == [
        ("light", "drift", 0),
        ("light", "in_sync", 0),
    ]


def test_the_json_has_every_key_in_each_mode(stage: Stage) -> None:
    order_id = stuck(stage)
    light = stage.run("reconcile", "--json").document
    assert set(light) == KEYS
    detail = light["details"][order_id]
    assert (detail["old_status"], detail["new_status"]) == ("pending", "completed")
    assert (light["mode"], light["result"], light["updated_count"], light["error"]) == ("light", "drift", 1, None)
    assert light["started_at"].endswith("Z")
    broken = {"kind", "severity", "order_id", "trade_id", "stored", "venue", "repaired", "age_seconds"}
    assert all(broken <= set(b) for b in light["breaks"])
    deep = stage.run("reconcile", "--deep", "--json").document
    assert set(deep) == KEYS
    assert (deep["mode"], deep["result"]) == ("deep", "in_sync")


def test_a_dry_run_writes_nothing_and_explains(stage: Stage) -> None:
    order_id = stuck(stage)
    dry = stage.run("reconcile", "--dry-run", "--json").document
    assert (dry["dry_run"], dry["updated_count"]) == (True, 1)
    said = [line.partition(":")[0] for line in dry["details"][order_id]["explanation"]]
    assert {"stored", "said", "rule", "written"} <= set(said)
    assert [r["status"] for r in stage.rows()] == ["pending"]
    assert runs(stage) == []


def test_T30_an_outage_is_6_told_once_and_changes_nothing(stage: Stage) -> None:
    stuck(stage)
    stage.exchange.control.fault(kind="status", status=503, path="/api/v3/*")
    first = stage.run("reconcile")
    assert first.code == 6
    assert len(first.err.splitlines()) == 1
    second = stage.run("reconcile", "--json")
    assert (second.code, second.err) == (6, "")
    assert second.document["error"]["code"] == 6
    assert [r["status"] for r in stage.rows()] == ["pending"]
    assert [(r["result"], r["exit_code"]) for r in runs(stage)] == [("failed", 6)] * 2
    stage.exchange.control.faults.replace([])
    assert stage.run("reconcile").code == 0
    assert stage.differences() == []


def test_T30_what_was_repaired_before_the_venue_went_away_is_told(stage: Stage) -> None:
    first = stuck(stage)
    stage.exchange.control.fault(kind="status", status=503, path="/api/v3/brokerage/orders/historical/fills")
    said = stage.run("reconcile")
    assert said.code == 6
    (line,) = said.out.splitlines()
    assert first in line
    assert "completed" in line
    stage.exchange.control.faults.replace([])
    second = stuck(stage)
    stage.exchange.control.fault(kind="status", status=503, path="/api/v3/brokerage/orders/historical/fills")
    told = stage.run("reconcile", "--json").document
    assert (told["error"]["code"], told["result"], told["updated_count"]) == (6, None, 1)
    assert told["details"][second]["new_status"] == "completed"
    _, row = runs(stage)
    assert (row["run_id"], row["result"], row["updated_count"], row["checked"]) == (told["run_id"], "failed", 1, 1)
    assert told["requests"] == row["requests"] > 0


def test_a_refused_key_and_an_unreadable_answer_are_alerted(stage: Stage) -> None:
    stuck(stage)
    with listening() as hook:
        environ = {"ORDERSYNC_ALERT_URLS": hook.url}
        stage.exchange.control.fault(kind="status", status=401, body="Unauthorized", path="/api/v3/*")
        refused = [stage.run("reconcile", **environ).code for _ in range(2)]
        assert refused == [4, 4]
        assert [(b["rule"], b["severity"], b["state"]) for b in hook.bodies] == [
            ("venue_unreachable", "critical", "opened")
        ]
        stage.exchange.control.faults.replace([])
        stage.exchange.control.fault(kind="html", status=200, path="/api/v3/brokerage/orders/*")
        assert stage.run("reconcile", **environ).code == 7
        assert [(b["rule"], b["state"]) for b in hook.bodies[1:]] == [("unreadable_message", "opened")]
        stage.exchange.control.faults.replace([])
        assert stage.run("reconcile", **environ).code == 0
        assert [(b["rule"], b["state"]) for b in hook.bodies[2:]] == [("venue_unreachable", "resolved")]


def test_a_watcher_whose_key_is_refused_says_so_to_the_alert_sink(stage: Stage) -> None:
    stuck(stage)
    with listening() as hook:
        stage.exchange.control.fault(kind="status", status=401, body="Unauthorized", path="/api/v3/*")
        ended = stage.run("watch", "--for", "20s", "--no-feed", ORDERSYNC_ALERT_URLS=hook.url)
        assert ended.code == 4
        assert [(b["rule"], b["state"]) for b in hook.bodies] == [("venue_unreachable", "opened")]


def test_a_dry_run_does_not_even_bind_a_new_store(stage: Stage) -> None:
    stage.run("list")
    before = stage.rows("SELECT * FROM notes")
    assert stage.run("reconcile", "--deep", "--dry-run").code == 0
    assert stage.run("sync", "nobody-knows-it", "--dry-run").code == 11
    assert stage.rows("SELECT * FROM notes") == before


def test_external_orders_are_info_and_adopted_when_asked(stage: Stage) -> None:
    stuck(stage)
    body = {
        "client_order_id": "another-program",
        "product_id": "BTC-USD",
        "side": "BUY",
        "order_configuration": {"market_market_ioc": {"quote_size": "10"}},
    }
    stage.exchange.control.place_elsewhere(body, script=FILL_SOON)
    time.sleep(0.3)
    seen = stage.run("reconcile", "--deep", "--json")
    assert (seen.code, [b["kind"] for b in seen.document["breaks"] if b["severity"] == "info"]) == (
        0,
        ["external_order"],
    )
    taken = stage.run("reconcile", "--deep", "--adopt", "--json")
    assert (taken.code, taken.document["adopted"]) == (0, 1)
    assert stage.differences() == []
    assert len(stage.rows()) == 2


def test_pings_follow_healthchecks_with_one_rid(stage: Stage) -> None:
    stuck(stage)
    with listening() as got:
        done = stage.run("reconcile", "--ping-url", f"{got.url}/secret-uuid")
        assert done.code == 0
        assert paths(got) == ["/secret-uuid/start", "/secret-uuid"]
        assert len(rids(got)) == 1
        assert b"completed" in got.got[1].content
        assert "secret-uuid" not in done.out + done.err


def test_a_failure_pings_its_exit_code_with_the_tail_of_the_log(stage: Stage) -> None:
    stuck(stage)
    stage.exchange.control.fault(kind="status", status=401, body="Unauthorized", path="/api/v3/*")
    with listening() as got:
        assert stage.run("reconcile", "--ping-url", f"{got.url}/u").code == 4
        assert paths(got) == ["/u/start", "/u/4"]
        assert len(rids(got)) == 1
        assert got.got[1].content


def test_an_outage_pings_no_end_and_a_skipped_run_nothing(stage: Stage) -> None:
    stuck(stage)
    stage.exchange.control.fault(kind="status", status=503, path="/api/v3/*")
    with listening() as got:
        assert stage.run("reconcile", "--ping-url", f"{got.url}/u").code == 6
        assert paths(got) == ["/u/start"]
    stage.exchange.control.faults.replace([])
    stage.exchange.control.fault(kind="delay", seconds=8, path="/api/v3/*")
    running = stage.start("reconcile")
    try:
        eventually(lambda: stage.rows("SELECT * FROM leases WHERE name = 'light' AND holder IS NOT NULL"))
        with listening() as got:
            skipped = stage.run("reconcile", "--ping-url", f"{got.url}/u")
            assert (skipped.code, skipped.out, skipped.err) == (12, "", "")
            assert got.got == []
    finally:
        running.kill()
        running.communicate(timeout=10)
    assert [r["result"] for r in runs(stage)][-1] == "skipped"


def test_a_simulated_run_sends_no_ping(tmp_path: Path) -> None:
    with listening() as got:
        done = subprocess.run(
            [sys.executable, "-m", "ordersync_cli", "reconcile", "--venue", "simulator", "--ping-url", got.url],
            capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL, cwd=tmp_path,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert got.got == []


def test_T49_without_a_terminal_and_a_named_venue_it_is_3(tmp_path: Path) -> None:
    bare = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "ordersync_cli", "reconcile"],
        env=bare, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 3
    assert "ORDERSYNC_VENUE" in done.stderr


def test_it_works_with_a_bare_environment_when_the_flags_say_all(stage: Stage, tmp_path: Path) -> None:
    order_id = stuck(stage)
    known = stage.environment
    done = subprocess.run(
        [
            sys.executable, "-m", "ordersync_cli", "reconcile", "--venue", "coinbase",
            "--rest-url", known["ORDERSYNC_REST_URL"], "--ws-url", known["ORDERSYNC_WS_URL"],
            "--key-file", known["ORDERSYNC_KEY_FILE"], "--database", known["ORDERSYNC_DATABASE_URL"],
        ],
        env={}, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert order_id in done.stdout


def test_the_metrics_file_is_replaced_and_keeps_the_last_good_run(stage: Stage, tmp_path: Path) -> None:
    stuck(stage)
    file = tmp_path / "ordersync.prom"
    file.write_text("old")
    assert stage.run("reconcile", "--metrics-file", str(file)).code == 0
    text = file.read_text()
    good = next(x for x in text.splitlines() if x.startswith('ordersync_reconcile_last_good_timestamp_seconds{mode="l'))
    assert 'ordersync_reconcile_updated_count{mode="light"} 1.0' in text
    stuck(stage)
    stage.exchange.control.fault(kind="status", status=503, path="/api/v3/*")
    assert stage.run("reconcile", "--metrics-file", str(file)).code == 6
    text = file.read_text()
    assert 'ordersync_reconcile_exit_code{mode="light"} 6.0' in text
    assert good in text
    assert list(tmp_path.glob("ordersync.prom.*")) == []


def test_max_runtime_ends_a_run_that_hangs(stage: Stage) -> None:
    stuck(stage)
    stage.exchange.control.fault(kind="delay", seconds=30, path="*/historical/batch")
    before = time.monotonic()
    done = stage.run("reconcile", "--max-runtime", "2s")
    assert done.code == 6
    in_time(before, 12, "the end of the run")
    assert "max-runtime" in done.err
    (row,) = runs(stage)
    assert (row["result"], row["exit_code"]) == ("failed", 6)


def test_a_terminated_run_leaves_143_and_its_row(stage: Stage) -> None:
    stuck(stage)
    stage.exchange.control.fault(kind="delay", seconds=20, path="*/historical/batch")
    running = stage.start("reconcile")
    eventually(lambda: stage.rows("SELECT * FROM leases WHERE name = 'light' AND holder IS NOT NULL"))
    running.send_signal(signal.SIGTERM)
    running.communicate(timeout=20)
    assert running.returncode == 143
    (row,) = runs(stage)
    assert (row["result"], row["exit_code"]) == ("failed", 143)


def settled_then_hanging(stage: Stage) -> str:
    """Leave an order to be settled, and a venue that hangs once it is; returns the order's id."""
    order_id = stuck(stage)
    stage.exchange.control.fault(kind="delay", seconds=30, path="/api/v3/brokerage/orders/historical/fills")
    return order_id


def is_told_so_far(stage: Stage, document: dict[str, Any], order_id: str, code: int) -> None:
    """Check that the document of a run that was ended has what its row says."""
    (row,) = runs(stage)
    assert set(document) == KEYS
    assert (document["error"]["code"], document["result"]) == (code, None)
    assert (row["exit_code"], row["result"]) == (code, "failed")
    assert (document["run_id"], document["mode"]) == (row["run_id"], row["mode"])
    assert None not in {document["started_at"], document["finished_at"]}
    assert (document["checked"], document["updated_count"]) == (row["checked"], row["updated_count"]) == (1, 1)
    assert document["requests"] == row["requests"] > 0
    assert document["details"][order_id]["new_status"] == "completed"


def test_max_runtime_tells_in_json_what_the_run_had_done(stage: Stage) -> None:
    order_id = settled_then_hanging(stage)
    done = stage.run("reconcile", "--max-runtime", "3s", "--json")
    assert (done.code, done.document["error"]["kind"]) == (6, "max_runtime")
    is_told_so_far(stage, done.document, order_id, 6)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_tells_in_json_what_the_run_had_done(stage: Stage, number: int, code: int) -> None:
    order_id = settled_then_hanging(stage)
    running = stage.start("reconcile", "--json")
    eventually(lambda: [r["status"] for r in stage.rows()] == ["completed"])
    running.send_signal(number)
    out, _ = running.communicate(timeout=20)
    assert running.returncode == code
    is_told_so_far(stage, json.loads(out), order_id, code)


@pytest.mark.parametrize("json_too", [(), ("--json",)])
def test_a_run_that_is_ended_while_it_delivers_has_told_what_it_did(stage: Stage, json_too: tuple[str, ...]) -> None:
    order_id = stuck(stage)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hook = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        running = stage.start("reconcile", *json_too, ORDERSYNC_WEBHOOK_URL=hook)
        silent.settimeout(20)
        connection, _ = silent.accept()
        with connection:
            running.send_signal(signal.SIGTERM)
            out, _ = running.communicate(timeout=20)
    (row,) = runs(stage)
    assert (running.returncode, row["result"]) == (143, "drift")
    if json_too:
        document = json.loads(out)
        assert (document["run_id"], document["updated_count"]) == (row["run_id"], 1)
        assert document["details"][order_id]["new_status"] == "completed"
    else:
        (line,) = out.splitlines()
        assert order_id in line


def test_a_run_that_is_ended_while_it_pings_its_start_says_which_it_was(stage: Stage) -> None:
    stuck(stage)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        running = stage.start("reconcile", "--json", "--ping-url", f"http://127.0.0.1:{silent.getsockname()[1]}/")
        silent.settimeout(20)
        connection, _ = silent.accept()
        with connection:
            running.send_signal(signal.SIGTERM)
            out, _ = running.communicate(timeout=30)
    (row,) = runs(stage)
    document = json.loads(out)
    assert (document["run_id"], document["error"]["code"], row["exit_code"]) == (row["run_id"], 143, 143)


def test_a_run_that_never_got_to_its_row_says_its_mode(stage: Stage) -> None:
    running = stage.start("reconcile", "--deep", "--jitter", "1h", "--json")
    time.sleep(3)
    running.send_signal(signal.SIGTERM)
    out, _ = running.communicate(timeout=20)
    document = json.loads(out)
    assert (document["error"]["code"], document["run_id"], document["mode"]) == (143, None, "deep")
    assert runs(stage) == []


def test_a_deep_pass_killed_at_any_point_is_completed_by_the_next(stage: Stage) -> None:
    for _ in range(3):
        stuck(stage)
    stage.exchange.control.fault(kind="delay", seconds=0.15, path="/api/v3/*")
    for moment in (0.9, 1.2, 1.5, 1.8, 2.4):
        running = stage.start("reconcile", "--deep")
        time.sleep(moment)
        running.kill()
        running.communicate(timeout=10)
    stage.exchange.control.faults.replace([])
    done = stage.run("reconcile", "--deep", "--json")
    assert done.code == 0, done.err
    assert stage.differences() == []
    fills = stage.rows("SELECT entry_id, order_id, size FROM fills")
    assert len({f["entry_id"] for f in fills}) == len(fills)
    for order in stage.orders():
        filled = sum(Decimal(str(f["size"])) for f in fills if f["order_id"] == order["order_id"])
        assert filled > 0
    results = [str(r["result"]) for r in runs(stage)]
    assert None not in results
    assert results[-1] in {"in_sync", "drift"}
    assert all(r["finished_at"] for r in runs(stage))


def test_an_unknown_option_value_is_a_usage_error_in_the_commands_shape(stage: Stage) -> None:
    done = stage.run("reconcile", "--max-runtime", "soon", "--json")
    assert done.code == 2
    assert json.loads(done.out)["error"]["code"] == 2


def test_breaks_are_listed_and_accepted(stage: Stage) -> None:
    stuck(stage)
    tag = stage.rows("SELECT value FROM notes WHERE name = 'tag'")[0]["value"]
    body = {
        "client_order_id": f"{tag}-0123456789abcdef0123456789",
        "product_id": "BTC-USD",
        "side": "BUY",
        "order_configuration": {"market_market_ioc": {"quote_size": "10"}},
    }
    stage.exchange.control.place_elsewhere(body, script=FILL_SOON)
    time.sleep(0.3)
    found = stage.run("reconcile", "--deep")
    assert found.code == 10
    assert "unknown_tagged_order" in found.err
    quiet = stage.run("reconcile", "--deep")
    assert (quiet.code, quiet.out, quiet.err) == (10, "", "")
    assert stage.place(*BUY).code == 2
    listed = stage.run("breaks", "list", "--json").document
    (row,) = listed["breaks"]
    assert row["kind"] == "unknown_tagged_order"
    assert stage.run("breaks", "accept", "99999", "--reason", "x").code == 2
    accepted = stage.run("breaks", "accept", str(row["break_id"]), "--reason", "restored on purpose", "--json")
    assert (accepted.code, accepted.document["unfrozen"]) == (0, True)
    assert stage.run("reconcile", "--deep").code == 0
    assert stage.place(*BUY).code == 0
