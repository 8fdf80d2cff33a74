"""Virtual time for many processes: one thread runs at a time, and the seed alone decides which."""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable
from typing import Any


class Killed(BaseException):
    """This process was killed: nothing it does from now on has any effect."""


class Deadlock(AssertionError):
    """Code waited for a real lock while it held the baton, or the kernel lost an actor."""


class Process:
    """What lives and dies together; ``frozen_until`` is the end of a SIGSTOP."""

    def __init__(self, kernel: Kernel, name: str) -> None:
        self.kernel = kernel
        self.name = name
        self.alive = True
        self.frozen_until = 0.0
        self.actors: list[Actor] = []
        self.on_death: list[Callable[[], None]] = []

    def check(self) -> None:
        """Raise Killed in a process that is dead."""
        if not self.alive:
            raise Killed(self.name)

    def kill(self) -> None:
        """Kill -9: every thread of it ends where it stands."""
        if not self.alive:
            return
        self.alive = False
        self.kernel.say("killed", self.name)
        current = self.kernel.current
        if current is None:
            self.reap()
        else:
            self.kernel.after(0.0, self.reap)

    def reap(self) -> None:
        """Unwind every thread that still stands, then close what the process held."""
        for actor in self.actors:
            if not actor.ended and actor is not self.kernel.current:
                self.kernel.resume(actor)
        for close in self.on_death:
            close()
        self.on_death = []

    @property
    def ended(self) -> bool:
        """Tell whether nothing of it runs any more."""
        return all(actor.ended for actor in self.actors)


class Actor:
    """One thread of one process; it runs only while it holds the baton."""

    def __init__(self, process: Process, name: str, target: Callable[[], Any]) -> None:
        self.process = process
        self.name = name
        self.ended = False
        self.result: Any = None
        self.failure: BaseException | None = None
        self.turn = 0
        self.woken = False
        self.joiners: list[Actor] = []
        self.gate = threading.Lock()
        self.gate.acquire()
        self._target = target
        self._thread = threading.Thread(target=self._run, name=f"sim-{process.name}-{name}", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        self.gate.acquire()
        try:
            self.process.check()
            self.result = self._target()
        except Killed:
            pass
        except BaseException as failure:  # noqa: BLE001 - judged by the world
            self.failure = failure
        self.ended = True
        kernel = self.process.kernel
        for joiner in self.joiners:
            kernel.wake(joiner)
        kernel.back.release()

    def finish(self) -> None:
        """Wait for the real thread's end."""
        self._thread.join(5.0)


class Kernel:
    """The queue of what happens next. Times are seconds since the world began."""

    def __init__(self) -> None:
        self.now = 0.0
        self.current: Actor | None = None
        self.back = threading.Lock()
        self.back.acquire()
        self.steps = 0
        self.processes: list[Process] = []
        self.on_say: Callable[[float, tuple[Any, ...]], None] = lambda at, what: None
        self.after_step: Callable[[], None] = lambda: None
        self.on_wait: Callable[[Actor], None] = lambda actor: None
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._count = itertools.count()

    def say(self, *what: Any) -> None:
        """Write one line of the trace."""
        self.on_say(self.now, what)

    # ------------------------------------------------------------------ scheduling

    def at(self, when: float, call: Callable[[], None]) -> None:
        """Have something happen at a time."""
        heapq.heappush(self._queue, (max(when, self.now), next(self._count), call))

    def after(self, delay: float, call: Callable[[], None]) -> None:
        """Have something happen later."""
        self.at(self.now + delay, call)

    def process(self, name: str) -> Process:
        """Make a process; threads are spawned in it."""
        made = Process(self, name)
        self.processes.append(made)
        return made

    def spawn(self, process: Process, name: str, target: Callable[[], Any]) -> Actor:
        """Start a thread of a process; it runs when the kernel comes to it."""
        actor = Actor(process, name, target)
        process.actors.append(actor)
        turn = actor.turn
        self.after(0.0, lambda: self._due(actor, turn))
        return actor

    def run(self, until: float, stop: Callable[[], bool] = lambda: False) -> None:
        """Let things happen until a time, or until it is enough."""
        while self._queue and self._queue[0][0] <= until and not stop():
            when, _, call = heapq.heappop(self._queue)
            self.now = max(self.now, when)
            call()
            self.steps += 1
            self.after_step()
        if not stop():
            self.now = max(self.now, until)

    def resume(self, actor: Actor) -> None:
        """Hand the baton to a thread until it waits again."""
        if actor.ended:
            return
        before, self.current = self.current, actor
        actor.turn += 1
        actor.gate.release()
        if not self.back.acquire(timeout=60):
            raise Deadlock(f"{actor.process.name}/{actor.name} never gave the baton back")
        self.current = before

    def _due(self, actor: Actor, turn: int) -> None:
        """Resume a thread unless it was resumed for another reason meanwhile."""
        if actor.ended or actor.turn != turn:
            return
        frozen = actor.process.frozen_until
        if frozen > self.now:
            self.at(frozen, lambda: self._due(actor, turn))
            return
        self.resume(actor)

    # ------------------------------------------------------------------ what a thread calls

    def me(self) -> Actor:
        """Give the thread that runs."""
        assert self.current is not None, "only a thread of a simulated process can wait"
        return self.current

    def pause(self, seconds: float) -> None:
        """Wait that long."""
        actor = self.me()
        actor.process.check()
        turn = actor.turn
        self.after(max(0.0, seconds), lambda: self._due(actor, turn))
        self._switch(actor)

    def park(self, timeout: float | None) -> bool:
        """Wait until somebody wakes this thread, or the time is up; True when woken."""
        actor = self.me()
        actor.process.check()
        actor.woken = False
        turn = actor.turn
        if timeout is not None:
            self.after(max(0.0, timeout), lambda: self._due(actor, turn))
        self._switch(actor)
        return actor.woken

    def wake(self, actor: Actor) -> None:
        """Wake a parked thread."""
        if actor.ended:
            return
        actor.woken = True
        turn = actor.turn
        self.after(0.0, lambda: self._due(actor, turn))

    def _switch(self, actor: Actor) -> None:
        self.on_wait(actor)
        self.back.release()
        actor.gate.acquire()
        actor.process.check()

    def close(self) -> None:
        """Kill what still runs, and end every real thread."""
        for process in self.processes:
            process.kill()
        for process in self.processes:
            for actor in process.actors:
                actor.finish()
