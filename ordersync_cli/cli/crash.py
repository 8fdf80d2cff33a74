"""Keeps the traceback of a bug where it can be found, so that stderr gets one line."""

from __future__ import annotations

import logging
import traceback
from datetime import UTC

from ordersync_cli.cli.logs import ROOT, writes_to_file
from ordersync_cli.cli.redact import Redactor
from ordersync_cli.clock import SystemClock


def keep_trace(error: BaseException, redactor: Redactor) -> str:
    """Write the traceback to the log file, else to a file in the user's log folder; says where it is."""
    file = writes_to_file()
    if file is not None:
        logging.getLogger(ROOT).critical("a bug", exc_info=error)
        return f"The traceback is in {file}."
    import platformdirs

    path = platformdirs.user_log_path("ordersync") / "crash.log"
    trace = redactor.text("".join(traceback.format_exception(error)))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as log:
            log.write(f"{SystemClock().now().astimezone(UTC).isoformat()}\n{trace}\n")
    except OSError:
        return "Run it again with --log-file FILE to keep the traceback."
    return f"The traceback is in {path}."
