"""The feed over a real WebSocket: it comes back from every way of dying, and says what it is."""

from __future__ import annotations

import json
import logging
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import jwt
import psutil
import pytest
import trustme

from ordersync_cli.clock import SystemChance, SystemClock
from ordersync_cli.services.ports.messages import (
    FeedChanged,
    FeedState,
    FrameSeen,
    HeartbeatSeen,
    Inbox,
    Message,
    MessageUnreadable,
    SequenceGap,
    SnapshotEnded,
    ThreadDied,
)
from ordersync_cli.services.watch.inbox import BoundedInbox
from ordersync_cli.venue import key_source
from ordersync_cli.venue.feed import UserFeed
from ordersync_cli.venue.feed_session import FeedTimings
from ordersync_cli.venue.tokens import Signer
from ordersync_cli.venue.venue_clock import VenueClock
from tests.support.feed_server import FeedServer, Line, babbling, feed_server, order
from tests.support.patience import in_time
from tests.support.raw_http import free_port
from tests.support.venue_kit import KEY_NAME, OpenInbox, settled, write_key

QUICK = FeedTimings(
    connect=2.0,
    close=0.3,
    heartbeat_late=0.5,
    silence=1.0,
    snapshot=1.0,
    batch_pause=0.3,
    first_wait=0.05,
    longest_wait=0.2,
)


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return write_key(tmp_path / "key.json")


@contextmanager
def following(
    url: str,
    key: Path,
    *,
    timings: FeedTimings = QUICK,
    ca_file: str | None = None,
    inbox: Inbox | None = None,
    prepare: Callable[[], object] = lambda: None,
) -> Iterator[tuple[OpenInbox, UserFeed]]:
    before = set(threading.enumerate())
    clock, chance = SystemClock(), SystemChance()
    signer = Signer(key_source(key_file=key), VenueClock(clock), chance, "127.0.0.1")
    feed = UserFeed(
        url=url, signer=signer, clock=clock, chance=chance, timings=timings, prepare=prepare, ca_file=ca_file
    )
    here = OpenInbox() if inbox is None else inbox
    feed.start(here)
    try:
        yield here, feed  # type: ignore[misc] # tests with an inbox of their own look into that one
    finally:
        began = time.monotonic()
        feed.stop()
        in_time(began, 2.0, "the end of the feed")
        ours = lambda: [t for t in threading.enumerate() if t not in before and t.name == "feed"]  # noqa: E731
        assert settled(lambda: not ours()), "the feed's thread is still there"


def is_state(state: FeedState) -> Callable[[Message], bool]:
    return lambda message: isinstance(message, FeedChanged) and message.state is state


def is_frame_of(order_id: str) -> Callable[[Message], bool]:
    return lambda m: isinstance(m, FrameSeen) and any(seen.order_id == order_id for seen in m.observations)


LIVE, DOWN, STALE = is_state(FeedState.LIVE), is_state(FeedState.DOWN), is_state(FeedState.STALE)


def healthy(line: Line) -> None:
    line.open()
    line.update(order(f"on-{line.number}"))
    line.beat_until_closed()


def dying_first(death: Callable[[Line], None]) -> Callable[[Line], None]:
    """Play one connection that dies, and healthy ones after it."""

    def script(line: Line) -> None:
        if line.number > 1:
            healthy(line)
            return
        line.open()
        line.update(order("early"))
        death(line)

    return script


def test_T26_both_channels_are_subscribed_with_a_fresh_token_each_and_without_products(key: Path) -> None:
    with feed_server(healthy) as server, following(server.url, key) as (inbox, _):
        inbox.wait_for(LIVE)
        told = server.lines[0].subscribed
    assert [one["channel"] for one in told] == ["heartbeats", "user"]
    assert all(one["type"] == "subscribe" and not one.get("product_ids") for one in told)
    assert told[0]["jwt"] != told[1]["jwt"]
    for one in told:
        claims = jwt.decode(one["jwt"], options={"verify_signature": False})
        assert (claims["sub"], "uri" in claims) == (KEY_NAME, False)


