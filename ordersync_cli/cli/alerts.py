"""`ordersync alerts list|test|ack`: incidents, whether the addresses work, and "I have seen it"."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ordersync_cli.cli.invocation import Invocation
from ordersync_cli.cli.options import command, read_past
from ordersync_cli.errors import SettingsError, UsageError

if TYPE_CHECKING:
    from ordersync_cli.services.ports import Incident

_COLUMNS = ("incident", "rule", "severity", "state", "count", "opened", "last seen", "order", "message")
_SHORT = 8


@command("alerts list", shape={"incidents": [], "undelivered": {"count": None, "since": None, "sinks": {}}})
def list_(
    run: Invocation,
    since: Annotated[
        datetime | None,
        typer.Option(parser=read_past, metavar="T", help="Also those resolved since then: 24h, 7d, or a time."),
    ] = None,
) -> int:
    """List open incidents, the oldest first, and what is not delivered yet."""
    now = run.clock.now()
    with run.wiring.store.read() as reading:
        found = reading.incidents.open()
        if since is not None:
            standing = {i.incident_id for i in found}
            found = [i for i in reading.incidents.between(since, now) if i.incident_id not in standing] + found
        count, waiting_since = reading.outbox.undelivered()
        waiting = reading.outbox.waiting()
    found.sort(key=lambda i: i.opened_at)
    undelivered = {"count": count, "since": waiting_since, "sinks": waiting}
    run.document({"incidents": [incident_json(i) for i in found], "undelivered": undelivered})
    if found:
        run.output.table(_COLUMNS, [_row(i) for i in found], title="Incidents")
    else:
        run.output.note("No incident is open.")
    if count and waiting_since is not None:
        by_sink = ", ".join(f"{number} for {sink}" for sink, number in waiting.items())
        run.output.note(
            f"{count} messages are not delivered yet ({by_sink}), the oldest since {waiting_since:%Y-%m-%d %H:%M:%S}Z."
        )
    return 0


@command("alerts test", shape={"sinks": []})
def test(run: Invocation) -> int:
    """Send a test alert (opened, then resolved) to every address, and tell what each answered."""
    from ordersync_cli.notify.sinks import LOG
    from ordersync_cli.services.alerts.trial import try_sinks

    sinks = {name: sink for name, sink in run.wiring.alert_sinks.items() if name != LOG}
    tried = try_sinks(sinks, run.chance.uuid(), run.clock.now(), simulated=run.settings.simulated)
    if not tried:
        raise SettingsError(
            "No alert address is set, so nothing was sent; alerts go to the log alone.",
            "Set ORDERSYNC_ALERT_URLS.",
        )
    run.document({"sinks": tried})
    run.output.table(("address", "delivered", "problem"), [(t["sink"], t["delivered"], t["problem"]) for t in tried])
    return 0 if all(t["delivered"] for t in tried) else 10


@command("alerts ack", shape={"acknowledged": [], "given_up": None})
def ack(
    run: Invocation,
    incident_ids: Annotated[
        list[str] | None, typer.Argument(metavar="[INCIDENT]...", help="Ids, or their first characters.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every open incident.")] = False,
    undelivered: Annotated[
        str | None, typer.Option("--undelivered", metavar="ADDRESS", help="Let go of what waits for an address.")
    ] = None,
) -> int:
    """Acknowledge incidents: they are not said again while their cause lasts."""
    if undelivered is not None and not every and not incident_ids:
        return _give_up(run, undelivered)
    if every == bool(incident_ids):
        raise UsageError("Name the incidents, or use --all.", "See `ordersync alerts list`.")
    with run.wiring.store.read() as reading:
        standing = reading.incidents.open()
    wanted = standing if every else [_one(standing, text) for text in incident_ids or ()]
    acknowledged = run.wiring.alerts.acknowledge([i.incident_id for i in wanted])
    run.document({"acknowledged": [incident_json(i) for i in acknowledged]})
    for incident in acknowledged:
        run.output.text(f"{incident.incident_id} {incident.rule} acknowledged")
    return 0


def _give_up(run: Invocation, sink: str) -> int:
    with run.wiring.store.write() as writing:
        count = writing.outbox.give_up(sink, run.clock.now())
    if not count:
        raise UsageError(f"Nothing waits for {sink!r}.", "See `ordersync alerts list`.")
    run.document({"given_up": count})
    run.output.text(f"{count} messages for {sink} are given up; it never got them")
    return 0


def incident_json(incident: Incident) -> dict[str, Any]:
    """Give an incident as JSON (values still typed); `state` says how it stands."""
    return {
        "incident_id": incident.incident_id,
        "rule": incident.rule,
        "severity": incident.severity,
        "state": _state(incident),
        "count": incident.count,
        "order_id": incident.order_id,
        "message": incident.message,
        "opened_at": incident.opened_at,
        "last_seen": incident.last_seen,
        "acknowledged_at": incident.acknowledged_at,
        "resolved_at": incident.resolved_at,
    }


def _state(incident: Incident) -> str:
    if incident.resolved_at is not None:
        return "resolved"
    return "acknowledged" if incident.acknowledged_at is not None else "open"


def _row(incident: Incident) -> tuple[object, ...]:
    return (
        incident.incident_id[:_SHORT],
        incident.rule,
        incident.severity,
        _state(incident),
        incident.count,
        f"{incident.opened_at:%Y-%m-%d %H:%M:%S}",
        f"{incident.last_seen:%Y-%m-%d %H:%M:%S}",
        incident.order_id,
        incident.message,
    )


def _one(standing: list[Incident], text: str) -> Incident:
    found = [i for i in standing if i.incident_id.startswith(text)]
    if len(found) != 1:
        problem = "is no open incident" if not found else f"means {len(found)} incidents"
        raise UsageError(f"{text!r} {problem}; nothing was acknowledged.", "See `ordersync alerts list`.")
    return found[0]
