"""How long the watch loop bears a store that takes nothing."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from ordersync_cli.errors import StoreError
from ordersync_cli.services.watch.watch_state import WatchState

_log = logging.getLogger(__name__)

STORE_RETRY = 0.5  # seconds after the store refused
STORE_PATIENCE = 60.0  # seconds of a store that takes nothing, then exit 9


@dataclass(slots=True)
class StorePatience:
    """What arrived is kept meanwhile, and frames wait in the inbox."""

    over: bool = field(default=False, init=False)
    _retry: float = field(default=float("-inf"), init=False)
    _failing: float | None = field(default=None, init=False)

    def served(self, state: WatchState) -> None:
        """Note that the store did what it was asked."""
        if self._failing is not None:
            lasted = state.clock.monotonic() - self._failing
            _log.error("The store takes everything again, after %.0f s; what waited is committed.", lasted)
        self._failing = None
        state.store_problem = ""

    def refused(self, state: WatchState, problem: StoreError, since: float) -> None:
        """Note a refusal of what was begun at that time; raises it once the patience is over.

        A store that is locked refuses only after some seconds, and those count too.
        """
        mono = state.clock.monotonic()
        state.store_problem = problem.message
        if self._failing is None:
            self._failing = since
            _log.error(
                "The store takes nothing: %s What arrived is kept; trying again, and stopping (exit 9) once that "
                "has lasted %.0f s.",
                problem.message,
                STORE_PATIENCE,
            )
        if mono - self._failing >= STORE_PATIENCE:
            self.over = True
            raise problem
        self._retry = mono + STORE_RETRY

    def wait(self, mono: float) -> float:
        """Tell how many seconds to leave the store alone; not positive when it may be tried."""
        return self._retry - mono
