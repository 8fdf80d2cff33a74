"""What the services need of the tables of trades and of external orders, inside one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ordersync_cli.domain.observations import FillsSeen, OrderSeen
    from ordersync_cli.domain.trade import Change, Trade, VenueOrder
    from ordersync_cli.domain.view import TradeView
    from ordersync_cli.services.ports.answers import ClockOffset
    from ordersync_cli.services.ports.rows import TradeEvent, TradeFilter


class TradeTable(Protocol):
    """Trades inside one transaction. Rows are locked in the order of their ids."""

    def told(self) -> list[TradeEvent]:
        """List what this transaction has told so far and will announce when it commits."""
        ...

    def add(self, trade: Trade) -> Trade:
        """Insert an intent (or an adopted, imported row); returns it with its trade_id."""
        ...

    def ids_of(self, order_ids: Iterable[str] = (), client_order_ids: Iterable[str] = ()) -> dict[str, int]:
        """Find which trade claims each order id or client order id; unknown ones are left out."""
        ...

    def load(self, trade_ids: Iterable[int], *, lock: bool = True, sideless: bool = False) -> dict[int, Trade]:
        """Load whole trades, registers and fills; locked for the transaction unless told not to.

        A bot's row without a readable side is left out, but where this transaction asks for it (``sideless``).
        """
        ...

    def begin_attempt(self, trade: Trade, *, expected_attempts: int) -> bool:
        """Write attempts, attempt_at, not_after, submitted_at by compare-and-set; False if another did."""
        ...

    def save(
        self, changes: Sequence[Change], *, committed_at: datetime, offset: ClockOffset | None = None
    ) -> list[TradeEvent]:
        """Write rows, registers and fills of what changed, and one event for each public change.

        Sets updated_at, source, sync_latency_seconds and confirmed_at. Returns the events of
        public changes, which are also sent as Postgres NOTIFY.
        """
        ...

    def events(self, trade_id: int) -> list[TradeEvent]:
        """List the audit events of one trade, oldest first."""
        ...

    def events_after(self, row: int, limit: int) -> list[tuple[int, TradeEvent]]:
        """List events of all trades whose row number is larger, oldest first, with their numbers."""
        ...

    def last_event(self) -> int:
        """Tell the largest row number of the events, 0 when there is none."""
        ...

    def confirm(self, confirmed: Mapping[int, datetime]) -> None:
        """Write confirmed_at of many trades in one batch."""
        ...

    def pending_ids(self) -> list[int]:
        """List trades whose status is pending, or whose zero proof is due, by id."""
        ...

    def unverified_ids(self, limit: int) -> list[int]:
        """List terminal trades whose fills are not verified yet."""
        ...

    def views(self, wanted: TradeFilter) -> list[TradeView]:
        """List public rows, newest first."""
        ...

    def foreign_ids(self) -> list[int]:
        """List rows that another program inserted or overwrote and that have no registers yet."""
        ...

    def overwritten_ids(self) -> list[int]:
        """List followed trades in which another program overwrote what the join had derived."""
        ...

    def rewrite(self, trade_ids: Sequence[int]) -> list[int]:
        """Write again what the join says of these trades; returns those that were written."""
        ...

    def unreadable(self) -> dict[int, str]:
        """Name rows of a bot that cannot be followed (they are left out of `load`), each with what is wrong."""
        ...

    def events_between(self, since: datetime, until: datetime) -> list[TradeEvent]:
        """List the audit events committed in [since, until), oldest first."""
        ...

    def sample_terminal(self, since: datetime, limit: int, draw: int) -> list[int]:
        """Draw distinct terminal trades touched since then, seeded by ``draw``."""
        ...


class ExternalOrders(Protocol):
    """Venue orders that no trade claims."""

    def save(self, orders: Sequence[OrderSeen], *, now: datetime) -> None:
        """Keep what was seen of orders that no trade claims."""
        ...

    def load(self, order_id: str) -> VenueOrder | None:
        """Give the registers of one; None for an unknown id."""
        ...

    def list(self, limit: int = 1000) -> list[VenueOrder]:
        """List external orders, newest first."""
        ...

    def fills(self, rows: Sequence[FillsSeen]) -> None:
        """Keep fills of external orders, so that an adoption has them."""
        ...
