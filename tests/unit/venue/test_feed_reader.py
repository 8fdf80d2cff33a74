"""Raw messages of the feed become messages for the inbox, whatever their shape."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ordersync_cli.services.ports.messages import (
    FrameSeen,
    HeartbeatSeen,
    MessageUnreadable,
    SequenceGap,
    SnapshotEnded,
)
from ordersync_cli.venue.backoff import Backoff
from ordersync_cli.venue.feed_reader import FeedReader, Read, Receipt
from ordersync_cli.venue.feed_session import FeedTimings
from ordersync_cli.venue.redact import redacted
from ordersync_cli.venue.sequence import SequenceCheck
from tests.support.virtual_clock import SeededChance

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
HERE = Receipt(AT, 10.0)


def order(number: int, **changes: Any) -> dict[str, Any]:
    return {"order_id": f"o-{number}", "status": "OPEN", "cumulative_quantity": "0", **changes}


def user(number: int, events: Any, **changes: Any) -> str:
    told = {
        "channel": "user",
        "client_id": "",
        "timestamp": "2026-03-01T11:59:59.812675707Z",
        "sequence_num": number,
        "events": events,
        **changes,
    }
    return json.dumps({name: value for name, value in told.items() if value != "ABSENT"})


def snapshot(*numbers: int) -> list[dict[str, Any]]:
    return [{"type": "snapshot", "orders": [order(number) for number in numbers]}]


def kinds(read: Read) -> list[str]:
    return [type(message).__name__ for message in read.messages]


def test_an_update_is_dated_by_its_own_timestamp() -> None:
    read = FeedReader().read(user(0, [{"type": "update", "orders": [order(1)]}]), HERE)
    (frame,) = read.messages
    assert isinstance(frame, FrameSeen)
    assert frame.observations[0].as_of == datetime(2026, 3, 1, 11, 59, 59, 812675, UTC)
    assert (frame.snapshot, frame.sequence, frame.received_mono) == (False, 0, 10.0)


@pytest.mark.parametrize("client_id", ["", "ABSENT", None, 7])
@pytest.mark.parametrize("positions", [{}, [], None, "ABSENT", {"perpetual_futures_positions": [{}]}])
def test_T24_client_id_and_positions_may_be_anything(client_id: Any, positions: Any) -> None:
    event = {"type": "update", "orders": [order(1)], "positions": positions}
    if positions == "ABSENT":
        del event["positions"]
    read = FeedReader().read(user(0, [event], client_id=client_id), HERE)
    assert kinds(read) == ["FrameSeen"]


@pytest.mark.parametrize("counter", [66987, "3049", None, "x", []])
def test_T24_a_heartbeat_counts_whatever_its_counter(counter: Any) -> None:
    event = {"current_time": "2024-10-04 07:04:40.820713045 +0000 UTC m=+66987.6", "heartbeat_counter": counter}
    raw = json.dumps({"channel": "heartbeats", "sequence_num": 0, "events": [event]})
    read = FeedReader().read(raw, HERE)
    assert read.heartbeat
    (beat,) = read.messages
    assert isinstance(beat, HeartbeatSeen)
    assert beat.counter == (int(counter) if counter in (66987, "3049") else None)


@pytest.mark.parametrize("sizes", [[0], [1], [49], [50, 0], [50, 9], [50, 50, 9]])
def test_T21_a_snapshot_ends_with_the_first_batch_that_is_not_full(sizes: list[int]) -> None:
    reader = FeedReader()
    ended: list[bool] = []
    for number, size in enumerate(sizes):
        read = reader.read(user(number, snapshot(*range(size))), HERE)
        ended.append(read.snapshot_ended)
    assert ended == [False] * (len(sizes) - 1) + [True]
    last = [message for message in read.messages if isinstance(message, SnapshotEnded)]
    assert last[0].orders == sum(sizes)


def test_T21_a_snapshot_of_exactly_fifty_ends_with_the_ack_or_when_nothing_comes() -> None:
    ack = json.dumps({"channel": "subscriptions", "sequence_num": 1, "events": [{"subscriptions": {"user": ["uid"]}}]})
    by_ack = FeedReader()
    by_ack.read(user(0, snapshot(*range(50))), HERE)
    assert by_ack.waits_for_more
    assert by_ack.read(ack, HERE).snapshot_ended
    by_silence = FeedReader()
    by_silence.read(user(0, snapshot(*range(50))), HERE)
    assert by_silence.end_snapshot(HERE).snapshot_ended
    assert not by_silence.end_snapshot(HERE).messages


def test_an_ack_before_the_snapshot_does_not_end_it() -> None:
    ack = {
        "channel": "subscriptions",
        "sequence_num": 0,
        "events": [{"subscriptions": {"user": ["uid"], "heartbeats": ["heartbeats"]}}],
    }
    reader = FeedReader()
    assert not reader.read(json.dumps(ack), HERE).snapshot_ended
    assert reader.user_acknowledged


def test_several_events_in_one_message_are_all_read_in_their_order() -> None:
    events = [
        {"type": "update", "orders": [order(1), order(1, status="FILLED")]},
        {"type": "update", "orders": [order(2)]},
    ]
    (frame,) = FeedReader().read(user(3, events, sequence_num=0), HERE).messages
    assert isinstance(frame, FrameSeen)
    assert [seen.order_id for seen in frame.observations] == ["o-1", "o-1", "o-2"]
    positions = [seen.position for seen in frame.observations]
    assert positions == sorted(set(positions))


def test_the_same_frame_twice_gives_the_same_observations() -> None:
    raw = user(0, [{"type": "update", "orders": [order(1)]}])
    reader = FeedReader()
    first = reader.read(raw, HERE).messages[0]
    again = next(m for m in reader.read(raw, HERE).messages if isinstance(m, FrameSeen))
    assert isinstance(first, FrameSeen)
    assert first.observations == again.observations


def test_T37_one_unreadable_order_in_a_message_loses_only_itself() -> None:
    events = [{"type": "update", "orders": [order(1), order(2, cumulative_quantity="a lot"), "garbage", order(3)]}]
    read = FeedReader().read(user(0, events), HERE)
    frame = read.messages[0]
    assert isinstance(frame, FrameSeen)
    assert [seen.order_id for seen in frame.observations] == ["o-1", "o-3"]
    unreadable = [message for message in read.messages if isinstance(message, MessageUnreadable)]
    assert [message.order_id for message in unreadable] == ["o-2", None]


@pytest.mark.parametrize("odd", ["\ud800", "\0"])
def test_T37_an_odd_character_in_a_message_reaches_no_store(odd: str) -> None:
    events = [{"type": "update", "orders": [order(1, client_order_id=odd), order(2, order_id=odd), order(3)]}]
    read = FeedReader().read(user(0, events), HERE)
    frame, unreadable = read.messages
    assert isinstance(frame, FrameSeen)
    assert [seen.order_id for seen in frame.observations] == ["o-1", "o-3"]
    assert isinstance(unreadable, MessageUnreadable)
    assert unreadable.order_id is None
    for raw in (f"not JSON {odd}", json.dumps({"type": "error", "message": f"authentication{odd}failure"})):
        read = FeedReader().read(raw, HERE)
        said = [m.text for m in read.messages if isinstance(m, MessageUnreadable)]
        said += [read.complaint.said] if read.complaint else []
        assert said
        assert [odd in text for text in said] == [False]


UNREADABLE = [
    "",
    "{",
    "[]",
    "null",
    '"x"',
    "{}",
    '{"channel":"user","events":"x"}',
    '{"channel":"user","events":["x"]}',
    b"\xff\xfe",
    '{"channel":"user","sequence_num":0,"events":[{"type":"update","orders":{"a":1}}]}',
]


@pytest.mark.parametrize("raw", UNREADABLE)
def test_a_message_that_cannot_be_read_is_said_and_passed_over(raw: Any) -> None:
    reader = FeedReader()
    assert kinds(reader.read(raw, HERE)) == ["MessageUnreadable"]
    assert kinds(reader.read(user(0, snapshot()), HERE))[-1] == "SnapshotEnded"


def test_unreadable_texts_show_no_token() -> None:
    raw = '{"type":"subscribe","jwt":"eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln", "Authorization": "Bearer abc.def"'
    (told,) = FeedReader().read(raw, HERE).messages
    assert isinstance(told, MessageUnreadable)
    assert "eyJ" not in told.text
    assert "abc.def" not in told.text


def test_a_frame_without_a_readable_timestamp_is_dated_by_its_receipt() -> None:
    for bad in ("ABSENT", None, "soon", 17):
        frame = FeedReader().read(user(0, [{"type": "update", "orders": [order(1)]}], timestamp=bad), HERE).messages[0]
        assert isinstance(frame, FrameSeen)
        assert frame.observations[0].as_of == AT


def test_T46_a_frame_from_the_future_is_held_to_its_receipt() -> None:
    raw = user(0, [{"type": "update", "orders": [order(1)]}], timestamp="2031-01-01T00:00:00Z")
    frame = FeedReader().read(raw, HERE).messages[0]
    assert isinstance(frame, FrameSeen)
    assert frame.observations[0].as_of == AT + timedelta(seconds=5)
    assert frame.observations[0].clamped


def test_an_error_message_is_a_complaint() -> None:
    read = FeedReader().read('{"type":"error","message":"authentication failure"}', HERE)
    assert read.complaint is not None
    assert read.complaint.is_authentication
    read = FeedReader().read('{"type":"error","message":"failure to subscribe"}', HERE)
    assert read.complaint is not None
    assert not read.complaint.is_authentication


def test_T23_a_gap_is_said_and_the_frame_is_kept() -> None:
    reader = FeedReader()
    reader.read(user(0, snapshot()), HERE)
    read = reader.read(user(2, [{"type": "update", "orders": [order(1)]}]), HERE)
    gap = read.messages[0]
    assert isinstance(gap, SequenceGap)
    assert (gap.expected, gap.got) == (1, 2)
    assert kinds(read) == ["SequenceGap", "FrameSeen"]


def gaps(numbering: list[tuple[str, int]]) -> list[int]:
    check = SequenceCheck()
    return [index for index, (channel, number) in enumerate(numbering) if check.check(channel, number) is not None]


@pytest.mark.parametrize(
    ("numbering", "expected"),
    [
        ([("subscriptions", 0), ("heartbeats", 1), ("user", 2), ("subscriptions", 3), ("heartbeats", 4)], []),
        ([("user", 0), ("heartbeats", 0), ("user", 1), ("heartbeats", 1), ("user", 2)], []),
        ([("user", 0), ("user", 1), ("user", 3)], [2]),
        ([("user", 0), ("heartbeats", 1), ("heartbeats", 3)], [2]),
        ([("user", 0), ("heartbeats", 0), ("user", 2), ("heartbeats", 1)], [2]),
        ([("user", 0), ("user", 1), ("user", 1)], [2]),
        ([("user", 0), ("user", 2), ("user", 1), ("user", 3)], [1, 2]),
        ([("user", 4)], [0]),
    ],
)
def test_T23_gaps_are_seen_with_one_counter_and_with_one_a_channel(
    numbering: list[tuple[str, int]], expected: list[int]
) -> None:
    assert gaps(numbering) == expected


def test_T22_waits_grow_with_the_outage_and_stay_in_their_bounds() -> None:
    backoff = Backoff(FeedTimings(), SeededChance())
    now = 1000.0
    for _ in range(400):
        wait = backoff.wait_after(now, now, was_live=False)
        outage = now - 1000.0
        assert 0.25 <= wait <= 30.0
        assert wait <= max(0.5, 0.15 * outage)
        now += wait
    assert wait > 15.0


def test_T22_only_a_connection_that_stood_ends_the_outage() -> None:
    backoff = Backoff(FeedTimings(), SeededChance())
    backoff.wait_after(0.0, 0.0, was_live=False)
    assert backoff.wait_after(100.0, 110.0, was_live=True) > 8.0  # thrown out after 10 s
    assert backoff.wait_after(110.0, 150.0, was_live=True) <= 0.5


def test_secrets_are_taken_out_of_texts() -> None:
    text = redacted(
        "a Bearer eyJhbGciOi.J9 b -----BEGIN EC PRIVATE KEY-----\nabc\n-----END EC PRIVATE KEY----- "
        'c organizations/1/apiKeys/2 d {"privateKey": "hush", "jwt":"x"}'
    )
    for secret in ("eyJ", "abc", "apiKeys", "hush", '"x"'):
        assert secret not in text
    for kept in (" b ", " c ", " d "):
        assert kept in text
    assert len(redacted("x" * 5000)) == 300
