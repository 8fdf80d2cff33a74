"""A `place` that dies by kill -9 at the moment that ORDERSYNC_TEST_KILL_AT names."""

from __future__ import annotations

import os
import runpy
import signal
from collections.abc import Callable
from typing import Any

from ordersync_cli.services.follow import Follower
from ordersync_cli.services.intent import Intents
from ordersync_cli.services.record import Recorder
from ordersync_cli.venue.rest import RestVenue

MOMENTS: dict[str, tuple[type, str, bool]] = {
    "before_intent": (Intents, "commit", False),
    "after_intent": (Intents, "commit", True),
    "after_send": (RestVenue, "send", True),
    "after_commit": (Recorder, "about", True),
    "in_follow": (Follower, "_look", True),
}


def dying(function: Callable[..., Any], after: bool) -> Callable[..., Any]:
    """Make a function the last thing this process does."""

    def die(*arguments: Any, **named: Any) -> None:
        if after:
            function(*arguments, **named)
        os.kill(os.getpid(), signal.SIGKILL)

    return die


if __name__ == "__main__":
    owner, name, after = MOMENTS[os.environ["ORDERSYNC_TEST_KILL_AT"]]
    setattr(owner, name, dying(getattr(owner, name), after))
    runpy.run_module("ordersync_cli", run_name="__main__", alter_sys=True)
