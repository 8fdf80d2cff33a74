"""Where a command's words go: data on stdout, everything else on stderr, each in one place.

A reader that goes away or a full disk never raises here: what a command did must not get another
exit code because nobody listened. ``is_open`` tells, and ``problem`` is said at the end.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TextIO

from ordersync_cli.cli.redact import Redactor
from ordersync_cli.cli.terminal import escape_what_does_not_fit, is_terminal
from ordersync_cli.services.plain import plain

if TYPE_CHECKING:
    from rich.console import Console

SIMULATED = "SIMULATED: the venue is a simulator; no real order, no real money."


class Output:
    """The two streams of one run. ``simulated`` marks every document; None until it is known."""

    def __init__(self, *, as_json: bool, quiet: bool = False, simulated: bool = True) -> None:
        self.as_json = as_json
        self.quiet = quiet
        self.simulated = simulated
        self.redactor = Redactor()
        self.is_open = True
        self.problem: str | None = None
        self._documents = 0
        self._ascii = escape_what_does_not_fit(sys.stdout)

    @property
    def has_document(self) -> bool:
        """Whether the one JSON document of this run was printed."""
        return self._documents > 0

    def document(self, body: Mapping[str, Any], error: Mapping[str, Any] | None = None) -> None:
        """Print the one JSON document of a command; `simulated` and `error` are added."""
        self._documents += 1
        marked = {**body, "simulated": self.simulated, "error": error}
        self._write(to_json(marked, indent=2 if is_terminal(sys.stdout) else None, ascii_only=self._ascii))

    def line(self, body: Mapping[str, Any]) -> None:
        """Print one JSON object of a stream of them (`watch`), flushed at once."""
        self._documents += 1
        self._write(to_json({**body, "simulated": self.simulated}, ascii_only=self._ascii))

    def text(self, text: str) -> None:
        """Print a line of data for people; nothing with --json."""
        if not self.as_json:
            self._write(text)

    def table(
        self,
        columns: Sequence[str],
        rows: Iterable[Sequence[object]],
        title: str = "",
        marks: Mapping[str, str] | None = None,
        spare: Sequence[str] = (),
    ) -> None:
        """Print a table on a terminal, tab-separated lines with a heading in a pipe; nothing with --json.

        ``marks``: the style of a cell that is exactly that word, on a terminal. ``spare``: columns that a
        terminal too narrow for all goes without, the first ones first.
        """
        if self.as_json:
            return
        shown = [[cell(value) for value in row] for row in rows]
        if is_terminal(sys.stdout):
            self._print_table(columns, shown, title, {"marks": marks or {}, "spare": spare})
        else:
            for row in [list(columns), *shown]:
                self._write("\t".join(" ".join(part.split()) for part in row))

    def note(self, text: str) -> None:
        """Say something on stderr that --quiet leaves out."""
        if not self.quiet:
            self.say(text)

    def say(self, text: str) -> None:
        """Say something on stderr, always, without secrets."""
        try:
            sys.stderr.write(f"{self.redactor.text(text)}\n")
            sys.stderr.flush()
        except AttributeError:  # missing: there is nobody to tell
            pass
        except (OSError, ValueError):  # closed or full: the same
            _sink("stderr")

    def mark_simulated(self) -> None:
        """Say on stderr that nothing here is real; --quiet does not silence it."""
        if self.simulated:
            self.say(SIMULATED)

    def console(self, *, stderr: bool = False) -> Console:
        """Make a rich console for a stream; whether it is a terminal is asked of the stream itself.

        rich would write escape codes into a pipe where FORCE_COLOR is set.
        """
        from rich.console import Console

        stream: TextIO = sys.stderr if stderr else sys.stdout
        on_terminal = is_terminal(stream) and os.environ.get("TERM") != "dumb"
        return Console(file=stream, force_terminal=on_terminal, no_color="NO_COLOR" in os.environ or None)

    def raw(self, part: bytes) -> None:
        """Write bytes to stdout as they are."""
        if not self.is_open or sys.stdout is None:
            self.is_open = False
            return
        try:
            sys.stdout.buffer.write(part)
            sys.stdout.buffer.flush()
        except (OSError, ValueError) as error:
            self._lost(error)

    def flush(self) -> None:
        """Flush both streams; at the end of a run, before its exit code."""
        if self.is_open and sys.stdout is not None:
            try:
                sys.stdout.flush()
            except (OSError, ValueError) as error:
                self._lost(error)
        if sys.stderr is not None:
            try:
                sys.stderr.flush()
            except (OSError, ValueError):
                _sink("stderr")

    def _write(self, text: str) -> None:
        if not self.is_open:
            return
        if sys.stdout is None:
            self.is_open = False
            return
        try:
            sys.stdout.write(f"{text}\n")
            sys.stdout.flush()
        except (OSError, ValueError) as error:
            self._lost(error)

    def _lost(self, error: OSError | ValueError) -> None:
        """Stop writing."""
        self.is_open = False
        if isinstance(error, OSError) and not isinstance(error, BrokenPipeError):
            self.problem = f"stdout cannot be written: {error.strerror}"
        _sink("stdout")

    def _print_table(
        self, columns: Sequence[str], rows: Sequence[Sequence[str]], title: str, how: Mapping[str, Any]
    ) -> None:
        from ordersync_cli.cli.tables import fitted

        console = self.console()
        table, needed, left_out = fitted(columns, rows, **how, width=console.width)
        table.title = title or None
        try:
            console.width = max(console.width, needed)
            console.print(table, crop=False)
        except OSError as error:
            self._lost(error)
        if left_out:
            self.note(f"Not shown, for want of width: {', '.join(left_out)}; a pipe and --json have them all.")


def _sink(name: str) -> None:
    """Send a stream that takes nothing into the void: else its flush at exit fails, and the exit code is 120."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, getattr(sys, name).fileno())
        os.close(nowhere)
    except (OSError, ValueError):
        setattr(sys, name, None)


def to_json(body: Mapping[str, Any], *, indent: int | None = None, ascii_only: bool = False) -> str:
    """Write JSON: decimals as strings, times as ISO 8601 UTC with microseconds and `Z`."""
    return json.dumps(body, default=plain, ensure_ascii=ascii_only, allow_nan=False, indent=indent)


def cell(value: object) -> str:
    """Write one value of a table; absent is empty."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case str():
            return value
        case Decimal() | int():
            return str(plain(value))
        case float():
            return f"{value:.6g}"
        case _:
            return str(plain(value))


def harmless(text: str) -> str:
    """Take control characters out: what a venue says must not steer a terminal."""
    return "".join(char if char.isprintable() or char == "\n" else "\N{REPLACEMENT CHARACTER}" for char in text)
