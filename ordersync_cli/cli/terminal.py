"""What stands at the other end: a terminal, a pipe, or nobody."""

from __future__ import annotations

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
