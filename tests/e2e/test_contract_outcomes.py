"""Against another exchange: lost answers, refusals, an outage, kills, and the store as other programs read it."""

from __future__ import annotations

import json
import random
import sqlite3
import time
from contextlib import closing

import pytest

from tests.support import other_books as fates
from tests.support.other_http import Fault
from tests.support.other_stage import OtherStage, other_stage

BUY = ("buy", "BTC-USD", "--quote-size", "25")
PLACE_KEYS = {
    *("trade", "outcome", "filled_immediately", "requires_monitoring", "checks", "simulated", "error"),
}
LIMITED = '{"errors": [{"id": "rate_limit_exceeded", "message": "Too many requests"}]}'


@pytest.fixture
def other(tmp_path):
    with other_stage(tmp_path) as stage:
        yield stage


def test_T16_every_lost_answer_is_8_is_sent_once_and_found_by_one_reconcile(other: OtherStage) -> None:
    other.exchange.state.faults += [
        Fault("POST /orders", "cut_after"),
        Fault("POST /orders", "garbage_after"),
        Fault("POST /orders", "status_after", status=502),
        Fault("POST /orders", "status_after", status=429, body=LIMITED),
        Fault("POST /orders", "status_after", status=408, body=""),
    ]
    whys = ["connection was closed", "cannot be read", "answered 502", "answered 429", "answered 408"]
    for why in whys:
        done = other.place(*BUY, "--no-wait")
        told = done.document
        assert (done.code, told["outcome"], told["error"]["code"]) == (8, "unknown", 8)
        assert set(told) == PLACE_KEYS
        assert why in done.err, done.err
        assert told["trade"]["client_order_id"] in done.err
        assert (told["trade"]["status"], told["trade"]["order_status"]) == ("pending", "submitting")
    assert other.books.posts == len(whys)

    found = other.run("reconcile")
    assert found.code == 0, found
    assert len(found.out.splitlines()) == len(whys)
    for order in other.books.orders:
        (line,) = [line for line in found.out.splitlines() if order.order_id in line]
        assert "completed" in line
    again = other.run("reconcile")
    assert (again.code, again.out, again.err) == (0, "", "")
    assert (other.differences(), other.books.posts) == ([], len(whys))
    assert other.exchange.state.complaints == []


def test_refusals_say_what_happened_what_is_true_and_keep_their_row(other: OtherStage) -> None:
    state = other.exchange.state
    state.refusal = {"error": "UNKNOWN_FAILURE_REASON", "preview_failure_reason": "PREVIEW_INSUFFICIENT_FUND"}
    done = other.place(*BUY)
    assert (done.code, done.document["outcome"], done.document["trade"]["status"]) == (5, "rejected", "failed")
    assert "PREVIEW_INSUFFICIENT_FUND. Nothing was bought or sold; trade 1 is rejected." in done.err
    state.refusal = None
    state.scopes["can_trade"] = False
    done = other.place(*BUY)
    told = done.document
    assert (done.code, told["outcome"], told["error"]["code"]) == (4, "rejected", 4)
    assert (told["trade"]["trade_id"], told["trade"]["order_status"]) == (2, "rejected")
    assert "ordersync doctor" in done.err
    assert other.books.orders == []


NO_SUCH_ID = '{"error": "INVALID_ARGUMENT", "error_details": "order id", "message": "order id"}'


@pytest.mark.parametrize(("status", "body"), [(400, NO_SUCH_ID), (404, "Not Found"), (403, "<html>"), (500, "")])
def test_T16_a_look_that_fails_is_no_word_about_the_order(other: OtherStage, status: int, body: str) -> None:
    other.exchange.state.faults.append(
        Fault("GET /orders/historical/", "status_before", count=2, status=status, body=body)
    )
    done = other.place(*BUY)
    assert (done.code, done.document["outcome"], done.document["error"]) == (0, "filled", None), done.err
    assert other.differences() == []


@pytest.mark.parametrize(("status", "body"), [(401, "Unauthorized"), (403, '{"error": "PERMISSION_DENIED"}')])
def test_T16_a_key_refused_after_acceptance_is_said_and_the_order_stays_placed(
    other: OtherStage, status: int, body: str
) -> None:
    other.exchange.state.faults.append(
        Fault("GET /orders/historical/", "status_before", count=99, status=status, body=body)
    )
    done = other.place(*BUY, "--wait", "30")
    told = done.document
    assert (done.code, told["outcome"], told["checks"], told["error"]) == (0, "accepted", 1, None)
    assert told["trade"]["order_id"] == other.books.orders[0].order_id
    assert "The order was placed, but cannot be looked at" in done.err
    assert "Still pending" in done.err


def test_T16_a_known_intent_is_answered_from_the_store_though_the_key_is_refused(other: OtherStage) -> None:
    state = other.exchange.state
    state.faults.append(Fault("POST /orders", "cut_before"))
    assert other.place(*BUY, "--client-order-id", "mine").code == 8
    away = Fault("GET /", "status_before", count=99, status=401, body="Unauthorized")
    state.faults.append(away)
    state.lines.clear()
    again = other.place(*BUY, "--client-order-id", "mine")
    assert (again.code, again.document["outcome"], state.lines) == (8, "unknown", [])
    assert other.place(*BUY).code == 4


