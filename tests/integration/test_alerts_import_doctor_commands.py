"""The commands as a user types them: alerts, import, doctor; exit codes, stdout, stderr, JSON."""

from __future__ import annotations

import json
import sqlite3
import sys
from contextlib import closing

import pexpect
import pytest

from ordersync_cli.__main__ import main
from ordersync_cli.cli import logs
from ordersync_cli.clock import SystemChance, SystemClock
from ordersync_cli.services.alerts.alert import Alerts, Cause, IncidentBook
from tests.support.listener import listening
from tests.support.ready_store import ready_store


@pytest.fixture(autouse=True)
def _as_it_was():
    yield
    logs.stop_log()


@pytest.fixture
def path(tmp_path):
    ready_store(tmp_path / "store.db", SystemClock(), SystemChance()).close()
    return tmp_path / "store.db"


@pytest.fixture
def call(path, capsys):
    def calling(*words):
        code = main([*words, "--database", f"sqlite:///{path}"])
        said = capsys.readouterr()
        return code, said.out, said.err

    return calling


@pytest.fixture
def incident(path):
    clock, chance = SystemClock(), SystemChance()
    with closing(ready_store(path, clock, chance)) as store:
        Alerts(store, clock, IncidentBook(chance=chance, sinks=("log",))).notice(
            [Cause(rule="outcome_unknown", key="c-1", message="unknown for 70 s")]
        )
        with store.read() as reading:
            return reading.incidents.open()[0]


def bot(folder, extra="", rows=((1, "o-1", "pending"), (2, None, "pending"), (3, "o-3", "completed"))):
    file = folder / "bot.db"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(
            "CREATE TABLE trades (id INTEGER PRIMARY KEY, bot_id INTEGER, product_id TEXT, side TEXT, size FLOAT, "
            "price FLOAT, order_id TEXT, status TEXT, size_usd FLOAT, created_at DATETIME, filled_at DATETIME, "
            f"mood TEXT{extra})"
        )
        connection.executemany(
            "INSERT INTO trades (id, product_id, side, size, order_id, status, created_at, mood) "
            "VALUES (?, 'BTC-USD', 'BUY', 0.1, ?, ?, '2026-03-01 12:00:00', 'calm')",
            rows,
        )
    return file


def test_alerts_list_shows_what_is_open(call, incident):
    code, out, _ = call("alerts", "list")
    assert code == 0
    assert incident.incident_id[:8] in out
    assert "outcome_unknown" in out
    code, out, _ = call("alerts", "list", "--json")
    body = json.loads(out)
    assert (code, body["error"], body["undelivered"]["count"]) == (0, None, 1)
    (shown,) = body["incidents"]
    assert (shown["rule"], shown["state"], shown["severity"]) == ("outcome_unknown", "open", "critical")


def test_alerts_list_of_a_quiet_store_is_an_empty_document(call):
    code, out, err = call("alerts", "list", "--json")
    assert (code, json.loads(out)["incidents"]) == (0, [])
    code, out, err = call("alerts", "list")
    assert (code, out) == (0, "")
    assert "No incident is open." in err


def test_alerts_ack_by_the_first_characters_of_the_id(call, incident):
    code, out, _ = call("alerts", "ack", incident.incident_id[:6])
    assert (code, incident.incident_id in out) == (0, True)
    body = json.loads(call("alerts", "list", "--json")[1])
    assert body["incidents"][0]["state"] == "acknowledged"
    assert json.loads(call("alerts", "ack", "--all", "--json")[1])["acknowledged"][0]["rule"] == "outcome_unknown"


@pytest.mark.parametrize("words", [(), ("nosuch",), ("abc", "--all")])
def test_alerts_ack_of_nothing_is_a_usage_error(call, incident, words):
    code, out, err = call("alerts", "ack", *words)
    assert (code, out) == (2, "")
    assert "alerts list" in err


def test_what_waits_for_an_address_that_is_gone_can_be_let_go(call, incident):
    assert json.loads(call("alerts", "list", "--json")[1])["undelivered"]["sinks"] == {"log": 1}
    assert call("alerts", "ack", "--undelivered", "nobody")[0] == 2
    code, out, _ = call("alerts", "ack", "--undelivered", "log", "--json")
    assert (code, json.loads(out)["given_up"]) == (0, 1)
    assert json.loads(call("alerts", "list", "--json")[1])["undelivered"]["count"] == 0


