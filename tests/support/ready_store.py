"""A SQLite store that is ready at once: a copy of one that was migrated once for the whole run."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from ordersync_cli.clock import Chance, Clock, SystemChance, SystemClock
from ordersync_cli.store import open_store
from ordersync_cli.store.trade_store import TradeStore


@cache
def _template() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="ordersync-test-store-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = folder / "ready.db"
    open_store(f"sqlite:///{path}", clock=SystemClock(), chance=SystemChance()).close()
    return path


def ready_store(path: Path, clock: Clock, chance: Chance) -> TradeStore:
    """Open the store at a path, made from the template where there is no file yet."""
    if not path.exists():
        shutil.copyfile(_template(), path)
    return open_store(f"sqlite:///{path}", clock=clock, chance=chance)
