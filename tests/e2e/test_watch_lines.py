"""`ordersync watch` as another program runs it: lines, exit codes, pipes, signals."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from ordersync_cli.simulator.server import SimulatorServer
from tests.support.live_watch import Books
from tests.support.patience import in_time, within
from tests.support.watch_process import COMMAND, WatchProcess, environment, run, watch_process

TRADE_KEYS = [
    "trade_id", "bot_id", "product_id", "side", "order_type", "client_order_id", "order_id", "status",
    "order_status", "venue_status", "size", "price", "size_usd", "filled_size", "average_filled_price",
    "filled_value", "total_fees", "number_of_fills", "fills_verified", "reason", "created_at", "submitted_at",
    "accepted_at", "filled_at", "closed_at", "confirmed_at", "updated_at", "sync_latency_seconds", "source",
]  # fmt: skip
UPDATE_KEYS = [
    "type", "at", "trade_id", "bot_id", "order_id", "client_order_id", "old_status", "status", "order_status",
    "venue_status", "filled_size", "average_filled_price", "filled_at", "updated_at", "source", "venue_time",
    "latency_seconds",
]  # fmt: skip


@pytest.fixture
def env(server: SimulatorServer, tmp_path: Path) -> dict[str, str]:
    return environment(server, tmp_path / "store.db")


def test_a_day_of_lines(books: Books, env: dict[str, str]) -> None:
    (order_id,) = books.place()
    with watch_process(env) as watch:
        snapshot = watch.wait_for(10, type="snapshot")
        assert watch.lines[0] is snapshot
        assert list(snapshot["pending"][0])[: len(TRADE_KEYS)] == TRADE_KEYS
        assert snapshot["pending"][0]["order_id"] == order_id
        watch.wait_for(5, type="feed", state="live")
        books.fill(order_id)
        update = watch.wait_for(5, type="trade_status_update", status="completed")
        assert list(update)[: len(UPDATE_KEYS)] == UPDATE_KEYS
        assert (update["old_status"], update["filled_size"]) == ("pending", "1")
        assert update["at"].endswith("Z")
        brought_by = [update["source"]]
        while "websocket" not in brought_by and len(brought_by) < 5:  # a look may come first, once in a while
            brought_by.append(_filled_later(books, watch)["source"])
        assert brought_by.pop() == "websocket"
        assert set(brought_by) <= {"poll", "reconcile"}
        _filled_later(books, watch)
        light = watch.wait_for(5, type="reconcile", mode="light")
        assert light["result"] in {"in_sync", "drift"}
        code, said = watch.end(signal.SIGTERM)
    assert code == 143
    assert "Traceback" not in said
    ids = [line["event_id"] for line in watch.of("trade_status_update")]
    assert len(ids) == len(set(ids))


def _filled_later(books: Books, watch: WatchProcess) -> dict[str, Any]:
    """Place one more, which is picked up without a restart, and fill it."""
    (order_id,) = books.place()
    watch.wait_for(5, type="trade_status_update", order_id=order_id)
    books.fill(order_id)
    return watch.wait_for(5, type="trade_status_update", order_id=order_id, status="completed")


def test_ctrl_c_stops_cleanly_with_130(books: Books, env: dict[str, str]) -> None:
    books.place()
    with watch_process(env) as watch:
        watch.wait_for(10, type="feed", state="live")
        began = monotonic()
        code, said = watch.end(signal.SIGINT)
    assert code == 130
    in_time(began, 3.0, "the end")
    assert "Traceback" not in said
    with books.store.read() as transaction:
        assert transaction.watchers.list() == []


def test_until_idle_and_for(books: Books, env: dict[str, str]) -> None:
    (order_id,) = books.place()
    waiting = run(env, "watch", "--json", "--until-idle", "--for", "2s")
    assert waiting.returncode == 13
    books.fill(order_id)
    done = run(env, "watch", "--json", "--until-idle", "--for", "20s", order_id)
    assert done.returncode == 0
    assert books.done(order_id)


def test_once_looks_by_rest_prints_a_snapshot_and_exits(books: Books, env: dict[str, str]) -> None:
    filled, resting = books.place(2)
    books.fill(filled)
    done = run(env, "watch", "--once", "--json")
    (line,) = done.stdout.splitlines()
    snapshot = json.loads(line)
    assert done.returncode == 0
    assert [t["order_id"] for t in snapshot["pending"]] == [resting]
    assert (snapshot["type"], snapshot["simulated"]) == ("snapshot", False)
    assert books.done(filled)


def test_an_unknown_order_is_exit_11(env: dict[str, str]) -> None:
    done = run(env, "watch", "--json", "nobody")
    assert done.returncode == 11
    said = json.loads(done.stdout)
    assert said["error"]["code"] == 11
    assert (said["type"], said["at"][-1]) == ("error", "Z"), "a line like any other, with its time"


def test_T49_without_a_terminal_and_a_named_venue_it_is_exit_3(tmp_path: Path) -> None:
    env = {**os.environ, "ORDERSYNC_DATABASE_URL": f"sqlite:///{tmp_path / 'lost.db'}"}
    done = subprocess.run(
        [*COMMAND, "watch"], env=env, capture_output=True, text=True, timeout=20, check=False, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 3
    assert "ORDERSYNC_VENUE" in done.stderr


def test_a_reader_that_goes_away_ends_it_quietly(books: Books, env: dict[str, str]) -> None:
    books.place()
    process = subprocess.Popen([*COMMAND, "watch", "--json"], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()  # nothing more has to be printed for it to notice
    assert process.wait(10) == 0
    assert process.stderr.read() == b""
    process.stderr.close()


def test_a_slow_reader_never_blocks_the_commits_and_loses_nothing(books: Books, env: dict[str, str]) -> None:
    order_ids = books.place(50)
    process = subprocess.Popen(
        [*COMMAND, "watch", "--json", "--light-every", "0s", "--deep-every", "0s"],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    try:
        within(10, lambda: any(w.feed_state == "live" for w in _watchers(books)), "a live feed")
        # Far more than a pipe holds (64 KB), and nobody reads.
        steps = [{"after_seconds": 0.02 * n, "filled_fraction": f"0.{n + 1}", "price": "100"} for n in range(6)]
        for order_id in order_ids:
            books.server.control.continue_order(
                order_id, [*steps, {"after_seconds": 0.2, "filled_fraction": "1", "price": "100", "status": "FILLED"}]
            )
        within(15, lambda: books.done(*order_ids), "every commit")
        with books.store.read() as transaction:
            committed = {e.event_id for _, e in transaction.trades.events_after(0, 100_000) if _is_ours(e)}
        lines = _read_all(process)
        completed = {x["order_id"] for x in lines if x["type"] == "trade_status_update" and x["status"] == "completed"}
        assert completed == set(order_ids)
        ids = [x["event_id"] for x in lines if x["type"] == "trade_status_update"]
        assert len(ids) == len(set(ids))
        assert set(ids) >= committed
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


def test_a_slow_reader_of_a_pipe_that_does_not_block_loses_nothing_either(books: Books, env: dict[str, str]) -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    process = subprocess.Popen([*COMMAND, "watch", "--json"], env=env, stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    try:
        order_ids = books.place(20)
        within(10, lambda: any(w.feed_state == "live" for w in _watchers(books)), "a live feed")
        for order_id in order_ids:
            books.fill(order_id)
        within(15, lambda: books.done(*order_ids), "every commit")
        assert process.poll() is None
        lines = _read_all(process, reading)
        completed = {x["order_id"] for x in lines if x["type"] == "trade_status_update" and x["status"] == "completed"}
        assert completed == set(order_ids)
    finally:
        process.terminate()
        _, said = process.communicate(timeout=10)
        os.close(reading)
    assert (process.returncode, said) == (143, b"")


def test_a_full_disk_is_said_and_the_orders_are_followed_all_the_same(books: Books, env: dict[str, str]) -> None:
    (order_id,) = books.place()
    with Path("/dev/full").open("wb") as full:
        process = subprocess.Popen(
            [*COMMAND, "watch", "--json", "--until-idle", "--for", "25s"], env=env, stdout=full, stderr=subprocess.PIPE
        )
    within(10, lambda: any(w.feed_state == "live" for w in _watchers(books)), "a live feed")
    sleep(1.5)  # long enough for a second try at the disk
    books.fill(order_id)
    _, said = process.communicate(timeout=30)
    assert books.done(order_id)
    assert process.returncode == 1, "lines were lost"
    assert said.count(b"No space left on device. The orders are followed all the same") == 1
    assert b"Traceback" not in said


def _is_ours(event: object) -> bool:
    return getattr(event, "source", "") in {"websocket", "poll"}


def _watchers(books: Books):  # type: ignore[no-untyped-def]
    with books.store.read() as transaction:
        return transaction.watchers.list()


def _read_all(process: subprocess.Popen[bytes], end: int | None = None) -> list[dict[str, object]]:
    """Read until nothing comes for a while."""
    if end is None:
        assert process.stdout is not None
        end = process.stdout.fileno()
    os.set_blocking(end, False)
    data, quiet = b"", monotonic()
    while monotonic() - quiet < 2.0:
        try:
            part = os.read(end, 1 << 20)
        except BlockingIOError:
            part = b""
        if part:
            data, quiet = data + part, monotonic()
        else:
            sleep(0.02)
    return [json.loads(line) for line in data.splitlines()]


def test_without_any_stdout_the_orders_are_followed_all_the_same(books: Books, env: dict[str, str]) -> None:
    (order_id,) = books.place()
    books.fill(order_id)
    words = " ".join([*COMMAND, "watch", "--until-idle", "--for", "25s"])
    done = subprocess.run(["sh", "-c", f"{words} >&-"], env=env, stderr=subprocess.PIPE, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert books.done(order_id)
