"""What stands at the other end: a terminal, a pipe, or nobody."""

from __future__ import annotations

import io
import select
import sys
from typing import TextIO


def is_terminal(stream: TextIO | None) -> bool:
    """Tell whether a stream is a terminal; a closed or missing one is not."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:
        return False


def has_person() -> bool:
    """Tell whether somebody can see this run: cron and CI have neither stdin nor stdout on a terminal."""
    return is_terminal(sys.stdin) or is_terminal(sys.stdout)


def can_ask() -> bool:
    """Tell whether a question can be put and answered; stdout may well be piped away."""
    return is_terminal(sys.stdin) and is_terminal(sys.stderr)


def reader_is_gone() -> bool:
    """Tell whether stdout is a pipe that nobody reads any more."""
    try:
        poll = select.poll()
        poll.register(sys.stdout.fileno(), 0)  # errors are told without being asked for
        return bool(poll.poll(0))
    except (OSError, ValueError, AttributeError):
        return False


def ask(question: str) -> bool:
    """Ask on stderr; True only for a written yes. Check ``can_ask`` first."""
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    try:
        return sys.stdin.readline().strip().lower() in {"y", "yes"}
    except KeyboardInterrupt:
        sys.stderr.write("\n")  # what is said next has a line of its own
        raise


def escape_what_does_not_fit(stream: TextIO | None) -> bool:
    """Let a stream of another encoding than UTF-8 escape what it cannot show; tells whether it is one.

    A locale of old, or PYTHONIOENCODING: an arrow in a line must not lose the line.
    """
    if not isinstance(stream, io.TextIOWrapper) or stream.encoding.lower().replace("_", "-") in {"utf-8", "utf8"}:
        return False
    stream.reconfigure(errors="backslashreplace")
    return True
