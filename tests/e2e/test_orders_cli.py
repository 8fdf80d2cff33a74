"""`list`, `show`, `cancel` and `resolve` as processes."""

from __future__ import annotations

import json
import signal
import sqlite3
import time
from contextlib import closing
from decimal import Decimal
from typing import Any

import pytest

from tests.support.patience import eventually
from tests.support.stage import FILL_SOON, PLACE_PATH, Stage

RESTING = ("buy", "BTC-USD", "--base-size", "0.001", "--limit", "1000", "--no-wait")


def placed(stage: Stage, *words: str) -> dict[str, Any]:
    done = stage.place(*words)
    assert done.code == 0, done.err
    return dict(done.document["trade"])


def test_list_and_show_work_with_the_exchange_gone(stage: Stage) -> None:
    first = placed(stage, "buy", "BTC-USD", "--quote-size", "25", "--bot-id", "7")
    second = placed(stage, *RESTING)
    stage.exchange.stop()
    listed = stage.run("list", "--json").document["trades"]
    assert [t["trade_id"] for t in listed] == [second["trade_id"], first["trade_id"]]
    assert [t["bot_id"] for t in stage.run("list", "--bot-id", "7", "--json").document["trades"]] == [7]
    assert len(stage.run("list", "--status", "pending", "--json").document["trades"]) == 1
    assert len(stage.run("list", "--limit", "1", "--json").document["trades"]) == 1
    for name in (first["order_id"], first["client_order_id"], str(first["trade_id"])):
        shown = stage.run("show", name, "--json").document
        assert shown["trade"]["order_id"] == first["order_id"]
        assert shown["events"][0]["kind"] == "intent"
    stage.exchange.start()


def test_a_pipe_gets_tabs_and_no_escape_codes(stage: Stage) -> None:
    placed(stage, "buy", "BTC-USD", "--quote-size", "25")
    done = stage.run("list", FORCE_COLOR="1")
    heading, row = done.out.splitlines()
    assert heading.split("\t")[:4] == ["trade", "created", "bot", "product"]
    assert len(row.split("\t")) == len(heading.split("\t"))
    assert "\x1b" not in done.out


def test_an_unknown_order_is_11(stage: Stage) -> None:
    assert stage.run("show", "nothing", "--json").code == 11
    assert stage.run("cancel", "nothing", "--json").code == 11
    assert stage.run("list", "--status", "lost", "--json").code == 2


def test_T31_an_accepted_cancel_is_cancelling_until_the_venues_word(stage: Stage) -> None:
    trade = placed(stage, *RESTING)
    done = stage.run("cancel", trade["order_id"], "--json")
    assert done.code == 0, done.err
    (result,) = done.document["results"]
    assert result["result"] == "accepted"
    assert result["trade"]["order_status"] in {"cancelling", "cancelled"}
    assert result["trade"]["status"] == "pending"  # no fill, and only one look: not proven yet
    eventually(lambda: stage.orders()[0]["status"] == "CANCELLED")
    passed = stage.run("reconcile", "--json")
    assert passed.code == 0, passed.err
    assert stage.differences() == []
    (row,) = stage.rows()
    assert (row["status"], row["order_status"]) == ("failed", "cancelled")


def test_P04_a_cancel_that_came_too_late_ends_filled(stage: Stage) -> None:
    stage.exchange.control.script(FILL_SOON)
    trade = placed(stage, "buy", "BTC-USD", "--quote-size", "25", "--no-wait")
    stage.exchange.control.advance(trade["order_id"])
    done = stage.run("cancel", trade["order_id"], "--json")
    (result,) = done.document["results"]
    assert (done.code, result["result"]) == (5, "refused")
    assert result["trade"]["order_status"] == "filled"
    assert Decimal(result["trade"]["filled_size"]) > 0


def test_cancelling_what_has_ended_does_nothing(stage: Stage) -> None:
    trade = placed(stage, "buy", "BTC-USD", "--quote-size", "25")
    done = stage.run("cancel", str(trade["trade_id"]), "--json")
    assert (done.code, done.document["results"][0]["result"]) == (0, "ended_before")


def test_a_cancel_without_an_order_id_is_stored_and_sent_once_it_is_known(stage: Stage) -> None:
    stage.lose_answer()
    stage.place("buy", "BTC-USD", "--base-size", "0.001", "--limit", "1000", "--client-order-id", "lost")
    waiting = stage.run("cancel", "lost", "--json")
    assert (waiting.code, waiting.document["results"][0]["result"]) == (8, "waiting")
    stage.run("reconcile", "--json")
    stage.exchange.control.advance(stage.orders("lost")[0]["order_id"])
    stage.run("reconcile", "--json")
    assert stage.orders("lost")[0]["status"] == "CANCELLED"
    assert stage.rows()[0]["order_status"] == "cancelled"


CANCEL_PATH = PLACE_PATH + "/batch_cancel"


def test_a_cancel_with_a_name_that_nobody_knows_cancels_the_others(stage: Stage) -> None:
    first, second = placed(stage, *RESTING), placed(stage, *RESTING)
    done = stage.run("cancel", str(first["trade_id"]), "nobody", second["order_id"], first["order_id"], "--json")
    told = done.document
    assert (done.code, told["error"]["kind"]) == (11, "unknown_order")
    assert [r["result"] for r in told["results"]] == ["accepted", "unknown_order", "accepted", "accepted"]
    assert [r["order_status"] for r in stage.rows()] == ["cancelling", "cancelling"]
    assert stage.run("cancel", str(first["trade_id"]), " ", "--json").code == 2


