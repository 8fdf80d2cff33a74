"""`report` as a user, a cron job and a browser meet it."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from prometheus_client.parser import text_string_to_metric_families

from ordersync_cli.__main__ import main
from ordersync_cli.cli.report_words import TARGETS
from ordersync_cli.services.ports import Incident, StoredBreak, Watcher
from ordersync_cli.store import open_store
from tests.support.browser import open_file
from tests.support.terminal import terminal
from tests.support.trading_day import OPENED, trading_day
from tests.support.virtual_clock import SeededChance, VirtualClock

LONG_AGO = datetime(2026, 1, 15, tzinfo=UTC)
WINDOW = ("--since", f"{OPENED:%Y-%m-%dT%H:%M:%S}", "--until", "2027-01-15T11:00:00")
KEYS = {
    "since", "until", "trades", "sync_latency_seconds", "targets", "stale", "accuracy", "interventions", "breaks",
    "bots", "volume", "previous", "runs", "watchers", "alerts", "intervals", "simulated", "error",
}  # fmt: skip
NAMES = [
    "market_pending_over_10s", "sync_latency_mean", "real_time_p99", "status_accuracy", "manual_interventions",
    "undelivered_alerts", "bots_blocked",
]  # fmt: skip


@pytest.fixture(scope="module")
def lived(tmp_path_factory) -> Path:
    """Three hours of trading, stored once for this module."""
    from datetime import timedelta

    folder = tmp_path_factory.mktemp("lived")
    clock = VirtualClock(OPENED)
    store = open_store(f"sqlite:///{folder}/day.db", clock=clock, chance=SeededChance())
    day = trading_day(folder, store, clock)
    day.live(orders=25, length=timedelta(hours=3))
    day.exchange.state.close()
    store.close()
    return folder / "day.db"


@pytest.fixture
def report(lived, tmp_path, capfd, monkeypatch):
    """Run `report` on a copy of that store."""
    monkeypatch.setenv("ORDERSYNC_VENUE", "simulator")
    shutil.copyfile(lived, tmp_path / "day.db")

    def run(*words: str) -> tuple[int, str, str]:
        code = main(["report", "--database", f"sqlite:///{tmp_path}/day.db", *WINDOW, *words])
        said = capfd.readouterr()
        return code, said.out, said.err

    return run


def test_json_has_every_key_of_the_contract_and_decimals_as_strings(report) -> None:
    code, out, _ = report("--json")
    told = json.loads(out)

    assert code == 0
    assert set(told) >= KEYS
    assert (told["simulated"], told["error"]) == (True, None)
    assert set(told["trades"]) == {"total", "pending", "completed", "failed"}
    assert set(told["sync_latency_seconds"]) >= {"count", "mean", "p50", "p95", "p99", "max", "by_source"}
    assert [t["name"] for t in told["targets"]] == NAMES
    assert all(set(t) == {"name", "target", "actual", "met"} for t in told["targets"])
    assert set(told["accuracy"]) >= {"audited", "matched", "ratio", "lower_bound_95"}
    assert set(told["runs"]) == {"light", "deep"}
    assert re.fullmatch(r"\d+\.?\d*", told["sync_latency_seconds"]["mean"])
    assert {"trades", "sync_latency_seconds", "targets", "accuracy", "interventions", "volume"} <= set(told["previous"])


def test_an_error_is_printed_in_the_reports_own_shape(report, capfd) -> None:
    code = main(["report", "--json", "--since", "1h", "--until", "2h", "--venue", "simulator"])
    told = json.loads(capfd.readouterr().out)

    assert (code, told["error"]["code"]) == (2, 2)
    assert set(told) >= KEYS


def test_a_pipe_gets_tab_separated_lines(report) -> None:
    code, out, _ = report()
    lines = [line.split("\t") for line in out.splitlines()]

    assert code == 0
    assert lines[0] == ["section", "name", "figure", "value", "previous"]
    assert {len(line) for line in lines} == {5}
    assert ["trades", "", "total", "25", "0"] in lines
    assert [line for line in lines if line[0] == "requests" or line[2] == "pending_now"] == [
        ["trades", "", "pending_now", "0", ""],
        ["requests", "", "by_runs", "88", ""],  # 35 light passes at 2, two deep ones at 9
        ["requests", "", "per_second", "2.5", ""],
        ["requests", "", "left", "10.000", ""],
    ]


def test_the_schedule_is_replayed_when_asked_for(report, tmp_path) -> None:
    with_notes = open_store(f"sqlite:///{tmp_path}/day.db", clock=VirtualClock(OPENED), chance=SeededChance())
    with with_notes.write() as transaction:
        samples = ",".join(["0.3"] * 30)
        transaction.notes.set("learned_schedule", f'{{"BTC-USD/MARKET/at_once":[{samples}]}}')
    with_notes.close()

    code, out, _ = report("--intervals", "--json")
    told = json.loads(out)["intervals"]

    assert code == 0
    assert told["classes"][0]["time_to_fill_seconds"]["p50"] == "0.300"
    plans = {p["plan"]: p for p in told["replay"]["plans"]}
    assert list(plans) == ["learned", "0.5 s", "2 s", "5 s", "30 s", "Hummingbot 5 s", "Hummingbot 120 s"]
    assert (plans["0.5 s"]["requests"], plans["0.5 s"]["delay_mean_seconds"]) == (30, "0.200")
    assert (plans["5 s"]["missed"], plans["learned"]["missed"]) == (30, 0)


@pytest.mark.parametrize("rows", ["trades", "fills"])
def test_csv_lists_rows_exactly(report, tmp_path, rows) -> None:
    code, out, _ = report("--format", "csv", "--rows", rows)
    found = list(csv.DictReader(io.StringIO(out)))

    assert code == 0
    assert found
    assert [r["order_id"] for r in found if not r["order_id"]] == []
    times = [r["created_at" if rows == "trades" else "trade_time"] for r in found]
    assert times == sorted(times)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", t) for t in times)
    if rows == "trades":
        assert len(found) == 25


@pytest.mark.parametrize("kind", ["table", "json", "csv", "html", "prometheus"])
@pytest.mark.parametrize("odd", [1.5, "abc", "²", b"\xff", ""])
def test_a_row_whose_bot_is_no_number_keeps_no_report_from_being_made(report, tmp_path, kind, odd) -> None:
    """SQLite takes any value into any column, and a bot writes its own rows."""
    with closing(sqlite3.connect(tmp_path / "day.db", isolation_level=None)) as bot:
        for number, status in enumerate(("pending", "completed")):
            bot.execute(
                "INSERT INTO trades (bot_id, product_id, side, order_id, status, created_at) "
                "VALUES (?, 'BTC-USD', 'buy', ?, ?, ?)",
                (odd, f"odd-{number}", status, f"{OPENED:%Y-%m-%d %H:%M:%S}.000000"),
            )
    code, out, err = report("--format", kind)
    assert (code, err.replace("SIMULATED", "").count("ordersync:")) == (0, 0)
    if kind == "csv":
        named = {r["order_id"]: r["bot_id"] for r in csv.DictReader(io.StringIO(out))}
        assert named["odd-0"] == named["odd-1"] == ("\ufffd" if odd == b"\xff" else str(odd))
    if kind == "json":
        assert next(b["pending"] for b in json.loads(out)["bots"] if b["bot_id"] is None) == 1


def test_prometheus_text_can_be_read_again(report) -> None:
    _, told, _ = report("--json")
    code, out, _ = report("--format", "prometheus")
    families = {f.name: f for f in text_string_to_metric_families(out)}

    assert code == 0
    total = sum(s.value for s in families["ordersync_report_trades"].samples)
    assert total == json.loads(told)["trades"]["total"]
    assert {s.labels["name"] for s in families["ordersync_report_target_met"].samples} <= set(NAMES)
    assert families["ordersync_report_simulated"].samples[0].value == 1


def test_check_exits_10_when_a_target_is_missed_and_0_otherwise(report, monkeypatch) -> None:
    for mode in ("LIGHT", "DEEP"):
        monkeypatch.setenv(f"ORDERSYNC_{mode}_EVERY", "0")  # those passes are of another time
    monkeypatch.setenv("ORDERSYNC_TARGET_SYNC_LATENCY_MEAN", "1h")
    monkeypatch.setenv("ORDERSYNC_TARGET_REAL_TIME_P99", "1h")
    assert report("--check")[0] == 0

    monkeypatch.setenv("ORDERSYNC_TARGET_SYNC_LATENCY_MEAN", "1s")
    monkeypatch.setenv("ORDERSYNC_TARGET_STATUS_ACCURACY", "1")
    code, out, err = report("--check", "--json")
    missed = [t["name"] for t in json.loads(out)["targets"] if t["met"] is False]
    assert (code, missed) == (10, ["sync_latency_mean"])
    assert "sync_latency_mean" in err


def test_T49_check_without_a_terminal_and_a_named_venue_exits_3(report, monkeypatch) -> None:
    monkeypatch.delenv("ORDERSYNC_VENUE")

    code, _, err = report("--check")

    assert code == 3
    assert "ORDERSYNC_VENUE" in err
    assert report()[0] == 0


def test_a_file_is_replaced_when_it_is_complete_and_kept_otherwise(report, tmp_path) -> None:
    target = tmp_path / "r.json"
    assert report("--format", "json", "--output", str(target))[0] == 0
    assert json.loads(target.read_text())["trades"]["total"] == 25
    assert list(tmp_path.glob(".*.part")) == []

    code, _, err = report("--format", "html", "--output", str(tmp_path / "nowhere" / "r.html"))
    assert (code, "cannot be written" in err) == (2, True)


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("--format", "xml"), "--format is one of"),
        (("--format", "csv", "--rows", "events"), "--rows is"),
        (("--format", "html"), "both want stdout"),
        (("--format", "html", "--output", "nowhere/r.html"), "cannot be written"),
        (("--output", ""), "cannot be written"),
    ],
)
def test_what_cannot_be_done_is_a_usage_error_in_the_one_document_too(report, words, hint) -> None:
    code, out, err = report("--json", *words)
    told = json.loads(out)

    assert (code, hint in err) == (2, True)
    assert (told["error"]["code"], hint in told["error"]["message"]) == (2, True)


def test_a_pipe_or_device_named_as_output_is_written_into_and_never_replaced(report, tmp_path) -> None:
    """A file renamed over /dev/null would end many a program of that machine."""
    pipe, link, file = tmp_path / "pipe", tmp_path / "link.json", tmp_path / "file.json"
    os.mkfifo(pipe)
    link.symlink_to(file)
    heard: list[bytes] = []
    reader = threading.Thread(target=lambda: heard.append(pipe.read_bytes()), daemon=True)
    reader.start()

    assert report("--format", "json", "--output", str(pipe))[0] == 0
    assert report("--format", "json", "--output", str(link))[0] == 0
    reader.join(30)

    assert pipe.is_fifo()
    assert json.loads(heard[0])["trades"]["total"] == 25
    assert (link.is_symlink(), json.loads(file.read_text())["trades"]["total"]) == (True, 25)


@pytest.mark.parametrize("words", [("--format", "html"), ("--format", "csv"), ("--format", "prometheus"), ()])
def test_a_pipe_of_another_encoding_gets_the_whole_report(lived, tmp_path, words) -> None:
    """Bytes are bytes: what a locale cannot write is no reason to lose a report without a word."""
    told = []
    for encoding in ("utf-8", "ascii"):
        environment = {**os.environ, "HOME": str(tmp_path), "PYTHONIOENCODING": encoding}
        command = [sys.executable, "-m", "ordersync_cli", "report", "--database", f"sqlite:///{lived}", *WINDOW, *words]
        done = subprocess.run(command, capture_output=True, env=environment, timeout=120, check=True)
        told.append(len(done.stdout.splitlines()))

    assert told[0] == told[1] > 10


def test_a_picture_without_the_extra_is_refused_with_a_remedy(report, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "vl_convert", None)

    code, _, err = report("--format", "png", "--output", "/tmp/never.png")

    assert (code, "ordersync[charts]" in err) == (3, True)


class Renderer:
    """Stands where vl-convert would: keeps the drawing that it is given."""

    def __init__(self) -> None:
        self.drawn = ""

    def svg_to_png(self, drawn: str, scale: float) -> bytes:
        self.drawn = drawn
        return b"\x89PNG" + bytes([round(scale)])

    def svg_to_pdf(self, drawn: str) -> bytes:
        self.drawn = drawn
        return b"%PDF"


@pytest.mark.parametrize(("form", "made"), [("png", b"\x89PNG\x02"), ("pdf", b"%PDF")])
def test_a_picture_is_one_drawing_that_any_renderer_can_read(report, tmp_path, monkeypatch, form, made) -> None:
    """Without the extra too: well-formed, no style variable left, the targets in words, every chart inside."""
    renderer = Renderer()
    monkeypatch.setitem(sys.modules, "vl_convert", renderer)

    code, _, _ = report("--format", form, "--output", str(tmp_path / "picture"))
    drawn = ET.fromstring(renderer.drawn)

    assert (code, (tmp_path / "picture").read_bytes(), renderer.drawn.count("var(--")) == (0, made, 0)
    words = "".join(drawn.itertext())
    assert all(name in words for name in (*TARGETS.values(), "SIMULATED", "measured targets"))
    height = float(drawn.attrib["height"])
    places = [(float(c.attrib["y"]), float(c.attrib["height"])) for c in drawn if c.tag.endswith("svg")]
    assert len(places) >= 4
    below = [*(y for y, _ in places[1:]), height]
    assert all(y + tall <= following for (y, tall), following in zip(places, below, strict=True))


@pytest.mark.parametrize(("form", "magic"), [("png", b"\x89PNG"), ("pdf", b"%PDF")])
def test_a_picture_is_drawn_with_the_extra(report, tmp_path, form, magic) -> None:
    pytest.importorskip("vl_convert", reason="the extra charts is not installed")

    assert report("--format", form, "--output", str(tmp_path / f"r.{form}"))[0] == 0
    picture = (tmp_path / f"r.{form}").read_bytes()
    assert picture.startswith(magic)
    assert len(picture) > 20_000  # of an empty sheet there would be a tenth of that
    if form == "png":
        width, height = (int.from_bytes(picture[at : at + 4], "big") for at in (16, 20))
        assert (width, height > 2_000) == (2 * (960 + 80), True)


def test_the_page_holds_no_outside_link_and_no_script(report, tmp_path) -> None:
    report("--format", "html", "--output", str(tmp_path / "r.html"))
    page = (tmp_path / "r.html").read_text()

    assert re.findall(r"https?://|<script|\bsrc=|@import|url\(", page) == []
    assert page.count("<svg") == page.count('role="img"') == len(re.findall(r"<svg[^>]*><title", page)) >= 4
    assert "SIMULATED" in page


def test_a_narrow_terminal_shows_every_part_in_its_width_and_the_verdict_last(lived, tmp_path) -> None:
    """With all that goes wrong at once: 80 columns cut no id and wrap no row."""
    shutil.copyfile(lived, tmp_path / "day.db")
    url, long = f"sqlite:///{tmp_path}/day.db", "da39a243-eb77-4295-8d76-03dfab55110e"
    store = open_store(url, clock=VirtualClock(OPENED), chance=SeededChance())
    with store.write() as transaction:
        transaction.notes.set("learned_schedule", f'{{"BTC-USDC/STOP_LIMIT/within_0.1%":[{",".join(["123.4"] * 30)}]}}')
        transaction.watchers.beat(
            Watcher(watcher_id="w-1", host="trading-host-1", pid=1234567, started_at=LONG_AGO, beat_at=LONG_AGO,
                    role="standing_by", feed_state="connecting", feed_since=LONG_AGO, feed_reason="",
                    last_heartbeat_at=None, last_frame_at=None, clock_offset=Decimal("-0.002311"))
        )  # fmt: skip
        transaction.incidents.raise_(
            Incident(incident_id="i-9", rule="absent_order_appeared", key="", severity="critical", order_id=long,
                     message=f"order {long} was proven absent and is there", count=3, opened_at=OPENED,
                     last_seen=OPENED)
        )  # fmt: skip
        transaction.breaks.see(
            StoredBreak(break_id=None, kind="absent_order_appeared", severity="open", key=long, order_id=long,
                        trade_id=None, stored="failed", venue="FILLED", money_effect=None, first_seen=OPENED,
                        last_seen=OPENED)
        )  # fmt: skip
    with store.transaction() as sql:
        sql.run(
            "INSERT INTO trades (bot_id, product_id, order_id, created_at) VALUES (0, 'BTC-USD', ?, ?)",
            (long, sql.values.time(LONG_AGO)),
        )
    store.close()

    environment = {**os.environ, "HOME": str(tmp_path), "ORDERSYNC_DATABASE_URL": url, "ORDERSYNC_VENUE": "simulator"}
    with terminal(environment, "report", "--intervals", *WINDOW, width=80, height=250) as screen:
        assert screen.end() == 0
        lines = [re.sub(rb"\x1b\[[0-9;]*m", b"", line).decode().rstrip() for line in screen.raw.split(b"\r\n")]

    said = [line for line in lines if line]
    assert [line for line in said if len(line) > 80] == []
    assert sum(long in line for line in said) == 3
    assert any(re.search(r"trading-host-1:1234567 +silent +was connecting", line) for line in said)
    assert any(re.search(r"0 +1 .* BLOCKED", line) for line in said)
    assert any("measured targets are missed" in line for line in said[-3:])


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_chromium_renders_the_page_without_a_complaint_or_a_request(report, tmp_path, scheme) -> None:
    page = tmp_path / "r.html"
    report("--format", "html", "--output", str(page))

    seen = open_file(
        page,
        tmp_path,
        scheme=scheme,
        ask={
            "background": "getComputedStyle(document.body).backgroundColor",
            "charts": "[...document.querySelectorAll('svg.chart')].filter(s => s.getBBox().height > 20).length",
            "overflow": "document.documentElement.scrollWidth - document.documentElement.clientWidth",
        },
    )

    assert seen.complaints == []
    assert [url for url in seen.requests if not url.startswith(("file://", "data:,"))] == []
    assert {url for url in seen.requests if url.startswith("file://")} == {page.as_uri()}
    assert seen.values["background"] == {"light": "rgb(247, 247, 245)", "dark": "rgb(20, 20, 19)"}[scheme]
    assert seen.values["charts"] >= 4
    assert seen.values["overflow"] == 0
    assert len(seen.picture) > 20_000


@pytest.mark.slow
def test_an_audit_asks_the_venue_before_it_repairs(stage) -> None:
    """One of two trades reads wrong in the store: counted as not matched, although it is repaired at once."""
    first = stage.place("buy", "BTC-USD", "--base-size", "0.001", "--limit", "20000", "--no-wait").document["trade"]
    other = stage.place("buy", "BTC-USD", "--base-size", "0.001", "--limit", "20000", "--no-wait").document["trade"]
    stage.exchange.control.cancel_elsewhere([first["order_id"]])

    told = stage.run("report", "--audit", "5", "--json").document

    assert told["accuracy"]["audited"] == 2
    assert told["accuracy"]["matched"] == 1
    assert told["accuracy"]["clean_audits_needed"] > 2995
    assert [t["met"] for t in told["targets"] if t["name"] == "status_accuracy"] == [False]
    stored = {row["order_id"]: row["order_status"] for row in stage.rows()}
    assert stored == {first["order_id"]: "cancelled", other["order_id"]: "open"}
    assert stage.run("report", "--check").code == 10


def test_the_help_names_every_format_its_extra_and_the_defaults(capfd) -> None:
    """Words in square brackets would be taken for a style and left out."""
    assert main(["report", "--help"]) == 0
    said = " ".join(re.sub(r"[^\w.,;: ]", " ", capfd.readouterr().out).split())

    assert all(part in said for part in ("table, json, csv, html, prometheus, png", "the extra charts", "Default: now"))
