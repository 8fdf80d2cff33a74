"""What placing and looking up exchange with a venue, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ordersync_cli.domain.observations import OrderSeen
    from ordersync_cli.domain.orders import Fill, OrderRequest


class Lane(IntEnum):
    """Who asks the venue; the value is what must be left in the bucket before it may.

    The first look at an order that was just placed waits for nobody, as its POST did: it may go below.
    A pass of a watcher's own gives way, and takes its turn among the looks after a while.
    """

    FIRST_LOOK = -10
    PLACE = 0
    SYNC = 1
    POLL = 2
    LIGHT = 4
    DEEP = 6
    PASS = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockOffset:
    """Venue clock minus this machine's clock in seconds, and how far off that may be.

    ``mono``: the monotonic second of ``measured_at``, both of this machine.
    """

    seconds: float
    error: float
    measured_at: datetime
    mono: float = 0.0


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
class Quarantined:
    """A row of a page that could not be read; the others of its page were."""

    where: str
    problem: str
    order_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPage:
    """One page of orders; ``next_cursor`` is None on the last (an empty or repeated cursor ends it).

    ``filter_ignored``: ids were in the answer that nobody asked for. ``cut``: the venue said that
    more follows, and not where: the listing is over, and not known to be complete.
    """

    orders: tuple[OrderSeen, ...]
    quarantined: tuple[Quarantined, ...]
    next_cursor: str | None
    as_of: datetime
    filter_ignored: bool = False
    cut: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FillPage:
    """One page of fills."""

    fills: tuple[Fill, ...]
    quarantined: tuple[Quarantined, ...]
    next_cursor: str | None
    as_of: datetime
    filter_ignored: bool = False
