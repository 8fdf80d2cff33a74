"""What stands at the other end: a terminal, a pipe, or nobody."""

from __future__ import annotations

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


def ask(question: str) -> bool:
    """Ask on stderr; True only for a written yes. Check ``can_ask`` first."""
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
