"""The checks behind `doctor`: each says what it found, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from ordersync_cli.clock import Clock
from ordersync_cli.errors import OrdersyncError
from ordersync_cli.services.alerts.alert import run_facts
from ordersync_cli.services.alerts.rules import overdue_by
from ordersync_cli.services.alerts.situation import AlertLimits
from ordersync_cli.services.ports import Feed, Lane, Store, Transaction, Venue, Watcher
from ordersync_cli.services.ports.messages import FeedChanged, FeedState, HeartbeatSeen, Inbox
from ordersync_cli.services.watch.feed_health import ANOTHER_USER

OK, WARNING, FAILED = "ok", "warning", "failed"
_WATCHER_ALIVE = 10.0  # seconds since its last beat
_BREAKS_REMAIN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One finding; ``exit_code`` is that of a failed check's class, else 0."""

    name: str
    status: str
    message: str
    remedy: str = ""
    exit_code: int = 0


def attempt(name: str, look: Callable[[], Check]) -> Check:
    """Carry a check out; what cannot be done is its finding."""
    try:
        return look()
    except OrdersyncError as problem:
        return Check(
            name=name, status=FAILED, message=problem.message, remedy=problem.remedy, exit_code=problem.exit_code
        )


def exit_code_of(checks: Sequence[Check]) -> int:
    """Tell the exit code of the gravest failed check (3 before 4, 6, 9 and 10), 0 when none failed."""
    return min((c.exit_code for c in checks if c.status == FAILED), default=0)


def store_is_writable(store: Store, at: datetime, venue_name: str) -> Check:
    """Commit a note: what cannot be written raises StoreError; and see whose the store is."""
    with store.write() as writing:
        writing.notes.set("doctor_at", at.isoformat())
    with store.read() as reading:
        venue = reading.notes.get("venue")
        frozen = reading.notes.get("frozen")
    if venue not in {None, venue_name}:
        message = f"the store belongs to the venue {venue}, and {venue_name} is asked for"
        remedy = "give another --database: simulated and real orders must never meet"
        return Check(name="store", status=FAILED, message=message, remedy=remedy, exit_code=3)
    if frozen:
        message = "the store can be written; placing on it is frozen"
        return Check(name="store", status=WARNING, message=message, remedy="ordersync unfreeze, once you looked")
    whose = f"it belongs to the venue {venue}" if venue else "nobody has used it yet"
    return Check(name="store", status=OK, message=f"the store can be written; {whose}")


def clock_is_near(venue: Venue, limits: AlertLimits) -> Check:
    """Measure the clock against the venue's; requests are signed on the venue's clock either way."""
    offset = venue.offset()
    off = abs(offset.seconds) - offset.error
    message = f"this machine's clock is {offset.seconds:+.3f} s from the venue's (±{offset.error:.3f} s)"
    if off <= limits.clock_skew:
        return Check(name="clock", status=OK, message=message)
    remedy = "let NTP set this machine's clock (timedatectl set-ntp true)"
    return Check(name="clock", status=FAILED, message=message, remedy=remedy, exit_code=_BREAKS_REMAIN)


def key_may(venue: Venue) -> Check:
    """Ask the venue what the key may do."""
    may = venue.key_permissions(Lane.SYNC)
    words = [word for word, allowed in (("view", may.can_view), ("trade", may.can_trade)) if allowed]
    said = f"the key may {' and '.join(words) or 'do nothing'}"
    if not may.can_view:
        remedy = "give the key the permission to view"
        return Check(name="key permissions", status=FAILED, message=said, remedy=remedy, exit_code=4)
    if not may.can_trade:
        remedy = "fine for watch and reconcile; place and cancel need the permission to trade"
        return Check(name="key permissions", status=WARNING, message=said, remedy=remedy)
    if may.can_transfer:
        message = f"{said}, and transfer money, which ordersync never does"
        remedy = "take a key without the permission to transfer"
        return Check(name="key permissions", status=WARNING, message=message, remedy=remedy)
    return Check(name="key permissions", status=OK, message=said)


