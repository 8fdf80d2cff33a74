"""What every table of one transaction shares."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ordersync_cli.errors import LeaseLost
from ordersync_cli.store.event_rows import write_events

if TYPE_CHECKING:
    from ordersync_cli.clock import Chance, Clock
    from ordersync_cli.services.ports import Lease, TradeEvent
    from ordersync_cli.store.sql import Sql


@dataclass(slots=True)
class Context:
    """One open transaction, the clock and chance of its store, and the bot's words it has read."""

    sql: Sql
    clock: Clock
    chance: Chance
    # columns of a bot's own table that may not be NULL: zero or "" stands there for "not known"
    never_null: frozenset[str] = frozenset()
    # of each trade loaded: status and filled_at as they stand in its row
    own_words: dict[int, tuple[str | None, Any]] = field(default_factory=dict)
    # of each trade loaded: the order id in its row
    named: dict[int, str | None] = field(default_factory=dict)
    # trades whose venue order was made from a bot's row (or an external order) and is not stored
    unstored: set[int] = field(default_factory=set)
    # a bot's rows that are loaded though nobody can read their side
    sideless: set[int] = field(default_factory=set)
    told: list[tuple[TradeEvent, bool]] = field(default_factory=list)  # in order; True: announced

    def tell(self, events: Iterable[TradeEvent], *, quietly: bool = False) -> None:
        """Append events to the audit when the transaction ends; announce them unless told not to."""
        self.told.extend((event, not quietly) for event in events)

    def flush(self) -> None:
        """Write the events told so far: the last thing before the commit."""
        told, self.told = self.told, []
        write_events(self.sql, told)

    def fence(self, lease: Lease | None) -> None:
        """Raise LeaseLost unless the lease is still held; its row stays locked until the commit."""
        if lease is None:
            return
        row = self.sql.row(f"SELECT holder, token FROM leases WHERE name = ?{self.sql.for_update}", (lease.name,))
        if row is None or tuple(row) != (lease.holder, lease.token):
            raise LeaseLost(
                f"The lease {lease.name} was taken over by another process; nothing was written.",
                "It carries on there; `ordersync report` shows who.",
            )
