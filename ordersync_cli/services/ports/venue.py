"""What the services need from a venue: look-ups that raise, answers that are values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import IntEnum
from typing import Any, Protocol

from ordersync_cli.domain.observations import OrderSeen, PlaceAnswer
from ordersync_cli.domain.orders import Fill, OrderRequest, Product
from ordersync_cli.services.messages import Inbox


class Lane(IntEnum):
    """Who asks the venue; the value is what must be left in the bucket before it may."""

    PLACE = 0
    SYNC = 1
    POLL = 2
    LIGHT = 4
    DEEP = 6


class Budget(Protocol):
    """The request budget that every process on one store shares."""

    def take(self, lane: Lane) -> None:
        """Wait until this lane may ask; raises BudgetExhausted after its patience."""
        ...

    def spend(self) -> None:
        """Count a request that waits for nobody: the POST of an order."""
        ...

    def penalise(self, seconds: float) -> None:
        """The venue said 429: let nobody ask for that many seconds (orders still go)."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockOffset:
    """Venue clock minus this machine's clock in seconds, and how far off that may be."""

    seconds: float
    error: float
    measured_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPermissions:
    """What the key may do and which portfolio it is bound to."""

    can_view: bool
    can_trade: bool
    can_transfer: bool
    portfolio_id: str


@dataclass(frozen=True, slots=True)
class SignedOrder:
    """A request to place, signed once: exactly this is sent, at most once.

    ``not_after`` is on the venue's clock. The token is not shown in repr.
    """

    request: OrderRequest
    body: Mapping[str, Any]
    token: str
    signed_at: datetime
    not_after: datetime

    def __repr__(self) -> str:
        """Show everything but the token."""
        return f"SignedOrder({self.request.client_order_id!r}, not_after={self.not_after!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What the venue says an order would cost; ``errors`` is filled where it would refuse."""

    errors: tuple[str, ...]
    warnings: tuple[str, ...]
    order_total: Decimal | None
    commission_total: Decimal | None
    base_size: Decimal | None
    quote_size: Decimal | None
    average_price: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """A row of a page that could not be read; the others of its page were."""

    where: str
    problem: str
    order_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPage:
    """One page of orders; ``next_cursor`` is None on the last (an empty or repeated cursor ends it).

    ``filter_ignored``: ids were in the answer that nobody asked for.
    """

    orders: tuple[OrderSeen, ...]
    quarantined: tuple[Quarantined, ...]
    next_cursor: str | None
    as_of: datetime
    filter_ignored: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FillPage:
    """One page of fills."""

    fills: tuple[Fill, ...]
    quarantined: tuple[Quarantined, ...]
    next_cursor: str | None
    as_of: datetime
    filter_ignored: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelAnswer:
    """The venue's answer to one wish to cancel; accepted does not mean cancelled."""

    order_id: str
    accepted: bool
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """What the key's portfolio holds of a currency."""

    currency: str
    available: Decimal
    hold: Decimal


class Venue(Protocol):
    """Coinbase or the simulator.

    Every look-up raises VenueUnavailable, CredentialsRefused or UnreadableAnswer where it could
    not be made; an empty answer is never a failed one.
    """

    @property
    def name(self) -> str:
        """Name the venue: coinbase or simulator."""
        ...

    @property
    def simulated(self) -> bool:
        """Tell whether no money moves there."""
        ...

    @property
    def requests_made(self) -> int:
        """Count the requests this process has sent."""
        ...

    def now(self) -> datetime:
        """Tell the venue's clock (this machine's, plus the measured offset)."""
        ...

    def offset(self) -> ClockOffset:
        """Tell the offset, measuring it by GET /time when it is not known yet."""
        ...

    def key_permissions(self, lane: Lane) -> KeyPermissions:
        """Ask what the key may do."""
        ...

    def product(self, product_id: str, lane: Lane) -> Product | None:
        """Fetch a product; None when the venue does not know it."""
        ...

    def preview(self, request: OrderRequest, lane: Lane) -> Preview:
        """Ask what an order would cost; nothing is placed."""
        ...

    def sign(self, request: OrderRequest) -> SignedOrder:
        """Sign the request to place for 30 s on the venue's clock; sends nothing."""
        ...

    def send(self, signed: SignedOrder, attempt: int) -> PlaceAnswer:
        """Send it, once, whatever the budget says; every outcome is a value."""
        ...

    def order(self, order_id: str, lane: Lane) -> OrderSeen | None:
        """Get one order; None only for the venue's own 404 NOT_FOUND."""
        ...

    def orders_by_id(self, order_ids: Sequence[str], lane: Lane, cursor: str | None = None) -> OrderPage:
        """Look up at most 100 orders in one request; ids left out prove nothing."""
        ...

    def orders_created(
        self,
        start: datetime,
        end: datetime | None,
        lane: Lane,
        cursor: str | None = None,
        limit: int = 250,
    ) -> OrderPage:
        """List orders by creation time in [start, end), without any other filter."""
        ...

    def fills_of(self, order_ids: Sequence[str], lane: Lane, cursor: str | None = None) -> FillPage:
        """List the fills of these orders, one page."""
        ...

    def fills_booked(self, start: datetime, end: datetime | None, lane: Lane, cursor: str | None = None) -> FillPage:
        """List fills by sequence timestamp in [start, end)."""
        ...

    def cancel(self, order_ids: Sequence[str], lane: Lane) -> tuple[CancelAnswer, ...]:
        """Ask for cancels, at most 100 at once."""
        ...

    def balances(self, lane: Lane) -> tuple[Balance, ...]:
        """List what the key's portfolio holds."""
        ...


class Feed(Protocol):
    """The user channel, followed by a thread of its own."""

    def start(self, inbox: Inbox) -> None:
        """Connect and go on until stopped; what arrives goes into the inbox."""
        ...

    def reconnect(self) -> None:
        """Drop the connection, if there is one, and connect now, whatever the back-off says."""
        ...

    def stop(self) -> None:
        """Stop; returns when the thread has ended."""
        ...
