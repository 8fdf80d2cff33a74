"""`sync` as a process: one order by any of its names, its keys, and its exit codes."""

from __future__ import annotations

import time

from tests.support.patience import eventually
from tests.support.stage import FILL_SOON, Stage

BUY = ("buy", "BTC-USD", "--quote-size", "25", "--no-wait")
KEYS = {
    "success", "order_id", "trade_id", "status_change", "changed", "coinbase_status", "updated_at", "explanation",
    "trade", "simulated", "error",
}  # fmt: skip


def stuck(stage: Stage) -> dict[str, object]:
    stage.exchange.control.script(FILL_SOON)
    trade = stage.place(*BUY).document["trade"]
    eventually(lambda: all(o["status"] == "FILLED" for o in stage.orders()))
    return dict(trade)


def test_each_name_of_an_order_syncs_it(stage: Stage) -> None:
    for name in ("order_id", "client_order_id", "trade_id"):
        trade = stuck(stage)
        done = stage.run("sync", str(trade[name]), "--json")
        told = done.document
        assert done.code == 0, done.err
        assert set(told) == KEYS
        assert (told["success"], told["status_change"], told["coinbase_status"]) == (
            True,
            "pending → completed",
            "FILLED",
        )
        assert told["trade"]["source"] == "sync"
    assert stage.differences() == []


def test_it_says_what_changed_in_one_line(stage: Stage) -> None:
    trade = stuck(stage)
    done = stage.run("sync", str(trade["order_id"]))
    assert done.out.splitlines() == [f"{trade['order_id']} pending → completed, completed (filled)"]


def test_explain_names_the_rule_and_a_dry_run_writes_nothing(stage: Stage) -> None:
    trade = stuck(stage)
    done = stage.run("sync", str(trade["order_id"]), "--explain", "--dry-run")
    words = [line.partition(":")[0] for line in done.out.splitlines()]
    assert words[0] == "stored"
    assert {"said", "rule", "written"} <= set(words)
    assert [r["status"] for r in stage.rows()] == ["pending"]


def test_an_order_that_nobody_knows_is_11(stage: Stage) -> None:
    stuck(stage)
    for name in ("nonsense", "0e1d9f5a-0000-4000-8000-000000000000", "999999"):
        done = stage.run("sync", name, "--json")
        assert done.code == 11, done.err
        assert done.document["error"]["kind"] == "unknown_order"


def test_an_external_order_is_10_and_taken_in_with_adopt(stage: Stage) -> None:
    mine = stuck(stage)
    assert stage.run("sync", str(mine["order_id"])).code == 0
    body = {
        "client_order_id": "another-program",
        "product_id": "BTC-USD",
        "side": "BUY",
        "order_configuration": {"market_market_ioc": {"quote_size": "10"}},
    }
    stage.exchange.control.place_elsewhere(body, script=FILL_SOON)
    time.sleep(0.3)
    (order_id,) = [o["order_id"] for o in stage.orders("another-program")]
    left = stage.run("sync", order_id, "--json")
    assert (left.code, left.document["success"], left.document["trade"]) == (10, False, None)
    dry = stage.run("sync", order_id, "--adopt", "--dry-run", "--json").document
    assert (dry["trade_id"], dry["trade"]["trade_id"], dry["trade"]["order_id"]) == (None, None, order_id)
    taken = stage.run("sync", order_id, "--adopt", "--json")
    assert (taken.code, taken.document["trade"]["status"]) == (0, "completed")
    assert stage.differences() == []


def test_a_lost_answer_stays_8_until_the_venue_shows_the_order(stage: Stage) -> None:
    stage.lose_answer("cut_before")
    lost = stage.place(*BUY)
    client_order_id = lost.document["trade"]["client_order_id"]
    if lost.code == 8:
        done = stage.run("sync", client_order_id, "--json")
        assert (done.code, done.document["success"], done.document["trade"]["order_status"]) == (
            8,
            False,
            "submitting",
        )
        assert "unknown" in done.err


def test_an_answer_lost_after_acceptance_is_found_by_sync(stage: Stage) -> None:
    stage.exchange.control.script(FILL_SOON)
    stage.lose_answer("cut_after")
    lost = stage.place(*BUY)
    assert lost.code == 8
    client_order_id = lost.document["trade"]["client_order_id"]
    eventually(lambda: all(o["status"] == "FILLED" for o in stage.orders()))
    done = stage.run("sync", client_order_id, "--json")
    assert (done.code, done.document["status_change"]) == (0, "pending → completed")
    assert stage.differences() == []


def test_an_outage_is_6_and_changes_nothing(stage: Stage) -> None:
    trade = stuck(stage)
    stage.exchange.control.fault(kind="status", status=503, path="/api/v3/*")
    done = stage.run("sync", str(trade["order_id"]), "--json")
    assert done.code == 6
    assert set(done.document) == KEYS
    assert [r["status"] for r in stage.rows()] == ["pending"]
