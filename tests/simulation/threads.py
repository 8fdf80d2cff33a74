"""Stands in for `threading` inside the services, so that their own threads run in virtual time."""

from __future__ import annotations

import threading as real
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Empty
from typing import Any, Self

import stamina._core
import tenacity
import tenacity.nap

from ordersync_cli.services.reconcile import pulse
from ordersync_cli.services.watch import beside, inbox, poll, touching
from ordersync_cli.venue import caller, feed
from tests.simulation.kernel import Actor, Kernel

_MODULES: tuple[Any, ...] = (beside, inbox, poll, pulse, touching, caller, feed)


class Lock:
    """A lock that a thread may hold while it waits for the venue."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._holder: Actor | None = None
        self._depth = 0
        self._waiting: deque[Actor] = deque()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        me = self._kernel.current
        while self._holder is not None and self._holder is not me:
            if not blocking:
                return False
            assert me is not None
            self._waiting.append(me)
            self._kernel.park(None if timeout < 0 else timeout)
        self._holder, self._depth = me, self._depth + (1 if me is not None else 0)
        return True

    def release(self) -> None:
        self._depth = max(0, self._depth - 1)
        if self._depth == 0:
            self._holder = None
            if self._waiting:
                self._kernel.wake(self._waiting.popleft())

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


class Event:
    """An event."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._set = False
        self._waiting: list[Actor] = []

    def is_set(self) -> bool:
        return self._set

    def set(self) -> None:
        self._set = True
        waiting, self._waiting = self._waiting, []
        for actor in waiting:
            self._kernel.wake(actor)

    def clear(self) -> None:
        self._set = False

    def wait(self, timeout: float | None = None) -> bool:
        if not self._set:
            me = self._kernel.me()
            self._waiting.append(me)
            self._kernel.park(timeout)
            if me in self._waiting:
                self._waiting.remove(me)
        return self._set


class Condition:
    """A condition; its lock is the baton itself, since nobody waits while he holds it."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._waiting: list[Actor] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def wait(self, timeout: float | None = None) -> bool:
        me = self._kernel.me()
        self._waiting.append(me)
        woken = self._kernel.park(timeout)
        if me in self._waiting:
            self._waiting.remove(me)
        return woken

    def wait_for(self, check: Callable[[], bool], timeout: float | None = None) -> bool:
        ends = None if timeout is None else self._kernel.now + timeout
        while not check():
            left = None if ends is None else ends - self._kernel.now
            if left is not None and left <= 0:
                return False
            self.wait(left)
        return True

    def notify_all(self) -> None:
        waiting, self._waiting = self._waiting, []
        for actor in waiting:
            self._kernel.wake(actor)


class Queue:
    """A queue without a limit."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._items: deque[Any] = deque()
        self._waiting: deque[Actor] = deque()

    def put(self, item: Any) -> None:
        self._items.append(item)
        if self._waiting:
            self._kernel.wake(self._waiting.popleft())

    def get(self) -> Any:
        while not self._items:
            me = self._kernel.me()
            self._waiting.append(me)
            try:
                self._kernel.park(None)
            finally:
                if me in self._waiting:
                    self._waiting.remove(me)
        return self._items.popleft()

    def get_nowait(self) -> Any:
        if not self._items:
            raise Empty
        return self._items.popleft()


class Thread:
    """A thread of the process whose code starts it."""

    def __init__(
        self,
        *,
        kernel: Kernel,
        target: Callable[..., Any],
        args: tuple[Any, ...] = (),
        name: str = "thread",
        daemon: bool = True,
    ) -> None:
        self._kernel = kernel
        self._target, self._args = target, args
        self.name = name
        self._actor: Actor | None = None

    def start(self) -> None:
        process = self._kernel.me().process
        self._actor = self._kernel.spawn(process, self.name, lambda: self._target(*self._args))

    def join(self, timeout: float | None = None) -> None:
        actor, me = self._actor, self._kernel.me()
        if actor is None or actor.ended:
            return
        actor.joiners.append(me)
        self._kernel.park(timeout)

    def is_alive(self) -> bool:
        return self._actor is not None and not self._actor.ended


class Threading:
    """What the services see under the name `threading`."""

    local = real.local

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def Lock(self) -> Lock:
        return Lock(self._kernel)

    RLock = Lock

    def Event(self) -> Event:
        return Event(self._kernel)

    def Condition(self) -> Condition:
        return Condition(self._kernel)

    def Thread(self, **how: Any) -> Thread:
        return Thread(kernel=self._kernel, **how)

    def current_thread(self) -> Actor:
        return self._kernel.me()


class _Time:
    """The part of `time` that the retries use."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def sleep(self, seconds: float) -> None:
        self._kernel.pause(seconds)

    def monotonic(self) -> float:
        return self._kernel.now


class _Beating(pulse.Beating):
    """The thread beside a pass, with an event of the simulated kind."""

    def __enter__(self) -> None:
        self._ending = pulse.threading.Event()
        super().__enter__()


@contextmanager
def virtual_threads(kernel: Kernel, draws: Any) -> Iterator[None]:
    """Let the threads, waits and retries of the services happen in this kernel's time."""
    shim, time = Threading(kernel), _Time(kernel)
    changes: list[tuple[Any, str, Any]] = [(module, "threading", shim) for module in _MODULES]
    changes += [
        (poll, "SimpleQueue", lambda: Queue(kernel)),
        (pulse, "Beating", _Beating),
        (tenacity.nap, "time", time),
        (tenacity, "time", time),
        (stamina._core, "random", draws),
    ]
    before = [(place, name, getattr(place, name)) for place, name, _ in changes]
    for place, name, value in changes:
        setattr(place, name, value)
    try:
        yield
    finally:
        for place, name, value in before:
            setattr(place, name, value)
