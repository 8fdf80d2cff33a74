"""What a store promises about runs, breaks, incidents, the outbox, notes, watchers and external orders."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from ordersync_cli.clock import SystemClock
from ordersync_cli.domain.observations import FillsSeen
from ordersync_cli.domain.orders import Origin, Source
from ordersync_cli.domain.trade import VenueOrder
from ordersync_cli.errors import LeaseLost, SettingsError
from ordersync_cli.services.ports import Incident, Run, StoredBreak, TradeFilter, Watcher
from ordersync_cli.store.registers import put_external
from tests.support.trade_samples import add, fill, fills_seen, intent, recorder, seen
from tests.support.virtual_clock import START

SECOND = timedelta(seconds=1)


def a_run(run_id="r-1", mode="light", at=START, **fields):
    return Run(run_id=run_id, mode=mode, started_at=at, host="h", pid=1, **fields)


def a_break(kind="status", key="o-1", at=START, **fields):
    told = {
        "break_id": None, "kind": kind, "severity": "open", "key": key, "order_id": key, "trade_id": 1,
        "stored": "pending", "venue": "completed", "money_effect": Decimal("1.10"), "first_seen": at,
        "last_seen": at, **fields,
    }  # fmt: skip
    return StoredBreak(**told)


def an_incident(incident_id="i-1", rule="feed_stale", key="", at=START, **fields):
    told = {
        "incident_id": incident_id, "rule": rule, "key": key, "severity": "warning", "message": "m",
        "order_id": None, "count": 1, "opened_at": at, "last_seen": at, **fields,
    }  # fmt: skip
    return Incident(**told)


# ---------------------------------------------------------------------------- runs


def test_the_pace_of_a_mode_is_told_by_its_last_runs(store) -> None:
    def ran(*minutes: float, **more) -> float:
        with store.write() as transaction:
            for minute in minutes:
                run = a_run(f"r-{minute}-{more}", at=START + minute * 60 * SECOND, **more)
                transaction.runs.start(run, None)
            return transaction.runs.pace("light")

    assert ran(0, 1) == 0.0
    assert ran(2) == 60.0
    assert ran(60, 61, 62) == 60.0, "one pause is no pace"
    assert ran(*range(62, 200, 10), mode="deep") == 60.0
    assert ran(67, 72, 77, 82) == 300.0


def test_runs_are_kept_with_how_they_ended(store) -> None:
    begun = a_run()
    ended = replace(begun, finished_at=START + SECOND, result="drift", exit_code=0, checked=3, message="x")
    with store.write() as transaction:
        transaction.runs.start(begun, None)
    with store.read() as transaction:
        assert transaction.runs.last("light") == begun
        assert transaction.runs.last("light", good=True) is None
    with store.write() as transaction:
        transaction.runs.finish(ended, None)
        transaction.runs.start(a_run("r-2", at=START + SECOND), None)
        transaction.runs.start(a_run("r-3", "deep"), None)

    with store.read() as transaction:
        assert transaction.runs.last("light").run_id == "r-2"
        assert transaction.runs.last("light", good=True) == ended
        assert [r.run_id for r in transaction.runs.between(START, START + SECOND)] == ["r-1", "r-3"]


def test_runs_that_never_ended_are_closed_as_died(store) -> None:
    with store.write() as transaction:
        transaction.runs.start(a_run("r-1"), None)
        transaction.runs.start(a_run("r-2", "deep"), None)
    with store.write() as transaction:
        died = transaction.runs.close_died("light", START + SECOND)

    assert [run.run_id for run in died] == ["r-1"]
    with store.read() as transaction:
        assert (transaction.runs.last("light").result, transaction.runs.last("light").finished_at) == (
            "died",
            START + SECOND,
        )
        assert transaction.runs.last("deep").finished_at is None
    with store.write() as transaction:
        assert transaction.runs.close_died("light", START) == []


def test_T29_a_watermark_moves_with_its_page_or_not_at_all(store) -> None:
    with pytest.raises(KeyError), store.write() as transaction:  # noqa: PT012 - the whole block is the transaction
        transaction.runs.move_watermark("orders", START, None)
        raise KeyError
    with store.write() as transaction:
        assert transaction.runs.watermark("orders") is None
        transaction.runs.move_watermark("orders", START, None)
        transaction.runs.move_watermark("orders", START + SECOND, None)

    with store.read() as transaction:
        assert transaction.runs.watermark("orders") == START + SECOND


def test_every_write_of_a_run_checks_the_fence(store) -> None:
    lease = store.leases.acquire("light", "a", 0)
    stale = replace(lease, token=lease.token - 1)
    for write in (
        lambda t: t.runs.start(a_run(), stale),
        lambda t: t.runs.finish(a_run(), stale),
        lambda t: t.runs.move_watermark("orders", START, stale),
        lambda t: t.fence(stale),
    ):
        with pytest.raises(LeaseLost), store.write() as transaction:
            write(transaction)
    with store.write() as transaction:
        transaction.runs.start(a_run(), lease)
        transaction.fence(lease)
    with store.read() as transaction:
        assert transaction.runs.watermark("orders") is None
        assert transaction.runs.last("light") == a_run()


# ---------------------------------------------------------------------------- breaks


def test_a_break_is_opened_once_and_counted(store) -> None:
    with store.write() as transaction:
        first = transaction.breaks.see(a_break())
        again = transaction.breaks.see(a_break(at=START + SECOND, venue="failed"))
        other = transaction.breaks.see(a_break("total_fees"))

    assert again == replace(first, last_seen=START + SECOND, venue="failed", times=2)
    assert other.break_id != first.break_id
    with store.read() as transaction:
        assert transaction.breaks.open() == [again, other]
        assert transaction.breaks.get(first.break_id) == again
        assert transaction.breaks.get(999) is None


def test_a_break_is_resolved_and_may_open_again(store) -> None:
    with store.write() as transaction:
        first = transaction.breaks.see(a_break())
        transaction.breaks.see(a_break("total_fees"))
        assert transaction.breaks.resolve("o-1", ["status", "stale"], START + SECOND, "repaired") == 1
        assert transaction.breaks.resolve("o-1", ["status"], START + SECOND, "repaired") == 0
        second = transaction.breaks.see(a_break(at=START + SECOND))
        assert transaction.breaks.resolve("o-1", None, START + 2 * SECOND, "gone") == 2

    assert second.break_id != first.break_id
    with store.read() as transaction:
        assert transaction.breaks.open() == []
        assert len(transaction.breaks.between(START, START + SECOND)) == 2
        assert transaction.breaks.between(START + timedelta(days=1), START + timedelta(days=2)) == []


def test_a_break_is_accepted_once_with_a_reason(store) -> None:
    with store.write() as transaction:
        found = transaction.breaks.see(a_break())
        accepted = transaction.breaks.accept(found.break_id, "known", START + SECOND)
        assert accepted.resolution == "accepted: known"
        assert transaction.breaks.accept(found.break_id, "again", START) is None
        assert transaction.breaks.accept(77, "none", START) is None


def test_a_repaired_break_is_a_row_of_its_own(store) -> None:
    with store.write() as transaction:
        done = a_break(severity="repaired", resolved_at=START, resolution="repaired")
        transaction.breaks.see(done)
        transaction.breaks.see(done)
        assert transaction.breaks.open() == []
        assert len(transaction.breaks.between(START, START + SECOND)) == 2


# ---------------------------------------------------------------------------- incidents


def test_an_incident_is_opened_once_and_counted(store) -> None:
    with store.write() as transaction:
        assert transaction.incidents.raise_(an_incident()) == (an_incident(), True)
        again, new = transaction.incidents.raise_(an_incident("i-2", at=START + SECOND, message="worse"))
        assert (again.incident_id, again.count, again.message, new) == ("i-1", 2, "worse", False)
        transaction.incidents.raise_(an_incident("i-3", key="o-1"))
        transaction.incidents.resolve("i-1", START + 2 * SECOND)
        _, reopened = transaction.incidents.raise_(an_incident("i-4"))
        assert reopened

    with store.read() as transaction:
        assert [i.incident_id for i in transaction.incidents.open()] == ["i-3", "i-4"]
        assert len(transaction.incidents.between(START, START + SECOND)) == 3


def test_an_incident_belongs_to_every_window_in_which_it_was_open(store) -> None:
    """An outage that opened before the window and was not heard of again lasts through it all the same."""
    with store.write() as transaction:
        transaction.incidents.raise_(an_incident("i-1"))
        transaction.incidents.raise_(an_incident("i-2", key="o-2"))
        transaction.incidents.resolve("i-2", START + 10 * SECOND)

    with store.read() as transaction:
        windows = [(5, 8), (10, 11), (11, 12), (-5, 0)]
        found = [transaction.incidents.between(START + a * SECOND, START + b * SECOND) for a, b in windows]
    assert [[i.incident_id for i in each] for each in found] == [["i-1", "i-2"], ["i-1", "i-2"], ["i-1"], []]


def test_an_incident_is_acknowledged(store) -> None:
    with store.write() as transaction:
        transaction.incidents.raise_(an_incident())
        assert transaction.incidents.acknowledge("i-1", START).acknowledged_at == START
        assert transaction.incidents.acknowledge("i-1", START + SECOND).acknowledged_at == START
        assert transaction.incidents.acknowledge("none", START) is None


# ---------------------------------------------------------------------------- outbox


def test_messages_of_one_key_go_out_in_order(store) -> None:
    with store.write() as transaction:
        for number in range(3):
            body = {"n": number, "size": Decimal("1.50"), "at": START}
            transaction.outbox.put("webhook", "trade-1", f"e-{number}", body, START)
        transaction.outbox.put("webhook", "trade-2", "e-3", {}, START)
        transaction.outbox.put("slack", "trade-1", "e-4", {}, START)

    def due(at=START, **more):
        with store.read() as transaction:
            return [d.event_id for d in transaction.outbox.due(at, 10, **more)]

    assert due() == ["e-0", "e-3", "e-4"]
    assert due(sinks=["slack"]) == ["e-4"]
    assert due(sinks=[]) == []
    assert due(START - SECOND) == []
    with store.write() as transaction:
        first = transaction.outbox.due(START, 1)[0]
        assert first.body == {"n": 0, "size": "1.50", "at": "2026-03-01T12:00:00.000000Z"}
        transaction.outbox.failed(first.delivery_id, START + SECOND, "refused")
    assert due() == ["e-3", "e-4"]
    with store.write() as transaction:
        again = transaction.outbox.due(START + SECOND, 1)[0]
        assert (again.event_id, again.attempts) == ("e-0", 1)
        assert transaction.outbox.undelivered() == (5, START)
        transaction.outbox.delivered(again.delivery_id, START + SECOND)
        assert transaction.outbox.undelivered() == (4, START)
    assert due() == ["e-1", "e-3", "e-4"]


# ---------------------------------------------------------------------------- notes, watchers, identity


def test_notes_are_set_replaced_and_taken_away(store) -> None:
    with store.write() as transaction:
        transaction.notes.set("frozen", "a")
        transaction.notes.set("frozen", "b")
        assert transaction.notes.get("frozen") == "b"
        transaction.notes.set("frozen", None)
        assert transaction.notes.get("frozen") is None


def test_a_note_read_to_be_changed_is_changed_by_one_process_at_a_time(place) -> None:
    stores = [place.open(SystemClock()) for _ in range(3)]
    ready = threading.Barrier(len(stores))

    def count(store) -> None:
        ready.wait(10)
        for _ in range(20):
            with store.write() as transaction:
                known = int(transaction.notes.get("count", lock=True) or 0)
                transaction.notes.set("count", str(known + 1))

    threads = [threading.Thread(target=count, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    with stores[0].read() as transaction:
        assert transaction.notes.get("count") == "60"


def test_watchers_beat_and_leave(store) -> None:
    one = Watcher(
        watcher_id="w-1", host="h", pid=1, started_at=START, beat_at=START, role="driving", feed_state="live",
        feed_since=START, feed_reason="", last_heartbeat_at=START, last_frame_at=None,
        clock_offset=Decimal("-0.012"), stream_misses=2,
    )  # fmt: skip
    with store.write() as transaction:
        transaction.watchers.beat(one)
        transaction.watchers.beat(replace(one, beat_at=START + SECOND))
        transaction.watchers.beat(replace(one, watcher_id="w-2", started_at=START + SECOND))
        assert transaction.watchers.list()[0] == replace(one, beat_at=START + SECOND)
        transaction.watchers.leave("w-1")
        assert [w.watcher_id for w in transaction.watchers.list()] == ["w-2"]


def test_a_store_belongs_to_one_venue_and_portfolio(place) -> None:
    here, there = place.open(), place.open()
    here.claim("simulator", None)
    there.claim("simulator", "p-1")
    here.claim("simulator", "p-1")
    here.claim("simulator", None)
    with here.read() as transaction:
        tag = transaction.notes.get("tag")
    assert tag.isalnum()
    assert len(tag) == 8

    with pytest.raises(SettingsError, match="belongs to the venue simulator"):
        there.claim("coinbase", None)
    with pytest.raises(SettingsError, match="belongs to the portfolio p-1") as refused:
        there.claim("simulator", "p-2")
    assert refused.value.exit_code == 3
    with here.read() as transaction:
        assert transaction.notes.get("tag") == tag


# ---------------------------------------------------------------------------- external orders


def test_external_orders_are_joined_and_listed(store) -> None:
    record = recorder(store)
    record.seen([seen("x-1", "OPEN", client_order_id="theirs")], source=Source.RECONCILE)
    late = START + timedelta(minutes=1)
    record.seen([seen("x-1", "FILLED", "2", client_order_id="theirs", at=late)], source=Source.RECONCILE)
    record.seen([seen("x-1", "OPEN", client_order_id="theirs")], source=Source.POLL)
    record.seen([fills_seen(fill("e-1", "x-1", "2"), order_id="x-1")], source=Source.RECONCILE)

    with store.read() as transaction:
        order = transaction.external.load("x-1")
        assert transaction.external.list() == [order]
        assert transaction.external.load("x-2") is None
    assert (order.terminal, order.figures.figures.filled_size) == ("FILLED", Decimal(2))
    assert [f.entry_id for f in order.fills] == ["e-1"]


def test_an_adopted_order_takes_its_registers_and_fills_along(store) -> None:
    record = recorder(store)
    record.seen([seen("x-1", "FILLED", "2", client_order_id="theirs")], source=Source.RECONCILE)
    record.seen([fills_seen(fill("e-1", "x-1", "2"), order_id="x-1")], source=Source.RECONCILE)
    with store.write() as transaction:
        order = replace(transaction.external.load("x-1"), accepted=True)
        trade = transaction.trades.add(replace(intent(None), origin=Origin.ADOPTED, orders=(order,)))

    with store.read() as transaction:
        assert transaction.external.list() == []
        (view,) = transaction.trades.views(TradeFilter())
        assert transaction.trades.ids_of(["x-1"]) == {"x-1": trade.trade_id}
    assert (view.status, view.filled_size, view.fills_verified) == ("completed", Decimal(2), True)


def test_fills_of_an_order_that_a_trade_claimed_meanwhile_count_for_the_trade(store) -> None:
    trade_id = add(store, intent())
    recorder(store).seen([seen("o-1", "FILLED", "1", quote_size=Decimal(25))], source=Source.POLL)
    with store.write() as transaction:
        transaction.external.fills([FillsSeen(order_id="o-1", as_of=START, fills=(fill("e-1"),), complete=True)])
        transaction.external.save([seen("o-1", "OPEN")], now=START)
        assert transaction.external.list() == []
        assert [f.entry_id for f in transaction.trades.load([trade_id])[trade_id].orders[0].fills] == ["e-1"]


def test_a_row_that_a_race_left_beside_a_claim_is_no_external_order(store) -> None:
    """On Postgres who sees an order may write it down just after another process claimed it."""
    add(store, intent())
    recorder(store).seen([seen("o-1")], source=Source.POLL)
    with store.transaction() as sql:
        put_external(sql, [VenueOrder(order_id="o-1"), VenueOrder(order_id="x-1")], START)

    with store.read() as transaction:
        assert [order.order_id for order in transaction.external.list()] == ["x-1"]


def test_a_later_booking_of_an_entry_replaces_the_earlier_one(store) -> None:
    trade_id = add(store, intent())
    record = recorder(store)
    record.seen([seen("o-1", "FILLED", "1", quote_size=Decimal(25))], source=Source.POLL)
    later = fill("e-1", commission=Decimal("0.5"), sequence_timestamp=START + SECOND)
    record.seen([fills_seen(fill("e-1"))], source=Source.POLL)
    record.seen([fills_seen(later, at=START + SECOND)], source=Source.POLL)
    record.seen([fills_seen(fill("e-1"), at=START + 2 * SECOND)], source=Source.POLL)

    with store.read() as transaction:
        assert transaction.trades.load([trade_id])[trade_id].orders[0].fills == (later,)
