"""The alert rules and the outbox on a real Postgres, where several hosts share one store."""

from __future__ import annotations

import threading
from contextlib import ExitStack

import pytest

from ordersync_cli.clock import SystemChance, SystemClock
from ordersync_cli.services.alerts.alert import Alerts, Cause, IncidentBook
from ordersync_cli.services.alerts.deliver import Deliverer
from ordersync_cli.store import open_store
from ordersync_cli.store.upkeep import upgrade_location
from ordersync_cli.store.urls import locate
from tests.support.listener import listening
from tests.unit.services.test_alert import CASES, HOUR, MINUTE, World


@pytest.fixture
def url(postgres_server):
    template = postgres_server.template("alerts", lambda there: upgrade_location(locate(there), SystemClock()))
    made = postgres_server.database(template)
    yield made
    postgres_server.drop(made)


@pytest.mark.parametrize("rule", sorted(CASES))
def test_each_rule_fires_counts_and_resolves_on_postgres(url, tmp_path, rule):
    standing, ending = CASES[rule]
    with listening() as hook:
        world = World(tmp_path, hook, open_at=lambda clock, chance: open_store(url, clock=clock, chance=chance))
        standing(world)
        world.clock.advance(MINUTE)
        standing(world)
        world.clock.advance(HOUR)
        standing(world)
        ending(world)
        assert world.heard() == [(rule, "opened", 1), (rule, "repeated", 3), (rule, "resolved", 3)]
        assert world.open() == []
        world.store.close()


def test_T34_hosts_that_see_one_cause_at_once_open_one_incident(url):
    hosts = 4
    together = threading.Barrier(hosts, timeout=20)
    problems = []

    def host():
        clock, chance = SystemClock(), SystemChance()
        store = open_store(url, clock=clock, chance=chance)
        try:
            alerts = Alerts(store, clock, IncidentBook(chance=chance, sinks=("log",)))
            together.wait()
            for n in range(5):
                alerts.notice([Cause(rule="outcome_unknown", key=f"c-{n}", message="m")])
        except Exception as problem:  # noqa: BLE001 (told below)
            problems.append(problem)
        finally:
            store.close()

    threads = [threading.Thread(target=host) for _ in range(hosts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert problems == []
    store = open_store(url, clock=SystemClock(), chance=SystemChance())
    with store.read() as reading:
        assert {i.key: i.count for i in reading.incidents.open()} == {f"c-{n}": hosts for n in range(5)}
        assert reading.outbox.undelivered()[0] == 5
    store.close()


def test_T35_two_hosts_deliver_each_message_once_while_both_live(url):
    class Ear:
        def __init__(self):
            self.heard = []

        def send(self, delivery):
            self.heard.append(delivery.event_id)

        def close(self):
            pass

    ear, clock = Ear(), SystemClock()
    with ExitStack() as closing:
        stores = [open_store(url, clock=clock, chance=SystemChance()) for _ in range(2)]
        for store in stores:
            closing.callback(store.close)
        with stores[0].write() as writing:
            for n in range(120):
                writing.outbox.put("ear", f"k{n % 7}", f"{n % 7}:{n:03d}", {}, clock.now())
        deliverers = [Deliverer(s, clock, SystemChance(), {"ear": ear}, f"host-{n}") for n, s in enumerate(stores)]
        threads = [threading.Thread(target=d.run_once, kwargs={"wait": 5.0}) for d in deliverers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert sorted(ear.heard) == sorted({*ear.heard})
    assert len(ear.heard) == 120
    for key in range(7):
        mine = [e for e in ear.heard if e.startswith(f"{key}:")]
        assert mine == sorted(mine)
