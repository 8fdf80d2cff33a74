"""The trade store: SQLite by default, Postgres by URL."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ordersync_cli.clock import Chance, Clock
    from ordersync_cli.store.trade_store import TradeStore


def open_store(
    url: str,
    *,
    clock: Clock,
    chance: Chance,
    requests_per_second: float = 2.5,
    holder: str = "ordersync",
) -> TradeStore:
    """Open the store of a URL; a SQLite file is made, or brought to this version's schema, first.

    ``holder`` names this process to the database server. Raises SettingsError (exit 3) for a URL
    that cannot be meant or a database of another program, StoreError (exit 9) where it cannot be
    opened or a Postgres schema is not this version's.
    """
    from ordersync_cli.store.database import connected
    from ordersync_cli.store.opening import made_ready
    from ordersync_cli.store.trade_store import TradeStore
    from ordersync_cli.store.urls import locate

    database = connected(locate(url), clock, holder)
    try:
        made_ready(database, clock)
        database.follow()
    except BaseException:
        database.close()
        raise
    return TradeStore(database, clock, chance, requests_per_second)
