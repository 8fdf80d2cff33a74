"""A `place` that stops itself (SIGSTOP) between the committed intent and the send."""

from __future__ import annotations

import os
import runpy
import signal
from typing import Any

from ordersync_cli.services.place import Placing

if __name__ == "__main__":
    send = Placing._send

    def stopped(self: Placing, *arguments: Any) -> Any:
        os.kill(os.getpid(), signal.SIGSTOP)
        return send(self, *arguments)

    Placing._send = stopped  # type: ignore[method-assign]
    runpy.run_module("ordersync_cli", run_name="__main__", alter_sys=True)
