"""A day of simulated trading with an outage in it: the report against the exchange's own ledger."""

from __future__ import annotations

import re
from collections import defaultdict
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from ordersync_cli.cli.report_charts import latency_chart
from ordersync_cli.cli.report_html import page
from ordersync_cli.cli.svg import LEFT, RIGHT, WIDTH
from ordersync_cli.services.alerts.situation import AlertLimits
from ordersync_cli.services.ports import Run
from ordersync_cli.services.ports.history import Scope
from ordersync_cli.services.report.document import Reporting
from ordersync_cli.services.report.runs import RunExpectations
from ordersync_cli.services.report.series import series_of
from ordersync_cli.services.report.window import ReportLimits
from tests.support.trading_day import OPENED, TradingDay, trading_day
from tests.support.virtual_clock import VirtualClock

LENGTH = timedelta(hours=24)
MINUTES = {"light": 300.0, "deep": 3600.0}  # how often the passes of that day run
EXPECTED = RunExpectations(intervals=MINUTES, limits=AlertLimits(run_overdue={m: 2 * s for m, s in MINUTES.items()}))
TEN = timedelta(seconds=10)


@pytest.fixture
def day(place, tmp_path) -> TradingDay:
    clock = VirtualClock(OPENED)
    found = trading_day(tmp_path, place.open(clock=clock), clock)
    found.live(orders=60, length=LENGTH)
    yield found
    found.exchange.state.close()


