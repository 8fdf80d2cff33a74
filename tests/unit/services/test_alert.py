"""Every rule fires, repeats as a count and resolves, on a real store and over real HTTP."""

from __future__ import annotations

from dataclasses import replace
from datetime import time, timedelta
from functools import partial

import pytest

from ordersync_cli.domain.trade import Alarm
from ordersync_cli.notify.sinks import alert_sinks
from ordersync_cli.services.alerts.alert import AlertLimits, Alerts, Cause, IncidentBook, Situation
from ordersync_cli.services.alerts.announce import Announcer
from ordersync_cli.services.alerts.deliver import Deliverer
from ordersync_cli.services.alerts.situation import RULES
from ordersync_cli.services.ports import Run, StoredBreak
from tests.support.listener import listening
from tests.support.ready_store import ready_store
from tests.support.virtual_clock import SeededChance, VirtualClock
from tests.unit.services.test_alert_rules import view

MINUTE, HOUR = 60, 3600


class World:
    """A store, the alert rules over it, and a webhook that hears them."""

    def __init__(self, path, hook, limits=None, open_at=None):
        self.clock = VirtualClock()
        self.chance = SeededChance()
        self.store = (open_at or partial(ready_store, path / "store.db"))(self.clock, self.chance)
        sinks = alert_sinks([hook.url])
        self.hook = hook
        self.book = IncidentBook(
            chance=self.chance, sinks=tuple(s for s in sinks if s != "log"), limits=limits or AlertLimits()
        )
        self.alerts = Alerts(self.store, self.clock, self.book)
        self.deliverer = Deliverer(self.store, self.clock, self.chance, sinks, "test")

    def situation(self, **known):
        return Situation(at=self.clock.now(), **known)

    def tick(self, **known):
        said = self.alerts.tick(self.situation(**known))
        self.deliverer.run_once()
        return said

    def heard(self):
        return [(b["rule"], b["state"], b["count"]) for b in self.hook.bodies]

    def order(self, number=1, **changes):
        """A pending order that is healthy at this moment."""
        now = self.clock.now()
        fresh = {"created_at": now, "submitted_at": now, "accepted_at": now, "confirmed_at": now}
        return view(number, **{**fresh, **changes})

    def open(self):
        with self.store.read() as reading:
            return reading.incidents.open()

    def write(self, act):
        with self.store.write() as writing:
            return act(writing)

    def run_row(self, mode, result="in_sync"):
        now = self.clock.now()
        row = Run(run_id=self.chance.uuid(), mode=mode, started_at=now, host="h", pid=1)
        self.write(lambda t: t.runs.start(row, None))
        self.write(lambda t: t.runs.finish(replace(row, finished_at=now, result=result, exit_code=0), None))

    def find_break(self, kind, key="o-1"):
        now = self.clock.now()
        found = StoredBreak(
            break_id=None,
            kind=kind,
            severity="open",
            key=key,
            order_id=key,
            trade_id=1,
            stored="a",
            venue="b",
            money_effect=None,
            first_seen=now,
            last_seen=now,
        )
        self.write(lambda t: t.breaks.see(found))


@pytest.fixture
def world(tmp_path):
    with listening() as hook:
        made = World(tmp_path, hook)
        yield made
        made.store.close()


# For each rule: what makes it stand (called again each minute while it lasts), and what ends it.


def _state(cause, cure):
    def standing(world):
        world.tick(**cause(world))

    def ending(world):
        world.clock.advance(MINUTE)
        world.tick(**cure(world))

    return standing, ending


def _event(rule, end, key="o-1", order_id="o-1"):
    def standing(world):
        world.alerts.notice([Cause(rule=rule, key=key, order_id=order_id, message=f"{rule} happened")])
        world.tick(pending_known=False)

    return standing, end


def _calm(world):
    world.clock.advance(world.book.limits.calm)
    world.tick()


def _accept_break(world):
    with world.store.read() as reading:
        (found,) = reading.breaks.open()
    world.write(lambda t: t.breaks.accept(found.break_id, "looked at it", world.clock.now()))
    world.clock.advance(10)
    world.tick()


def _with_break(rule):
    def standing(world):
        world.find_break(rule)
        world.alerts.notice([Cause(rule=rule, key="o-1", order_id="o-1", message=f"{rule} happened")])
        world.tick(pending_known=False)

    return standing, _accept_break


