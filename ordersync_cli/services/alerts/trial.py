"""Sends a test alert straight to each sink, past the outbox, so that the answer can be shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from ordersync_cli.services.alerts.deliver import DeliveryFailed, Sink
from ordersync_cli.services.alerts.incidents import AlertSaid, alert_body
from ordersync_cli.services.ports import Delivery


def try_sinks(sinks: Mapping[str, Sink], incident_id: str, at: datetime, *, simulated: bool) -> list[dict[str, Any]]:
    """Send `opened` and `resolved` to each sink; tells for each whether it took both."""
    said = AlertSaid(
        incident_id=incident_id,
        rule="test",
        severity="info",
        state="opened",
        count=1,
        order_id=None,
        message="This is a test of ordersync's alerts; nothing is wrong.",
        at=at,
    )
    return [_try(name, sink, said, simulated=simulated) for name, sink in sinks.items()]


def _try(name: str, sink: Sink, said: AlertSaid, *, simulated: bool) -> dict[str, Any]:
    try:
        for word in (said, replace(said, state="resolved")):
            sink.send(_delivery(name, word, simulated=simulated))
    except DeliveryFailed as failure:
        return {"sink": name, "delivered": False, "problem": failure.problem}
    finally:
        sink.close()
    return {"sink": name, "delivered": True, "problem": None}


def _delivery(name: str, said: AlertSaid, *, simulated: bool) -> Delivery:
    return Delivery(
        delivery_id=0,
        event_id=f"{said.incident_id}:{said.state}",
        sink=name,
        key=said.incident_id,
        body=alert_body(said, simulated=simulated),
        created_at=said.at,
        attempts=0,
        due_at=said.at,
    )
