"""The one way into the store: observations of any source become committed changes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ordersync_cli.domain.lifecycle import observe
from ordersync_cli.domain.observations import FillsSeen, Observation, OrderSeen
from ordersync_cli.services.lasting import open_lasting

if TYPE_CHECKING:
    from ordersync_cli.clock import Clock
    from ordersync_cli.domain.orders import Source
    from ordersync_cli.domain.trade import Alarm, Change, Trade
    from ordersync_cli.services.ports import ClockOffset, Store, TradeEvent, Transaction

    Sourced = tuple[Source, Observation]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What one committed batch did. ``external`` are orders that no trade claims."""

    changes: tuple[Change, ...] = ()
    events: tuple[TradeEvent, ...] = ()
    external: tuple[OrderSeen, ...] = ()


def announce_nothing(_: Transaction, __: Sequence[Alarm], ___: Sequence[TradeEvent]) -> None:
    """Tell nobody."""


def unknown_offset() -> ClockOffset | None:
    """Tell nothing of the venue's clock."""
    return None


@dataclass(frozen=True, slots=True)
class Recorder:
    """Feeds observations through the join and commits what they changed, one transaction a batch.

    ``announce`` puts alerts and notifications into the outbox inside the same transaction.
    ``offset`` tells the venue's clock minus this machine's, where it is known, and asks nobody.
    """

    store: Store
    clock: Clock
    announce: Callable[[Transaction, Sequence[Alarm], Sequence[TradeEvent]], None] = field(default=announce_nothing)
    offset: Callable[[], ClockOffset | None] = unknown_offset

    def added_in(self, transaction: Transaction, trade: Trade) -> Trade:
        """Insert a trade inside the caller's transaction; its first event is news like every later one."""
        added = transaction.trades.add(trade)
        self.announce(transaction, [], [e for e in transaction.trades.told() if e.trade_id == added.trade_id])
        return added

    def seen(self, observations: Iterable[OrderSeen | FillsSeen], *, source: Source) -> Recorded:
        """Record what the venue said of any orders, ours or not."""
        batch = list(observations)
        if not batch:
            return Recorded()
        with self.store.write() as transaction:
            return self.seen_in(transaction, batch, source=source)

    def seen_in(
        self,
        transaction: Transaction,
        observations: Sequence[OrderSeen | FillsSeen],
        *,
        source: Source,
    ) -> Recorded:
        """Record inside a transaction that the caller commits (with a watermark, say)."""
        return self.heard_in(transaction, [(source, observations)])

    def heard_in(
        self,
        transaction: Transaction,
        parts: Sequence[tuple[Source, Sequence[OrderSeen | FillsSeen]]],
    ) -> Recorded:
        """Record what several sources said at once, inside a transaction that the caller commits.

        All rows of trades are locked before any other, in the order of their ids: one source after
        the other, two processes could wait for each other.
        """
        told = [(source, observation) for source, part in parts for observation in part]
        owners = self._owners(transaction, [observation for _, observation in told])
        grouped: dict[int, list[Sourced]] = {}
        for source, observation in told:
            trade_id = owners.get(observation.order_id)
            if trade_id is not None:
                grouped.setdefault(trade_id, []).append((source, observation))
        recorded = self._apply(transaction, grouped)
        external = [observation for _, observation in told if observation.order_id not in owners]
        orders = tuple(o for o in external if isinstance(o, OrderSeen))
        if orders:
            transaction.external.save(orders, now=self.clock.now())
        fills = [o for o in external if isinstance(o, FillsSeen)]
        if fills:
            transaction.external.fills(fills)
        return Recorded(changes=recorded.changes, events=recorded.events, external=orders)

    def about(self, trade_id: int, observations: Iterable[Observation], *, source: Source) -> Recorded:
        """Record observations that are known to concern one trade."""
        with self.store.write() as transaction:
            return self.about_in(transaction, {trade_id: list(observations)}, source=source)

    def about_in(
        self,
        transaction: Transaction,
        grouped: dict[int, list[Observation]],
        *,
        source: Source,
    ) -> Recorded:
        """Record observations of known trades inside the caller's transaction."""
        told = {trade_id: [(source, one) for one in observations] for trade_id, observations in grouped.items()}
        return self._apply(transaction, told)

    def _owners(self, transaction: Transaction, observations: Sequence[OrderSeen | FillsSeen]) -> dict[str, int]:
        owners = transaction.trades.ids_of({o.order_id for o in observations})
        new = [o for o in observations if isinstance(o, OrderSeen) and o.client_order_id and o.order_id not in owners]
        if not new:
            return owners
        by_client = transaction.trades.ids_of((), {o.client_order_id for o in new if o.client_order_id})
        for seen in new:  # fills carry no client order id: the sight beside them tells whose they are
            if seen.client_order_id in by_client:
                owners.setdefault(seen.order_id, by_client[seen.client_order_id])
        return owners

    def _apply(self, transaction: Transaction, grouped: dict[int, list[Sourced]]) -> Recorded:
        if not grouped:
            return Recorded()
        at = self.clock.now()
        trades = transaction.trades.load(grouped)
        changes: list[Change] = []
        confirmed: dict[int, datetime] = {}
        for trade_id in sorted(trades):
            trade: Trade = trades[trade_id]
            for source, observation in grouped[trade_id]:
                change = observe(trade, observation, source=source, at=at)
                trade = change.after
                if change.changed:
                    changes.append(change)
                if isinstance(observation, OrderSeen):
                    seen = confirmed.get(trade_id)
                    confirmed[trade_id] = observation.as_of if seen is None else max(seen, observation.as_of)
        events = transaction.trades.save(changes, committed_at=self.clock.now(), offset=self.offset())
        for event in events:
            _tell(event)
        quiet = confirmed.keys() - {c.after.trade_id for c in changes}
        if quiet:
            transaction.trades.confirm({k: confirmed[k] for k in quiet})
        open_lasting(transaction, changes, at)
        alarms = [alarm for change in changes for alarm in change.alarms]
        self.announce(transaction, alarms, events)
        return Recorded(changes=tuple(changes), events=tuple(events))


def _tell(event: TradeEvent) -> None:
    _log.info(
        "%s of trade %s from %s: %s (%s), venue %s, filled %s",
        *(event.kind, event.trade_id, event.source, event.status, event.order_status),
        *(event.venue_status or "not heard", event.filled_size),
        extra={"client_order_id": event.client_order_id, "order_id": event.order_id},
    )


def is_news(event: TradeEvent) -> bool:
    """Tell whether a `trade_status_update` is due.

    Fills that arrived, a send, or a time of closing that was seen a little earlier elsewhere
    change none of its keys.
    """
    return event.kind not in {"fills", "attempt", "times"}


def status_update(event: TradeEvent) -> dict[str, Any]:
    """Turn an event into the contract's `trade_status_update` (values still typed)."""
    return {
        "type": "trade_status_update",
        "at": event.committed_at,
        "trade_id": event.trade_id,
        "bot_id": event.bot_id,
        "order_id": event.order_id,
        "client_order_id": event.client_order_id,
        "old_status": event.old_status,
        "status": event.status,
        "order_status": event.order_status,
        "venue_status": event.venue_status,
        "filled_size": event.filled_size,
        "average_filled_price": event.average_filled_price,
        "filled_at": event.filled_at,
        "updated_at": event.committed_at,
        "source": event.source,
        "venue_time": event.venue_time,
        "latency_seconds": event.latency_seconds,
        "event_id": event.event_id,
    }
