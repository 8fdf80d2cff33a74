"""One machine and its processes: clocks, the store's connections, and the services wired as the program wires them."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from ordersync_cli.cli.watch_parts import make_tracker
from ordersync_cli.config import Settings, load_settings
from ordersync_cli.services.alerts.alert import Alerts, IncidentBook
from ordersync_cli.services.alerts.announce import Announcer
from ordersync_cli.services.alerts.deliver import Deliverer, DeliveryFailed
from ordersync_cli.services.cancel import Cancelling
from ordersync_cli.services.place import Placing
from ordersync_cli.services.ports import Delivery
from ordersync_cli.services.reconcile.running import Passes
from ordersync_cli.services.record import Recorder
from ordersync_cli.services.sync import Syncing
from ordersync_cli.services.watch.board import Board
from ordersync_cli.services.watch.inbox import BoundedInbox
from ordersync_cli.services.watch.touching import StoreWatch
from ordersync_cli.services.watch.watch_state import WatchPlan
from ordersync_cli.store.trade_store import TradeStore
from ordersync_cli.venue import open_venue
from ordersync_cli.venue.feed_session import FeedTimings
from ordersync_cli.venue.rest import RestVenue
from tests.simulation.channel import SimulatedFeed
from tests.simulation.exchange import START, SameKey
from tests.simulation.kernel import Kernel, Killed, Process
from tests.support.ready_store import ready_store
from tests.support.virtual_clock import SeededChance

REST_URL = "http://127.0.0.1:9"
WS_URL = "ws://127.0.0.1:9"


@cache
def _settings() -> Settings:
    """Load the defaults; where the venue is and who signs is given apart."""
    return load_settings({}, {"HOME": str(Path(tempfile.gettempdir()) / "nobody-lives-here")})


class HostClock:
    """This machine's clocks; the wall clock may be wrong and may jump, the monotonic one never does."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self.offset = 0.0

    def now(self) -> datetime:
        return START + timedelta(seconds=round(self._kernel.now + self.offset, 6))

    def monotonic(self) -> float:
        return 5_000.0 + self._kernel.now

    def sleep(self, seconds: float) -> None:
        self._kernel.pause(seconds)


class Sink:
    """Where deliveries go; fails at random, and remembers what it took."""

    def __init__(self, kernel: Kernel, draws: random.Random) -> None:
        self._kernel = kernel
        self._draws = draws
        self.failing = 0.0
        self.taken: list[tuple[str, str, str]] = []  # sink, key, event id

    def send(self, delivery: Delivery) -> None:
        self._kernel.pause(self._draws.uniform(0.001, 0.05))
        draw = self._draws.random()
        if draw < self.failing / 2:
            raise DeliveryFailed("refused", sink_down=draw < self.failing / 4)
        self.taken.append((delivery.sink, delivery.key, delivery.event_id))
        if draw < self.failing:  # it took the message, and its answer was lost
            raise DeliveryFailed("no answer", sink_down=False)

    def close(self) -> None:
        return


class Onlooker:
    """The audience of a watcher: keeps counts only."""

    wants_board = False

    def __init__(self) -> None:
        self.lines = 0

    def committed(self) -> None:
        self.lines += 1

    def say(self, document: Mapping[str, Any]) -> None:
        self.lines += 1

    def show(self, board: Board) -> None:
        self.lines += 1


class Host:
    """One machine with one store file; every process of it opens the file for itself."""

    def __init__(self, kernel: Kernel, path: Path, sink: Sink, draws: random.Random) -> None:
        self.kernel = kernel
        self.path = path
        self.sink = sink
        self.draws = draws
        self.clock = HostClock(kernel)
        self.commits = 0
        self.on_commit: Callable[[Program, str], None] = lambda program, when: None
        self._waiting: dict[str, Callable[[], None]] = {}

    def program(self, name: str) -> Program:
        """Start a process: the program with its store open."""
        return Program(self, self.kernel.process(name))

    def committed(self, program: Program) -> None:
        """Wake whoever waits for another process to write."""
        for name, wake in list(self._waiting.items()):
            if name != program.process.name:
                wake()

    def await_change(self, program: Program, timeout: float) -> bool:
        """Wait until another process commits; some 25 ms late, as the real store is."""
        actor = self.kernel.me()
        name = program.process.name
        self._waiting[name] = lambda: self.kernel.wake(actor)
        try:
            woken = self.kernel.park(timeout)
        finally:
            self._waiting.pop(name, None)
        if woken:
            self.kernel.pause(0.02)
        return woken


