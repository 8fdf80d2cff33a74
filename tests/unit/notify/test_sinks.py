import hashlib
import hmac
import json
import logging
import socket
from datetime import UTC, datetime

import pytest

from ordersync_cli.errors import SettingsError
from ordersync_cli.notify.apprise_sink import AppriseSink
from ordersync_cli.notify.sinks import alert_sinks, notification_sinks
from ordersync_cli.services.alerts.deliver import DeliveryFailed
from ordersync_cli.services.ports import Delivery
from tests.support.listener import listening

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
ALERT = {
    "incident_id": "i-1",
    "rule": "outcome_unknown",
    "severity": "critical",
    "state": "opened",
    "count": 2,
    "order_id": "o-1",
    "message": "the outcome of <b> & co is unknown",
    "at": "2026-03-01T12:00:00.000000Z",
    "simulated": True,
}


def delivery(body=ALERT, event_id="e-1", key="i-1"):
    return Delivery(
        delivery_id=1, event_id=event_id, sink="s", key=key, body=body, created_at=AT, attempts=0, due_at=AT
    )


def only_url_sink(url):
    sinks = alert_sinks([url])
    (name,) = set(sinks) - {"log"}
    return name, sinks[name]


def test_a_notification_carries_its_event_id_and_the_signature_of_its_exact_bytes():
    with listening() as there:
        sink = notification_sinks(f"{there.url}/hook", "s3cret")["notification"]
        sink.send(delivery({"type": "trade_status_update", "status": "completed", "note": "é"}))
        sink.close()
    (got,) = there.got
    wanted = hmac.new(b"s3cret", got.content, hashlib.sha256).hexdigest()
    assert got.headers["X-Ordersync-Signature"] == f"sha256={wanted}"
    assert got.headers["X-Ordersync-Event-Id"] == "e-1"
    assert got.headers["Content-Type"] == "application/json"
    assert got.json["note"] == "é"


def test_without_a_secret_nothing_is_signed():
    with listening() as there:
        sink = notification_sinks(there.url, None)["notification"]
        sink.send(delivery())
        sink.close()
    assert "X-Ordersync-Signature" not in there.got[0].headers


def test_no_webhook_no_notification_sink():
    assert notification_sinks(None, None) == {}


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_any_2xx_is_delivered(status):
    with listening(status=status) as there:
        sink = notification_sinks(there.url, None)["notification"]
        sink.send(delivery())
        sink.close()
    assert len(there.got) == 1


@pytest.mark.parametrize(("status", "down"), [(301, True), (400, False), (410, False), (429, True), (500, True)])
def test_anything_else_is_not_and_says_whether_the_sink_is_down(status, down):
    with listening(status=status, answer_headers={"Retry-After": "7"}) as there:
        sink = notification_sinks(f"{there.url}/hook/secret-path", None)["notification"]
        with pytest.raises(DeliveryFailed) as failed:
            sink.send(delivery())
        sink.close()
    assert failed.value.sink_down is down
    assert failed.value.retry_after == 7.0
    assert "secret-path" not in failed.value.problem


def test_a_dead_address_fails_without_showing_the_url():
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: refused
        sink = notification_sinks(f"http://127.0.0.1:{taken.getsockname()[1]}/token-abc", None)["notification"]
        with pytest.raises(DeliveryFailed) as failed:
            sink.send(delivery())
        sink.close()
    assert failed.value.sink_down
    assert "token-abc" not in str(failed.value)


def test_an_alert_webhook_gets_exactly_the_alert():
    with listening() as there:
        _, sink = only_url_sink(f"{there.url}/alerts")
        sink.send(delivery())
        sink.close()
    assert there.got[0].json == ALERT


def test_a_slack_url_gets_slacks_format_marked_and_escaped():
    with listening() as there:
        name, sink = only_url_sink(f"slack+{there.url}/services/T/B/xyz")
        sink.send(delivery())
        sink.close()
    assert name.startswith("slack-")
    body = there.got[0].json
    assert set(body) == {"text"}
    assert "SIMULATED ordersync: outcome_unknown opened (×2) [critical]" in body["text"]
    assert "&lt;b&gt; &amp; co" in body["text"]
    assert "order o-1" in body["text"]


def test_hooks_slack_com_is_slack_by_its_host():
    name, _ = only_url_sink("https://hooks.slack.com/services/T0/B0/abc")
    assert name.startswith("slack-")


def test_names_of_sinks_are_stable_and_hold_no_secret():
    url = "https://example.com/hook?token=abcdef"
    (first, _), (second, _) = only_url_sink(url), only_url_sink(url)
    assert first == second
    assert "abcdef" not in first


def test_the_log_is_always_a_sink(caplog):
    sinks = alert_sinks([])
    assert set(sinks) == {"log"}
    with caplog.at_level(logging.INFO, logger="ordersync.alerts"):
        sinks["log"].send(delivery())
        sinks["log"].send(delivery({**ALERT, "state": "resolved"}))
        sinks["log"].send(delivery({**ALERT, "rule": "venue_unreachable"}))
    assert [r.levelno for r in caplog.records] == [logging.ERROR, logging.INFO, logging.INFO]
    assert "SIMULATED" in caplog.text


@pytest.mark.parametrize("url", ["just-words", "https://", "mailto:me@example.com"])
def test_a_bad_alert_url_is_a_setting_error(url):
    with pytest.raises(SettingsError):
        alert_sinks([url])


@pytest.mark.parametrize("url", ["ftp://example.com", "https://", "nonsense"])
def test_a_bad_webhook_url_is_a_setting_error(url):
    with pytest.raises(SettingsError):
        notification_sinks(url, None)


def test_apprise_speaks_json_to_a_loopback_server():
    with listening() as there:
        port = there.url.rpartition(":")[2]
        name, sink = only_url_sink(f"json://127.0.0.1:{port}/x")
        sink.send(delivery())
        sink.send(delivery({**ALERT, "state": "resolved"}))
    assert name.startswith("json-")
    assert [g.json["type"] for g in there.got] == ["failure", "success"]
    assert "outcome_unknown opened" in there.got[0].json["title"]


def test_apprise_that_cannot_deliver_says_so_without_the_url():
    with listening(status=500) as there:
        port = there.url.rpartition(":")[2]
        _, sink = only_url_sink(f"json://user:hunter2@127.0.0.1:{port}/x")
        with pytest.raises(DeliveryFailed) as failed:
            sink.send(delivery())
    assert "hunter2" not in failed.value.problem


def test_pagerduty_gets_the_incident_as_its_dedup_key():
    sink = AppriseSink("pagerduty://integration@key")
    assert sink._addressed(delivery()).endswith("?action=map&dedup=i-1")
    apprise = pytest.importorskip("apprise")
    sender = apprise.Apprise()
    assert sender.add(sink._addressed(delivery()))
    (plugin,) = list(sender)
    assert (plugin.dedup, str(plugin.action)) == ("i-1", "map")


def test_bodies_are_the_bytes_that_were_signed():
    body = {"b": "1.10", "a": None}
    with listening() as there:
        sink = notification_sinks(there.url, "k")["notification"]
        sink.send(delivery(body))
        sink.close()
    assert there.got[0].content == json.dumps(body, separators=(",", ":")).encode()
