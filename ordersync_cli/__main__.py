"""The one place that turns whatever happened into an exit code and a message."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING

import typer

from ordersync_cli.cli.app import MODULES, load, named, parse
from ordersync_cli.cli.crash import keep_trace
from ordersync_cli.cli.invocation import Invocation
from ordersync_cli.cli.output import Output
from ordersync_cli.cli.terminal import reader_is_gone
from ordersync_cli.clock import SystemClock
from ordersync_cli.config import looks_simulated
from ordersync_cli.errors import OrdersyncError

if TYPE_CHECKING:
    from ordersync_cli.cli.options import Command

_COLLECT_AFTER = (100_000, 50, 100)  # objects made, and collections of a generation before the next one's
_UNKNOWN = 8
_LEASE_HELD = 12


class Terminated(KeyboardInterrupt):
    """SIGTERM arrived; ends a run as Ctrl-C does, with a code of its own."""


@dataclass(slots=True)
class Heard:
    """The last signal that arrived, and the run that it is to end, once there is one."""

    stop: type[KeyboardInterrupt] | None = None
    run: Invocation | None = None

    def go_on(self) -> None:
        """Raise again what a signal has raised: Python, or what reads the line, may have made something else of it."""
        if self.stop is not None:
            raise self.stop


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong, as the contract's JSON shows it."""

    code: int
    kind: str
    message: str
    remedy: str = ""

    def shown(self) -> dict[str, str | int]:
        """Give the JSON of `error`."""
        return {"code": self.code, "kind": self.kind, "message": self.message, "remedy": self.remedy}


def process() -> int:
    """Run the command line of this process; returns its exit code.

    Python's collector goes through everything that start-up makes some hundred times over, and once
    more at the end: a fifth of the time of `ordersync place`, and it finds nothing.
    """
    gc.set_threshold(*_COLLECT_AFTER)
    try:
        return main(sys.argv[1:])
    finally:
        gc.freeze()


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    line = list(sys.argv[1:] if words is None else words)
    run: Invocation | None = None
    heard = Heard()
    try:
        _end_on_signals(heard)
        prepared = parse(line)
        heard.go_on()
        if isinstance(prepared, int):
            return _left(Output(as_json=False), prepared, at_stake=False)
        run = heard.run = Invocation(prepared)
        run.open()
        heard.go_on()
        code = prepared.carry_out(run)
    except BaseException as error:  # noqa: BLE001  (the one place that may)
        _ignore_signals(run)
        # what reads the line makes an exit or an abort of a signal
        signalled = heard.stop() if run is None and heard.stop is not None else None
        code = _failed(signalled or error, line, run)
    finally:
        _ignore_signals(run)
        if run is not None:
            _close(run)
    output = run.output if run is not None else Output(as_json=False)
    return _left(output, code, at_stake=run is not None and run.at_stake is not None)


def _failed(error: BaseException, line: Sequence[str], run: Invocation | None) -> int:
    """Say what went wrong on stderr, and with --json in the command's own shape; returns the exit code."""
    output = run.output if run is not None else _output_of(line)
    if isinstance(error, SystemExit | typer.Exit):
        code = getattr(error, "exit_code", None) if isinstance(error, typer.Exit) else error.code
        failure = Failure(code if isinstance(code, int) else int(code is not None), "exit", "")
    else:
        failure = verdict(error, line)
        if failure.kind == "bug" and (signalled := _torn_by(error)) is not None:
            failure = verdict(signalled, line)
        if failure.kind == "bug":
            failure = Failure(1, "bug", output.redactor.text(f"{failure.message} {keep_trace(error, output.redactor)}"))
    at_stake = None if run is None else run.at_stake
    # Every answer to a sent order is a value: an exception, whatever its code, is no word about the order.
    if at_stake is not None and failure.code != _UNKNOWN:
        failure = _unknown(failure, at_stake)
    if failure.message and failure.code != _LEASE_HELD:
        output.say(f"ordersync: {_one_line(failure)}")
    if failure.code and output.as_json and not output.has_document:
        known = run.prepared.command if run is not None else _meant(line)
        shape = dict(known.shape) if known is not None else {}
        shape |= run.so_far if run is not None else {}
        if at_stake is not None:
            shape |= {"outcome": "unknown", "requires_monitoring": True}
        if "at" in shape:
            shape["at"] = SystemClock().now()
        shown = {key: output.redactor.value("", value) for key, value in failure.shown().items()}
        output.document(shape, error=shown)
    return failure.code


