"""Runs the application on uvicorn's protocols inside our own event loop."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from ordersync_cli.simulator.application import Application
from ordersync_cli.simulator.server_edge import pause
from ordersync_cli.simulator.state import State

HOST = "127.0.0.1"
_COUNTS_SECONDS = 0.25

# uvicorn reports each cut connection as an error of the application; here they are cut on purpose.
logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)


def listen(port: int) -> socket.socket:
    """Take a port on loopback; 0 takes a free one."""
    # Named IPPROTO_TCP so that asyncio sets TCP_NODELAY: without it an answer takes 38 ms instead of 1.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError:
        listener.close()
        raise
    return listener


@dataclass(slots=True)
class Running:
    """One run of the server, from its start to its stop; made inside its loop."""

    application: Application
    loop: asyncio.AbstractEventLoop
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    def ask_to_stop(self) -> None:
        """Stop soon; from any thread."""
        self.loop.call_soon_threadsafe(self.stopping.set)

    def close_feeds(self, code: int) -> None:
        """Close every WebSocket connection; from any thread."""
        self.loop.call_soon_threadsafe(self.application.feed.close_all, code)


class Connections:
    """The connections that stand, as uvicorn keeps them."""

    def __init__(self) -> None:
        self.state = ServerState()

    def abort(self, scope: Any) -> None:
        """Cut the connection of one ASGI scope without a word."""
        for protocol in list(self.state.connections):
            if getattr(protocol, "client", None) == tuple(scope["client"]):
                protocol.transport.abort()

    def abort_all(self) -> None:
        """Cut every connection."""
        for protocol in list(self.state.connections):
            protocol.transport.abort()


async def serve(
    listener: socket.socket, running: Running, connections: Connections, state: State, on_ready: Callable[[], None]
) -> None:
    """Serve until `running` is asked to stop; uvicorn's own Server would take a tenth of a second to start and stop."""
    config = uvicorn.Config(
        running.application,
        http="auto",
        ws="websockets-sansio",
        log_config=None,
        access_log=False,
        lifespan="off",
        ws_ping_interval=20.0,
        timeout_keep_alive=75,
        date_header=False,
        server_header=False,
    )
    config.load()
    protocol: Any = config.http_protocol_class
    server = await running.loop.create_server(
        lambda: protocol(config=config, server_state=connections.state, app_state={}), sock=listener, backlog=512
    )
    tasks = [
        asyncio.create_task(running.application.feed.pump()),
        asyncio.create_task(_keep_counting(running.application, state)),
    ]
    on_ready()
    try:
        await running.stopping.wait()
    finally:
        server.close()
        connections.abort_all()
        tasks += connections.state.tasks
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        running.application.tally.keep(state)


async def _keep_counting(application: Application, state: State) -> None:
    while True:
        await pause(_COUNTS_SECONDS)
        application.tally.keep(state)