def test_alerts_test_reaches_every_address_and_says_which_did_not_answer(call, monkeypatch):
    with listening() as good, listening(status=500) as bad:
        monkeypatch.setenv("ORDERSYNC_ALERT_URLS", f"{good.url}/hook, slack+{bad.url}/secret-hook")
        code, out, err = call("alerts", "test", "--json")
        sinks = {s["sink"].split("-")[0]: s for s in json.loads(out)["sinks"]}
        assert code == 10
        assert sinks["webhook"]["delivered"] is True
        assert sinks["slack"]["delivered"] is False
        assert "answered 500" in sinks["slack"]["problem"]
        assert "secret-hook" not in out + err
        assert [b["state"] for b in good.bodies] == ["opened", "resolved"]
        assert all(b["simulated"] for b in good.bodies)
        bad.status = 200
        assert call("alerts", "test")[0] == 0


def test_alerts_test_without_an_address_is_not_green(call):
    code, out, err = call("alerts", "test", "--json")
    assert code == 3
    assert json.loads(out)["sinks"] == []
    assert "ORDERSYNC_ALERT_URLS" in err


def test_import_says_what_it_took_and_the_next_command(call, tmp_path):
    url = f"sqlite:///{bot(tmp_path)}"
    code, out, err = call("import", url)
    assert code == 0
    assert out.splitlines()[0].startswith("3 of 3 rows imported")
    assert "kept aside: mood" in out
    assert "1 pending rows have no order id" in err
    assert "Next: ordersync reconcile" in err
    code, out, _ = call("import", url, "--json")
    body = json.loads(out)
    assert (code, body["imported"], body["already_there"], body["error"]) == (0, 0, 3, None)


def test_import_dry_run_changes_nothing(call, tmp_path, path):
    url = f"sqlite:///{bot(tmp_path)}"
    code, out, _ = call("import", url, "--dry-run", "--json")
    assert (code, json.loads(out)["imported"], json.loads(out)["dry_run"]) == (0, 3, True)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT COUNT(*) FROM trades").fetchone() == (0,)


def test_import_in_place_asks_and_without_a_terminal_wants_yes(call, tmp_path):
    file = bot(tmp_path)
    before = file.read_bytes()
    code, out, err = call("import", f"sqlite:///{file}", "--in-place")
    assert (code, out) == (2, "")
    assert "--yes" in err
    assert file.read_bytes() == before


def test_import_in_place_dry_run_leaves_every_byte_as_it_is(call, tmp_path):
    file = bot(tmp_path)
    before = file.read_bytes()
    code, out, _ = call("import", f"sqlite:///{file}", "--in-place", "--dry-run", "--json")
    body = json.loads(out)
    assert (code, body["rows"], body["pending"], body["backup"]) == (0, 3, 2, None)
    assert "order_status" in body["columns_added"]
    assert file.read_bytes() == before
    assert {p.name for p in tmp_path.glob("bot*")} == {"bot.db"}


def test_import_in_place_makes_the_bots_database_the_store(call, tmp_path):
    file = bot(tmp_path)
    code, out, err = call("import", f"sqlite:///{file}", "--in-place", "--yes", "--json")
    body = json.loads(out)
    assert (code, body["imported"], body["in_place"]) == (0, 3, True)
    assert f"reconcile --database sqlite:///{file}" in err
    with closing(sqlite3.connect(body["backup"])) as copy:
        assert copy.execute("SELECT COUNT(*) FROM trades").fetchone() == (3,)
    again = json.loads(call("import", f"sqlite:///{file}", "--in-place", "--json")[1])
    assert (again["imported"], again["already_there"], again["backup"]) == (0, 3, None)


def test_import_in_place_names_a_column_that_nobody_could_fill(call, tmp_path):
    file = bot(tmp_path, ", sauce TEXT NOT NULL", rows=())
    before = file.read_bytes()
    code, _, err = call("import", f"sqlite:///{file}", "--in-place", "--yes")
    assert code == 3
    assert "`sauce`" in err
    assert file.read_bytes() == before


