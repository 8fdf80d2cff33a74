"""A store that is read and never written: what a dry run would have written stays in memory.

The passes run over it unchanged, so that a dry run cannot tell another story than a real one.
"""

# ruff: noqa: ARG002 - these tables take what the ports hand them, and do nothing with it

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, cast

from ordersync_cli.domain.merge import join_order
from ordersync_cli.domain.observations import FillsSeen, OrderSeen
from ordersync_cli.domain.orders import Status
from ordersync_cli.domain.registers import external_sight
from ordersync_cli.domain.standing import derive
from ordersync_cli.domain.trade import Change, Trade, VenueOrder
from ordersync_cli.domain.view import TradeView, view
from ordersync_cli.services.ports import (
    BreakTable,
    Budget,
    ClockOffset,
    ExternalOrders,
    IncidentTable,
    Lease,
    Leases,
    Notes,
    Outbox,
    RunTable,
    Store,
    TradeEvent,
    TradeFilter,
    TradeTable,
    Transaction,
    WatcherTable,
)

_MOST_ADDED = 1_000_000_000


@dataclass(slots=True)
class _Imagined:
    """What the dry run would have written so far."""

    trades: dict[int, Trade] = field(default_factory=dict)
    owners: dict[str, int] = field(default_factory=dict)
    notes: dict[str, str | None] = field(default_factory=dict)
    external: dict[str, VenueOrder] = field(default_factory=dict)
    added: int = 0

    def keep(self, trade: Trade) -> None:
        assert trade.trade_id is not None
        self.trades[trade.trade_id] = trade
        for order in trade.orders:
            self.owners[order.order_id] = trade.trade_id
        if trade.request.client_order_id:
            self.owners[trade.request.client_order_id] = trade.trade_id


@dataclass(slots=True)
class _Trades:
    """The trades as they would be; reads go to the store where nothing was imagined."""

    base: TradeTable
    imagined: _Imagined

    def add(self, trade: Trade) -> Trade:
        """Imagine a new row, under a negative id that no stored row has; a later one has a larger id."""
        trade = replace(trade, trade_id=self.imagined.added - _MOST_ADDED)
        self.imagined.added += 1
        self.imagined.keep(trade)
        return trade

    def told(self) -> list[TradeEvent]:
        """A dry run tells nobody."""
        return []

    def ids_of(self, order_ids: Iterable[str] = (), client_order_ids: Iterable[str] = ()) -> dict[str, int]:
        orders, clients = list(order_ids), list(client_order_ids)
        found = self.base.ids_of(orders, clients)
        return found | {k: self.imagined.owners[k] for k in (*orders, *clients) if k in self.imagined.owners}

    def load(self, trade_ids: Iterable[int], *, lock: bool = True) -> dict[int, Trade]:
        wanted = list(trade_ids)
        known = {k: self.imagined.trades[k] for k in wanted if k in self.imagined.trades}
        rest = [k for k in wanted if k not in known and k > 0]
        return known | (self.base.load(rest, lock=False) if rest else {})

    def save(
        self, changes: Sequence[Change], *, committed_at: datetime, offset: ClockOffset | None = None
    ) -> list[TradeEvent]:
        for change in changes:
            self.imagined.keep(change.after)
        return []

    def confirm(self, confirmed: Mapping[int, datetime]) -> None:
        return

    def pending_ids(self) -> list[int]:
        standings = {k: derive(trade) for k, trade in self.imagined.trades.items()}
        due = {k for k, now in standings.items() if now.status is Status.PENDING or now.awaits_zero_proof}
        return sorted(due | {k for k in self.base.pending_ids() if k not in standings})

    def unverified_ids(self, limit: int) -> list[int]:
        due = {k for k, trade in self.imagined.trades.items() if derive(trade).fills_due}
        stored = {k for k in self.base.unverified_ids(limit) if k not in self.imagined.trades}
        return sorted(stored | due)[:limit]

    def views(self, wanted: TradeFilter) -> list[TradeView]:
        """Read public rows; where something was imagined of a row that was asked for by id, that."""
        rows = self.base.views(wanted)
        asked = [k for k in wanted.trade_ids or () if k < 0 and k in self.imagined.trades]
        shown = [self._imagined_view(row.trade_id) or row for row in rows]
        return shown + [v for k in asked if (v := self._imagined_view(k)) is not None]

    def _imagined_view(self, trade_id: int) -> TradeView | None:
        trade = self.imagined.trades.get(trade_id)
        return None if trade is None else view(trade, derive(trade))

    def rewrite(self, trade_ids: Sequence[int]) -> list[int]:
        """Imagine that what the join says was written again."""
        for trade in self.load(trade_ids).values():
            self.imagined.keep(trade)
        return sorted(trade_ids)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.base, name)


