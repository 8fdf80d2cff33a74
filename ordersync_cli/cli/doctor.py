"""`ordersync doctor`: is everything as it has to be, and what to do where it is not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ordersync_cli.cli.invocation import Invocation
from ordersync_cli.cli.options import command

if TYPE_CHECKING:
    from ordersync_cli.services.checkup import Check

_PATIENCE = 12.0  # seconds: a connect, a subscribe and a heartbeat a second


@command("doctor", shape={"healthy": None, "checks": []})
def doctor(
    run: Invocation,
    no_feed: Annotated[
        bool, typer.Option("--no-feed", help="Do not connect to the user channel (another program uses it).")
    ] = False,
) -> int:
    """Check settings, key, clock, store, feed, passes and deliveries; name a remedy for each fault."""
    from ordersync_cli.services.checkup import FAILED, exit_code_of

    checks: list[Check] = []
    for check in _checks(run, with_feed=not no_feed):
        checks.append(check)
        run.output.text(_line(check))
        if check.remedy and check.status != "ok":
            run.output.text(f"        {check.remedy}")
    failed = [c for c in checks if c.status == FAILED]
    code = exit_code_of(checks)
    if run.output.as_json:
        shown = {"healthy": not failed, "checks": [asdict(c) for c in checks]}
        run.output.document(shown, error=_error(code, failed))
    return code


def _error(code: int, failed: list[Check]) -> dict[str, Any] | None:
    """Give the `error` of the document: the check that decided the exit code."""
    first = next((c for c in failed if c.exit_code == code), None)
    if first is None:
        return None
    return {"code": code, "kind": "unhealthy", "message": f"{first.name}: {first.message}", "remedy": first.remedy}


def _line(check: Check) -> str:
    return f"{check.status:<8}{check.name}: {check.message}"


def _checks(run: Invocation, *, with_feed: bool) -> Iterator[Check]:
    """Carry the checks out in the order in which one needs the other."""
    from ordersync_cli.services import checkup

    yield _settings(run)
    yield from _misspelt(run)
    key = checkup.attempt("key", lambda: _key(run))
    yield key
    store = checkup.attempt(
        "store", lambda: checkup.store_is_writable(run.wiring.store, run.clock.now(), run.settings.venue)
    )
    yield store
    if checkup.FAILED not in {key.status, store.status}:
        yield from _venue(run, with_feed=with_feed)
    if store.status != checkup.FAILED:
        yield from _deeds(run)


def _misspelt(run: Invocation) -> Iterator[Check]:
    """Name the variables that nothing reads: what somebody meant by them is not in force."""
    from ordersync_cli.services.checkup import WARNING, Check

    for name in run.unknown_variables:
        remedy = "correct its name, or unset it; `ordersync config init` writes a file that names them all"
        yield Check(name="environment", status=WARNING, message=f"no setting reads {name}", remedy=remedy)


def _settings(run: Invocation) -> Check:
    from ordersync_cli.services.checkup import OK, WARNING, Check

    settings = run.settings
    file = settings.config_file if settings.config_file.exists() else "no file"
    message = f"venue {settings.venue}, store {settings.shown_database}, {file}"
    if settings.venue_is_explicit:
        return Check(name="settings", status=OK, message=message)
    remedy = "set ORDERSYNC_VENUE: a cron job without it exits 3 rather than be green on a toy"
    return Check(name="settings", status=WARNING, message=f"{message}; nobody named the venue", remedy=remedy)


def _key(run: Invocation) -> Check:
    from ordersync_cli.services.checkup import OK, Check
    from ordersync_cli.venue import key_source

    settings = run.settings
    settings.require_credentials()
    if settings.is_embedded:
        return Check(name="key", status=OK, message="the embedded simulator makes its own")
    source = key_source(
        key_file=settings.key_file, key_name=settings.api_key or "", key_secret=settings.api_secret or ""
    )
    source.load()
    if settings.key_file is not None:
        message = f"{settings.key_file} is readable, and by nobody else"
    else:
        message = "from COINBASE_API_KEY and COINBASE_API_SECRET"
    return Check(name="key", status=OK, message=message)


def _venue(run: Invocation, *, with_feed: bool) -> Iterator[Check]:
    from ordersync_cli.services import checkup

    limits = run.wiring.book.limits
    clock = checkup.attempt("clock", lambda: checkup.clock_is_near(run.wiring.unclaimed_venue(), limits))
    yield clock
    if clock.status == checkup.FAILED and clock.exit_code != 10:
        return
    yield checkup.attempt("key permissions", lambda: checkup.key_may(run.wiring.unclaimed_venue()))
    yield checkup.attempt("claim", lambda: _claim(run))
    if with_feed:
        yield checkup.attempt("feed", lambda: _feed(run))


def _claim(run: Invocation) -> Check:
    from ordersync_cli.services.checkup import OK, Check

    return Check(name="claim", status=OK, message=f"the store belongs to this venue ({run.wiring.venue.name}) and key")


def _feed(run: Invocation) -> Check:
    from ordersync_cli.services.checkup import feed_connects, feed_of_watcher
    from ordersync_cli.services.watch.inbox import BoundedInbox

    with run.wiring.store.read() as reading:
        watchers = reading.watchers.list()
    inbox = BoundedInbox()
    try:
        return feed_of_watcher(watchers, run.clock.now()) or feed_connects(
            run.wiring.feed(), inbox, run.clock, _PATIENCE
        )
    finally:
        inbox.close()


def _deeds(run: Invocation) -> Iterator[Check]:
    from ordersync_cli.services import checkup
    from ordersync_cli.services.alerts.deliver import NOTIFICATION

    settings, limits, now = run.settings, run.wiring.book.limits, run.clock.now()
    intervals = {"light": settings.light_every.total_seconds(), "deep": settings.deep_every.total_seconds()}

    sinks = {*run.wiring.alert_sinks, *({NOTIFICATION} if settings.webhook_url else set())}
    with run.wiring.store.read() as reading:
        yield checkup.passes_are_recent(reading, now, intervals, limits)
        yield checkup.outbox_is_empty(reading, now, limits, sinks)
