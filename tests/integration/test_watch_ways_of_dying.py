"""Every way the feed can die, over loopback: what is filled meanwhile is in the store at once, and the feed returns."""

from __future__ import annotations

import threading
from time import sleep

import pytest

from ordersync_cli.simulator.server import SimulatorServer
from tests.support.live_watch import Books, LiveWatch, live_watch
from tests.support.patience import within

IN_STORE = 2.0  # seconds from being visible by REST
LIVE_AGAIN = 5.0  # seconds from the server's return


@pytest.mark.parametrize("code", [1000, 1001, 1006, 1008, 1011, 1013])
def test_T22_a_fill_during_a_lost_connection_is_in_the_store_at_once(
    code: int, server: SimulatorServer, books: Books, watch: LiveWatch
) -> None:
    (order_id,) = books.place()
    within(1.0, lambda: watch.state.roster.of_order(order_id) is not None)
    server.control.faults.replace([{"target": "ws", "kind": "refuse", "status": 503}])
    server.close_feeds(code)
    within(2.0, lambda: not watch.feed_is("live"), "the loss")
    books.fill(order_id)
    within(IN_STORE, lambda: books.done(order_id))
    server.control.faults.replace([])
    within(LIVE_AGAIN, lambda: watch.feed_is("live"), "the feed")


def test_T22_silence_with_the_socket_open(server: SimulatorServer, books: Books, watch: LiveWatch) -> None:
    (order_id,) = books.place()
    within(1.0, lambda: watch.state.roster.of_order(order_id) is not None)
    server.control.fault(target="ws", kind="silence")
    sleep(0.1)
    books.fill(order_id)
    within(IN_STORE + 0.5, lambda: books.done(order_id))  # the audit, or polling, finds it
    within(4.0, lambda: not watch.feed_is("live"), "stale")
    server.control.faults.replace([])
    within(LIVE_AGAIN, lambda: watch.feed_is("live"), "the feed")


def test_T20_heartbeats_only_is_found_within_three_seconds(
    server: SimulatorServer, books: Books, watch: LiveWatch
) -> None:
    (order_id,) = books.place()
    within(1.0, lambda: watch.state.roster.of_order(order_id) is not None)
    server.control.fault(target="ws", kind="no_user")
    books.fill(order_id)
    within(3.0, lambda: watch.feed_is("stale"), "stale")
    assert books.done(order_id)
    assert watch.state.completeness.misses >= 1
    server.control.faults.replace([])
    within(LIVE_AGAIN, lambda: watch.feed_is("live"), "the feed")


def test_T23_one_lost_frame_is_seen_by_its_number(server: SimulatorServer, books: Books, watch: LiveWatch) -> None:
    (order_id,) = books.place()
    within(1.0, lambda: watch.state.roster.of_order(order_id) is not None)
    watch.state.agenda.pace.audit_every = 1e9  # so that the number alone can tell
    server.control.fault(target="ws", kind="drop", channel="user", count=1)
    books.fill(order_id)
    within(IN_STORE, lambda: books.done(order_id))
    within(2.0, lambda: watch.state.gaps >= 1, "the gap")


def test_T23_doubled_and_reordered_frames_change_nothing(
    server: SimulatorServer, books: Books, watch: LiveWatch
) -> None:
    order_ids = books.place(10)
    server.control.fault(target="ws", kind="duplicate", channel="user", probability=0.5)
    server.control.fault(target="ws", kind="reorder", channel="user", probability=0.5)
    for number, order_id in enumerate(order_ids):
        steps = [
            {"after_seconds": 0.05 * number, "filled_fraction": "0.4", "price": "100"},
            {"after_seconds": 0.05 * number + 0.1, "filled_fraction": "1", "price": "100", "status": "FILLED"},
        ]
        server.control.continue_order(order_id, steps)
    within(IN_STORE + 1.0, lambda: books.done(*order_ids))
    views = books.views()
    assert {str(views[o].filled_size) for o in order_ids} == {"1"}
    within(3.0, lambda: all(v.fills_verified for v in books.views().values()), "fills")


def test_T22_a_server_gone_for_20_seconds(server: SimulatorServer, books: Books, watch: LiveWatch) -> None:
    order_ids = books.place(3)
    within(1.0, lambda: len(watch.state.roster) == 3)
    server.stop()
    within(5.0, lambda: not watch.state.reach.reachable, "the outage")
    books.fill(*order_ids)
    sleep(20.0)
    assert {v.status for v in books.views().values()} == {"pending"}
    server.start()
    within(IN_STORE, lambda: books.done(*order_ids))
    within(LIVE_AGAIN, lambda: watch.feed_is("live"), "the feed")
    assert watch.audience.feed_states().count("live") == 2


def test_T26_a_refused_key_is_said_and_ends_the_watch(server: SimulatorServer, books: Books) -> None:
    watch = LiveWatch(books)
    server.control.fault(target="ws", kind="error", channel="*", message="authentication failure")
    server.control.fault(kind="status", status=401, body="Unauthorized")
    watch.start()
    within(10.0, lambda: watch.failure is not None, "the refusal")
    assert getattr(watch.failure, "exit_code", None) == 4
    watch.failure = None
    watch.stop()


def test_no_thread_is_left_when_the_watch_has_ended(server: SimulatorServer, books: Books) -> None:
    before = {t.name for t in threading.enumerate()}
    with live_watch(books) as watch:
        within(5.0, lambda: watch.feed_is("live"))
    within(3.0, lambda: {t.name for t in threading.enumerate()} <= before, "their end")