def test_a_healthy_feed_says_so_and_passes_frames_on(key: Path) -> None:
    with feed_server(healthy) as server, following(server.url, key) as (inbox, _):
        frame: Any = inbox.wait_for(is_frame_of("on-1"))
        assert not frame.snapshot
        assert frame.observations[0].client_order_id == "c-on-1"
        inbox.wait_for(lambda m: isinstance(m, HeartbeatSeen), count=3)
        states = [m.state for m in inbox.of(FeedChanged)]
        assert states == [FeedState.CONNECTING, FeedState.LIVE]
        assert inbox.of(SnapshotEnded)[0].orders == 0
        assert not inbox.of(SequenceGap)


def cut(line: Line) -> None:
    line.connection.socket.shutdown(2)


DEATHS: dict[str, Callable[[Line], None]] = {
    **{str(code): (lambda line, code=code: line.connection.close(code)) for code in (1000, 1001, 1008, 1011, 1013)},  # type: ignore[misc]
    "1006": cut,
    "a burst, then 1011": lambda line: (
        [line.update(order(f"burst-{number}")) for number in range(200)],
        line.connection.close(1011),
    ),  # type: ignore[dict-item]
    "silence": lambda line: line.connection.recv(),  # for ever, unless the client goes
    "an error message": lambda line: (line.raw('{"type":"error","message":"failure to subscribe"}'), time.sleep(2)),  # type: ignore[dict-item]
}


@pytest.mark.parametrize("death", DEATHS)
def test_T22_the_feed_comes_back_from_every_way_of_dying(key: Path, death: str) -> None:
    with feed_server(dying_first(DEATHS[death])) as server, following(server.url, key) as (inbox, _):
        inbox.wait_for(is_frame_of("on-2"))
        inbox.wait_for(LIVE, count=2)
        down: Any = inbox.wait_for(DOWN)
        assert not down.fatal
        if death.isdigit() and death != "1006":
            assert death in down.reason
        assert server.lines[1].subscribed[0]["jwt"] != server.lines[0].subscribed[0]["jwt"]
        if "burst" in death:
            burst = [m for m in inbox.of(FrameSeen) if m.observations and "burst" in m.observations[0].order_id]
            assert len(burst) == 200, "what was sent before the end is not lost"


def test_T22_a_refused_handshake_is_tried_again(key: Path) -> None:
    refused = {1: 503, 2: 403, 3: 429}
    with feed_server(healthy, refuse=refused.get) as server, following(server.url, key) as (inbox, _):
        inbox.wait_for(LIVE)
        assert server.handshakes == 4
        reasons = [m.reason for m in inbox.of(FeedChanged) if m.state is FeedState.DOWN]
        assert [("503" in reasons[0]), ("403" in reasons[1]), ("429" in reasons[2])] == [True] * 3


NO_WEBSOCKET: dict[str, bytes | None] = {
    "nothing, and the end": b"",
    "a reset": None,
    "half an HTTP head": b"HTTP/1.1 101 Switching Protocols\r\nUpgr",
    "a bad header line": b"HTTP/1.1 101 Switching Protocols\r\nfoo\r\n\r\n",
    "a bad byte in the head": b"HTTP/1.1 101 \xff\xfe\r\nUpgrade: \xff\r\n\r\n",
    "a TLS alert": b"\x15\x03\x01\x00\x02\x02\x46",
    "binary garbage": bytes(range(256)) * 8 + b"\n",
    "an SMTP banner": b"220 ready\r\n",
    "HTTP/1.0": b"HTTP/1.0 503 Service Unavailable\r\n\r\nno",
    "a status that is no number": b"HTTP/1.1 abc Odd\r\n\r\n",
    "an endless line": b"HTTP/1.1 200 " + b"x" * 100_000,
    "too many headers": b"HTTP/1.1 101 Switching Protocols\r\n" + b"a: b\r\n" * 500 + b"\r\n",
    "a length that is no number": b"HTTP/1.1 503 No\r\nContent-Length: x\r\n\r\n",
    "chunks": b"HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "no upgrade": b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
}


@pytest.mark.parametrize("answer", NO_WEBSOCKET)
def test_T22_whatever_answers_the_handshake_is_a_refusal_and_tried_again(key: Path, answer: str) -> None:
    with babbling(NO_WEBSOCKET[answer]) as port, following(f"ws://127.0.0.1:{port}", key) as (inbox, _):
        inbox.wait_for(DOWN, count=3)
        assert not inbox.of(ThreadDied)
        assert all(m.reason and not m.fatal for m in inbox.of(FeedChanged) if m.state is FeedState.DOWN)


