"""The edge to the real world, kept in one place: this machine's clock, waiting, and key material."""

from __future__ import annotations

import asyncio
import secrets
import time
import uuid


def host_clock() -> int:
    """Return microseconds since 1970 by this machine's clock."""
    return time.time_ns() // 1_000


def block(seconds: float) -> None:
    """Wait in this thread."""
    time.sleep(seconds)


async def pause(seconds: float) -> None:
    """Wait on the server's loop."""
    await asyncio.sleep(seconds)


def fresh_uuid() -> str:
    """Return a uuid that nobody can guess: the name of a key."""
    return str(uuid.uuid4())


def fresh_suffix() -> str:
    """Return a few letters for a file that is about to be renamed."""
    return secrets.token_hex(4)