def _old(world, **changes):
    long_ago = world.clock.now() - timedelta(hours=2)
    times = {"created_at": long_ago, "submitted_at": long_ago, "accepted_at": long_ago}
    return {"pending": [world.order(**{**times, **changes})]}


def _break_open():
    def standing(world):
        world.find_break("filled_size")
        world.clock.advance(6)
        world.tick()

    return standing, _accept_break


def _run_overdue():
    def standing(world):
        with world.store.read() as reading:
            known = reading.runs.last("light")
        if known is None:
            world.run_row("light")
            world.clock.advance(61)
        world.tick(run_intervals={"light": 30})

    def ending(world):
        world.clock.advance(10)
        world.run_row("light")
        world.tick(run_intervals={"light": 30})

    return standing, ending


def _outbox():
    def standing(world):
        if not world.open():
            world.write(lambda t: t.outbox.put("gone", "k", "e", {"a": 1}, world.clock.now()))
            world.clock.advance(61)
        world.tick()

    def ending(world):
        with world.store.read() as reading:
            (waiting,) = [d for d in reading.outbox.due(world.clock.now(), 10) if d.sink == "gone"]
        world.write(lambda t: t.outbox.delivered(waiting.delivery_id, world.clock.now()))
        world.tick()

    return standing, ending


def _after_run(mode, result):
    def ending(world):
        world.clock.advance(10)
        world.run_row(mode, result)
        world.clock.advance(10)
        world.tick()

    return ending


def _word_known(world):
    world.clock.advance(1)
    world.tick(pending=[world.order(venue_status="OPEN")])


CASES = {
    "market_order_pending": _state(_old, lambda w: {"pending": []}),
    "snapshot_stale": _state(
        lambda w: {"pending": [w.order(order_type="LIMIT")], "snapshot_ages": {1: 61}},
        lambda w: {"pending": [w.order(order_type="LIMIT")], "snapshot_ages": {1: 1}},
    ),
    "outcome_unknown": _state(
        lambda w: _old(w, order_type="LIMIT", order_status="submitting", order_id=None), lambda w: {"pending": []}
    ),
    "break_open": _break_open(),
    "feed_stale": _state(
        lambda w: {"feed_state": "down", "feed_since": w.clock.now() - timedelta(seconds=31)},
        lambda w: {"feed_state": "live", "feed_since": w.clock.now()},
    ),
    "venue_unreachable": _state(
        lambda w: {"venue_reachable": False, "venue_unreachable_since": w.clock.now() - timedelta(seconds=31)},
        lambda w: {"venue_reachable": True},
    ),
    "unknown_venue_status": _event("unknown_venue_status", _word_known),
    "unreadable_message": _event("unreadable_message", _calm),
    "drift_found": _event("drift_found", _after_run("light", "in_sync"), key="", order_id=None),
    "run_overdue": _run_overdue(),
    "run_died": _event("run_died", _after_run("deep", "breaks"), key="deep", order_id=None),
    "outbox_undelivered": _outbox(),
    "budget_exhausted": _state(lambda w: {"budget_refusals": 3}, lambda w: {}),
    "failed_but_filled": _with_break("failed_but_filled"),
    "absent_order_appeared": _with_break("absent_order_appeared"),
    "unknown_tagged_order": _with_break("unknown_tagged_order"),
    "clock_skew": _state(lambda w: {"clock_offset": 7.5}, lambda w: {"clock_offset": 0.1}),
    "foreign_write": _event("foreign_write", _calm),
}


def test_every_rule_of_the_contract_has_a_case():
    assert set(CASES) == set(RULES)


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_fires_repeats_as_a_count_and_resolves(world, rule):
    standing, ending = CASES[rule]
    standing(world)
    assert world.heard() == [(rule, "opened", 1)]
    world.clock.advance(MINUTE)
    standing(world)
    assert world.heard() == [(rule, "opened", 1)], "counted, not said again before its time"
    (incident,) = world.open()
    assert incident.count == 2
    world.clock.advance(HOUR)
    standing(world)
    assert world.heard()[1:] == [(rule, "repeated", 3)]
    ending(world)
    assert world.heard()[2:] == [(rule, "resolved", 3)]
    assert world.open() == []


