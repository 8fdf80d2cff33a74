"""Our stored record of one order: its registers (a join), and what is derived from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import IntEnum

from ordersync_cli.domain.observations import CancelSeen, Channel, Edit, Look, SettledByHand
from ordersync_cli.domain.orders import (
    Figures,
    Fill,
    OrderRequest,
    OrderStatus,
    Origin,
    Source,
    Status,
)


class VerdictKind(IntEnum):
    """Our own word about an attempt, where the venue has no order to speak for it."""

    NOT_PLACED = 1
    REJECTED = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Why an attempt has no order: refused, not sent, or proven absent.

    Merged by (attempt, kind, burns_id, at, reason, looks); counts only for the newest attempt.
    """

    attempt: int
    kind: VerdictKind
    at: datetime
    reason: str
    looks: tuple[Look, ...] = ()
    burns_id: bool = False  # proven absent: this client order id is never sent again


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyedWord:
    """A status word with what ranks it: (as_of, channel, position, rank of the word, word)."""

    word: str
    as_of: datetime
    channel: Channel
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyedFigures:
    """A figure group with what ranks it."""

    figures: Figures
    as_of: datetime
    channel: Channel
    terminal: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueOrder:
    """The registers of one venue order; each a maximum under a total order.

    ``accepted``: the create answer (or an imported row) named this id. ``mismatch``: its client
    order id, product or side is not what was asked for; ``terms_differ``: its size or price, as
    REST showed them unedited; ``frame_differs``: the same by a frame, which cannot show that an
    order was edited; ``matched``: it was seen with our client order id and nothing against it.
    Whether it is ours is derived (matching.py), never read from one of them alone. The other names
    are those of the decision record on the join. ``fills`` by entry_id.
    """

    order_id: str
    accepted: bool = False
    accepted_as_of: datetime | None = None  # of the create answer; None for a row that named it
    matched: bool = False
    mismatch: bool = False
    terms_differ: bool = False
    frame_differs: bool = False
    client_order_id: str | None = None
    product_id: str | None = None
    order_type: str | None = None  # as REST told it, where nobody here knew it
    created_time: datetime | None = None
    terminal: str | None = None
    term_at: datetime | None = None
    open_word: KeyedWord | None = None
    raw: KeyedWord | None = None
    figures: KeyedFigures | None = None
    rest_figures: KeyedFigures | None = None
    final: bool = False
    fills: tuple[Fill, ...] = ()
    fills_read: datetime | None = None
    zero_look: datetime | None = None
    edit: Edit | None = None
    edit_as_of: datetime | None = None
    first_seen_at: datetime | None = None  # earliest time the venue said that it has this order
    last_fill_time: datetime | None = None
    filled_frame_at: datetime | None = None  # earliest sight of it terminal with fills
    reason: str | None = None
    reason_as_of: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """One trade: facts fixed at its start, registers that only grow, and book-keeping.

    ``trade_id`` is None until the store has given one. ``attempts`` counts the sends;
    ``not_after`` (venue clock) is when the newest attempt's signature dies. The book-keeping
    (``source`` to ``sync_latency_seconds``) is outside the join.
    """

    request: OrderRequest
    created_at: datetime
    trade_id: int | None = None
    origin: Origin = Origin.PLACED
    attempts: int = 0
    attempt_at: datetime | None = None  # venue clock, when the newest attempt was signed
    not_after: datetime | None = None
    verdict: Verdict | None = None
    cancel: CancelSeen | None = None
    settled: SettledByHand | None = None
    orders: tuple[VenueOrder, ...] = ()  # by order_id
    source: Source = Source.PLACE
    submitted_at: datetime | None = None
    accepted_at: datetime | None = None
    updated_at: datetime | None = None
    confirmed_at: datetime | None = None
    sync_latency_seconds: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a trade stands, derived from its registers alone and never an input."""

    status: Status
    order_status: OrderStatus
    order_id: str | None = None
    venue_status: str | None = None
    figures: Figures | None = None
    fills_verified: bool = False
    reason: str | None = None
    filled_at: datetime | None = None
    closed_at: datetime | None = None
    base_size: Decimal | None = None  # in force, after edits
    limit_price: Decimal | None = None
    terminal: bool = False  # the venue (or a verdict) ended it
    awaits_zero_proof: bool = False  # ended without fills, second look still due
    fills_due: bool = False  # terminal, and its fills are not verified yet
    duplicates: tuple[str, ...] = ()  # other matching orders of one intent: must be empty
    accepted_at: datetime | None = None  # when the venue first said that it has the order


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """Something the join noticed that a person must hear of."""

    rule: str
    severity: str
    message: str
    order_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What one observation did to one trade; ``changed`` is False when it told nothing new.

    ``venue_time`` is the venue's own time of the event where it has one (last fill, creation,
    frame), else None; ``public`` is True when a column that a bot or a person reads moved.
    ``timestamps_only``: the same words and figures were only seen again, at a later moment:
    to be saved like any change (another process may hold an older frame), but no news.
    """

    before: Trade
    after: Trade
    was: Standing
    now: Standing
    source: Source
    seen_at: datetime
    changed: bool
    public: bool
    timestamps_only: bool = False
    figures_changed: bool = False
    venue_time: datetime | None = None
    fills_added: tuple[Fill, ...] = ()
    alarms: tuple[Alarm, ...] = field(default=())