FRAMES: dict[str, bytes] = {
    "a text that is not UTF-8": b"\x81\x02\xc3\x28",
    "a text cut within a character": b"\x81\x01\xc3",
    "reserved bits": b"\xf1\x00",
    "an unknown opcode": b"\x83\x00",
    "a masked frame": b"\x81\x81\x00\x00\x00\x00a",
    "a message that is too large": b"\x81\x7f" + (1 << 40).to_bytes(8, "big"),
    "a length beyond all bounds": b"\x81\x7f" + b"\xff" * 8,
    "a continuation of nothing": b"\x80\x01a",
    "a long ping": b"\x89\x7e\x00\xff" + b"x" * 255,
    "a close frame of one byte": b"\x88\x01a",
    "a forbidden close code": b"\x88\x02\x03\xed",
    "a close reason that is not UTF-8": b"\x88\x04\x03\xe8\xc3\x28",
    "HTTP": b"HTTP/1.1 500 Internal Server Error\r\n\r\n",
}


@pytest.mark.parametrize("frame", FRAMES)
def test_T22_whatever_is_sent_on_an_open_connection_ends_no_more_than_that(key: Path, frame: str) -> None:
    def death(line: Line) -> None:
        line.connection.socket.sendall(FRAMES[frame])
        line.beat_until_closed()

    with feed_server(dying_first(death)) as server, following(server.url, key) as (inbox, _):
        inbox.wait_for(is_frame_of("on-2"))
        assert not inbox.of(ThreadDied)
        down: Any = inbox.wait_for(DOWN)
        assert down.reason
        assert not down.fatal


def test_T22_a_venue_that_is_gone_for_a_while_is_found_again(key: Path) -> None:
    port = free_port()
    with following(f"ws://127.0.0.1:{port}", key) as (inbox, _):
        inbox.wait_for(DOWN, count=3)
        with feed_server(healthy, port=port):
            inbox.wait_for(LIVE)


def test_T22_silence_is_stale_first_and_heartbeats_make_it_live_again(key: Path) -> None:
    def script(line: Line) -> None:
        line.open()
        time.sleep(0.75)
        line.beat_until_closed()

    with feed_server(script) as server, following(server.url, key) as (inbox, _):
        inbox.wait_for(STALE)
        inbox.wait_for(LIVE, count=2)
        assert len(server.lines) == 1


def test_T20_heartbeats_alone_do_not_make_a_feed_live(key: Path) -> None:
    def script(line: Line) -> None:
        if line.number > 1:
            healthy(line)
        line.expect_subscriptions()
        line.beat_until_closed()

    with feed_server(script) as server, following(server.url, key) as (inbox, _):
        live: Any = inbox.wait_for(LIVE)
        first_down: Any = inbox.wait_for(DOWN)
        assert first_down.at < live.at
        assert "no snapshot" in first_down.reason
        assert len(server.lines) == 2


@pytest.mark.parametrize("sizes", [[50, 50, 9], [50, 0], [50], [100]])
def test_T21_snapshots_come_in_batches_of_fifty(key: Path, sizes: list[int]) -> None:
    def script(line: Line) -> None:
        line.expect_subscriptions()
        line.heartbeat()
        for batch, size in enumerate(sizes):
            line.snapshot(*[order(f"o-{batch}-{number}") for number in range(size)])
        line.beat_until_closed()

    with feed_server(script) as server, following(server.url, key) as (inbox, _):
        ended: Any = inbox.wait_for(lambda m: isinstance(m, SnapshotEnded))
        assert ended.orders == sum(sizes)
        seen = {one.order_id for m in inbox.of(FrameSeen) for one in m.observations}
        assert len(seen) == sum(sizes)
        assert server.lines


def test_T23_lost_doubled_and_reordered_frames_never_stop_the_feed(key: Path) -> None:
    def script(line: Line) -> None:
        line.open()
        line.update(order("a"))
        line.update(order("c"), skip=1)
        line.update(order("b"), sequence_num=3)
        line.update(order("c"), sequence_num=4)
        line.update(order("d"))
        line.beat_until_closed()

    with feed_server(script) as server, following(server.url, key) as (inbox, _):
        inbox.wait_for(is_frame_of("d"))
        assert inbox.of(SequenceGap)
        assert [is_frame_of(one) for one in "abcd"]
        assert len(server.lines) == 1