def test_a_cause_that_stands_is_counted_once_a_minute_and_not_at_each_tick(world):
    for _ in range(50):
        world.tick(clock_offset=9.0)
        world.clock.advance(1)
    (incident,) = world.open()
    assert incident.count == 1


def test_T30_an_outage_is_one_incident_and_not_one_for_each_order(world):
    began = world.clock.now()
    orders = [world.order(n) for n in range(1, 501)]
    for _ in range(120):
        world.tick(pending=orders, venue_reachable=False, venue_unreachable_since=began)
        world.clock.advance(1)
    assert world.heard() == [("venue_unreachable", "opened", 1)]
    assert "500 pending trades wait" in world.hook.bodies[0]["message"]


def test_T30_what_an_outage_left_old_is_not_alerted_before_it_was_asked_for_again(world):
    orders = [world.order(n, order_type="LIMIT") for n in range(1, 6)]
    world.tick(pending=orders, venue_reachable=False)
    world.clock.advance(90)
    world.tick(pending=orders, venue_reachable=False)
    world.clock.advance(1)
    world.tick(pending=orders, venue_reachable=True)
    assert [h[:2] for h in world.heard()] == [("venue_unreachable", "opened"), ("venue_unreachable", "resolved")]
    world.clock.advance(11)
    world.tick(pending=orders, venue_reachable=True)
    assert world.heard()[-1] == ("snapshot_stale", "opened", 1)


def test_an_incident_that_stood_before_the_outage_is_neither_counted_nor_resolved_by_it(world):
    world.tick(**_old(world))
    world.clock.advance(300)
    world.tick(pending=[], venue_reachable=False)
    incidents = {i.rule: i for i in world.open()}
    assert incidents["market_order_pending"].count == 1
    world.clock.advance(20)
    world.tick(pending=[], venue_reachable=True)
    world.clock.advance(20)
    world.tick(pending=[], venue_reachable=True)
    assert world.open() == []


def test_two_runs_of_cron_know_together_since_when_the_venue_is_away(world):
    world.tick(venue_reachable=False)
    assert world.heard() == []
    world.clock.advance(40)
    second = Alerts(world.store, world.clock, world.book)
    second.tick(world.situation(venue_reachable=False))
    assert [i.rule for i in world.open()] == ["venue_unreachable"]
    third = Alerts(world.store, world.clock, world.book)
    third.tick(world.situation(venue_reachable=True))
    assert world.open() == []


def test_a_cron_run_without_a_word_about_the_feed_leaves_the_watchers_incident_alone(world):
    world.tick(feed_state="down", feed_since=world.clock.now() - timedelta(seconds=40))
    world.tick(feed_state=None)
    assert [i.rule for i in world.open()] == ["feed_stale"]


def test_many_orders_of_one_rule_are_one_incident_that_resolves_with_the_last(world):
    many = [_old(world)["pending"][0] for _ in range(1)] + [
        world.order(n, submitted_at=world.clock.now() - timedelta(minutes=5)) for n in range(2, 9)
    ]
    world.tick(pending=many)
    (incident,) = world.open()
    assert incident.message.startswith("8 at once")
    world.tick(pending=many[:1])
    assert len(world.open()) == 1
    world.tick(pending=[])
    assert world.heard() == [("market_order_pending", "opened", 1), ("market_order_pending", "resolved", 1)]


def test_acknowledged_incidents_are_counted_and_not_said_again(world):
    world.tick(clock_offset=9.0)
    (incident,) = world.open()
    assert [i.incident_id for i in world.alerts.acknowledge([incident.incident_id])] == [incident.incident_id]
    world.clock.advance(2 * HOUR)
    world.tick(clock_offset=9.0)
    assert world.heard() == [("clock_skew", "opened", 1)]
    assert world.open()[0].count == 2
    world.tick(clock_offset=0.0)
    assert world.heard()[-1] == ("clock_skew", "resolved", 2)


