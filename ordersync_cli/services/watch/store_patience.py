"""How long the watch loop bears a store that takes nothing."""

from __future__ import annotations

from dataclasses import dataclass, field

from ordersync_cli.errors import StoreError
from ordersync_cli.services.watch.watch_state import WatchState

STORE_RETRY = 0.5  # seconds after the store refused
STORE_PATIENCE = 60.0  # seconds of a store that takes nothing, then exit 9


@dataclass(slots=True)
class StorePatience:
    """What arrived is kept meanwhile, and frames wait in the inbox."""

    _retry: float = field(default=float("-inf"), init=False)
    _failing: float | None = field(default=None, init=False)

    def served(self, state: WatchState) -> None:
        """Note that the store did what it was asked."""
        self._failing = None
        state.store_problem = ""

    def refused(self, state: WatchState, problem: StoreError) -> None:
        """Note a refusal; raises it once the patience is over."""
        mono = state.clock.monotonic()
        state.store_problem = problem.message
        if self._failing is None:
            self._failing = mono
        if mono - self._failing >= STORE_PATIENCE:
            raise problem
        self._retry = mono + STORE_RETRY

    def wait(self, mono: float) -> float:
        """Tell how many seconds to leave the store alone; not positive when it may be tried."""
        return self._retry - mono
