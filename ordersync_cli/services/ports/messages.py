"""What the feed and poll threads put into the inbox of the watch loop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from ordersync_cli.domain.observations import FillsSeen, OrderSeen
from ordersync_cli.errors import OrdersyncError


class FeedState(StrEnum):
    """How far the user channel can be trusted."""

    CONNECTING = "connecting"
    LIVE = "live"
    STALE = "stale"
    POLLING = "polling"  # no feed wanted, or none to be had: REST alone
    DOWN = "down"


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedChanged:
    """The feed says of itself how it is (the loop may know better and say stale)."""

    state: FeedState
    reason: str
    at: datetime
    fatal: bool = False  # authentication refused, the key read anew included


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameSeen:
    """One message of the user channel, read. Times on the venue's clock; ``received_mono`` local.

    ``timestamp`` is as the venue wrote it; the observations' times are held to the receipt.
    """

    observations: tuple[OrderSeen, ...]
    snapshot: bool
    sequence: int | None
    timestamp: datetime | None
    received_at: datetime
    received_mono: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotEnded:
    """The last batch of the snapshot after a connect has arrived."""

    orders: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class HeartbeatSeen:
    """A heartbeat arrived."""

    counter: int | None
    received_at: datetime
    received_mono: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceGap:
    """A sequence number was skipped or came again: REST must be asked what is missing."""

    expected: int
    got: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageUnreadable:
    """A message, or one order in it, could not be read; ``text`` is cut and redacted."""

    where: str
    text: str
    at: datetime
    order_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LookDone:
    """The poll thread asked the venue; ``failure`` where it could not be asked."""

    asked: tuple[str, ...]
    orders: tuple[OrderSeen, ...]
    fills: tuple[FillsSeen, ...]
    missing: tuple[str, ...]  # proven 404, one by one
    started_mono: float
    finished_mono: float
    purpose: str  # "poll", "audit", "reconnect", "gap", "zero_proof", "fills", "created"
    failure: OrdersyncError | None = None
    filter_ignored: bool = False
    requests: int = 0
    quarantined: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreTouched:
    """Another process wrote to the store."""

    at_mono: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PassEnded:
    """The pass thread finished a pass: what it reported, or why it could not."""

    mode: str  # light, deep
    document: Mapping[str, Any] | None
    failure: OrdersyncError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadDied:
    """A thread at the edge ended by a bug; the loop raises it again, so that nothing dies silently."""

    name: str
    error: BaseException


@dataclass(frozen=True, slots=True, kw_only=True)
class StopAsked:
    """Somebody asked the loop to stop, with the exit code it should leave."""

    exit_code: int


Message = (
    FeedChanged
    | FrameSeen
    | SnapshotEnded
    | HeartbeatSeen
    | SequenceGap
    | MessageUnreadable
    | LookDone
    | StoreTouched
    | PassEnded
    | ThreadDied
    | StopAsked
)


class Inbox(Protocol):
    """The one bounded queue between the threads at the edge and the loop that owns the store."""

    def put(self, message: Message) -> None:
        """Add a message; blocks while the queue is full, never drops."""
        ...

    def receive(self, timeout: float) -> list[Message]:
        """Wait up to that many seconds, then take everything that is there (maybe nothing)."""
        ...