def made(day: TradingDay):
    scope = Scope(since=OPENED, until=OPENED + LENGTH)
    service = Reporting(limits=ReportLimits(), expected=EXPECTED, at=day.clock.now())
    with day.store.read() as reading:
        report = service.make(reading, scope)
        limits = {mode: float(told["due_after_seconds"]) for mode, told in report.document["runs"].items()}
        return report, series_of(reading, scope, report.now, limits, day.clock.now())


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.slow
def test_every_figure_of_the_day_is_that_of_the_exchanges_ledger(day) -> None:
    report, _ = made(day)
    told, ledger = report.document, day.ledger()
    actual = {t.name: t.actual for t in report.targets}

    # trades, volume and fees
    assert told["trades"]["total"] == len(ledger) == 60
    filled = [row for row in ledger.values() if Decimal(str(row["filled_size"])) > 0]
    assert told["trades"]["completed"] == len(filled)
    sums: dict[tuple[str, str], list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
    for row in ledger.values():
        known = sums[row["product_id"], row["side"]]
        known[0] += Decimal(row["filled_value"] or 0)
        known[1] += Decimal(row["total_fees"] or 0)
    assert {(v["product_id"], v["side"]): [v["filled_value"], v["total_fees"]] for v in told["volume"]} == dict(sums)

    # latency: from the ledger's time of the last fill before each commit
    samples = sorted((commit - venue) // timedelta(microseconds=1) for venue, commit, _ in day.fills_seen)
    fill_times = {moment(f["trade_time"]) for row in ledger.values() for f in row["fills"]}
    assert {venue for venue, _, _ in day.fills_seen} <= fill_times
    latency = told["sync_latency_seconds"]
    assert latency["count"] == len(samples)
    assert abs(actual["sync_latency_mean"] - Decimal(sum(samples)) / len(samples) / 10**6) <= Decimal("0.0000005")
    assert latency["max"] == Decimal(samples[-1]) / 10**6
    heard = sorted((c - v) // timedelta(microseconds=1) for v, c, source in day.fills_seen if source == "websocket")
    assert actual["real_time_p99"] == (Decimal(heard[-(-len(heard) * 99 // 100) - 1]) / 10**6 if heard else None)

    # who was kept waiting
    long = {t: p for t, p in day.pending.items() if p[3] and p[1] - p[0] > TEN}
    assert actual["market_pending_over_10s"] == len(long)
    assert actual["bots_blocked"] == len({bot for _, _, bot, _ in long.values()})
    for bot in told["bots"]:
        spans = sorted((began + TEN, ended) for began, ended, b, at_once in day.pending.values()
                       if b == bot["bot_id"] and at_once and ended - began > TEN)  # fmt: skip
        seconds, reached = 0.0, OPENED
        for start, end in spans:
            seconds += max(0.0, (end - max(start, reached)).total_seconds())
            reached = max(reached, end)
        assert float(bot["blocked_seconds"]) == pytest.approx(seconds, abs=0.002)

    # accuracy, interventions, alerts
    assert told["accuracy"]["audited"] == told["accuracy"]["matched"] > 0
    assert (actual["status_accuracy"], actual["manual_interventions"], actual["undelivered_alerts"]) == (1, 0, 0)
    assert (told["interventions"]["repairs"], told["alerts"]["by_rule"]) == (1, {"venue_unreachable": 1})


@pytest.mark.slow
def test_the_outage_is_shown_where_it_was(day) -> None:
    report, series = made(day)
    start, end = day.outage
    part = LENGTH / 96
    inside = range(int((start - OPENED) / part) + 1, int((end - OPENED) / part))

    light = series.passes["light"]
    assert {light[i] for i in inside} <= {"bad", "missed"}
    assert "missed" in light
    others = [cell for i, cell in enumerate(light[1:-1], 1) if not start - part <= OPENED + i * part <= end + part]
    assert set(others) == {"good"}
    (gap,) = report.document["runs"]["light"]["gaps"]
    assert gap["since"] <= start < end <= gap["until"]
    for one in report.now.blocking:
        assert start - TEN <= one.span[0] <= end + timedelta(minutes=6)
    assert not any(OPENED + i * series.slot > start and OPENED + (i + 1) * series.slot < end for i in series.latency)

    # and it lies behind every chart that has a time
    room = WIDTH - LEFT - RIGHT
    opened, closed = (LEFT + room * (at - OPENED) / LENGTH for at in (start + timedelta(seconds=30), end))
    (band,) = re.findall(r'<rect class="outage" x="([\d.]+)" y="\d+" width="([\d.]+)"', latency_chart(series, 5.0))
    assert [float(part) for part in band] == pytest.approx([opened, closed - opened], abs=0.3)
    drawn = page(report, series, simulated=True)
    assert [
        c.count('class="outage"') for c in drawn.split("<svg")[1:] if "over time" in c.partition("</title>")[0]
    ] == [1 for c in drawn.split("<svg")[1:] if "over time" in c.partition("</title>")[0]]


def test_nothing_measured_is_not_called_met(place) -> None:
    clock = VirtualClock(OPENED)
    store = place.open(clock=clock)
    with store.read() as reading:
        service = Reporting(limits=ReportLimits(), expected=EXPECTED, at=clock.now())
        report = service.make(reading, Scope(since=OPENED - LENGTH, until=OPENED))

    met = {t.name: t.met for t in report.targets}
    assert {name for name, word in met.items() if word is None} == {
        "sync_latency_mean", "real_time_p99", "status_accuracy",
    }  # fmt: skip
    assert report.missed == []
    assert report.document["accuracy"]["clean_audits_needed"] == 2995


def test_a_pass_that_ran_once_and_not_lately_fails_the_check(place) -> None:
    clock = VirtualClock(OPENED)
    store = place.open(clock=clock)
    with store.write() as transaction:
        run = Run(
            run_id="r-1", mode="light", started_at=OPENED, host="here", pid=1, finished_at=OPENED, result="in_sync"
        )
        transaction.runs.finish(run, None)

    def missed(after: float) -> list[str]:
        service = Reporting(limits=ReportLimits(), expected=EXPECTED, at=OPENED + timedelta(seconds=after))
        with store.read() as reading:
            return service.make(reading, Scope(since=OPENED - LENGTH, until=OPENED)).missed

    assert missed(2 * MINUTES["light"]) == []
    assert missed(2 * MINUTES["light"] + 1) == ["light_pass_overdue"]


def test_each_deed_by_hand_that_changed_a_row_is_one_intervention(place) -> None:
    """A second sync a few seconds later is another deed; the second look of one sync is not, nor is a cancel."""
    clock = VirtualClock(OPENED)
    store = place.open(clock=clock)
    events = [  # trade, seconds, kind, order_status
        (1, 0, "status", "cancelled"), (1, 2.5, "status", "cancelled"),  # one sync: its look, and its second look
        (1, 12, "figures", "cancelled"),  # another one
        (1, 13, "settled", "filled"),  # and then a resolve
        (2, 0, "status", "cancelling"), (2, 1, "status", "cancelled"),  # a cancel
        (2, 20, "fills", "cancelled"),  # looked after by hand
        (3, 0, "adopted", "filled"),
    ]  # fmt: skip
    with store.transaction() as sql:
        for number, (trade_id, after, kind, word) in enumerate(events):
            at = sql.values.time(OPENED + timedelta(seconds=after))
            sql.run(
                "INSERT INTO trade_events (event_id, trade_id, kind, status, order_status, source, seen_at, "
                "committed_at) VALUES (?, ?, ?, 'pending', ?, 'sync', ?, ?)",
                (f"e-{number}", trade_id, kind, word, at, at),
            )

    with store.read() as reading:
        service = Reporting(limits=ReportLimits(), expected=EXPECTED, at=OPENED + TEN)
        told = service.make(reading, Scope(since=OPENED, until=OPENED + LENGTH)).document
    assert told["interventions"]["manual_syncs"] == 4
    assert [t["actual"] for t in told["targets"] if t["name"] == "manual_interventions"] == [4]
