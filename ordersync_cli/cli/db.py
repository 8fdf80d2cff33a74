"""`ordersync db ...`: the trade store itself."""

from __future__ import annotations

from ordersync_cli.cli.invocation import Invocation
from ordersync_cli.cli.options import command


@command("db path", shape={"database_url": None, "path": None})
def path(run: Invocation) -> int:
    """Print where the trade store is: a file, or an address without its password."""
    settings = run.settings
    file = settings.store_path
    run.document({"database_url": settings.shown_database, "path": None if file is None else str(file)})
    run.output.text(str(file) if file is not None else settings.shown_database)
    return 0
