"""`ordersync watch`: follow every pending trade, live on a terminal or as JSON lines."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer

from ordersync_cli.cli.aftercare import alert_and_deliver
from ordersync_cli.cli.invocation import Invocation
from ordersync_cli.cli.options import command, read_duration
from ordersync_cli.cli.terminal import is_terminal
from ordersync_cli.errors import CredentialsRefused, OrdersyncError, UnknownOrder
from ordersync_cli.services.ports.messages import StopAsked

if TYPE_CHECKING:
    from ordersync_cli.cli.lines import LinesThread
    from ordersync_cli.services.ports import Store
    from ordersync_cli.services.ports.messages import Message
    from ordersync_cli.services.watch.inbox import BoundedInbox
    from ordersync_cli.services.watch.watch_state import Audience, WatchPlan

# Seconds for which a thread that draws or compares may keep the loop from the interpreter. A commit
# needs it some fifteen times, and at Python's 5 ms each time a frame beside a busy thread took 38 ms
# on average; at this it took 3 ms.
SWITCH_EVERY = 0.0005
_DURATION = "DURATION"
_COLUMNS = ("trade_id", "product_id", "side", "order_type", "size", "filled_size", "order_status", "order_id")
_SPARE = ("order_type", "size", "filled_size", "side")  # what a narrow terminal goes without


class Onlooker(Protocol):
    """Lines or a dashboard, as a thread of its own."""

    def start(self) -> None:
        """Begin."""
        ...

    def finish(self) -> None:
        """End."""
        ...


@command("watch", shape={"type": "error", "at": None})
def watch(
    run: Invocation,
    *,
    order_ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ORDER_ID]...", help="Show (and wait for) only these orders.")
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="One look by REST, a snapshot, and exit.")] = False,
    run_for: Annotated[
        timedelta | None,
        typer.Option("--for", metavar=_DURATION, parser=read_duration, help="Stop after this long."),
    ] = None,
    until_idle: Annotated[
        bool, typer.Option("--until-idle", help="Exit 0 when nothing is pending; 13 when --for ends first.")
    ] = False,
    light_every: Annotated[
        timedelta | None,
        typer.Option("--light-every", metavar=_DURATION, parser=read_duration, help="Light pass; 0 = not from here."),
    ] = None,
    deep_every: Annotated[
        timedelta | None,
        typer.Option("--deep-every", metavar=_DURATION, parser=read_duration, help="Deep pass; 0 = not from here."),
    ] = None,
    no_feed: Annotated[
        bool, typer.Option("--no-feed", help="Ask by REST only: another program uses the user channel.")
    ] = False,
) -> int:
    """Follow every pending trade and keep the store true, until Ctrl-C.

    On a terminal a live dashboard, else (or with --json) one JSON object a line.
    """
    from ordersync_cli.services.watch.watch_state import WatchPlan

    if not once:
        run.require_named_venue("watch")
    settings, wiring = run.settings, run.wiring
    only = _wanted(wiring.store, order_ids or [])
    plan = WatchPlan(
        feed_wanted=not no_feed,
        only=only,
        until_idle=until_idle,
        run_for=None if run_for is None else run_for.total_seconds(),
        light_every=(settings.light_every if light_every is None else light_every).total_seconds(),
        deep_every=(settings.deep_every if deep_every is None else deep_every).total_seconds(),
        stale_market=settings.stale_market.total_seconds(),
        stale_resting=settings.stale_resting.total_seconds(),
    )
    try:
        _ = wiring.venue  # claims the store for this venue; everything below has connections of its own
        return _once(run, only) if once else _follow(run, plan)
    except CredentialsRefused as refused:  # nobody may run after this one: the alert of it goes out now
        with suppress(OrdersyncError):
            alert_and_deliver(wiring, reachable=None, failure=refused)
        raise


def _follow(run: Invocation, plan: WatchPlan) -> int:
    from ordersync_cli.cli.watch_parts import make_tracker
    from ordersync_cli.services.watch.inbox import BoundedInbox
    from ordersync_cli.services.watch.touching import StoreWatch

    wiring = run.wiring
    inbox = BoundedInbox()
    sys.setswitchinterval(SWITCH_EVERY)
    with _signals(inbox):
        run.go_on()  # one that arrived before: from here on none can be lost
        audience, onlooker = _audience(run, plan, inbox)
        tracker = make_tracker(wiring, plan, audience, inbox)
        touching = StoreWatch(wiring.store, wiring.clock)
        touching.start(inbox)
        onlooker.start()
        try:
            return tracker.run()
        finally:
            inbox.close()
            touching.stop()
            onlooker.finish()


def _audience(run: Invocation, plan: WatchPlan, inbox: BoundedInbox) -> tuple[Audience, Onlooker]:
    """Choose who looks on: a dashboard on a terminal that can show one, else JSON lines."""
    wiring = run.wiring
    if has_screen(run):
        from ordersync_cli.cli.dashboard import Dashboard

        dashboard = Dashboard(
            run.output.console(),
            wiring.clock,
            venue=run.settings.venue,
            simulated=run.output.simulated,
            requests_per_second=float(run.settings.requests_per_second),
            tell=inbox.put,
        )
        return dashboard, dashboard
    lines = _lines(run, plan.only, inbox.put)
    return lines, lines


def has_screen(run: Invocation) -> bool:
    """Tell whether a dashboard can be shown: a terminal that knows more than lines, and no --json."""
    return not run.output.as_json and is_terminal(sys.stdout) and os.environ.get("TERM", "dumb") != "dumb"


def _lines(run: Invocation, only: frozenset[int] | None, tell: Callable[[Message], None]) -> LinesThread:
    from ordersync_cli.cli.lines import FileLines, LinesThread

    return LinesThread(
        run.wiring.store,
        run.wiring.clock,
        FileLines(_lines_to()),
        output=run.output,
        only=only,
        tell=tell,
    )


def _lines_to() -> int:
    """Tell where lines go; without any stdout (`>&-`) to nobody, and the orders are followed all the same."""
    return os.open(os.devnull, os.O_WRONLY) if sys.stdout is None else sys.stdout.fileno()


def _once(run: Invocation, only: frozenset[int] | None) -> int:
    """Look once by REST and print what is pending then."""
    from ordersync_cli.services.watch.look_once import look_once

    wiring = run.wiring
    run.go_on()
    look_once(wiring.store, wiring.venue, wiring.recorder, wiring.clock, only)
    snapshot = _lines(run, only, lambda _: None).snapshot()
    if run.output.as_json or not is_terminal(sys.stdout):
        run.output.line(snapshot)
    else:
        pending = snapshot["pending"]
        run.output.table(
            _COLUMNS, [[trade[name] for name in _COLUMNS] for trade in pending], title="Pending", spare=_SPARE
        )
        run.output.note(f"{len(pending)} pending after one look.")
    return 0


def _wanted(store: Store, names: list[str]) -> frozenset[int] | None:
    """Find the trades that are meant by venue ids, client order ids or trade ids; exit 11 for an unknown one."""
    if not names:
        return None
    from ordersync_cli.services.find import trade_id_of

    found: set[int] = set()
    with store.read() as transaction:
        for name in names:
            trade_id = trade_id_of(transaction, name)
            if trade_id is None:
                raise UnknownOrder(
                    f"The store does not know the order {name}.",
                    f"`ordersync sync {name} --adopt` takes it in when the venue has it.",
                )
            found.add(trade_id)
    return frozenset(found)


@contextmanager
def _signals(inbox: BoundedInbox) -> Iterator[None]:
    """Turn the first Ctrl-C or SIGTERM into a clean stop; a second one stops at once."""
    before: dict[int, Any] = {}

    def stop(number: int, _frame: object) -> None:
        inbox.put(StopAsked(exit_code=128 + number))
        signal.signal(number, before[number])

    for number in (int(signal.SIGINT), int(signal.SIGTERM)):
        before[number] = signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