def test_unreadable_messages_are_said_and_the_feed_goes_on(key: Path) -> None:
    def script(line: Line) -> None:
        line.open()
        for raw in ("{", b"\x00\xff", "[]", '{"channel":"user","events":7}', "x" * 20_000):
            line.raw(raw)
        line.update(order("good"), "garbage")  # type: ignore[arg-type]
        line.beat_until_closed()

    with feed_server(script) as server, following(server.url, key) as (inbox, _):
        inbox.wait_for(is_frame_of("good"))
        assert len(inbox.of(MessageUnreadable)) == 6
        assert all(len(m.text) <= 300 for m in inbox.of(MessageUnreadable))
        assert len(server.lines) == 1


def test_a_message_of_ten_megabytes_is_read(key: Path) -> None:
    def script(line: Line) -> None:
        line.open()
        line.update(order("big", cancel_reason="x" * 10_500_000))
        line.beat_until_closed()

    with feed_server(script) as server, following(server.url, key) as (inbox, _):
        inbox.wait_for(is_frame_of("big"))
        assert len(server.lines) == 1


def refusing_tokens(line: Line) -> None:
    line.expect_subscriptions()
    line.raw('{"type":"error","message":"authentication failure"}')
    line.beat_until_closed()


def test_T38_a_refused_key_is_read_once_more_and_then_is_fatal(key: Path) -> None:
    with feed_server(refusing_tokens) as server, following(server.url, key) as (inbox, feed):
        fatal: Any = inbox.wait_for(lambda m: isinstance(m, FeedChanged) and m.fatal)
        assert fatal.state is FeedState.DOWN
        assert "authentication failure" in fatal.reason
        assert len(server.lines) == 2
        time.sleep(0.5)
        assert len(server.lines) == 2, "no endless loop"
        feed.reconnect()
        inbox.wait_for(lambda m: isinstance(m, FeedChanged) and m.fatal, count=2)
        assert len(server.lines) == 4


def test_T38_a_refusal_of_a_moment_does_not_cost_the_feed_of_a_day(key: Path) -> None:
    soon = replace(QUICK, refused_wait=0.5)

    def script(line: Line) -> None:
        if len(server.lines) <= 2:
            refusing_tokens(line)
        else:
            healthy(line)

    with feed_server(script) as server, following(server.url, key, timings=soon) as (inbox, _):
        inbox.wait_for(lambda m: isinstance(m, FeedChanged) and m.fatal)
        inbox.wait_for(LIVE)
        assert len(server.lines) == 3


def test_T38_a_key_that_was_replaced_meanwhile_is_taken(key: Path) -> None:
    def script(line: Line) -> None:
        line.expect_subscriptions()
        if jwt.get_unverified_header(line.subscribed[0]["jwt"])["kid"] == KEY_NAME:
            content = json.loads(key.read_text())
            write_key(key, {**content, "name": "the new key"})
            line.raw('{"type":"error","message":"authentication failure"}')
            return
        line.heartbeat()
        line.snapshot()
        line.beat_until_closed()

    with feed_server(script) as server, following(server.url, key) as (inbox, _):
        inbox.wait_for(LIVE)
        assert len(server.lines) == 2


def test_a_new_connection_can_be_asked_for(key: Path) -> None:
    slow = FeedTimings(first_wait=20.0)
    with feed_server(healthy) as server, following(server.url, key, timings=slow) as (inbox, feed):
        inbox.wait_for(LIVE)
        feed.reconnect()
        inbox.wait_for(LIVE, count=2)
        assert len(server.lines) == 2


def test_a_new_connection_asked_for_ends_the_back_off(key: Path) -> None:
    port = free_port()
    slow = FeedTimings(first_wait=20.0)
    with following(f"ws://127.0.0.1:{port}", key, timings=slow) as (inbox, feed):
        inbox.wait_for(DOWN)
        with feed_server(healthy, port=port):
            feed.reconnect()
            inbox.wait_for(LIVE, seconds=5)


@pytest.mark.parametrize("where", ["backing off", "in the handshake", "reading", "before the first look"])
def test_stopping_is_prompt_wherever_the_feed_is(key: Path, where: str) -> None:
    import socket as sockets

    slow = FeedTimings(first_wait=20.0, connect=30.0, silence=30.0, heartbeat_late=30.0)
    if where == "reading":
        with feed_server(healthy) as server, following(server.url, key, timings=slow) as (inbox, _):
            inbox.wait_for(LIVE)
        return
    with sockets.create_server(("127.0.0.1", 0)) as silent:
        port = free_port() if where == "backing off" else silent.getsockname()[1]
        with following(f"ws://127.0.0.1:{port}", key, timings=slow) as (inbox, _):
            if where == "backing off":
                inbox.wait_for(DOWN)
            elif where == "in the handshake":
                time.sleep(0.3)


