"""What the services need from the outside: a store and a venue, as protocols.

Each name is imported when it is first asked for: making a dataclass takes a millisecond, and `place`
needs nine of the values here.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ordersync_cli.services.ports.account import Balance, CancelAnswer, KeyPermissions, Preview
    from ordersync_cli.services.ports.answers import ClockOffset, FillPage, Lane, OrderPage, Quarantined, SignedOrder
    from ordersync_cli.services.ports.findings import BreakTable, IncidentTable
    from ordersync_cli.services.ports.pass_rows import Delivery, Incident, Lease, Run, StoredBreak
    from ordersync_cli.services.ports.rows import TradeEvent, TradeFilter, Watcher
    from ordersync_cli.services.ports.store import (
        ImportTable,
        Leases,
        Notes,
        Outbox,
        RunTable,
        Store,
        Transaction,
        WatcherTable,
    )
    from ordersync_cli.services.ports.trades import ExternalOrders, TradeTable
    from ordersync_cli.services.ports.venue import Budget, Feed, Venue

__all__ = [
    "Balance",
    "BreakTable",
    "Budget",
    "CancelAnswer",
    "ClockOffset",
    "Delivery",
    "ExternalOrders",
    "Feed",
    "FillPage",
    "ImportTable",
    "Incident",
    "IncidentTable",
    "KeyPermissions",
    "Lane",
    "Lease",
    "Leases",
    "Notes",
    "OrderPage",
    "Outbox",
    "Preview",
    "Quarantined",
    "Run",
    "RunTable",
    "SignedOrder",
    "Store",
    "StoredBreak",
    "TradeEvent",
    "TradeFilter",
    "TradeTable",
    "Transaction",
    "Venue",
    "Watcher",
    "WatcherTable",
]

_HOMES = {
    "Balance": "account",
    "BreakTable": "findings",
    "Budget": "venue",
    "CancelAnswer": "account",
    "ClockOffset": "answers",
    "Delivery": "pass_rows",
    "ExternalOrders": "trades",
    "Feed": "venue",
    "FillPage": "answers",
    "ImportTable": "store",
    "Incident": "pass_rows",
    "IncidentTable": "findings",
    "KeyPermissions": "account",
    "Lane": "answers",
    "Lease": "pass_rows",
    "Leases": "store",
    "Notes": "store",
    "OrderPage": "answers",
    "Outbox": "store",
    "Preview": "account",
    "Quarantined": "answers",
    "Run": "pass_rows",
    "RunTable": "store",
    "SignedOrder": "answers",
    "Store": "store",
    "StoredBreak": "pass_rows",
    "TradeEvent": "rows",
    "TradeFilter": "rows",
    "TradeTable": "trades",
    "Transaction": "store",
    "Venue": "venue",
    "Watcher": "rows",
    "WatcherTable": "store",
}

if not TYPE_CHECKING:  # a type checker knows each name, and says so of any other

    def __getattr__(name: str) -> object:
        """Import the module that a name lives in."""
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        globals()[name] = found
        return found
