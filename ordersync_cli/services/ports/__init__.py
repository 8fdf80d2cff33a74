"""What the services need from the outside: a store and a venue, as protocols."""

from __future__ import annotations

from ordersync_cli.services.ports.findings import BreakTable, IncidentTable
from ordersync_cli.services.ports.rows import (
    Delivery,
    Incident,
    Lease,
    Run,
    StoredBreak,
    TradeEvent,
    TradeFilter,
    Watcher,
)
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
from ordersync_cli.services.ports.venue import (
    Balance,
    Budget,
    CancelAnswer,
    ClockOffset,
    Feed,
    FillPage,
    KeyPermissions,
    Lane,
    OrderPage,
    Preview,
    Quarantined,
    SignedOrder,
    Venue,
)

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
