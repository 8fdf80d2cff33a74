"""Serves the simulated exchange over HTTP and WebSocket on one loopback port, in a thread or for ever."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ordersync_cli.simulator.application import Application
from ordersync_cli.simulator.control import Control
from ordersync_cli.simulator.control_routes import control_answer
from ordersync_cli.simulator.credentials import shared_key_file
from ordersync_cli.simulator.desk import Behaviour
from ordersync_cli.simulator.faults import Faults, load_faults
from ordersync_cli.simulator.routes import Exchange
from ordersync_cli.simulator.server_edge import host_clock
from ordersync_cli.simulator.server_loop import HOST, Connections, Running, listen, serve
from ordersync_cli.simulator.state import State
from ordersync_cli.simulator.tally import Tally

__all__ = ["SimulatorServer", "load_faults"]

_START_SECONDS = 10.0
_STOP_SECONDS = 10.0


class SimulatorServer:
    """One server on one state file; several, in several processes, may serve the same file at once.

    state_path: the SQLite file, made when missing. port 0 takes a free one. rate_limit is requests a second for the
    user, None lifts it. seed counts only for a new state. faults is a plan as `load_faults` returns it. clock gives
    microseconds since 1970.
    """

    def __init__(
        self,
        state_path: Path | str,
        *,
        port: int = 0,
        seed: int = 0,
        faults: Iterable[dict[str, Any]] = (),
        rate_limit: float | None = 30.0,
        skew_seconds: float | None = None,
        behaviour: Behaviour | None = None,
        clock: Callable[[], int] = host_clock,
    ) -> None:
        self._path = Path(state_path)
        self._seed, self._clock = seed, clock
        self._rate_limit = rate_limit
        self.port = port
        self.behaviour = behaviour or Behaviour()
        self._faults = Faults(seed, faults)
        self._running: Running | None = None
        self._thread: threading.Thread | None = None
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self.control = Control(State(self._path, clock, seed), self._faults, self.behaviour, Tally())
        if skew_seconds is not None:
            self.control.set_skew(skew_seconds)
        self.key_file = shared_key_file(self.control.state)

    @property
    def rest_url(self) -> str:
        """Return the REST address."""
        return f"http://{HOST}:{self.port}"

    @property
    def ws_url(self) -> str:
        """Return the WebSocket address."""
        return f"ws://{HOST}:{self.port}"

    def start(self) -> Self:
        """Serve from a background thread; returns when the port answers. After stop() the same port is taken again."""
        if self._thread is not None:
            raise RuntimeError("the simulator already runs")
        listener = self._listen()
        self._ready.clear()
        self._failure = None
        self._thread = threading.Thread(target=self._run, args=(listener,), name="simulator", daemon=True)
        self._thread.start()
        if not self._ready.wait(_START_SECONDS) or self._failure is not None:
            raise RuntimeError("the simulator did not start") from self._failure
        return self

    def stop(self) -> None:
        """Refuse connections and cut those that stand; the state stays, start() may follow."""
        running, thread = self._running, self._thread
        if running is not None:
            with contextlib.suppress(RuntimeError):  # the loop has just ended by itself
                running.ask_to_stop()
        if thread is not None:
            thread.join(_STOP_SECONDS)
            self._thread = None

    def close(self) -> None:
        """Stop for good and close the state."""
        self.stop()
        self.control.state.close()

    def serve_forever(self, on_ready: Callable[[], None] = lambda: None) -> None:
        """Serve from this thread until stop() or an interrupt; `on_ready` is called when the port answers.

        stop() may come from another thread or from a signal's handler.
        """
        asyncio.run(self._serve(self._listen(), on_ready))

    def close_feeds(self, code: int = 1001) -> None:
        """Close every WebSocket connection with this code; 1006 cuts them without a word."""
        if self._running is not None:
            self._running.close_feeds(code)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _listen(self) -> socket.socket:
        listener = listen(self.port)
        self.port = listener.getsockname()[1]
        return listener

    def _run(self, listener: socket.socket) -> None:
        try:
            asyncio.run(self._serve(listener, self._ready.set))
        except BaseException as error:  # noqa: BLE001 - handed to the thread that called start()
            self._failure = error
        finally:
            self._ready.set()

    async def _serve(self, listener: socket.socket, on_ready: Callable[[], None]) -> None:
        state, connections = State(self._path, self._clock, self._seed), Connections()
        application = Application(
            Exchange(state, self.behaviour),
            self._faults,
            lambda call: control_answer(self.control, self.close_feeds, call),
            self.control.tally,
            self._rate_limit,
            connections.abort,
        )
        self._running = Running(application, asyncio.get_running_loop())
        try:
            await serve(listener, self._running, connections, state, on_ready)
        finally:
            self._running = None
            state.close()
