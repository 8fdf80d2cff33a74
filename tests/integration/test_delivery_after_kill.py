"""kill -9 between the commit and the delivery loses no message, wherever it strikes."""

from __future__ import annotations

import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ordersync_cli.notify.sinks import alert_sinks, notification_sinks
from ordersync_cli.services.alerts.deliver import Deliverer
from tests.support.listener import listening
from tests.support.ready_store import ready_store
from tests.support.virtual_clock import SeededChance, VirtualClock

KEYS, EACH = 6, 5
CHILD = """
import sys
from ordersync_cli.clock import SystemChance, SystemClock
from ordersync_cli.domain.trade import Alarm
from ordersync_cli.notify.sinks import alert_sinks, notification_sinks
from ordersync_cli.services.alerts.announce import Announcer
from ordersync_cli.services.alerts.deliver import Deliverer
from ordersync_cli.services.alerts.incidents import IncidentBook
from ordersync_cli.services.ports import TradeEvent
from ordersync_cli.store import open_store

path, url, keys, each = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
clock, chance = SystemClock(), SystemChance()
store = open_store(f"sqlite:///{path}", clock=clock, chance=chance)
alerts, notifications = alert_sinks([url + "/alerts"]), notification_sinks(url + "/trades", "secret")
book = IncidentBook(chance=chance, sinks=tuple(alerts))
announce = Announcer(clock=clock, book=book, notify=True)


def event(trade_id, number):
    now = clock.now()
    return TradeEvent(
        event_id=f"{trade_id}:{number}", trade_id=trade_id, bot_id=None, order_id=f"o-{trade_id}",
        client_order_id=None, kind="status", old_status="pending", status="pending", order_status="open",
        venue_status="OPEN", filled_size=None, average_filled_price=None, filled_at=None, source="poll",
        venue_time=None, seen_at=now, committed_at=now, latency_seconds=None,
    )


alarm = Alarm(rule="failed_but_filled", severity="critical", message="m", order_id="o-1")
with store.write() as writing:
    announce(writing, [alarm], [event(t, n) for n in range(each) for t in range(1, keys + 1)])
try:
    with store.write() as writing:
        announce(writing, [], [event(99, 0)])
        raise KeyError
except KeyError:
    pass
print("committed", flush=True)
sys.stdin.readline()
Deliverer(store, clock, chance, {**alerts, **notifications}, "child").run_once()
print("delivered", flush=True)
sys.stdin.readline()
"""


def child(path: Path, url: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CHILD, str(path), url, str(KEYS), str(EACH)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("heard_before", [0, 1, 13, 30])
def test_kill_9_between_commit_and_delivery_loses_none(tmp_path, heard_before):
    path = tmp_path / "store.db"
    clock = VirtualClock(datetime.now(UTC) + timedelta(minutes=1))
    with listening() as there:
        store = ready_store(path, clock, SeededChance())
        process = child(path, there.url)
        try:
            assert process.stdout.readline() == "committed\n"
            assert there.got == [], "nothing before the commit, nothing before somebody delivers"
            if heard_before:
                process.stdin.write("go\n")
                process.stdin.flush()
                there.wait_for(heard_before)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait(10)
            process.stdin.close()
            process.stdout.close()
        sinks = {**alert_sinks([there.url + "/alerts"]), **notification_sinks(there.url + "/trades", "secret")}
        Deliverer(store, clock, SeededChance(), sinks, "rescuer").run_once(wait=6.0, at_most=60)
        with store.read() as reading:
            assert reading.outbox.undelivered()[0] == 0
        store.close()
    trades = [g.headers["X-Ordersync-Event-Id"] for g in there.got if g.path == "/trades"]
    alerts = [g.json["rule"] for g in there.got if g.path == "/alerts"]
    assert set(trades) == {f"{t}:{n}" for t in range(1, KEYS + 1) for n in range(EACH)}
    assert set(alerts) == {"failed_but_filled"}
    for key in range(1, KEYS + 1):
        first_heard = list(dict.fromkeys(e for e in trades if e.startswith(f"{key}:")))
        assert first_heard == [f"{key}:{n}" for n in range(EACH)]