def _meant(line: Sequence[str]) -> Command | None:
    """Find the command that a line means; a signal may have arrived before its module was there."""
    if named(line) is None and line and line[0] in MODULES:
        with suppress(Exception):
            load(line)
    return named(line)


def _one_line(failure: Failure) -> str:
    stop = "" if failure.message.endswith((".", "?", "!", ":")) else "."
    return " ".join(f"{failure.message}{stop} {failure.remedy}".split())


def verdict(error: BaseException, line: Sequence[str] = ()) -> Failure:
    """Tell what an exception means to the person who typed the command."""
    match error:
        case OrdersyncError():
            return Failure(error.exit_code, error.kind, error.message, error.remedy)
        case typer.TyperException():
            return Failure(2, "usage", error.format_message(), _help_hint(line))
        case typer.Abort():
            return Failure(2, "declined", "Declined; nothing was done.")
        case Terminated():
            return _stopped(Failure(143, "terminated", "Terminated."), error)
        case KeyboardInterrupt():
            return _stopped(Failure(130, "interrupted", "Interrupted."), error)
        case BrokenPipeError() if reader_is_gone():
            return Failure(0, "reader_gone", "")
        case _:
            detail = " ".join(str(error).split())[:300]
            return Failure(1, "bug", f"A bug in ordersync: {type(error).__name__}{f': {detail}' if detail else ''}.")


def _stopped(plain: Failure, error: KeyboardInterrupt) -> Failure:
    """Add what the command says of its end: a message, and what to do."""
    message, remedy = (*map(str, error.args), "", "")[:2]
    return Failure(plain.code, plain.kind, f"{plain.message} {message}".strip(), remedy)


def _torn_by(error: BaseException) -> KeyboardInterrupt | None:
    """Find the signal behind an error: one that arrives inside a lock leaves it in pieces (RuntimeError)."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, KeyboardInterrupt):
        cause = cause.__context__
    return cause


def _unknown(failure: Failure, ids: str) -> Failure:
    said = failure.message.rstrip(".")
    return Failure(
        _UNKNOWN,
        "unknown",
        f"{said + '. ' if said else ''}The request may have left: order {ids} may exist at the venue.",
        f"`ordersync sync {ids}` tells.",
    )


def _help_hint(line: Sequence[str]) -> str:
    found = named(line)
    return f"See `ordersync {found.words + ' ' if found else ''}--help`."


def _output_of(line: Sequence[str]) -> Output:
    """Guess the output of a line that could not be parsed."""
    before = list(line[: line.index("--")]) if "--" in line else list(line)
    venue = None
    for word, following in zip(before, [*before, ""][1:], strict=True):
        if word == "--venue" or word.startswith("--venue="):
            venue = word.partition("=")[2] or following
    simulated = looks_simulated({"venue": venue}, os.environ)
    return Output(as_json="--json" in before, simulated=simulated)


def _close(run: Invocation) -> None:
    """Close what the run opened; what fails here is logged and changes no exit code."""
    try:
        run.close()
    except (Exception, KeyboardInterrupt):
        logging.getLogger("ordersync_cli").exception("closing failed")


def _left(output: Output, code: int, *, at_stake: bool) -> int:
    """Flush what is still to be written; a full disk is no success, unless an order's outcome is the code."""
    output.flush()
    if output.problem is None:
        return code
    output.say(f"ordersync: {output.problem}")
    return code if code or at_stake else 1


def _end_on_signals(heard: Heard) -> None:
    """Let a signal end the run; once an order may exist, only the first does: the rest is writing that down."""

    def end(number: int, _frame: FrameType | None) -> None:
        at = heard.run
        if at is not None and at.at_stake is not None:
            _ignore_signals(at)
        heard.stop = Terminated if number == signal.SIGTERM else KeyboardInterrupt
        if at is not None:
            at.stopped_by = heard.stop
        raise heard.stop

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, end)
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else somebody had it ignored
            signal.signal(signal.SIGINT, end)


def _ignore_signals(run: Invocation | None) -> None:
    """A second signal while everything is being closed must not tear it apart."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if run is not None and run.at_stake is not None:
            signal.signal(signal.SIGINT, signal.SIG_IGN)


if __name__ == "__main__":
    sys.exit(process())