def feed_of_watcher(watchers: Sequence[Watcher], at: datetime) -> Check | None:
    """Tell how the feed of a running watcher is; None when nobody watches.

    A second connection would throw that watcher's out (the venue expects one for each user).
    """
    alive = [w for w in watchers if (at - w.beat_at).total_seconds() < _WATCHER_ALIVE]
    driving = [w for w in alive if w.role == "driving"]
    for watcher in driving:
        where = f"the watcher {watcher.host}:{watcher.pid}"
        if ANOTHER_USER in watcher.feed_reason:
            return Check(
                name="feed",
                status=FAILED,
                message=f"{where} is thrown off the user channel again and again: {ANOTHER_USER} with this key",
                remedy="run only one watcher for each key, or use --no-feed in all but one",
                exit_code=_BREAKS_REMAIN,
            )
        if watcher.feed_state == FeedState.LIVE:
            return Check(
                name="feed", status=OK, message=f"{where} has a live feed since {watcher.feed_since:%H:%M:%S}Z"
            )
        if watcher.feed_state == FeedState.POLLING:
            return Check(name="feed", status=OK, message=f"{where} polls, without the feed")
        message = f"the feed of {where} is {watcher.feed_state}: {watcher.feed_reason}"
        return Check(name="feed", status=FAILED, message=message, remedy="see the watcher's log", exit_code=6)
    return None


def feed_connects(feed: Feed, inbox: Inbox, clock: Clock, patience: float) -> Check:
    """Really connect, and wait for a heartbeat."""
    until = clock.monotonic() + patience
    why = "no answer"
    feed.start(inbox)
    try:
        while (left := until - clock.monotonic()) > 0:
            for message in inbox.receive(min(left, 0.5)):
                if isinstance(message, HeartbeatSeen):
                    return Check(name="feed", status=OK, message="the user channel connects, and heartbeats arrive")
                if isinstance(message, FeedChanged) and message.reason:
                    why = message.reason
                if isinstance(message, FeedChanged) and message.fatal:
                    remedy = "see that the key is valid for this account"
                    return Check(name="feed", status=FAILED, message=why, remedy=remedy, exit_code=4)
    finally:
        feed.stop()
    return Check(
        name="feed",
        status=FAILED,
        message=f"no heartbeat within {patience:.0f} s ({why})",
        remedy="see that the WebSocket address can be reached from here; --no-feed works without it",
        exit_code=6,
    )


def passes_are_recent(reading: Transaction, at: datetime, intervals: Mapping[str, float], limits: AlertLimits) -> Check:
    """Tell whether the last good light and deep pass are as young as they have to be."""
    modes = [mode for mode, every in intervals.items() if every > 0]
    facts = run_facts(reading, modes)
    late = {m: overdue_by(m, intervals[m], at, facts, limits) for m in modes}
    overdue = [f"the last good {m} pass is {seconds:.0f} s old" for m, seconds in late.items() if seconds is not None]
    if overdue:
        remedy = "see that `ordersync watch` or the cron job of `ordersync reconcile` runs"
        message = "; ".join(overdue)
        return Check(name="passes", status=FAILED, message=message, remedy=remedy, exit_code=_BREAKS_REMAIN)
    never = [m for m in modes if facts.last_good_runs[m] is None]
    if never:
        message = f"no {' and no '.join(never)} pass has run on this store yet"
        return Check(
            name="passes",
            status=WARNING,
            message=message,
            remedy="run `ordersync watch`, or put `ordersync reconcile` into cron",
        )
    return Check(name="passes", status=OK, message=f"the last good {' and '.join(modes)} passes are recent")


def outbox_is_empty(reading: Transaction, at: datetime, limits: AlertLimits, sinks: Collection[str]) -> Check:
    """Tell whether alerts and notifications are delivered; ``sinks`` are those that are set here."""
    count, since = reading.outbox.undelivered()
    waits = (at - since).total_seconds() if since is not None else 0.0
    if not count:
        return Check(name="outbox", status=OK, message="everything is delivered")
    message = f"{count} alerts and notifications are undelivered, the oldest for {waits:.0f} s"
    if waits <= limits.outbox_undelivered:
        return Check(name="outbox", status=OK, message=message)
    remedy = "run `ordersync alerts test`; watch and reconcile deliver, to the addresses that they are given"
    gone = sorted(reading.outbox.waiting().keys() - set(sinks))
    if gone:
        message += f"; no address is set here for {', '.join(gone)}"
        remedy = f"set it again, or let go of what waits for it: ordersync alerts ack --undelivered {gone[0]}"
    return Check(name="outbox", status=FAILED, message=message, remedy=remedy, exit_code=_BREAKS_REMAIN)
