"""What the services need from a venue: look-ups that raise, answers that are values."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ordersync_cli.domain.observations import OrderSeen, PlaceAnswer
    from ordersync_cli.domain.orders import OrderRequest, Product
    from ordersync_cli.services.ports.account import Balance, CancelAnswer, KeyPermissions, Preview
    from ordersync_cli.services.ports.answers import ClockOffset, FillPage, Lane, OrderPage, SignedOrder
    from ordersync_cli.services.ports.messages import Inbox


class Budget(Protocol):
    """The request budget that every process on one store shares."""

    def take(self, lane: Lane, within: float | None = None) -> None:
        """Wait until this lane may ask; raises BudgetExhausted after its patience, or ``within`` seconds."""
        ...

    def waiting(self, lane: Lane) -> int:
        """Tell how many requests of this process wait for their turn in this lane just now."""
        ...

    def spend(self) -> None:
        """Count a request that waits for nobody: the POST of an order."""
        ...

    def penalise(self, seconds: float) -> None:
        """The venue said 429: let nobody ask for that many seconds (orders still go)."""
        ...


class Venue(Protocol):
    """Coinbase or the simulator.

    Every look-up raises VenueUnavailable, CredentialsRefused or UnreadableAnswer where it could
    not be made; an empty answer is never a failed one. ``within``: seconds after which an answer
    that has not come is given up, repeats and all; None leaves it to the usual time-outs.
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

    def known_offset(self) -> ClockOffset | None:
        """Tell the offset where it is known well enough; asks nobody."""
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

    def order(self, order_id: str, lane: Lane, *, within: float | None = None) -> OrderSeen | None:
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

    def fills_of(
        self, order_ids: Sequence[str], lane: Lane, cursor: str | None = None, *, within: float | None = None
    ) -> FillPage:
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
