from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest

from ordersync_cli.domain.view import TradeView
from ordersync_cli.services.alerts.rules import causes, grouped, is_quiet
from ordersync_cli.services.alerts.situation import RULES, SEVERITY, AlertLimits, Cause, Situation, StoreFacts
from ordersync_cli.services.ports import Run, StoredBreak

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
LIMITS = AlertLimits()
NOTHING = StoreFacts()


def ago(seconds):
    return AT - timedelta(seconds=seconds)


def view(trade_id=1, **changes):
    made = TradeView(
        trade_id=trade_id,
        bot_id=7,
        product_id="BTC-USD",
        side="BUY",
        order_type="MARKET",
        client_order_id=f"c-{trade_id}",
        order_id=f"o-{trade_id}",
        status="pending",
        order_status="open",
        venue_status="OPEN",
        size=None,
        price=None,
        size_usd=None,
        filled_size=None,
        average_filled_price=None,
        filled_value=None,
        total_fees=None,
        number_of_fills=None,
        fills_verified=False,
        reason=None,
        created_at=ago(5),
        submitted_at=ago(5),
        accepted_at=ago(5),
        filled_at=None,
        closed_at=None,
        confirmed_at=ago(1),
        updated_at=ago(1),
        sync_latency_seconds=None,
        source="place",
    )
    return replace(made, **changes)


def stored_break(kind, severity="open", key="o-1"):
    return StoredBreak(
        break_id=1,
        kind=kind,
        severity=severity,
        key=key,
        order_id=key,
        trade_id=1,
        stored="pending",
        venue="completed",
        money_effect=None,
        first_seen=ago(60),
        last_seen=ago(1),
    )


def run(mode, finished):
    return Run(run_id="r", mode=mode, started_at=finished, host="h", pid=1, finished_at=finished, result="in_sync")


def rules_of(situation, facts=NOTHING, limits=LIMITS):
    return [c.rule for c in causes(situation, facts, limits)]


def test_there_are_the_eighteen_rules_of_the_contract_each_with_a_severity():
    assert len(RULES) == 18
    assert set(SEVERITY.values()) <= {"info", "warning", "critical"}


def test_a_quiet_store_raises_nothing():
    assert (
        rules_of(Situation(at=AT, pending=[view()], venue_reachable=True, feed_state="live", feed_since=ago(999))) == []
    )


@pytest.mark.parametrize(("seconds", "fires"), [(9.9, False), (10.1, True)])
def test_a_market_order_is_alerted_after_ten_seconds(seconds, fires):
    pending = view(submitted_at=ago(seconds), created_at=ago(seconds))
    assert ("market_order_pending" in rules_of(Situation(at=AT, pending=[pending]))) is fires


def test_a_resting_order_may_be_pending_for_days():
    resting = view(order_type="LIMIT", submitted_at=ago(86400), created_at=ago(86400))
    assert rules_of(Situation(at=AT, pending=[resting])) == []


@pytest.mark.parametrize(
    ("order_type", "age", "fires"), [("MARKET", 16, True), ("LIMIT", 16, False), ("LIMIT", 61, True)]
)
def test_a_snapshot_is_stale_by_the_kind_of_order(order_type, age, fires):
    situation = Situation(at=AT, pending=[view(order_type=order_type)], snapshot_ages={1: age})
    assert ("snapshot_stale" in rules_of(situation)) is fires


def test_without_an_age_in_memory_the_stored_confirmation_counts():
    situation = Situation(at=AT, pending=[view(order_type="LIMIT", confirmed_at=ago(90))])
    assert rules_of(situation) == ["snapshot_stale"]


def test_an_unknown_outcome_is_alerted_after_a_minute_by_its_client_order_id():
    lost = view(order_type="LIMIT", order_status="submitting", order_id=None, submitted_at=ago(61))
    (cause,) = causes(Situation(at=AT, pending=[lost]), NOTHING, LIMITS)
    assert (cause.rule, cause.key, cause.order_id, cause.loudness) == ("outcome_unknown", "c-1", None, "critical")


def test_open_breaks_are_alerted_but_not_repaired_ones_nor_those_with_a_rule_of_their_own():
    facts = StoreFacts(
        open_breaks=[
            stored_break("filled_size"),
            stored_break("status", severity="repaired"),
            stored_break("failed_but_filled"),
            stored_break("external_order", severity="info"),
        ]
    )
    (cause,) = causes(Situation(at=AT), facts, LIMITS)
    assert (cause.rule, cause.key) == ("break_open", "filled_size:o-1")


@pytest.mark.parametrize(
    ("state", "seconds", "wanted", "fires"),
    [
        ("live", 500, True, False),
        ("stale", 29, True, False),
        ("stale", 31, True, True),
        ("down", 31, True, True),
        ("polling", 31, True, True),
        ("polling", 31, False, False),
    ],
)
def test_a_feed_is_stale_unless_nobody_wants_one(state, seconds, wanted, fires):
    situation = Situation(at=AT, feed_state=state, feed_since=ago(seconds), feed_wanted=wanted)
    assert (rules_of(situation) == ["feed_stale"]) is fires


