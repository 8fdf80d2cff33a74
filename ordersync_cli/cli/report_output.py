"""Sends a report where it was asked for, in the format that was asked for."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from ordersync_cli.cli.output import to_json
from ordersync_cli.cli.terminal import is_terminal
from ordersync_cli.errors import UsageError

if TYPE_CHECKING:
    from ordersync_cli.cli.invocation import Invocation
    from ordersync_cli.services.ports.history import Reading, Scope
    from ordersync_cli.services.report.document import Report
    from ordersync_cli.services.report.series import Series


BINARY = {"png", "pdf"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What was asked for: the format, the rows of csv, the file, and whether the schedule is shown."""

    form: str
    rows: str
    file: Path | None
    intervals: bool


def show(run: Invocation, made: Report, reading: Reading, scope: Scope, wish: Wish) -> None:
    """Print the report, or write it to the file; with --json the document is on stdout whatever else is written."""
    as_json = run.output.as_json
    if wish.file is not None:
        with _opened(wish.file) as file:
            for part in _content(run, made, reading, scope, wish):
                file.write(part)
    elif as_json and wish.form != "json":
        raise UsageError(f"--json and --format {wish.form} both want stdout.", "Give --output FILE.")
    elif not as_json:
        _print(run, made, reading, scope, wish)
    if as_json:  # last: what cannot be written is an error in this document
        run.document(made.document)
    if wish.file is not None:
        run.output.note(f"Wrote {wish.file}.")


def _print(run: Invocation, made: Report, reading: Reading, scope: Scope, wish: Wish) -> None:
    if wish.form == "table":
        from ordersync_cli.cli.report_table import show_table

        show_table(run.output, made, intervals=wish.intervals)
        return
    if wish.form in BINARY and is_terminal(sys.stdout):
        raise UsageError(f"--format {wish.form} is no text for a terminal.", "Give --output FILE.")
    for part in _content(run, made, reading, scope, wish):
        run.output.raw(part)
        if not run.output.is_open:  # nobody reads on: the rest of a million rows is not fetched
            return


def _content(run: Invocation, made: Report, reading: Reading, scope: Scope, wish: Wish) -> Iterator[bytes]:
    """Give the report in a format, in parts: a million rows are never in memory."""
    simulated = run.settings.simulated
    match wish.form:
        case "csv":
            from ordersync_cli.cli.report_csv import csv_parts

            yield from csv_parts(*reading.history.exported(scope, wish.rows))
        case "json":
            shape = run.prepared.command.shape
            marked = {**shape, **made.document, "simulated": simulated, "error": None}
            yield f"{to_json(marked, indent=2)}\n".encode()
        case "prometheus":
            from ordersync_cli.cli.report_prometheus import exposition

            yield exposition(made.document, simulated=simulated)
        case "html":
            from ordersync_cli.cli.report_html import page

            yield page(made, _series(reading, scope, made), simulated=simulated).encode()
        case "png" | "pdf":
            from ordersync_cli.cli.report_picture import picture

            yield picture(made, _series(reading, scope, made), form=wish.form, simulated=simulated)
        case _:
            from ordersync_cli.cli.report_table import plain_table

            yield plain_table(made, intervals=wish.intervals).encode()


def _series(reading: Reading, scope: Scope, made: Report) -> Series:
    from ordersync_cli.services.report.series import series_of

    limits = {mode: float(told["due_after_seconds"]) for mode, told in made.document["runs"].items()}
    return series_of(reading, scope, made.now, limits, made.document["generated_at"])


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that replaces the old one only when it is complete.

    A pipe or a device is written into: a file renamed over /dev/null would be the end of it.
    """
    try:
        if path.exists() and not path.is_file():
            with path.open("wb") as file:
                yield file
            return
        whole = path.resolve()
        part = whole.with_name(f".{whole.name}.{os.getpid()}.part")
        try:
            with part.open("wb") as file:
                yield file
            part.replace(whole)
        finally:
            part.unlink(missing_ok=True)
    except OSError as problem:
        raise UsageError(f"{path} cannot be written: {problem.strerror}.", "Give another --output.") from None