def test_a_full_inbox_holds_the_feed_back_and_loses_nothing(key: Path) -> None:
    def script(line: Line) -> None:
        line.open()
        for number in range(300):
            line.update(order(f"o-{number}"))
        line.beat_until_closed()

    inbox = BoundedInbox(room=5)
    with feed_server(script) as server, following(server.url, key, inbox=inbox):
        time.sleep(1.3)  # longer than the silence that would make it connect anew
        seen: list[str] = []
        states: list[FeedState] = []
        deadline = time.monotonic() + 10
        while len(seen) < 300 and time.monotonic() < deadline:
            for message in inbox.receive(0.5):
                if isinstance(message, FrameSeen):
                    seen += [one.order_id for one in message.observations]
                if isinstance(message, FeedChanged):
                    states.append(message.state)
        assert seen == [f"o-{number}" for number in range(300)]
        assert FeedState.STALE not in states
        assert len(server.lines) == 1
        inbox.close()


def test_P15_an_impostor_gets_no_token(key: Path, tmp_path: Path) -> None:
    impostor, real = trustme.CA(), trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    impostor.issue_cert("127.0.0.1").configure_cert(context)
    real.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    for ca_file in (None, str(tmp_path / "ca.pem")):
        with feed_server(healthy, tls=context) as server, following(server.url, key, ca_file=ca_file) as (inbox, _):
            down: Any = inbox.wait_for(DOWN, count=2)
            assert "certificate" in down.reason
            assert server.lines == []


def test_P15_a_certificate_for_another_name_is_refused(key: Path, tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("advanced-trade-ws-user.coinbase.com").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    ca_file = str(tmp_path / "ca.pem")
    with feed_server(healthy, tls=context) as server, following(server.url, key, ca_file=ca_file) as (inbox, _):
        inbox.wait_for(DOWN)
        assert server.lines == []


def test_a_trusted_certificate_is_taken(key: Path, tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with (
        feed_server(healthy, tls=context) as server,
        following(server.url, key, ca_file=str(tmp_path / "ca.pem")) as (inbox, _),
    ):
        inbox.wait_for(LIVE)
        assert len(server.lines) == 1


def test_no_thread_and_no_socket_is_left_after_many_connections(key: Path) -> None:
    def script(line: Line) -> None:
        line.open()
        line.connection.close(1001)

    process = psutil.Process()
    with feed_server(script) as server, following(server.url, key) as (inbox, _):
        inbox.wait_for(LIVE, count=3)
        settled(lambda: False, 0.2)
        files, threads = process.num_fds(), threading.active_count()
        inbox.wait_for(LIVE, count=20, seconds=20)
        assert settled(lambda: process.num_fds() <= files + 6)
        assert settled(lambda: threading.active_count() <= threads + 4)
        assert len(server.lines) >= 20


def test_no_token_reaches_a_log_or_a_message(
    key: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)

    def script(line: Line) -> None:
        line.expect_subscriptions()
        for told in line.subscribed:
            line.raw(json.dumps({"type": "error", "message": f"bad jwt {told['jwt']} of {KEY_NAME}"}))
        line.beat_until_closed()

    logging.getLogger("websockets.server").setLevel(logging.CRITICAL)
    with feed_server(script) as server, following(server.url, key) as (inbox, _):
        inbox.wait_for(lambda m: isinstance(m, FeedChanged) and m.fatal)
        assert server.lines
    shown = caplog.text + "".join(capfd.readouterr()) + repr(inbox.messages)
    assert "eyJ" not in shown
    assert "apiKeys/" not in shown


def test_a_bug_of_ours_is_told_and_not_swallowed(key: Path) -> None:
    def bug() -> None:
        raise ZeroDivisionError("ours")

    with feed_server(healthy) as server, following(server.url, key, prepare=bug) as (inbox, _):
        told: Any = inbox.wait_for(lambda m: type(m).__name__ == "ThreadDied")
        assert isinstance(told.error, ZeroDivisionError)
        assert isinstance(server, FeedServer)