@pytest.mark.parametrize(("seconds", "fires"), [(29, False), (30, True)])
def test_an_unreachable_venue_is_alerted_after_thirty_seconds(seconds, fires):
    situation = Situation(at=AT, venue_reachable=False, venue_unreachable_since=ago(seconds))
    assert (rules_of(situation) == ["venue_unreachable"]) is fires


def test_undelivered_messages_are_alerted_after_a_minute():
    assert rules_of(Situation(at=AT), StoreFacts(undelivered=3, undelivered_since=ago(59))) == []
    assert rules_of(Situation(at=AT), StoreFacts(undelivered=3, undelivered_since=ago(61))) == ["outbox_undelivered"]


def test_a_pass_is_overdue_by_its_limit_or_twice_its_interval():
    facts = StoreFacts(last_good_runs={"light": run("light", ago(70))})
    assert rules_of(Situation(at=AT, run_intervals={"light": 30}), facts) == ["run_overdue"]
    assert rules_of(Situation(at=AT, run_intervals={"light": 40}), facts) == []
    assert rules_of(Situation(at=AT, run_intervals={}), facts) == []
    assert (
        rules_of(Situation(at=AT, run_intervals={"light": 30}), facts, replace(LIMITS, run_overdue={"light": 0})) == []
    )


def test_a_cron_job_that_keeps_a_slower_pace_is_overdue_by_twice_its_own():
    kept = StoreFacts(last_good_runs={"light": run("light", ago(115))}, paces={"light": 60})
    assert rules_of(Situation(at=AT, run_intervals={"light": 30}), kept) == []
    stopped = StoreFacts(last_good_runs={"light": run("light", ago(125))}, paces={"light": 60})
    assert rules_of(Situation(at=AT, run_intervals={"light": 30}), stopped) == ["run_overdue"]


def test_a_pass_that_only_ever_failed_is_overdue_and_one_never_tried_is_not_missed():
    tried = StoreFacts(last_good_runs={"deep": None}, first_runs={"deep": ago(700)})
    assert rules_of(Situation(at=AT, run_intervals={"deep": 300}), tried) == ["run_overdue"]
    assert rules_of(Situation(at=AT, run_intervals={"deep": 300}), StoreFacts(last_good_runs={"deep": None})) == []


@pytest.mark.parametrize(("offset", "fires"), [(4.9, False), (-4.9, False), (5.1, True), (-5.1, True)])
def test_a_clock_far_off_is_alerted_either_way(offset, fires):
    assert (rules_of(Situation(at=AT, clock_offset=offset)) == ["clock_skew"]) is fires


def test_an_exhausted_budget_is_alerted():
    assert rules_of(Situation(at=AT, budget_refusals=1)) == ["budget_exhausted"]


def test_T30_five_hundred_orders_with_one_trouble_are_one_cause():
    pending = [view(i, submitted_at=ago(60)) for i in range(1, 501)]
    found = causes(Situation(at=AT, pending=pending), NOTHING, LIMITS)
    (cause,) = [c for c in found if c.rule == "market_order_pending"]
    assert cause.key == ""
    assert cause.message.startswith("500 at once (o-1, o-2, o-3, …)")


def test_an_order_with_an_incident_of_its_own_stays_apart_from_a_group():
    found = [Cause(rule="break_open", key=k, message=k) for k in "abcde"]
    apart = grouped(found, 3, {("break_open", "b")})
    assert [c.key for c in apart] == ["b", ""]
    assert apart[1].message.startswith("4 at once")


def test_an_open_group_takes_in_the_last_ones_too():
    found = [Cause(rule="break_open", key="a", message="a")]
    assert [c.key for c in grouped(found, 3, {("break_open", "")})] == [""]
    assert [c.key for c in grouped(found, 3)] == ["a"]


def test_money_that_moved_where_it_was_ruled_out_is_never_folded():
    found = [Cause(rule="failed_but_filled", key=str(i), message="") for i in range(50)]
    assert len(grouped(found, 3)) == 50


def test_a_group_of_several_rules_is_folded_by_rule():
    found = [Cause(rule="unreadable_message", key=str(i), message="m") for i in range(9)]
    found.append(Cause(rule="foreign_write", key="x", message="w"))
    assert [(c.rule, c.key) for c in grouped(found, 3)] == [("unreadable_message", ""), ("foreign_write", "x")]


@pytest.mark.parametrize(("hour", "quiet"), [(21, False), (22, True), (3, True), (6, True), (7, False), (12, False)])
def test_quiet_hours_may_span_midnight(hour, quiet):
    limits = replace(LIMITS, quiet_from=time(22, tzinfo=UTC), quiet_to=time(7, tzinfo=UTC))
    assert is_quiet(datetime(2026, 3, 1, hour, tzinfo=UTC), limits) is quiet


def test_quiet_hours_within_a_day():
    limits = replace(LIMITS, quiet_from=time(1), quiet_to=time(2))
    assert is_quiet(datetime(2026, 3, 1, 1, 30, tzinfo=UTC), limits)
    assert not is_quiet(datetime(2026, 3, 1, 2, 0, tzinfo=UTC), limits)
