"""The trades that the watch loop holds in memory: which are pending, and when each was last confirmed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from ordersync_cli.domain.orders import OrderType, Status
from ordersync_cli.domain.standing import derive
from ordersync_cli.domain.trade import Standing, Trade


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A trade that is not settled yet: pending, or ended with its fills still to be verified.

    ``confirmed_mono``: start of the newest look-up, or receipt of the newest frame, that showed
    this order (monotonic seconds; minus infinity when none did). ``looks`` counts look-ups.
    """

    trade_id: int
    trade: Trade
    standing: Standing
    held_mono: float
    confirmed_mono: float = float("-inf")
    confirmed_at: datetime | None = None
    framed_mono: float = float("-inf")
    looks: int = 0
    next_look: float = float("-inf")

    @property
    def order_id(self) -> str | None:
        """Name the venue's order, where it is known."""
        return self.standing.order_id

    @property
    def pending(self) -> bool:
        """Tell whether a bot still reads pending."""
        return self.standing.status is Status.PENDING

    @property
    def market(self) -> bool:
        """Tell whether it is a market order, from which an end is expected at once."""
        return self.trade.request.order_type is OrderType.MARKET

    @property
    def sent(self) -> bool:
        """Tell whether a request may have left for it, so that the venue may know it."""
        return self.trade.attempts > 0 or self.order_id is not None


@dataclass(slots=True)
class Roster:
    """Every held trade, by trade and by order."""

    _held: dict[int, Held] = field(default_factory=dict, init=False)
    _by_order: dict[str, int] = field(default_factory=dict, init=False)

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[Held]:
        return iter(tuple(self._held.values()))

    def __contains__(self, trade_id: object) -> bool:
        return trade_id in self._held

    def get(self, trade_id: int) -> Held | None:
        """Find a held trade."""
        return self._held.get(trade_id)

    def of_order(self, order_id: str) -> Held | None:
        """Find the held trade of a venue order."""
        trade_id = self._by_order.get(order_id)
        return None if trade_id is None else self._held.get(trade_id)

    def pending(self) -> list[Held]:
        """List the trades that are pending."""
        return [held for held in self._held.values() if held.pending]

    def put(self, trade: Trade, mono: float) -> Held | None:
        """Hold a trade as it now is, or let it go when it is settled; returns it while held."""
        trade_id = trade.trade_id
        if trade_id is None:
            return None
        standing = derive(trade)
        if standing.status is not Status.PENDING and not standing.fills_due:
            self.drop(trade_id)
            return None
        before = self._held.get(trade_id)
        if before is None:
            held = Held(trade_id=trade_id, trade=trade, standing=standing, held_mono=mono)
        else:
            held = replace(before, trade=trade, standing=standing)
        self._held[trade_id] = held
        if standing.order_id is not None:
            self._by_order[standing.order_id] = trade_id
        return held

    def drop(self, trade_id: int) -> None:
        """Let a trade go."""
        held = self._held.pop(trade_id, None)
        if held is not None and held.order_id is not None:
            self._by_order.pop(held.order_id, None)

    def keep_only(self, trade_ids: Iterable[int]) -> None:
        """Let every trade go that is not among these."""
        wanted = set(trade_ids)
        for trade_id in [k for k in self._held if k not in wanted]:
            self.drop(trade_id)

    def confirm(self, order_id: str, at: datetime, mono: float, *, looked: bool) -> int | None:
        """Note that the venue showed this order; returns the trade it belongs to."""
        held = self.of_order(order_id)
        if held is None:
            return None
        self._held[held.trade_id] = replace(
            held,
            confirmed_mono=max(mono, held.confirmed_mono),
            confirmed_at=at if held.confirmed_at is None else max(at, held.confirmed_at),
            looks=held.looks + (1 if looked else 0),
            framed_mono=held.framed_mono if looked else max(mono, held.framed_mono),
        )
        return held.trade_id

    def schedule(self, trade_id: int, next_look: float) -> None:
        """Set when this trade is to be looked at next (monotonic seconds)."""
        held = self._held.get(trade_id)
        if held is not None:
            self._held[trade_id] = replace(held, next_look=next_look)

    def count_looks(self, trade_id: int, looks: int) -> None:
        """Set how many look-ups this trade has had, as an earlier watcher counted them."""
        held = self._held.get(trade_id)
        if held is not None:
            self._held[trade_id] = replace(held, looks=looks)


def snapshot_age(held: Held, mono: float) -> float | None:
    """Tell how many seconds ago the venue last confirmed this trade; None when it never did."""
    if held.confirmed_mono == float("-inf"):
        return None
    return max(0.0, mono - held.confirmed_mono)
