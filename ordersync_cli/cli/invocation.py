"""One run of one command: its settings, its output, its clock, and what it opened."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ordersync_cli.bootstrap import Wiring
from ordersync_cli.cli.logs import log_level, start_log, stop_log
from ordersync_cli.cli.output import Output
from ordersync_cli.cli.terminal import has_person
from ordersync_cli.clock import SystemChance, SystemClock
from ordersync_cli.config import load_settings, looks_simulated, unknown_variables
from ordersync_cli.errors import SettingsError

if TYPE_CHECKING:
    from ordersync_cli.cli.options import Prepared
    from ordersync_cli.config import Settings


class Invocation:
    """What a command function is handed.

    ``at_stake`` is set to the ids of the order as soon as a request may have left: from then on
    only the exit codes 0, 4, 5, 8 and 13 are possible, and 8 wins (contract, exit codes).
    ``stopped_by`` is what a signal has raised: Python drops it where it arrives in a callback (of an
    import, say), so a long command looks at it by `go_on`.
    ``so_far`` is what the command's JSON can tell already, should something end it from outside.
    """

    def __init__(self, prepared: Prepared, environ: Mapping[str, str] | None = None) -> None:
        self.prepared = prepared
        self.clock = SystemClock()
        self.chance = SystemChance()
        self.run_id = self.chance.uuid()
        self.at_stake: str | None = None
        self.stopped_by: type[KeyboardInterrupt] | None = None
        self.so_far: dict[str, Any] = {}
        self._environ = os.environ if environ is None else environ
        options = prepared.options
        self.output = Output(
            as_json=options.as_json,
            quiet=options.quiet,
            simulated=looks_simulated(prepared.flags(), self._environ),
        )

    @cached_property
    def settings(self) -> Settings:
        """The settings of this run; raises SettingsError (exit 3)."""
        options = self.prepared.options
        return load_settings(self.prepared.flags(), self._environ, config=options.config, profile=options.profile)

    @property
    def unknown_variables(self) -> list[str]:
        """The variables that look like a setting and are none."""
        return unknown_variables(self._environ)

    @cached_property
    def wiring(self) -> Wiring:
        """The wired services, made at first use."""
        return Wiring(self.settings, holder=self.run_id)

    def open(self) -> None:
        """Read the settings, start the log, and mark a simulated run; raises SettingsError (exit 3)."""
        settings, options = self.settings, self.prepared.options
        self.output.simulated = settings.simulated
        self.output.redactor.learn(settings.secrets)
        to_file = settings.log_file is not None
        start_log(
            file=settings.log_file,
            style=settings.log_format,
            level=log_level(verbose=options.verbose, quiet=options.quiet, to_file=to_file),
            run_id=self.run_id,
            redactor=self.output.redactor,
        )
        if self.prepared.command.touches_venue:
            self.output.mark_simulated()

    def go_on(self) -> None:
        """Raise again what a signal has raised, if one has arrived; in the main thread only."""
        if self.stopped_by is not None and threading.current_thread() is threading.main_thread():
            raise self.stopped_by

    def close(self) -> None:
        """Close what was opened; safe to call twice."""
        if "wiring" in self.__dict__:
            self.wiring.close()
        stop_log()

    def require_named_venue(self, what: str) -> None:
        """Raise SettingsError (exit 3) where nobody named a venue and nobody is looking.

        A cron job that lost its environment must not be green on the simulator (T49). ``what`` is
        the command as the user wrote it, for the message.
        """
        if self.settings.venue_is_explicit or has_person():
            return
        raise SettingsError(
            f"`{what}` runs without a terminal and no venue is named; it would have used the simulator.",
            "Set ORDERSYNC_VENUE (coinbase or simulator), or use --venue.",
        )

    def document(self, values: Mapping[str, Any]) -> None:
        """Print the command's JSON document: its shape, filled with ``values``; nothing without --json."""
        if self.output.as_json:
            self.output.document({**self.prepared.command.shape, **values})


def program() -> str:
    """Name this program as it was called, for hints that can be copied."""
    return "ordersync" if sys.argv and sys.argv[0].endswith("ordersync") else "python -m ordersync_cli"
