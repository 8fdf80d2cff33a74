"""What a source said about an order at a moment: cumulative, immutable, and all that can change a trade."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import IntEnum, StrEnum

from ordersync_cli.domain.orders import Figures, Fill, Side


class Channel(IntEnum):
    """Where an observation came from; the larger one is preferred between equals."""

    WEBSOCKET = 0
    REST = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A replacement that the venue accepted: the size and price now in force."""

    accepted_at: datetime
    size: Decimal | None
    price: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderSeen:
    """An order as the venue showed it once, by REST or on the user channel.

    ``as_of`` is on the venue's clock, already clamped (``clamped`` says that it had to be).
    ``figures`` is None unless the group was complete; all zero or empty from REST on a
    terminal order is the zero group. Fields that the source did not carry are None and prove
    nothing. ``position`` orders the frames of one connection.
    """

    order_id: str
    as_of: datetime
    channel: Channel
    word: str
    position: int = 0
    figures: Figures | None = None
    client_order_id: str | None = None
    product_id: str | None = None
    side: Side | None = None
    order_type: str | None = None
    base_size: Decimal | None = None
    quote_size: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    created_time: datetime | None = None
    last_fill_time: datetime | None = None
    reason: str | None = None
    edit: Edit | None = None
    placement_source: str | None = None
    clamped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FillsSeen:
    """Rows of List Fills of one order; ``complete`` when every page of it was read."""

    order_id: str
    as_of: datetime
    fills: tuple[Fill, ...]
    complete: bool


class AnswerKind(StrEnum):
    """How the venue answered the request to place."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    NOT_SENT = "not_sent"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceAnswer:
    """What came back for one attempt to place; an answer, however bad, is a value.

    ``credentials`` marks a refusal of the key or its scope. ``attempt`` counts the sends of
    this intent from 1.
    """

    kind: AnswerKind
    attempt: int
    at: datetime
    order_id: str | None = None
    reason: str | None = None
    message: str = ""
    credentials: bool = False


class CancelStep(IntEnum):
    """How far a wish to cancel has come."""

    REQUESTED = 0
    ACCEPTED = 1
    REFUSED = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelSeen:
    """A wish to cancel, or the venue's answer to it.

    The largest by (requested_at, step, answered_at, reason) counts.
    """

    requested_at: datetime
    step: CancelStep
    answered_at: datetime | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One complete listing that did not hold an order: part of a proof of absence."""

    started_at: datetime
    window_start: datetime
    rows: int
    positive_control: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AbsenceProven:
    """The written proof that an attempt never reached the venue."""

    attempt: int
    at: datetime
    looks: tuple[Look, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SettledByHand:
    """What an operator decided where the venue can no longer tell; the venue outranks it."""

    word: str
    reason: str
    at: datetime


Observation = OrderSeen | FillsSeen | PlaceAnswer | CancelSeen | AbsenceProven | SettledByHand
