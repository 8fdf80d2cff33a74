"""What reports need from the store: figures of a window, added up where the rows are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol

from ordersync_cli.services.ports.store import Store, Transaction
from ordersync_cli.services.ports.venue import Budget

if TYPE_CHECKING:
    from ordersync_cli.domain.histogram import Histogram


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The window [since, until) of a report, and whose trades; None means any."""

    since: datetime
    until: datetime
    bot_id: int | None = None
    product_id: str | None = None

    def before(self) -> Scope:
        """Give the window of the same length that ends where this one begins."""
        return replace(self, since=self.since - (self.until - self.since), until=self.since)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turnover:
    """Trades created in the window, of one status, product and side."""

    status: str
    product_id: str
    side: str
    trades: int
    filled_value: Decimal
    total_fees: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A measure among the samples that share these keys; ``error_us`` is the largest bound of their clocks."""

    keys: tuple[Any, ...]
    histogram: Histogram
    error_us: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingTrade:
    """A trade that is pending now. ``at_once``: a bot waits for it (a market order, or a row of unknown type)."""

    trade_id: int
    bot_id: int | None
    product_id: str | None
    order_id: str | None
    client_order_id: str | None
    order_type: str | None
    order_status: str
    at_once: bool
    created_at: datetime
    confirmed_at: datetime | None  # by the venue; else when it took the order; else None


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingSpan:
    """A trade that was pending, and is not any more."""

    trade_id: int
    bot_id: int | None
    product_id: str | None
    began_at: datetime
    ended_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ByHand:
    """An event that a person brought about."""

    trade_id: int
    kind: str
    order_status: str
    committed_at: datetime


class History(Protocol):
    """Figures of a window, inside one reading transaction."""

    def turnover(self, scope: Scope) -> list[Turnover]:
        """Count and add up the trades created in the window, exactly."""
        ...

    def cells(self, scope: Scope, measure: str, by: Sequence[str] = (), slot_seconds: float = 3600) -> list[Cell]:
        """Count the samples of a measure by keys: source, product_id, order_type, at_once, hour, slot, measure.

        ``status:%`` and ``order:%`` mean every word. A slot is numbered from the window's start.
        """
        ...

    def samples(
        self, scope: Scope, measure: str, by: Sequence[str], buckets: Sequence[int], slot_seconds: float = 3600
    ) -> Iterator[tuple[Any, ...]]:
        """Stream the samples that lie in these buckets: the keys, the bucket, the microseconds."""
        ...

    def pending(self, scope: Scope) -> list[PendingTrade]:
        """List what is pending now (whatever the window), oldest first."""
        ...

    def longest_pending(self, scope: Scope) -> int | None:
        """Tell the longest (microseconds) that a trade expected at once was pending, of those that left it."""
        ...

    def long_pending(self, scope: Scope, seconds: float) -> list[PendingSpan]:
        """List trades expected at once that left pending since the window began, after longer than that."""
        ...

    def by_hand(self, scope: Scope) -> list[ByHand]:
        """List the events that `sync`, `resolve` and `cancel` brought, by trade and time."""
        ...

    def touched(self, scope: Scope, trade_ids: Sequence[int]) -> set[int]:
        """Tell which of these trades were created or changed in the window; imported ones are left out."""
        ...

    def population(self, scope: Scope) -> list[int]:
        """List the trades of the window from which an audit draws: with an order id, not imported."""
        ...

    def owned(self, scope: Scope, trade_ids: Sequence[int]) -> set[int]:
        """Tell which of these trades are of the bot and product asked for."""
        ...

    def undelivered(self) -> Mapping[str, int]:
        """Count what waits in the outbox, by sink."""
        ...

    def exported(self, scope: Scope, rows: str) -> tuple[Sequence[str], Iterator[Sequence[Any]]]:
        """Stream the trades created, or the fills traded, in the window: the columns, then the rows."""
        ...


class Reading(Transaction, Protocol):
    """A reading transaction that reports may use."""

    @property
    def history(self) -> History:
        """Figures of a window."""
        ...


class CountedBudget(Budget, Protocol):
    """A budget that tells what is left."""

    def left(self) -> float:
        """Tell how many requests are in it now."""
        ...


class HistoryStore(Store, Protocol):
    """A store that can be reported on."""

    @property
    def budget(self) -> CountedBudget:
        """The request budget of all processes on this store."""
        ...

    def read(self) -> AbstractContextManager[Reading]:
        """Open a reading transaction: one consistent snapshot."""
        ...
