"""Reads messages of the WebSocket: envelopes, orders of the user channel, heartbeats, acks, errors."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from ordersync_cli.domain.observations import OrderSeen
from ordersync_cli.venue.redact import redacted
from ordersync_cli.venue.wire_orders import Stamp, frame_order, order_id_of
from ordersync_cli.venue.wire_values import (
    Json,
    Row,
    WireError,
    as_row,
    count,
    moment,
    parse_json,
    text,
)

# An order's place in the stream: the message's number, then its own number inside the message.
ORDERS_A_MESSAGE = 100_000
_AUTHENTICATION = re.compile(r"authenticat|unauthori[sz]ed|\bjwt\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A message of a channel; ``sequence`` and ``timestamp`` are None where absent or unreadable."""

    channel: str
    sequence: int | None
    timestamp: datetime | None
    events: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Complaint:
    """The venue's own error message, which belongs to no channel."""

    said: str

    @property
    def is_authentication(self) -> bool:
        """Tell whether the venue did not take the token."""
        return _AUTHENTICATION.search(self.said) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """An order inside a message that could not be read."""

    problem: str
    order_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UserEvents:
    """The orders of one message, snapshot and updates apart; ``batches`` are the snapshot's sizes."""

    snapshot: tuple[OrderSeen, ...]
    updates: tuple[OrderSeen, ...]
    batches: tuple[int, ...]
    unread: tuple[Unread, ...]


def message(raw: str | bytes) -> Envelope | Complaint:
    """Read the envelope of a message; raises WireError. ``client_id`` may be absent and is not read."""
    row = as_row(parse_json(raw), "message")
    if row.get("type") == "error":
        said = ": ".join(part for part in (_loose_text(row, "message"), _loose_text(row, "reason")) if part)
        return Complaint(redacted(said or "an error without a message", 200))
    channel = text(row, "channel")
    if channel is None:
        raise WireError("the message names no channel")
    events = row.get("events")
    if events is None:
        events = []
    if not isinstance(events, list):
        raise WireError(f"events is not a list but {type(events).__name__}")
    return Envelope(
        channel=channel,
        sequence=_sequence(row),
        timestamp=_timestamp(row),
        events=tuple(as_row(event, "event") for event in events),
    )


def _loose_text(row: Row, key: str) -> str | None:
    value = row.get(key)
    return value if isinstance(value, str) else None


def _sequence(row: Row) -> int | None:
    try:
        return count(row, "sequence_num")
    except WireError:
        return None  # the frame itself is worth more than its number


def _timestamp(row: Row) -> datetime | None:
    try:
        return moment(row, "timestamp")
    except WireError:
        return None  # it is dated by its receipt then


def user_events(envelope: Envelope, stamp: Stamp, number: int) -> UserEvents:
    """Read every order of a user message; one that cannot be read loses only itself (trap T37).

    ``number`` is the message's place in the stream. Positions of futures are not read at all:
    they come as an object, [], null, or not.
    """
    snapshot: list[OrderSeen] = []
    updates: list[OrderSeen] = []
    batches: list[int] = []
    unread: list[Unread] = []
    position = number * ORDERS_A_MESSAGE
    for event in envelope.events:
        rows = event.get("orders") or []
        if not isinstance(rows, list):
            unread.append(Unread(problem=f"orders is not a list but {type(rows).__name__}", order_id=None))
            continue
        is_snapshot = event.get("type") == "snapshot"
        if is_snapshot:
            batches.append(len(rows))
        for row in rows:
            position += 1
            _read_into(snapshot if is_snapshot else updates, unread, row, stamp, position)
    return UserEvents(snapshot=tuple(snapshot), updates=tuple(updates), batches=tuple(batches), unread=tuple(unread))


def _read_into(seen: list[OrderSeen], unread: list[Unread], row: Json, stamp: Stamp, position: int) -> None:
    try:
        seen.append(frame_order(row, stamp, position))
    except WireError as error:
        unread.append(Unread(problem=redacted(str(error)), order_id=order_id_of(row)))


def heartbeat_counter(envelope: Envelope) -> int | None:
    """Read the counter, a number or a string; None where it cannot be read: the beat counts all the same."""
    for event in envelope.events:
        try:
            return count(event, "heartbeat_counter")
        except WireError:
            return None
    return None


def acknowledged(envelope: Envelope) -> frozenset[str]:
    """Name the channels that an ack says are subscribed; for `user` it lists the user's id, not products."""
    names: set[str] = set()
    for event in envelope.events:
        subscriptions = event.get("subscriptions")
        if isinstance(subscriptions, dict):
            names.update(subscriptions)
    return frozenset(names)
