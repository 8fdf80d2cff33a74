"""`ordersync simulator`: serve the simulated exchange to whatever speaks Coinbase's wire format."""

from __future__ import annotations

import signal
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from ordersync_cli.cli.invocation import Invocation
from ordersync_cli.cli.options import command
from ordersync_cli.errors import SettingsError

if TYPE_CHECKING:
    from ordersync_cli.simulator.server import SimulatorServer

_SIGNALLED = 128


@command("simulator", shape={"rest_url": None, "ws_url": None, "key_file": None}, touches_venue=False)
def simulator(
    run: Invocation,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one.")] = 0,
    state: Annotated[Path | None, typer.Option("--state", help="The exchange's SQLite file.")] = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", min=0, help="Seed of a new state's market (env ORDERSYNC_SIMULATOR_SEED)."),
    ] = None,
    faults: Annotated[
        Path | None, typer.Option("--faults", help="Fault plan, TOML or JSON (env ORDERSYNC_SIMULATOR_FAULTS).")
    ] = None,
) -> int:
    """Serve the simulated exchange by REST and WebSocket on one loopback port until interrupted.

    Without --state it is the very exchange that commands without settings use. Fault plans and control routes are
    described in ordersync_cli/docs/SIMULATOR.md.
    """
    from ordersync_cli.simulator.server import SimulatorServer, load_faults

    settings = run.settings
    file = (state or settings.simulator_state).absolute()  # the key file beside it is read from elsewhere
    plan = faults or settings.simulator_faults
    try:
        entries = load_faults(plan) if plan is not None else ()
    except (OSError, ValueError) as error:
        raise SettingsError(f"The fault plan {plan} cannot be read: {error}.", "Correct it.") from None
    run.output.simulated = True
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        server = SimulatorServer(
            file, port=port, seed=settings.simulator_seed if seed is None else seed, faults=entries
        )
    except OSError as error:
        raise SettingsError(
            f"The simulator cannot use its state {file}: {error.strerror}.", "Choose another with --state."
        ) from None
    try:
        ended = _stop_on_signals(server)
        server.serve_forever(lambda: server.stop() if ended else _announce(run, server))
    except OSError as error:
        raise SettingsError(
            f"The simulator cannot serve on port {port}: {error.strerror}.",
            "Choose another with --port (0: a free one).",
        ) from None
    finally:
        server.close()
    return _SIGNALLED + ended[0] if ended else 0


def _stop_on_signals(server: SimulatorServer) -> list[int]:
    """Stop serving at Ctrl-C and SIGTERM; the signals that came are in the list.

    An exception out of a signal's handler could strike anywhere inside the event loop, and be lost.
    """
    came: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        came.append(number)
        server.stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    return came


def _announce(run: Invocation, server: SimulatorServer) -> None:
    where = {"rest_url": server.rest_url, "ws_url": server.ws_url, "key_file": str(server.key_file)}
    if run.output.as_json:
        run.output.line(where)
    run.output.text(f"REST       {server.rest_url}\nWebSocket  {server.ws_url}\nkey file   {server.key_file}")
    run.output.mark_simulated()
    run.output.note(
        "Use it from another terminal:\n"
        f"  export ORDERSYNC_VENUE=coinbase ORDERSYNC_REST_URL={server.rest_url}"
        f" ORDERSYNC_WS_URL={server.ws_url} ORDERSYNC_KEY_FILE={server.key_file}"
    )