def test_T47_what_contradicts_a_proof_stays_open_until_a_person_says_so(world):
    world.alerts.notice([Cause(rule="failed_but_filled", key="o-9", order_id="o-9", message="m")])
    world.tick()
    world.clock.advance(30 * 24 * HOUR)
    world.tick()
    (incident,) = world.open()
    world.alerts.acknowledge([incident.incident_id])
    world.tick()
    assert world.open() == []
    assert [h[1] for h in world.heard()] == ["opened", "resolved"]


def test_a_break_that_the_join_saw_is_one_incident_with_the_row_that_a_pass_writes_later(world):
    alarm = Alarm(rule="break_open", severity="critical", message="duplicate: two orders", order_id="o-1")
    announce = Announcer(clock=world.clock, book=world.book)
    world.write(lambda t: announce(t, [alarm], []))
    world.clock.advance(10)
    world.tick()
    world.find_break("duplicate")
    world.clock.advance(10)
    world.tick()
    assert world.heard() == [("break_open", "opened", 1)]
    _accept_break(world)
    assert world.heard()[-1] == ("break_open", "resolved", 1)
    assert world.open() == []


def test_an_alarm_without_a_rule_of_the_contract_is_a_break(world):
    alarm = Alarm(rule="fill_content_changed", severity="warning", message="again, otherwise", order_id="o-1")
    world.write(lambda t: Announcer(clock=world.clock, book=world.book)(t, [alarm], []))
    assert [(i.rule, i.key) for i in world.open()] == [("break_open", "o-1")]


def test_drift_in_a_busy_store_is_over_when_it_was_not_found_again_for_a_while(world):
    world.alerts.notice([Cause(rule="drift_found", message="the feed missed 2 changes")])
    world.tick()
    world.clock.advance(300)
    world.run_row("light", "drift")
    world.tick()
    assert len(world.open()) == 1
    world.clock.advance(301)
    world.tick()
    assert [i.rule for i in world.open()] == []


def test_quiet_hours_hold_what_is_not_critical_until_they_end(tmp_path):
    limits = AlertLimits(quiet_from=time(11), quiet_to=time(13))  # the clock starts at 12:00
    with listening() as hook:
        world = World(tmp_path, hook, limits)
        world.tick(clock_offset=9.0)
        world.alerts.notice([Cause(rule="failed_but_filled", key="o-1", message="m")])
        world.tick(clock_offset=9.0)
        assert world.heard() == [("failed_but_filled", "opened", 1)]
        world.clock.advance(HOUR + 1)
        world.tick(clock_offset=9.0)
        assert ("clock_skew", "opened", 1) in world.heard()
        world.store.close()


def test_what_resolved_within_quiet_hours_is_never_said(tmp_path):
    limits = AlertLimits(quiet_from=time(11), quiet_to=time(13))
    with listening() as hook:
        world = World(tmp_path, hook, limits)
        world.tick(clock_offset=9.0)
        world.tick(clock_offset=0.0)
        world.clock.advance(2 * HOUR)
        world.tick(clock_offset=0.0)
        assert world.heard() == []
        world.store.close()


def test_above_the_hourly_limit_incidents_wait_and_critical_ones_do_not(tmp_path):
    with listening() as hook:
        world = World(tmp_path, hook, AlertLimits(messages_per_hour=2, calm=1e9))
        for n in range(3):
            world.alerts.notice([Cause(rule="foreign_write", key=f"o-{n}", message="m")])
        world.alerts.notice([Cause(rule="outcome_unknown", key="o-7", message="m")])
        world.tick(pending_known=False)
        assert [h[0] for h in world.heard()] == ["foreign_write", "foreign_write", "outcome_unknown"]
        world.clock.advance(HOUR + 1)
        world.tick(pending_known=False)
        assert [h[:2] for h in world.heard()[3:]] == [("foreign_write", "opened")]
        world.store.close()


def test_the_alert_json_has_every_key_of_the_contract_and_the_mark_of_its_venue(tmp_path):
    with listening() as hook:
        world = World(tmp_path, hook)
        world.alerts = Alerts(world.store, world.clock, replace(world.book, simulated=True))
        world.tick(clock_offset=9.0)
        (body,) = hook.bodies
        assert set(body) == {
            "incident_id",
            "rule",
            "severity",
            "state",
            "count",
            "order_id",
            "message",
            "at",
            "simulated",
        }
        assert body["simulated"] is True
        assert body["at"].endswith("Z")
        world.store.close()
