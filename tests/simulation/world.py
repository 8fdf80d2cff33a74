"""One world: the exchange, the network, one machine, and the story of a seed played on it to its end."""

from __future__ import annotations

import hashlib
import random
import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ordersync_cli.errors import CredentialsRefused, OrdersyncError, StoreError
from ordersync_cli.services.ports.messages import StopAsked
from ordersync_cli.services.watch.watch_state import WatchPlan
from ordersync_cli.simulator.desk import Behaviour
from ordersync_cli.simulator.requests import Call
from ordersync_cli.venue import transport
from tests.simulation.auditor import Auditor, Broken
from tests.simulation.channel import Air, Channel, SimulatedFeed
from tests.simulation.exchange import Exchange
from tests.simulation.host import Host, Program, Sink
from tests.simulation.kernel import Actor, Kernel, Killed, Process
from tests.simulation.network import Client, Network, ordered
from tests.simulation.threads import virtual_threads

BURST, RATE = 10.0, 2.5
TWO_CONNECTIONS = 4.0  # seconds that a replaced driver may take to notice
SHM = Path("/dev/shm")


class World:
    """Everything, and the invariants that are checked after each step."""

    def __init__(self, folder: Path, seed: int, behaviour: dict[str, Any] | None = None) -> None:
        self.seed = seed
        self.draws = random.Random(seed)
        self.kernel = Kernel()
        self.exchange = Exchange(self.kernel, seed, Behaviour(**(behaviour or {})))
        self.network = Network(self.kernel, self.exchange, self._stream("network"))
        self.channel = Channel(self.kernel, self.exchange, self.network, self._stream("channel"))
        self.sink = Sink(self.kernel, self._stream("sink"))
        self.host = Host(self.kernel, folder / "store.db", self.sink, self._stream("host"))
        self.programs: dict[str, Program] = {}
        self.by_process: dict[Process, Program] = {}
        self.fuses: dict[Process, int] = {}
        self.broken: list[str] = []
        self.jumps = 0
        self.trace: deque[str] = deque(maxlen=120)
        self.digest = hashlib.sha256()
        self._counted, self._level, self._level_at = 0, BURST, 0.0
        self._two_since: float | None = None
        self.kernel.on_say = self._say
        self.kernel.after_step = self._check
        self.kernel.on_wait = self._waits
        self.network.on_request.append(self._request)
        self.boundary: Callable[[Program, str], None] = lambda program, where: None
        first = self._claimed()
        self.auditor = Auditor(self.kernel, self.host.path, self.exchange)
        self.programs.pop(first.process.name)
        self.host.on_commit = self._commit

    def _stream(self, name: str) -> random.Random:
        return random.Random(f"{self.seed}:{name}")

    def _claimed(self) -> Program:
        """Bind the store to the venue, as the first command of all does."""
        program = self.program("first")
        program.store.claim("coinbase", self.exchange.state.portfolio_id)
        program.store.close()
        program.process.on_death.clear()
        program.process.alive = False
        return program

    # ------------------------------------------------------------------ processes

    def program(self, name: str) -> Program:
        """Start a process."""
        unique = name if name not in self.programs else f"{name}.{len(self.kernel.processes)}"
        program = self.host.program(unique)
        self.programs[unique] = program
        self.by_process[program.process] = program
        return program

    def start(self, name: str, command: Callable[[Program], Any]) -> Program:
        """Start a process that runs one command and ends."""
        program = self.program(name)
        self.kernel.say("started", program.process.name)
        program.run("main", lambda: command(program))
        return program

    def watch(self, name: str, plan: WatchPlan) -> Program:
        """Start a watcher."""
        return self.start(name, lambda program: program.watch(plan))

    def stop(self, program: Program, code: int = 130) -> None:
        """Press Ctrl-C."""
        if program.process.alive and program.inbox is not None:
            program.inbox.put(StopAsked(exit_code=code))

    # ------------------------------------------------------------------ what is checked all the time

    def _say(self, at: float, what: tuple[Any, ...]) -> None:
        line = f"{at:9.3f} " + " ".join(str(part) for part in what)
        self.trace.append(line)
        self.digest.update(line.encode())

    def _commit(self, program: Program, when: str) -> None:
        if when == "after":
            try:
                self.auditor.commit()
            except Broken as problem:
                self.broken.append(str(problem))
        self._burn(program, f"commit {when}")

    def _request(self, process: Process, when: str, call: Call) -> None:
        if when == "leaves" and (named := ordered(call)):
            known = self.auditor.rows("SELECT 1 FROM trades WHERE client_order_id = ?", named)
            if not known:
                self.broken.append(f"the order {named} leaves before its row is committed")
        self._burn(self.by_process[process], f"request {when}")

    def _burn(self, program: Program, where: str) -> None:
        """Come to a boundary of a process: it dies here if its fuse is burnt."""
        self.boundary(program, where)
        left = self.fuses.get(program.process)
        if left is None:
            return
        self.fuses[program.process] = left - 1
        if left <= 1:
            self.kernel.say("fuse", program.process.name, where)
            program.process.kill()
            raise Killed(program.process.name)

    def _waits(self, actor: Actor) -> None:
        program = self.by_process.get(actor.process)
        if program is not None and program.process.alive and program.in_transaction:
            self.broken.append(f"{actor.process.name}/{actor.name} waits inside a writing transaction")

    def _check(self) -> None:
        self._budget()
        self._connections()
        if self.broken:
            raise Broken(self.broken[0])

    def _budget(self) -> None:
        log = self.network.log
        while self._counted < len(log):
            request = log[self._counted]
            self._counted += 1
            if not request.charged:
                continue
            self._level = min(BURST, self._level + (request.at - self._level_at) * RATE) - 1.0
            self._level_at = request.at
            if self._level < -1.0 - BURST * self.jumps:
                self.broken.append(f"the request budget was exceeded at {request.at:.3f} s")

    def _connections(self) -> None:
        if len(self.channel.subscribers) < 2:
            self._two_since = None
            return
        now = self.kernel.now
        awake = [p for p in self.channel.owners if p.frozen_until + TWO_CONNECTIONS < now]
        if len(awake) < 2:
            self._two_since = None
        elif self._two_since is None:
            self._two_since = now
        elif now - self._two_since > TWO_CONNECTIONS:
            self.broken.append(f"two connections to the user channel: {[p.name for p in awake]}")

    def judge_exits(self) -> None:
        """See how every process that ended by itself ended."""
        for program in self.programs.values():
            for actor in program.process.actors:
                failure = actor.failure
                if failure is None:
                    continue
                expected = isinstance(failure, OrdersyncError) and not isinstance(
                    failure, StoreError | CredentialsRefused
                )
                if not expected:
                    raise Broken(
                        f"{program.process.name}/{actor.name}: {type(failure).__name__}: {failure}"
                    ) from failure

    # ------------------------------------------------------------------ the weather

    def heal(self) -> None:
        """End every fault that the world makes."""
        self.network.weather.before = self.network.weather.after = self.network.weather.looks = 0.0
        self.network.weather.posts = 0.0
        self.network.weather.outages = []
        self.channel.weather.air = Air()
        self.sink.failing = 0.0
        self.fuses.clear()

    def jump(self, seconds: float) -> None:
        """Set this machine's wall clock."""
        self.kernel.say("jump", seconds)
        self.jumps += 1
        self.host.clock.offset += seconds

    def run(self, seconds: float, stop: Callable[[], bool] = lambda: False) -> None:
        """Let time pass."""
        self.kernel.run(self.kernel.now + seconds, stop)

    def close(self) -> None:
        self.kernel.close()
        self.auditor.close()
        self.exchange.state.close()


@contextmanager
def world(seed: int, behaviour: dict[str, Any] | None = None) -> Iterator[World]:
    """Make a world in a directory of its own, in memory where there is such a place."""
    folder = Path(tempfile.mkdtemp(prefix="ordersync-sim-", dir=SHM if SHM.is_dir() else None))
    client = transport._Client
    made: World | None = None
    kernel_draws = random.Random(seed)
    try:
        made = World(folder, seed, behaviour)
        Client.network = made.network
        SimulatedFeed.channel = made.channel
        transport._Client = Client  # type: ignore[misc]
        with virtual_threads(made.kernel, kernel_draws):
            try:
                yield made
            finally:
                made.close()
    finally:
        transport._Client = client  # type: ignore[misc]
        shutil.rmtree(folder, ignore_errors=True)
