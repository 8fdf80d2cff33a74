"""A `place` that dies by kill -9 between the exchange's answer and its own commit; the demo's last fate."""

from __future__ import annotations

import os
import runpy
import signal
from typing import Any

from ordersync_cli.bootstrap import Wiring
from ordersync_cli.domain.observations import PlaceAnswer
from ordersync_cli.services.ports import SignedOrder, Venue


class DiesWithTheAnswer:
    """A venue whose answer to an order is the last thing this process sees."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def __getattr__(self, name: str) -> Any:
        """Be the venue in everything else."""
        return getattr(self._venue, name)

    def send(self, signed: SignedOrder, attempt: int) -> PlaceAnswer:
        """Send the order for real, get the answer, and die."""
        self._venue.send(signed, attempt)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("a killed process does not get here")


def main() -> None:
    """Run the program with such a venue, as `python -m ordersync_cli` would."""
    claimed = Wiring.claimed

    def dying(wiring: Wiring, *, ask: bool = True) -> Any:
        return DiesWithTheAnswer(claimed(wiring, ask=ask))

    Wiring.claimed = dying  # type: ignore[method-assign,assignment]
    runpy.run_module("ordersync_cli", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