@dataclass(slots=True)
class _External:
    """Orders that no trade claims, as they would be kept."""

    base: ExternalOrders
    imagined: _Imagined

    def save(self, orders: Sequence[OrderSeen], *, now: datetime) -> None:
        for seen in orders:
            self._join(external_sight(seen, now))

    def fills(self, rows: Sequence[FillsSeen]) -> None:
        for seen in rows:
            self._join(external_sight(seen, seen.as_of))

    def load(self, order_id: str) -> VenueOrder | None:
        return self.imagined.external.get(order_id) or self.base.load(order_id)

    def list(self, limit: int = 1000) -> list[VenueOrder]:
        known = {order.order_id: order for order in self.base.list(limit)}
        return [*({**known, **self.imagined.external}).values()][:limit]

    def _join(self, told: VenueOrder) -> None:
        before = self.load(told.order_id)
        self.imagined.external[told.order_id] = told if before is None else join_order(before, told)


@dataclass(slots=True)
class _Notes:
    base: Notes
    imagined: _Imagined

    def get(self, name: str, *, lock: bool = False) -> str | None:
        return self.imagined.notes[name] if name in self.imagined.notes else self.base.get(name)

    def set(self, name: str, value: str | None) -> None:
        self.imagined.notes[name] = value


@dataclass(slots=True)
class _Nothing:
    """A table whose rows are read from the store and into which nothing is ever put."""

    base: Any

    def __getattr__(self, name: str) -> Any:
        return getattr(self.base, name) if name in _READS else _ignore


_READS = {"open", "between", "list", "load", "due", "undelivered", "last", "watermark", "get"}


def _ignore(*_: object, **__: object) -> int:
    return 0


@dataclass(slots=True)
class _Transaction:
    base: Transaction
    imagined: _Imagined

    @property
    def trades(self) -> TradeTable:
        return cast("TradeTable", _Trades(self.base.trades, self.imagined))

    @property
    def external(self) -> ExternalOrders:
        return cast("ExternalOrders", _External(self.base.external, self.imagined))

    @property
    def runs(self) -> RunTable:
        return cast("RunTable", _Nothing(self.base.runs))

    @property
    def breaks(self) -> BreakTable:
        return cast("BreakTable", _Nothing(self.base.breaks))

    @property
    def outbox(self) -> Outbox:
        return cast("Outbox", _Nothing(self.base.outbox))

    @property
    def incidents(self) -> IncidentTable:
        return cast("IncidentTable", _Nothing(self.base.incidents))

    @property
    def notes(self) -> Notes:
        return _Notes(self.base.notes, self.imagined)

    @property
    def watchers(self) -> WatcherTable:
        return self.base.watchers

    def fence(self, lease: Lease) -> None:
        return


class DryStore:
    """A Store over another one that it only reads."""

    def __init__(self, base: Store) -> None:
        self._base = base
        self._imagined = _Imagined()

    @property
    def leases(self) -> Leases:
        """The real leases; a dry run takes none."""
        return self._base.leases

    @property
    def budget(self) -> Budget:
        """The real budget: a dry run asks the venue as a real one does."""
        return self._base.budget

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """Open a reading transaction over the store and what was imagined."""
        with self._base.read() as transaction:
            yield cast("Transaction", _Transaction(transaction, self._imagined))

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """Open one whose writes stay in memory."""
        with self._base.read() as transaction:
            yield cast("Transaction", _Transaction(transaction, self._imagined))

    def claim(self, venue: str, portfolio_id: str | None, *, bind: bool = True) -> None:
        """Bind nothing: a dry run only compares."""
        self._base.claim(venue, portfolio_id, bind=False)

    def wait_for_change(self, timeout: float) -> bool:
        """Wait as the store does."""
        return self._base.wait_for_change(timeout)

    def close(self) -> None:
        """Leave the store open: it belongs to the caller."""