def test_a_cancel_asked_for_twice_is_on_its_way(stage: Stage) -> None:
    trade = placed(stage, *RESTING)
    again = {"success": False, "failure_reason": "DUPLICATE_CANCEL_REQUEST", "order_id": trade["order_id"]}
    stage.exchange.control.fault(
        kind="status", status=200, body=json.dumps({"results": [again]}), method="POST", path=CANCEL_PATH, count=1
    )
    done = stage.run("cancel", trade["order_id"], "--json")
    assert (done.code, done.document["results"][0]["result"]) == (0, "accepted")
    assert stage.rows()[0]["order_status"] == "cancelling"


@pytest.mark.parametrize(
    ("status", "body", "code", "result", "stands"),
    [
        (400, '{"error": "InvalidArgument", "message": "no"}', 5, "refused", "open"),
        (403, '{"error": "PERMISSION_DENIED", "message": "Missing required scopes"}', 4, "key_refused", "cancelling"),
        (503, "go/sg/1", 8, "unknown", "cancelling"),
        (200, "<html>", 8, "unknown", "cancelling"),
    ],
)
def test_a_cancel_that_fails_as_a_whole_is_a_result_too(
    stage: Stage, status: int, body: str, code: int, result: str, stands: str
) -> None:
    trade = placed(stage, *RESTING)
    stage.exchange.control.fault(kind="status", status=status, body=body, method="POST", path=CANCEL_PATH, count=1)
    done = stage.run("cancel", trade["order_id"], "--json")
    assert (done.code, done.document["error"]["code"]) == (code, code), done.err
    assert done.document["results"][0]["result"] == result
    assert stage.rows()[0]["order_status"] == stands


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_cancel_that_is_stopped_names_its_orders_and_what_is_known_of_each(
    stage: Stage, number: signal.Signals, code: int
) -> None:
    trade = placed(stage, *RESTING)
    stage.exchange.control.fault(kind="delay", seconds=20, method="POST", path=CANCEL_PATH, count=1)
    running = stage.start("cancel", trade["client_order_id"], "nobody", "--json")
    eventually(lambda: stage.rows()[0]["order_status"] == "cancelling")
    time.sleep(0.5)
    running.send_signal(number)
    out, err = running.communicate(timeout=20)
    told = json.loads(out)
    assert (running.returncode, told["error"]["code"]) == (code, code)
    assert [(r["wanted"], r["order_id"], r["result"]) for r in told["results"]] == [
        (trade["client_order_id"], trade["order_id"], "unknown"),
        ("nobody", None, "unknown_order"),
    ]
    assert told["results"][0]["trade"]["order_status"] == "cancelling"
    for said in (err, f"{told['error']['message']} {told['error']['remedy']}"):
        assert "may have been sent" in said
        assert "stored" in said
        assert f"ordersync sync {trade['order_id']}" in said


def test_an_external_order_is_not_cancelled_through_this_store(stage: Stage) -> None:
    placed(stage, "buy", "BTC-USD", "--quote-size", "25")
    body = {
        "client_order_id": "theirs",
        "product_id": "BTC-USD",
        "side": "BUY",
        "order_configuration": {"limit_limit_gtc": {"base_size": "0.001", "limit_price": "1000", "post_only": False}},
    }
    order_id = stage.exchange.control.place_elsewhere(body)["success_response"]["order_id"]
    assert stage.run("cancel", order_id, "--json").code == 10
    assert stage.orders("theirs")[0]["status"] == "OPEN"


def test_a_row_whose_side_cannot_be_read_is_shown_and_says_what_to_do(stage: Stage) -> None:
    stage.run("list")
    with closing(sqlite3.connect(stage.database, isolation_level=None)) as bot:
        bot.execute("INSERT INTO trades (product_id, side, order_id) VALUES ('BTC-USD', 'hold', 'b-1')")
    for name in ("b-1", "1"):
        shown = stage.run("show", name, "--json")
        assert (shown.code, shown.document["trade"]["side"], shown.document["fills"]) == (0, "hold", [])
        for command in ("sync", "cancel"):
            done = stage.run(command, name, "--json")
            assert (done.code, done.document["error"]["kind"]) == (10, "breaks")
            assert "its side reads 'hold'" in done.document["error"]["message"]
    assert stage.run("resolve", "b-1", "--as", "not_placed", "--reason", "no order").code == 0
    assert stage.rows()[0]["status"] == "failed"
    assert stage.run("show", "1", "--json").document["events"][0]["kind"] == "settled"


def test_resolve_settles_by_hand_with_a_reason_and_the_venue_outranks_it(stage: Stage) -> None:
    trade = placed(stage, *RESTING)
    assert stage.run("resolve", "1", "--as", "cancelled", "--reason", " ", "--json").code == 2
    assert stage.run("resolve", "1", "--as", "open", "--reason", "x", "--json").code == 2
    done = stage.run("resolve", trade["order_id"], "--as", "cancelled", "--reason", "gone at the venue", "--json")
    assert (done.code, done.document["status_change"]) == (0, "pending → failed")
    stage.run("sync", trade["order_id"], "--json")
    assert stage.rows()[0]["order_status"] == "open"
    assert stage.rows()[0]["status"] == "pending"


@pytest.mark.parametrize("word", ["list", "show", "cancel", "resolve", "freeze", "unfreeze", "place", "demo"])
def test_every_command_has_help_with_an_example_of_its_options(stage: Stage, word: str) -> None:
    done = stage.run(word, "--help")
    assert done.code == 0
    assert "--database" in done.out
    assert "ORDERSYNC_DATABASE_URL" in done.out