def test_T30_an_outage_with_nothing_pending_is_6_said_once_and_reading_goes_on(other: OtherStage) -> None:
    assert other.place(*BUY).code == 0
    with other.exchange.away():
        first, second, third = (other.run("reconcile", *words) for words in ((), (), ("--json",)))
        placed, synced = other.place(*BUY), other.run("sync", "1", "--json")
        listed, shown = other.run("list", "--json"), other.run("show", "1", "--json")
    assert [first.code, second.code, third.code] == [6, 6, 6]
    assert len(first.err.splitlines()) == 1
    assert "the connection was closed without an answer" in first.err
    assert (first.out, second.out, second.err) == ("", "", "")
    assert (third.document["mode"], third.document["error"]["code"]) == ("light", 6)
    assert (placed.code, synced.code, listed.code, shown.code) == (6, 6, 0, 0)
    assert (len(listed.document["trades"]), shown.document["trade"]["status"]) == (1, "completed")
    assert [run["exit_code"] for run in other.rows("SELECT exit_code FROM runs ORDER BY started_at")] == [6, 6, 6]
    assert len(other.rows()) == 1, "an order that could not be checked leaves no row"
    metrics = other.folder / "ordersync.prom"
    assert other.run("reconcile", "--metrics-file", str(metrics)).code == 0
    assert 'ordersync_open_breaks{kind="missing_fill"} 0.0' in metrics.read_text()


def test_a_store_of_another_portfolio_or_venue_is_3_for_every_command(other: OtherStage) -> None:
    assert other.place(*BUY).code == 0
    toy = {"ORDERSYNC_VENUE": "simulator", **dict.fromkeys(("ORDERSYNC_REST_URL", "ORDERSYNC_WS_URL"), "")}
    for words in (("list",), ("show", "1"), ("report",), ("freeze",), ("doctor",), ("watch", "--once")):
        told = other.run(*words, "--json", **toy, ORDERSYNC_KEY_FILE="")
        assert told.code == 3, (words, told)
    other.exchange.state.portfolio = "11111111-0000-4000-8000-00000000cafe"
    for words in (("reconcile",), ("sync", "1"), ("watch", "--once"), ("place", *BUY, "--yes")):
        told = other.run(*words, "--json")
        assert (told.code, "belongs to the portfolio" in told.err) == (3, True), (words, told)
    assert other.books.posts == 1
    assert (other.run("list", "--json").code, other.run("show", "1").code) == (0, 0), "nobody asks the venue"


def test_P12_what_kill_9_left_is_made_whole(other: OtherStage) -> None:
    assert other.place(*BUY).code == 0
    chance = random.Random(20)  # moments drawn once: each run kills at the same ones, more or less
    lives = [fates.FILLS, fates.FILLS_IN_PARTS, fates.PART_THEN_CANCELLED, fates.EXPIRES, fates.QUEUES]
    for words in (("watch", "--json"), ("reconcile",), ("reconcile", "--deep"), ("watch", "--json", "--no-feed")):
        with closing(sqlite3.connect(other.database, timeout=10)) as connection, connection:
            for life in lives:
                order_id = other.books.place_elsewhere(life).order_id
                connection.execute(
                    "INSERT INTO trades (product_id, side, order_id, status) VALUES ('BTC-USD', 'BUY', ?, 'pending')",
                    [order_id],
                )
        process = other.start(*words)
        time.sleep(chance.uniform(0.5, 1.6))
        process.kill()
        process.communicate()
    time.sleep(max(life[-1][0] for life in lives))
    mended = other.run("reconcile", "--deep", "--json")
    assert mended.code == 0, mended
    assert other.differences() == []
    assert other.fill_differences() == []
    assert other.run("reconcile").out == ""


def test_P12_the_tables_are_what_other_programs_were_promised(other: OtherStage) -> None:
    told = other.place(*BUY, "--bot-id", "3").document["trade"]
    incident = other.rows("SELECT order_id, status, filled_at FROM trades ORDER BY created_at DESC LIMIT 1")[0]
    assert (incident["order_id"], incident["status"]) == (told["order_id"], "completed")
    assert incident["filled_at"] is not None
    columns = {row["name"]: row["type"] for row in other.rows("PRAGMA table_info(trades)")}
    assert {"id", *told} - {"trade_id"} <= set(columns)
    assert [columns[name] for name in ("size", "price", "size_usd")] == ["REAL"] * 3
    (kinds,) = other.rows(
        "SELECT typeof(size) a, typeof(price) b, typeof(size_usd) c, typeof(size_exact) d, typeof(filled_size) e,"
        " typeof(total_fees) f, bot_id, size_exact, price_exact, size_usd_exact, created_at FROM trades"
    )
    assert [kinds[name] for name in "abcdef"] == ["real"] * 3 + ["text"] * 3
    assert (kinds["size_exact"], kinds["price_exact"], kinds["size_usd_exact"], kinds["bot_id"]) == (
        *(told["size"], told["price"], told["size_usd"]),
        3,
    )
    assert len(kinds["created_at"]) == len("2026-01-01 00:00:00.000000")
    for change in ("UPDATE trade_events SET status = 'x'", "DELETE FROM trade_events"):
        with closing(sqlite3.connect(other.database)) as connection, pytest.raises(sqlite3.DatabaseError):
            connection.execute(change)
    tables = {row["name"] for row in other.rows("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert {"trades", "fills", "trade_events", "runs", "breaks", "outbox", "leases", "watchers"} <= tables
    (fill,) = other.rows("SELECT entry_id, trade_type, size_in_quote FROM fills")
    assert fill == {
        "entry_id": other.books.orders[0].look().fills[0].entry_id,
        "trade_type": "FILL",
        "size_in_quote": 1,
    }


def test_doctor_names_the_fault_in_its_json(other: OtherStage) -> None:
    with other.exchange.away("503"):
        ill = other.run("doctor", "--json")
    assert (ill.code, ill.document["healthy"]) == (6, False)
    assert ill.document["error"]["code"] == 6
    well = json.loads(other.run("doctor", "--json").out)
    assert (well["healthy"], well["error"]) == (True, None)
