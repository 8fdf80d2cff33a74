"""Serves the simulated exchange over HTTP and WebSocket on one loopback port, in a thread or for ever."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import uvicorn
from uvicorn.server import ServerState

from ordersync_cli.simulator.application import Application
from ordersync_cli.simulator.control import Control, Counts
from ordersync_cli.simulator.control_routes import control_answer
from ordersync_cli.simulator.credentials import shared_key_file
from ordersync_cli.simulator.desk import Behaviour
from ordersync_cli.simulator.faults import Faults, load_faults
from ordersync_cli.simulator.routes import Exchange
from ordersync_cli.simulator.server_edge import host_clock, pause
from ordersync_cli.simulator.state import State

__all__ = ["SimulatorServer", "load_faults"]

HOST = "127.0.0.1"
_START_SECONDS = 10.0
_STOP_SECONDS = 10.0
_COUNTS_SECONDS = 0.25


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
        self._application: Application | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stopping: asyncio.Event | None = None
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self.control = Control(State(self._path, clock, seed), self._faults, self.behaviour, self._drained)
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
        loop, stopping = self._loop, self._stopping
        if loop is not None and stopping is not None:
            with contextlib.suppress(RuntimeError):  # the loop has just ended by itself
                loop.call_soon_threadsafe(stopping.set)
        if self._thread is None:
            return
        self._thread.join(_STOP_SECONDS)
        self._thread = None
        self.control.keep_counts()

    def close(self) -> None:
        """Stop for good and close the state."""
        self.stop()
        self.control.state.close()

    def serve_forever(self, on_ready: Callable[[], None] = lambda: None) -> None:
        """Serve from this thread until stop() or an interrupt; `on_ready` is called when the port answers.

        stop() may come from another thread or from a signal's handler.
        """
        listener = self._listen()
        try:
            asyncio.run(self._serve(listener, on_ready))
        finally:
            self.control.keep_counts()

    def close_feeds(self, code: int = 1001) -> None:
        """Close every WebSocket connection with this code; 1006 cuts them without a word."""
        if self._loop is not None and self._application is not None:
            self._loop.call_soon_threadsafe(self._application.feed.close_all, code)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _listen(self) -> socket.socket:
        # Named IPPROTO_TCP so that asyncio sets TCP_NODELAY: without it an answer takes 38 ms instead of 1.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, self.port))
        self.port = listener.getsockname()[1]
        return listener

    def _drained(self) -> Counts:
        application = self._application
        if application is None:
            return {}
        counts, application.counts = application.counts, type(application.counts)()
        return dict(counts)

    def _run(self, listener: socket.socket) -> None:
        try:
            asyncio.run(self._serve(listener, self._ready.set))
        except BaseException as error:  # noqa: BLE001 - handed to the thread that called start()
            self._failure = error
        finally:
            self._ready.set()

    async def _serve(self, listener: socket.socket, on_ready: Callable[[], None]) -> None:
        """Serve with uvicorn's protocols on our own loop: its Server polls ten times a second to start and stop."""
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        connections = ServerState()
        state = State(self._path, self._clock, self._seed)

        def abort(scope: Any) -> None:
            for protocol in list(connections.connections):
                if getattr(protocol, "client", None) == tuple(scope["client"]):
                    protocol.transport.abort()

        application = Application(
            Exchange(state, self.behaviour),
            self._faults,
            lambda call: control_answer(self.control, self.close_feeds, call),
            self._rate_limit,
            abort,
        )
        config = uvicorn.Config(
            application, http="h11", ws="websockets-sansio", log_config=None, access_log=False, lifespan="off",
            ws_ping_interval=20.0, timeout_keep_alive=75, date_header=False, server_header=False,
        )  # fmt: skip
        config.load()
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        protocol = config.http_protocol_class
        server = await self._loop.create_server(
            lambda: protocol(config=config, server_state=connections, app_state={}),  # type: ignore[call-arg]
            sock=listener,
            backlog=512,
        )
        self._application = application
        pump = asyncio.create_task(application.feed.pump())
        counting = asyncio.create_task(self._keep_counting())
        on_ready()
        try:
            await self._stopping.wait()
        finally:
            server.close()
            for protocol_made in list(connections.connections):
                protocol_made.transport.abort()
            for task in [pump, counting, *connections.tasks]:
                task.cancel()
            await asyncio.gather(pump, counting, *connections.tasks, return_exceptions=True)
            state.close()

    async def _keep_counting(self) -> None:
        while True:
            await pause(_COUNTS_SECONDS)
            if self._application is not None and self._application.counts:
                await asyncio.to_thread(self.control.keep_counts)
