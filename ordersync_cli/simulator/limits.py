"""The rate limit of the exchange: buckets in the state, so that all processes share them."""

from __future__ import annotations

from dataclasses import dataclass

from ordersync_cli.simulator.state import State
from ordersync_cli.simulator.times import SECOND


@dataclass(frozen=True, slots=True)
class Allowance:
    """What the x-ratelimit headers say about one request."""

    allowed: bool
    limit: int
    remaining: int
    reset: int  # whole seconds until the bucket is full again

    def headers(self) -> dict[str, str]:
        """Return the headers, in the lower case that the SDK looks for."""
        return {
            "x-ratelimit-limit": str(self.limit),
            "x-ratelimit-remaining": str(self.remaining),
            "x-ratelimit-reset": str(self.reset),
        }


def take(state: State, name: str, rate: float, now: int) -> Allowance:
    """Take one request out of a bucket that holds one second's worth and refills at `rate` a second."""
    with state.transaction():
        row = state.sql.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        level, at = (rate, now) if row is None else _read(row[0])
        level = min(float(rate), level + max(now - at, 0) / SECOND * rate)
        allowed = level >= 1
        if allowed:
            level -= 1
        state.set_meta(name, f"{level:.6f} {now}")
    return Allowance(allowed, int(rate), int(level), int((rate - level) / rate) + 1)


def _read(text: str) -> tuple[float, int]:
    level, at = text.split()
    return float(level), int(at)
