"""Turns one connection's raw messages into messages for the inbox."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from ordersync_cli.services.ports.messages import (
    FrameSeen,
    HeartbeatSeen,
    Message,
    MessageUnreadable,
    SequenceGap,
    SnapshotEnded,
)
from ordersync_cli.venue.redact import redacted
from ordersync_cli.venue.sequence import SequenceCheck
from ordersync_cli.venue.venue_clock import frame_stamp
from ordersync_cli.venue.wire_feed import (
    Complaint,
    Envelope,
    acknowledged,
    heartbeat_counter,
    message,
    user_events,
)
from ordersync_cli.venue.wire_values import WireError

SNAPSHOT_BATCH = 50  # Coinbase docs, user channel: "look for the first message with less than 50 orders"


@dataclass(frozen=True, slots=True)
class Receipt:
    """When a message was received; ``waited``: how long it may have lain unread, in seconds."""

    at: datetime
    mono: float
    waited: float = 0.0


@dataclass(slots=True)
class Read:
    """What one raw message amounts to."""

    messages: list[Message] = field(default_factory=list)
    heartbeat: bool = False
    snapshot_ended: bool = False
    full_batch: bool = False
    complaint: Complaint | None = None


class FeedReader:
    """Knows how far the snapshot and the numbering of one connection have come."""

    def __init__(self) -> None:
        self._sequence = SequenceCheck()
        self._received = 0
        self._snapshot_orders = 0
        self._batches = 0
        self.snapshot_ended = False
        self.user_acknowledged = False

    @property
    def waits_for_more(self) -> bool:
        """Tell whether the snapshot's batches so far were full: another must come, or 50·n was all."""
        return self._batches > 0 and not self.snapshot_ended

    def read(self, raw: str | bytes, receipt: Receipt) -> Read:
        """Read one message. Never raises for what is on the wire: it goes on, and says so."""
        read = Read()
        self._received += 1
        try:
            taken = message(raw)
            if isinstance(taken, Complaint):
                read.complaint = taken
            else:
                self._take(taken, receipt, read)
        except WireError as error:
            shown = raw if isinstance(raw, str) else raw.decode("utf-8", "replace")
            read.messages.append(
                MessageUnreadable(where=f"feed: {redacted(str(error), 120)}", text=redacted(shown), at=receipt.at)
            )
        return read

    def end_snapshot(self, receipt: Receipt) -> Read:
        """Take the snapshot as complete: what would have come next did not."""
        read = Read()
        self._end_snapshot(receipt, read)
        return read

    def _take(self, envelope: Envelope, receipt: Receipt, read: Read) -> None:
        self._check_sequence(envelope, receipt, read)
        if envelope.channel == "heartbeats":
            read.heartbeat = True
            counter = heartbeat_counter(envelope)
            read.messages.append(HeartbeatSeen(counter=counter, received_at=receipt.at, received_mono=receipt.mono))
        elif envelope.channel == "user":
            self._take_user(envelope, receipt, read)
        elif envelope.channel == "subscriptions":
            self._take_ack(acknowledged(envelope), receipt, read)

    def _check_sequence(self, envelope: Envelope, receipt: Receipt, read: Read) -> None:
        if envelope.sequence is None:
            return
        expected = self._sequence.check(envelope.channel, envelope.sequence)
        if expected is not None:
            read.messages.append(SequenceGap(expected=expected, got=envelope.sequence, at=receipt.at))

    def _take_user(self, envelope: Envelope, receipt: Receipt, read: Read) -> None:
        stamp = frame_stamp(envelope.timestamp, receipt.at, receipt.waited)
        number = self._received if envelope.sequence is None else envelope.sequence
        events = user_events(envelope, stamp, number)
        for snapshot, orders in ((True, events.snapshot), (False, events.updates)):
            if orders or (snapshot and events.batches):
                read.messages.append(
                    FrameSeen(
                        observations=orders,
                        snapshot=snapshot,
                        sequence=envelope.sequence,
                        timestamp=envelope.timestamp,
                        received_at=receipt.at,
                        received_mono=receipt.mono,
                    )
                )
        for unread in events.unread:
            read.messages.append(
                MessageUnreadable(where="feed: order", text=unread.problem, at=receipt.at, order_id=unread.order_id)
            )
        self._batches += len(events.batches)
        self._snapshot_orders += sum(events.batches)
        if any(size < SNAPSHOT_BATCH for size in events.batches):
            self._end_snapshot(receipt, read)
        elif events.batches:
            read.full_batch = True

    def _take_ack(self, channels: frozenset[str], receipt: Receipt, read: Read) -> None:
        if "user" not in channels:
            return
        self.user_acknowledged = True
        if self._batches > 0:  # the ack comes after the snapshot (recorded 2024-10-04)
            self._end_snapshot(receipt, read)

    def _end_snapshot(self, receipt: Receipt, read: Read) -> None:
        if self.snapshot_ended:
            return
        self.snapshot_ended = True
        read.snapshot_ended = True
        read.messages.append(SnapshotEnded(orders=self._snapshot_orders, at=receipt.at))