def test_a_table_that_wants_a_bot_id_gets_one_or_nothing_is_placed(tmp_path, capsys):
    file = tmp_path / "bot.db"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(
            "CREATE TABLE trades (id INTEGER PRIMARY KEY, bot_id INTEGER NOT NULL, product_id TEXT NOT NULL, "
            "side TEXT NOT NULL, size FLOAT NOT NULL, price FLOAT NOT NULL, order_id TEXT, status TEXT NOT NULL, "
            "size_usd FLOAT, created_at DATETIME NOT NULL, filled_at DATETIME)"
        )
    database = ("--database", f"sqlite:///{file}")
    assert main(["import", f"sqlite:///{file}", "--in-place", "--yes"]) == 0
    capsys.readouterr()
    place = ["place", "buy", "BTC-USD", "--quote-size", "25", "--yes", "--json", "--venue", "simulator", *database]
    assert main(place) == 2
    said = json.loads(capsys.readouterr().out)
    assert (said["error"]["code"], said["error"]["kind"]) == (2, "usage")
    assert "--bot-id" in said["error"]["remedy"]
    assert main([*place, "--bot-id", "7"]) == 0
    placed = json.loads(capsys.readouterr().out)["trade"]
    with closing(sqlite3.connect(file)) as connection:
        rows = connection.execute("SELECT bot_id, order_id, status FROM trades").fetchall()
    assert rows == [(7, placed["order_id"], "completed")]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--map", "nonsense"), 2),
        (("--map", "mood=colour"), 2),
        (("--in-place", "--map", "mood=status"), 2),
    ],
)
def test_import_refuses_a_mapping_that_cannot_be_meant(call, tmp_path, words, code):
    assert call("import", f"sqlite:///{bot(tmp_path)}", *words)[0] == code


def test_import_of_what_is_not_there_says_so_in_one_line(call, tmp_path):
    code, out, err = call("import", f"sqlite:///{tmp_path}/none.db", "--json")
    assert code == 9
    assert json.loads(out)["error"]["code"] == 9
    assert "does not exist" in err


def test_import_of_the_store_into_itself_is_refused(call, path):
    assert call("import", f"sqlite:///{path}")[0] == 2


def test_import_shows_a_bar_and_asks_on_a_terminal(tmp_path):
    file = bot(tmp_path)
    command = ["-m", "ordersync_cli", "import", f"sqlite:///{file}", "--in-place"]
    declined = pexpect.spawn(sys.executable, command, timeout=30, encoding="utf-8")
    declined.expect(r"Add \d+ columns to the table .* \[y/N\]")
    declined.sendline("n")
    declined.expect(pexpect.EOF)
    declined.close()
    assert declined.exitstatus == 2
    agreed = pexpect.spawn(sys.executable, command, timeout=30, encoding="utf-8")
    agreed.expect(r"\[y/N\]")
    agreed.sendline("y")
    agreed.expect("Reading")
    agreed.expect("3 of 3 rows taken over")
    agreed.expect(pexpect.EOF)
    agreed.close()
    assert agreed.exitstatus == 0


def test_doctor_of_a_fresh_simulated_store_is_well(call):
    code, out, _ = call("doctor", "--json")
    body = json.loads(out)
    assert (code, body["healthy"], body["simulated"]) == (0, True, True)
    names = [c["name"] for c in body["checks"]]
    assert names == ["settings", "key", "store", "clock", "key permissions", "claim", "feed", "passes", "outbox"]
    feed = body["checks"][6]
    assert "heartbeats arrive" in feed["message"]


def test_doctor_names_a_variable_that_no_setting_reads(call, monkeypatch):
    monkeypatch.setenv("ORDERSYNC_DATABSE_URL", "sqlite:////elsewhere.db")
    _, out, _ = call("doctor", "--no-feed", "--json")
    (found,) = [c for c in json.loads(out)["checks"] if c["name"] == "environment"]
    assert found["status"] == "warning"
    assert "ORDERSYNC_DATABSE_URL" in found["message"]
    assert found["remedy"]


def test_T38_doctor_names_a_key_file_that_others_can_read(call, tmp_path, monkeypatch):
    key = tmp_path / "key.json"
    key.write_text("{}")
    key.chmod(0o644)
    monkeypatch.setenv("ORDERSYNC_VENUE", "coinbase")
    monkeypatch.setenv("ORDERSYNC_KEY_FILE", str(key))
    code, out, _ = call("doctor")
    assert code == 3
    assert f"chmod 600 {key}" in out
