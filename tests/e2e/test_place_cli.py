"""`place` as a process: outcomes, lost answers, kills, bad input; what the store says and what the exchange has."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path

import pytest

from tests.support.patience import fast_enough
from tests.support.stage import FILL_SOON, PLACE_PATH, Said, Stage

BUY = ("buy", "BTC-USD", "--quote-size", "25")
FROZEN_PLACE = "tests.support.frozen_place"


def reconcile(stage: Stage, *words: str) -> Said:
    return stage.run("reconcile", "--json", *words)


def test_without_any_settings_a_market_order_completes_on_the_simulator() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ordersync_cli", "place", *BUY, "--json"],
        capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    told = json.loads(done.stdout)
    assert (done.returncode, told["outcome"], told["simulated"]) == (0, "filled", True)
    assert told["trade"]["status"] == "completed"
    assert "SIMULATED" in done.stderr
    with sqlite3.connect(Path(os.environ["XDG_DATA_HOME"]) / "ordersync" / "simulated.db") as connection:
        query = "SELECT order_id, status, filled_at FROM trades ORDER BY created_at DESC LIMIT 1"
        order_id, status, filled_at = connection.execute(query).fetchone()
    assert (order_id, status) == (told["trade"]["order_id"], "completed")
    assert filled_at is not None


def test_P12_the_json_has_every_key_and_the_row_equals_the_exchange(stage: Stage) -> None:
    done = stage.place(*BUY)
    told = done.document
    assert done.code == 0, done.err
    assert set(told) == {
        *("trade", "outcome", "filled_immediately", "requires_monitoring", "checks", "simulated", "error"),
    }
    keys = [
        "trade_id", "bot_id", "product_id", "side", "order_type", "client_order_id", "order_id", "status",
        "order_status", "venue_status", "size", "price", "size_usd", "filled_size", "average_filled_price",
        "filled_value", "total_fees", "number_of_fills", "fills_verified", "reason", "created_at", "submitted_at",
        "accepted_at", "filled_at", "closed_at", "confirmed_at", "updated_at", "sync_latency_seconds", "source",
    ]  # fmt: skip
    assert list(told["trade"]) == keys
    assert (told["error"], told["simulated"]) == (None, False)
    assert stage.differences() == []
    assert told["trade"]["order_id"] in done.err
    assert told["trade"]["client_order_id"] in done.err


def test_a_market_order_is_terminal_within_a_second_of_its_fill(stage: Stage) -> None:
    stage.exchange.control.script(
        [{"after_seconds": "0.02", "status": "OPEN"}, {**FILL_SOON[1], "after_seconds": "0.9"}]
    )
    trade = stage.place(*BUY).document["trade"]
    assert trade["status"] == "completed"
    fast_enough(float(trade["sync_latency_seconds"]), 1, "fill to row")


def test_the_first_look_is_within_100_ms_of_the_create_answer(stage: Stage) -> None:
    stage.place(*BUY, "--wait", "1")
    looks = stage.rows("SELECT kind, seen_at, committed_at FROM trade_events ORDER BY id")
    answered = next(r for r in looks if r["kind"] == "status")
    looked = looks[looks.index(answered) + 1]
    assert _seconds(looked["committed_at"]) - _seconds(answered["committed_at"]) < 0.1


def _seconds(text: str) -> float:
    hours, minutes, seconds = text.split()[1].split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


@pytest.mark.parametrize(
    ("kind", "details"),
    [
        ("cut_after", {}),
        ("hang_after", {"seconds": 3.0}),
        ("status_after", {"status": 500}),
        ("status_after", {"status": 502}),
        ("rate_limit_after", {}),
        ("garbage_after", {}),
        ("html_after", {}),
    ],
)
def test_T16_P10_an_answer_lost_after_acceptance_is_unknown_and_reconcile_finds_it(
    stage: Stage, kind: str, details: dict[str, float]
) -> None:
    stage.exchange.control.script(FILL_SOON)
    stage.lose_answer(kind, **details)
    environ = {"ORDERSYNC_REQUEST_TIMEOUT": "1s"} if kind == "hang_after" else {}
    done = stage.place(*BUY, **environ)
    assert done.code == 8, done.err
    assert done.document["outcome"] == "unknown"
    assert done.document["error"]["code"] == 8
    (row,) = stage.rows()
    assert (row["status"], row["order_status"], row["order_id"]) == ("pending", "submitting", None)
    assert len(stage.orders()) == 1
    assert row["client_order_id"] in done.err

    passed = reconcile(stage)
    assert passed.code == 0, passed.err
    assert stage.differences() == []
    assert stage.rows()[0]["order_status"] == "filled"
    assert len(stage.orders()) == 1


def test_the_same_id_again_after_a_lost_answer_sends_nothing(stage: Stage) -> None:
    stage.lose_answer()
    first = stage.place(*BUY, "--client-order-id", "mine-1")
    again = stage.place(*BUY, "--client-order-id", "mine-1")
    assert (first.code, again.code) == (8, 8)
    assert len(stage.orders()) == 1
    asked = stage.exchange.control.requests()["by_path"]
    assert asked[f"POST {PLACE_PATH}"] == 1


def test_the_same_id_for_the_same_request_is_answered_from_the_store(stage: Stage) -> None:
    first = stage.place(*BUY, "--client-order-id", "mine-2").document
    again = stage.place("BUY", "btc-usd", "--quote-size", "25.00", "--client-order-id", "mine-2").document
    assert again["outcome"] == "filled"
    assert again["trade"]["order_id"] == first["trade"]["order_id"]
    assert len(stage.orders()) == 1


def test_the_same_id_for_another_request_is_refused_before_anything_is_sent(stage: Stage) -> None:
    stage.place(*BUY, "--client-order-id", "mine-3")
    other = stage.place("buy", "BTC-USD", "--quote-size", "26", "--client-order-id", "mine-3")
    assert other.code == 2
    assert other.document["error"]["kind"] == "usage"
    assert len(stage.orders()) == 1


def test_what_never_left_is_not_placed_and_may_be_sent_under_the_same_id(stage: Stage) -> None:
    stage.place(*BUY)  # the store knows venue and key now
    stage.exchange.stop()
    gone = stage.place(*BUY, "--client-order-id", "mine-4")
    assert gone.code == 6, gone.err
    assert not [r for r in stage.rows() if r["client_order_id"] == "mine-4" and r["order_status"] != "not_placed"]
    stage.exchange.start()
    sent = stage.place(*BUY, "--client-order-id", "mine-4")
    assert (sent.code, sent.document["outcome"]) == (0, "filled")
    assert len(stage.orders("mine-4")) == 1


def test_T11_a_refusal_is_exit_5_with_its_reason(stage: Stage) -> None:
    reason = {"error": "UNKNOWN_FAILURE_REASON", "preview_failure_reason": "PREVIEW_INSUFFICIENT_FUND", "message": ""}
    stage.exchange.control.script([], refuse=reason)
    done = stage.place(*BUY)
    assert (done.code, done.document["outcome"]) == (5, "rejected")
    assert done.document["trade"]["reason"] == "PREVIEW_INSUFFICIENT_FUND"
    assert (stage.rows()[0]["status"], stage.rows()[0]["order_status"]) == ("failed", "rejected")


def test_T13_a_reused_id_is_not_our_order(stage: Stage) -> None:
    theirs = {
        "client_order_id": "used",
        "product_id": "ETH-USD",
        "side": "BUY",
        "order_configuration": {"market_market_ioc": {"quote_size": "40"}},
    }
    stage.exchange.control.place_elsewhere(theirs)
    done = stage.place(*BUY, "--client-order-id", "used")
    assert (done.code, done.document["outcome"]) == (5, "rejected")
    assert done.document["trade"]["reason"] == "client_order_id_in_use"
    assert len(stage.orders()) == 1


def test_T15_a_404_right_after_the_create_is_not_never_placed(stage: Stage) -> None:
    stage.exchange.control.script(FILL_SOON)
    stage.exchange.control.fault(kind="hide_new", seconds=1.5)
    done = stage.place(*BUY)
    assert (done.code, done.document["outcome"]) == (0, "filled"), done.err


@pytest.mark.parametrize(("status", "code"), [(401, 4), (403, 4), (400, 5), (422, 5)])
def test_a_readable_refusal_of_the_request_is_definite(stage: Stage, status: int, code: int) -> None:
    stage.place(*BUY)
    body = "Unauthorized" if status == 401 else json.dumps({"error": "X", "error_details": "no", "message": "no"})
    for _ in range(2):  # a refused key is read again once
        stage.exchange.control.fault(kind="status", status=status, body=body, method="POST", path=PLACE_PATH, count=1)
    done = stage.place(*BUY)
    assert done.code == code, done.err
    assert stage.rows()[-1]["order_status"] == "rejected"
    assert len(stage.orders()) == 1


def test_require_fill_is_exit_13_while_it_rests(stage: Stage) -> None:
    words = ("buy", "BTC-USD", "--base-size", "0.001", "--limit", "1000")
    resting = stage.place(*words, "--wait", "300ms", "--require-fill")
    assert "ordersync: Not filled within the wait: accepted." in resting.err
    assert (resting.code, resting.document["outcome"]) == (13, "accepted")
    assert resting.document["requires_monitoring"] is True
    assert stage.place(*words, "--no-wait").code == 0


def test_follow_goes_on_until_the_order_has_ended(stage: Stage) -> None:
    stage.exchange.control.script(
        [
            {"after_seconds": "0.02", "status": "OPEN"},
            {"after_seconds": "0.5", "filled_fraction": "0.4", "status": "OPEN"},
            {"after_seconds": "1.2", "status": "CANCELLED"},
        ]
    )
    done = stage.place("buy", "BTC-USD", "--base-size", "0.01", "--limit", "60000", "--follow", "--follow-for", "20s")
    assert (done.code, done.document["outcome"]) == (0, "cancelled")
    trade = done.document["trade"]
    assert (trade["status"], Decimal(trade["filled_size"])) == ("completed", Decimal("0.004"))


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("buy", "NOPE-USD", "--quote-size", "25"), 2),
        (("buy", "BTC-USD", "--quote-size", "0.5"), 2),
        (("buy", "BTC-USD", "--quote-size", "25.001"), 2),
        (("buy", "BTC-USD", "--base-size", "0.001", "--limit", "60000.001"), 2),
        (("buy", "BTC-USD", "--quote-size", "25", "--base-size", "1"), 2),
        (("buy", "BTC-USD"), 2),
        (("buy", "BTC-USD", "--quote-size", "-25"), 2),
        (("buy", "BTC-USD", "--quote-size", "0"), 2),
        (("buy", "BTC-USD", "--quote-size", "NaN"), 2),
        (("buy", "BTC-USD", "--quote-size", "1e999999"), 2),
        (("buy", "BTC-USD", "--quote-size", "abc"), 2),
        (("buy", "BTC-USD", "--quote-size", "1_000"), 2),
        (("buy", "BTC-USD", "--quote-size", "\uff12\uff15"), 2),
        (("buy", "BTC-USD", "--quote-size", "25", "--bot-id", "9" * 20), 2),
        (("buy", "BTC-USD", "--quote-size", "25", "--client-order-id", "a\nb"), 2),
        (("buy", "BTC-USD", "--quote-size", "25", "--client-order-id", "a\udcff"), 2),
        (("hold", "BTC-USD", "--quote-size", "25"), 2),
        (("buy", "BTC-USD", "--base-size", "1", "--limit", "60000", "--tif", "gtd"), 2),
        (("buy", "BTC-USD", "--base-size", "1", "--limit", "60000", "--tif", "soon"), 2),
        (("buy", "BTC-USD", "--quote-size", "25", "--max-notional", "20"), 2),
        (("buy", "BTC-USD", "--quote-size", "25", "--client-order-id", " "), 2),
    ],
)
def test_bad_input_is_one_clear_line_and_nothing_is_sent_or_written(
    stage: Stage, words: tuple[str, ...], code: int
) -> None:
    done = stage.place(*words)
    assert done.code == code
    assert done.document["error"]["code"] == code
    lines = [line for line in done.err.splitlines() if line.startswith("ordersync:")]
    assert len(lines) == 1, done.err
    assert stage.rows() == []
    assert stage.orders() == []


def test_without_a_terminal_the_real_venue_needs_yes(stage: Stage) -> None:
    done = stage.run("place", *BUY, "--json")
    assert done.code == 2
    assert done.document["error"]["kind"] == "declined"
    assert stage.orders() == []


def test_T49_place_yes_without_a_named_venue_is_exit_3(stage: Stage) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("ORDERSYNC_")}
    done = subprocess.run(
        [sys.executable, "-m", "ordersync_cli", "place", *BUY, "--yes", "--json"],
        env=environment, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 3
    assert json.loads(done.stdout)["error"]["code"] == 3
    assert stage.orders() == []


def test_settings_that_cannot_be_meant_send_nothing(stage: Stage, tmp_path: Path) -> None:
    open_key = tmp_path / "open.json"
    open_key.write_bytes(stage.exchange.key_file.read_bytes())
    open_key.chmod(0o644)
    assert stage.place(*BUY, ORDERSYNC_KEY_FILE=str(open_key)).code == 3
    assert stage.place(*BUY, ORDERSYNC_KEY_FILE=str(tmp_path / "none.json")).code == 3
    assert stage.place(*BUY, ORDERSYNC_REST_URL="ftp://127.0.0.1:1").code == 3
    assert stage.place(*BUY, ORDERSYNC_REST_URL="http://example.com").code == 3
    assert stage.place(*BUY, ORDERSYNC_DATABASE_URL=f"sqlite:///{tmp_path}/no/where/x.db").code == 9
    assert stage.orders() == []


def test_a_store_of_another_venue_is_refused(stage: Stage) -> None:
    assert stage.place(*BUY).code == 0
    other = stage.run("place", *BUY, "--json", ORDERSYNC_VENUE="simulator")
    assert other.code == 3
    assert len(stage.orders()) == 1


def test_a_dry_run_writes_and_sends_nothing(stage: Stage) -> None:
    done = stage.run("place", *BUY, "--dry-run", "--json")
    assert done.code == 0, done.err
    assert Decimal(done.document["preview"]["quote_size"]) > 0
    assert stage.rows() == []
    assert stage.orders() == []


def test_freeze_refuses_placing_until_unfreeze(stage: Stage) -> None:
    assert stage.run("freeze", "--reason", "looking").code == 0
    frozen = stage.place(*BUY)
    assert (frozen.code, frozen.document["error"]["kind"]) == (2, "frozen")
    assert stage.run("unfreeze").code == 0
    assert stage.place(*BUY).code == 0


def test_T43_a_process_frozen_before_sending_sends_a_dead_token(stage: Stage) -> None:
    """SIGSTOP between intent and send, five minutes, and the operator places anew meanwhile."""
    assert stage.place(*BUY).code == 0
    frozen = stage.start("place", *BUY, "--client-order-id", "frozen", "--yes", "--json", module=FROZEN_PLACE)
    assert frozen.stderr is not None
    _wait_until_stopped(frozen)
    assert [r["order_status"] for r in stage.rows() if r["client_order_id"] == "frozen"] == ["submitting"]
    stage.exchange.control.advance_clock(300)
    assert stage.place(*BUY, "--client-order-id", "anew").code == 0
    frozen.send_signal(18)  # SIGCONT
    out, err = frozen.communicate(timeout=60)
    assert stage.orders("frozen") == []
    assert frozen.returncode in {4, 8}, (out, err)


def _wait_until_stopped(process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 30
    while Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
        assert time.monotonic() < deadline, "it never stopped itself"
        time.sleep(0.02)


@pytest.mark.parametrize("moment", ["before_intent", "after_intent", "after_send", "after_commit", "in_follow"])
def test_P12_a_place_killed_at_any_moment_is_made_whole_by_reconcile(stage: Stage, moment: str) -> None:
    assert stage.place(*BUY).code == 0
    stage.exchange.control.script(FILL_SOON, client_order_id="victim")
    words = ("place", *BUY, "--client-order-id", "victim", "--yes", "--json")
    killed = stage.run(*words, module="tests.support.killed_place", ORDERSYNC_TEST_KILL_AT=moment)
    assert killed.code == -9, killed.err
    passed = reconcile(stage)
    assert passed.code == 0, passed.err
    assert stage.differences() == []
    assert len(stage.orders("victim")) == (0 if moment in {"before_intent", "after_intent"} else 1)
