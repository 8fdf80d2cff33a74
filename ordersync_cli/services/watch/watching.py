"""The trades that the watch loop holds in memory: which are pending, and when each was last confirmed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from ordersync_cli.domain.matching import request_told
from ordersync_cli.domain.orders import OrderType, Status
from ordersync_cli.domain.standing import derive
from ordersync_cli.domain.trade import Standing, Trade
from ordersync_cli.domain.view import TradeView, view


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
        return request_told(self.trade).order_type is OrderType.MARKET


@dataclass(slots=True)
class Roster:
    """Every held trade, by trade and by order."""

    _held: dict[int, Held] = field(default_factory=dict, init=False)
    _by_order: dict[str, int] = field(default_factory=dict, init=False)
    _pending: list[Held] | None = field(default=None, init=False)
    _views: dict[int, tuple[Trade, TradeView]] = field(default_factory=dict, init=False)

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
        """List the trades that are pending; not to be changed."""
        if self._pending is None:
            self._pending = [held for held in self._held.values() if held.pending]
        return self._pending

    def view(self, held: Held) -> TradeView:
        """Show the public row of a held trade."""
        known = self._views.get(held.trade_id)
        if known is not None and known[0] is held.trade:
            return known[1]
        shown = view(held.trade, held.standing)
        self._views[held.trade_id] = (held.trade, shown)
        return shown

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
        self._set(held)
        if standing.order_id is not None:
            self._by_order[standing.order_id] = trade_id
        return held

    def drop(self, trade_id: int) -> None:
        """Let a trade go."""
        held = self._held.pop(trade_id, None)
        self._views.pop(trade_id, None)
        self._pending = None
        if held is not None and held.order_id is not None:
            self._by_order.pop(held.order_id, None)

    def confirm(self, order_id: str, mono: float, *, looked: bool) -> int | None:
        """Note that the venue showed this order; returns the trade it belongs to."""
        held = self.of_order(order_id)
        if held is None:
            return None
        self._set(
            replace(
                held,
                confirmed_mono=max(mono, held.confirmed_mono),
                looks=held.looks + (1 if looked else 0),
            )
        )
        return held.trade_id

    def schedule(self, trade_id: int, next_look: float) -> None:
        """Set when this trade is to be looked at next (monotonic seconds)."""
        held = self._held.get(trade_id)
        if held is not None:
            self._set(replace(held, next_look=next_look))

    def count_looks(self, trade_id: int, looks: int) -> None:
        """Set how many look-ups this trade has had, as an earlier watcher counted them."""
        held = self._held.get(trade_id)
        if held is not None:
            self._set(replace(held, looks=looks))

    def _set(self, held: Held) -> None:
        self._held[held.trade_id] = held
        self._pending = None


def snapshot_age(held: Held, mono: float) -> float | None:
    """Tell how many seconds ago the venue last confirmed this trade; None when it never did."""
    if held.confirmed_mono == float("-inf"):
        return None
    return max(0.0, mono - held.confirmed_mono)
