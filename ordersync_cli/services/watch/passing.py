"""The thread that runs a pass at its interval beside the loop, so that it never holds up a frame."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ordersync_cli.clock import Clock
from ordersync_cli.errors import LeaseHeld, OrdersyncError
from ordersync_cli.services.ports.messages import Inbox, PassEnded
from ordersync_cli.services.reconcile.pulse import PassStopped
from ordersync_cli.services.watch.beside import Repeating

FAILED_AGAIN = 15.0  # seconds until a pass that failed is tried again, at most

# Runs one pass, asked again and again whether it should stop; returns the contract's document.
RunPass = Callable[[Callable[[], bool]], Mapping[str, Any]]


def always() -> bool:
    """Tell that nothing speaks against a pass."""
    return True


class PassThread(Repeating):
    """Runs one mode of pass every ``every`` seconds and reports each end to the inbox.

    A pass that cron is running just now is skipped: its lease says so. So is every pass while
    ``may_run`` says no: another watcher drives.
    """

    def __init__(
        self,
        clock: Clock,
        mode: str,
        run: RunPass,
        *,
        first_after: float,
        every: float,
        may_run: Callable[[], bool] = always,
    ) -> None:
        super().__init__(f"{mode}-pass", min(first_after, every))
        self._clock = clock
        self._mode = mode
        self._run = run
        self._every = every
        self._may_run = may_run

    def turn(self, inbox: Inbox, stopping: Callable[[], bool], /) -> float:
        """Run one pass; returns the seconds until the next is due."""
        started = self._clock.monotonic()
        again = self._every
        try:
            if self._may_run():
                inbox.put(PassEnded(mode=self._mode, document=self._run(stopping)))
        except (LeaseHeld, PassStopped):
            pass
        except OrdersyncError as failure:
            inbox.put(PassEnded(mode=self._mode, document=None, failure=failure))
            again = min(self._every, FAILED_AGAIN)
        return max(0.0, started + again - self._clock.monotonic())