class Program:
    """One process of ours: what `Wiring` gives a command, over simulated edges."""

    def __init__(self, host: Host, process: Process) -> None:
        self.host = host
        self.process = process
        self.kernel = host.kernel
        self.clock = host.clock
        self.chance = SeededChance(host.draws.getrandbits(48))
        self.settings = _settings()
        self.store = self._opened()
        self.book = IncidentBook(chance=self.chance, sinks=("alerts",))
        self.recorder = Recorder(
            store=self.store, clock=self.clock, announce=Announcer(clock=self.clock, book=self.book, notify=True)
        )
        self.alerts = Alerts(self.store, self.clock, self.book)
        self.venue: RestVenue = open_venue(
            rest_url=REST_URL, source=SameKey(), budget=self.store.budget, clock=self.clock, chance=self.chance
        )
        self.tracker: Any = None
        self.inbox: BoundedInbox | None = None

    # ------------------------------------------------------------------ the store, with its commits in our hand

    def _opened(self) -> TradeStore:
        store = ready_store(self.host.path, self.clock, self.chance)
        database: Any = store._database
        execute = database._execute

        def watched(connection: Any, text: str) -> None:
            if text not in ("COMMIT", "BEGIN IMMEDIATE", "BEGIN"):
                execute(connection, text)
                return
            self.process.check()
            if text != "COMMIT" or not self._writes(connection):
                execute(connection, text)
                return
            self.host.commits += 1
            self.host.on_commit(self, "before")
            execute(connection, text)
            self.host.committed(self)
            self.host.on_commit(self, "after")

        database._execute = watched
        database.wait_for_change = lambda timeout: self.host.await_change(self, timeout)
        self.process.on_death.append(store.close)
        return store

    def _writes(self, connection: Any) -> bool:
        return connection is self.store._database._writer if hasattr(self, "store") else True

    @property
    def in_transaction(self) -> bool:
        """Tell whether this process holds the store's write lock."""
        return bool(self.store._database._inside)  # type: ignore[attr-defined]

    # ------------------------------------------------------------------ what make_tracker asks of a Wiring

    def unclaimed_venue(self) -> RestVenue:
        return self.venue

    def feed(self) -> SimulatedFeed:
        return SimulatedFeed(
            url=WS_URL,
            signer=self.venue.signer,
            clock=self.clock,
            chance=self.chance,
            timings=FeedTimings(),
            prepare=self.venue.offset,
        )

    def deliverer(self) -> Deliverer:
        sinks = {"notification": self.host.sink, "alerts": self.host.sink}
        return Deliverer(self.store, self.clock, self.chance, sinks, self.process.name)

    # ------------------------------------------------------------------ commands

    def placing(self) -> Placing:
        return Placing(store=self.store, venue=self.venue, recorder=self.recorder, clock=self.clock, chance=self.chance)

    def passes(self) -> Passes:
        return Passes(
            store=self.store,
            venue=self.venue,
            recorder=self.recorder,
            clock=self.clock,
            chance=self.chance,
            beating=True,
            host="here",
            pid=len(self.kernel.processes),
        )

    def syncing(self) -> Syncing:
        return Syncing(store=self.store, venue=self.venue, recorder=self.recorder, clock=self.clock, chance=self.chance)

    def cancelling(self) -> Cancelling:
        return Cancelling(store=self.store, venue=self.venue, recorder=self.recorder, clock=self.clock)

    def watch(self, plan: WatchPlan) -> int:
        """Watch until stopped, as the command does."""
        self.inbox = BoundedInbox()
        self.tracker = make_tracker(self, plan, Onlooker(), self.inbox)  # type: ignore[arg-type]
        touching = StoreWatch(self.store, self.clock)
        touching.start(self.inbox)
        try:
            return int(self.tracker.run())
        finally:
            self.inbox.close()
            if self.process.alive:
                touching.stop()

    def run(self, name: str, command: Callable[[], Any]) -> None:
        """Run one command as this process, and end it."""

        def work() -> Any:
            try:
                return command()
            finally:
                if self.process.alive:
                    self.quit()

        self.kernel.spawn(self.process, name, work)

    def quit(self) -> None:
        """Exit as a program does that has done its work: what is left of its threads goes with it."""
        self.process.alive = False
        self.kernel.say("exited", self.process.name)
        self.kernel.after(0.0, self.process.reap)


__all__ = ["Host", "Killed", "Onlooker", "Program", "Sink"]
