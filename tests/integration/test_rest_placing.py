"""An order over a real wire: sent once, and only what is proven is said (traps T16, T26)."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from queue import SimpleQueue

import jwt
import pytest
import trustme

from ordersync_cli.domain.observations import AnswerKind, PlaceAnswer
from ordersync_cli.domain.orders import OrderRequest, OrderType, Side
from ordersync_cli.errors import VenueUnavailable
from ordersync_cli.services.ports import Lane
from ordersync_cli.venue.rest import RestVenue, Tuning
from ordersync_cli.venue.retries import Retries
from ordersync_cli.venue.transport import Timeouts
from tests.support.patience import within
from tests.support.raw_http import CLOSE, CUT, HANG, Answer, Got, free_port, raw_server, reply, time_answer
from tests.support.venue_kit import FreeBudget, settled, venue_at, write_key
from tests.support.virtual_clock import VirtualClock

ORDERS = "/api/v3/brokerage/orders"
ORDER = OrderRequest(
    product_id="BTC-USD", side=Side.BUY, order_type=OrderType.MARKET, quote_size=Decimal(25), client_order_id="c-1"
)
ACCEPTED = reply(200, {"success": True, "success_response": {"order_id": "o-1"}, "order_configuration": None})
SHORT = Tuning(timeouts=Timeouts(connect=0.4, read=0.4), retries=Retries(attempts=1))


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return write_key(tmp_path / "key.json")


def posting(answer: Answer) -> Callable[[Got], Answer]:
    return lambda got: answer if got.path == ORDERS else reply(404, {"error": "NOT_FOUND", "message": "x"})


def place(venue: RestVenue) -> PlaceAnswer:
    return venue.send(venue.sign(ORDER), 3)


def test_an_order_is_sent_once_with_exactly_the_signed_token_and_body(key: Path) -> None:
    with raw_server(posting(ACCEPTED)) as server, venue_at(server.url, key) as venue:
        signed = venue.sign(ORDER)
        answer = venue.send(signed, 3)
        assert (answer.kind, answer.order_id, answer.attempt) == (AnswerKind.ACCEPTED, "o-1", 3)
        (sent,) = server.of("POST", "/orders")
        assert sent.headers["authorization"] == f"Bearer {signed.token}"
        assert sent.json == dict(signed.body)
        claims = jwt.decode(signed.token, options={"verify_signature": False})
        assert claims["uri"] == f"POST 127.0.0.1:{server.port}{ORDERS}"
        assert claims["exp"] == int(signed.not_after.timestamp())
        assert claims["exp"] - signed.signed_at.timestamp() <= 30


def test_the_post_of_an_order_never_waits_for_the_budget(key: Path) -> None:
    budget = FreeBudget()
    with raw_server(posting(ACCEPTED)) as server, venue_at(server.url, key, budget=budget) as venue:
        place(venue)
        assert budget.taken == []
        assert venue.requests_made == 2  # the time, and the order


OUTCOMES = [
    (reply(200, {"success": False, "error_response": {"error": "INSUFFICIENT_FUND"}}), AnswerKind.REJECTED, False),
    (reply(400, {"error": "INVALID_ARGUMENT", "message": "account is not available"}), AnswerKind.REJECTED, False),
    (reply(401, "Unauthorized"), AnswerKind.REJECTED, True),
    (reply(403, {"error": "PERMISSION_DENIED", "error_details": "Missing required scopes"}), AnswerKind.REJECTED, True),
    (reply(403, "<html>blocked</html>"), AnswerKind.UNKNOWN, False),
    (reply(404, "<html>nginx</html>"), AnswerKind.UNKNOWN, False),
    (reply(409, {"error": "CONFLICT", "message": "x"}), AnswerKind.UNKNOWN, False),
    (reply(429, {"errors": [{"id": "rate_limit_exceeded"}]}, headers={"Retry-After": "7"}), AnswerKind.UNKNOWN, False),
    (reply(500, "oops"), AnswerKind.UNKNOWN, False),
    (reply(502, "go/sg/f00"), AnswerKind.UNKNOWN, False),
    (reply(503, "go/sg/f00", headers={"Retry-After": "0"}), AnswerKind.UNKNOWN, False),
    (reply(307, "", headers={"Location": "/api/v3/brokerage/orders"}), AnswerKind.UNKNOWN, False),
    (reply(308, "", headers={"Location": "http://127.0.0.1:9/"}), AnswerKind.UNKNOWN, False),
    (reply(200, "<html>"), AnswerKind.UNKNOWN, False),
    (reply(200, '{"success": true, "succ', then="close", length=500), AnswerKind.UNKNOWN, False),
    (Answer(b"HTTP/1.1 200 OK\r\nContent-Le", then="close"), AnswerKind.UNKNOWN, False),
    (Answer(b"SSH-2.0-OpenSSH_9\r\n", then="close"), AnswerKind.UNKNOWN, False),
    (CUT, AnswerKind.UNKNOWN, False),
    (CLOSE, AnswerKind.UNKNOWN, False),
    (HANG, AnswerKind.UNKNOWN, False),
]


@pytest.mark.parametrize(("answer", "kind", "credentials"), OUTCOMES)
def test_T16_every_outcome_is_a_value_and_nothing_is_sent_again(
    key: Path, answer: Answer, kind: AnswerKind, credentials: bool
) -> None:
    budget = FreeBudget()
    with raw_server(posting(answer)) as server, venue_at(server.url, key, tuning=SHORT, budget=budget) as venue:
        told = place(venue)
        assert (told.kind, told.credentials) == (kind, credentials)
        assert told.reason
        assert len(server.of("POST", "/orders")) == 1
        assert budget.penalties == ([7.0] if b" 429 " in answer.content else [])


def test_T16_a_reused_connection_that_is_reset_leaves_the_outcome_unknown(key: Path) -> None:
    """The server takes the connection down just as the order comes over a kept-alive connection."""
    with raw_server(posting(CUT)) as server, venue_at(server.url, key) as venue:
        venue.order("o-1", Lane.SYNC)
        told = place(venue)
        assert told.kind is AnswerKind.UNKNOWN
        (sent,) = server.of("POST", "/orders")
        assert sent.connection == server.got[0].connection, "it went over the connection that was kept"


def test_a_kept_connection_that_the_venue_closed_is_not_used_for_an_order(key: Path) -> None:
    with (
        raw_server(
            lambda got: ACCEPTED if got.method == "POST" else reply(404, {"error": "NOT_FOUND"}, then="close")
        ) as server,
        venue_at(server.url, key) as venue,
    ):
        venue.order("o-1", Lane.SYNC)
        within(5.0, lambda: server.closed == 1, "the end of the connection")
        assert place(venue).kind is AnswerKind.ACCEPTED
        assert len(server.of("POST", "/orders")) == 1


def test_an_order_does_not_go_over_a_connection_that_lay_idle(key: Path) -> None:
    """The venue may have closed it without our seeing it, and the outcome would be unknown."""
    clock = VirtualClock()
    with raw_server(posting(ACCEPTED)) as server, venue_at(server.url, key, clock=clock) as venue:
        first, second = venue.sign(ORDER), venue.sign(ORDER)
        venue.send(first, 1)
        clock.advance(11)
        venue.send(second, 1)
        before, after = server.of("POST", "/orders")
        assert before.connection != after.connection


@pytest.mark.parametrize("answer", [CUT, CLOSE, HANG])
def test_T16_a_fresh_connection_that_was_cut_after_the_request_leaves_the_outcome_unknown(
    key: Path, answer: Answer
) -> None:
    clock = VirtualClock()
    with raw_server(posting(answer)) as server, venue_at(server.url, key, tuning=SHORT, clock=clock) as venue:
        signed = venue.sign(ORDER)
        clock.advance(11)  # the connection of GET /time is not used any more
        assert venue.send(signed, 1).kind is AnswerKind.UNKNOWN
        (sent,) = server.of("POST", "/orders")
        assert sent.connection != server.got[0].connection


def test_a_bug_of_ours_while_sending_leaves_the_outcome_unknown(key: Path) -> None:
    with raw_server(posting(ACCEPTED)) as server, venue_at(server.url, key) as venue:
        signed = replace(venue.sign(ORDER), body={"price": object()})
        told = venue.send(signed, 1)
        assert told.kind is AnswerKind.UNKNOWN
        assert server.of("POST", "/orders") == []


def test_a_refused_connection_is_proof_that_nothing_was_sent(key: Path) -> None:
    with raw_server(posting(ACCEPTED)) as server:
        url = server.url
        with venue_at(url, key, tuning=SHORT) as venue:
            signed = venue.sign(ORDER)
    with venue_at(url, key, tuning=SHORT) as venue:  # the server is gone now
        told = venue.send(signed, 1)
    assert (told.kind, told.reason) == (AnswerKind.NOT_SENT, "not_sent")
    assert "refused" in told.message.lower()


def test_a_name_that_is_not_found_is_proof_that_nothing_was_sent(key: Path) -> None:
    with raw_server(posting(ACCEPTED)) as server, venue_at(server.url, key) as venue:
        signed = venue.sign(ORDER)
    with venue_at("https://no-such-venue.example", key, tuning=SHORT) as venue:
        assert venue.send(signed, 1).kind is AnswerKind.NOT_SENT


def test_a_connect_time_out_is_proof_that_nothing_was_sent(key: Path) -> None:
    with raw_server(posting(ACCEPTED)) as server, venue_at(server.url, key) as venue:
        signed = venue.sign(ORDER)
    with closing(socket.socket()) as full, closing(socket.socket()) as waiting:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting.connect(full.getsockname())  # the queue is full: the next connect hangs
        with closing(socket.socket()) as another:
            another.setblocking(False)
            another.connect_ex(full.getsockname())
            with venue_at(f"http://127.0.0.1:{full.getsockname()[1]}", key, tuning=SHORT) as venue:
                assert venue.send(signed, 1).kind is AnswerKind.NOT_SENT


def test_P15_an_impostor_with_another_certificate_gets_no_token(key: Path, tmp_path: Path) -> None:
    impostor = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    impostor.issue_cert("127.0.0.1").configure_cert(context)
    real = trustme.CA()
    real.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    tuning = Tuning(timeouts=Timeouts(connect=1, read=1), retries=Retries(attempts=1), ca_file=str(tmp_path / "ca.pem"))
    with raw_server(posting(ACCEPTED)) as plain, venue_at(plain.url, key) as venue:
        signed = venue.sign(ORDER)
    for settings in (tuning, SHORT):  # a private authority, and the public ones
        with raw_server(posting(ACCEPTED), tls=context) as server, venue_at(server.url, key, tuning=settings) as venue:
            told = venue.send(signed, 1)
            assert told.kind is AnswerKind.NOT_SENT
            assert "certificate" in told.message.lower()
            with pytest.raises(VenueUnavailable, match=r"(?i)certificate"):
                venue.order("o-1", Lane.SYNC)
            assert server.got == []


def test_P15_a_certificate_for_another_name_is_refused(key: Path, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("api.coinbase.com").configure_cert(context)
    tuning = Tuning(timeouts=Timeouts(connect=1, read=1), retries=Retries(attempts=1), ca_file=str(tmp_path / "ca.pem"))
    with raw_server(posting(ACCEPTED), tls=context) as server, venue_at(server.url, key, tuning=tuning) as venue:
        with pytest.raises(VenueUnavailable):
            venue.order("o-1", Lane.SYNC)
        assert server.got == []


def test_a_trusted_certificate_is_taken(key: Path, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    tuning = Tuning(timeouts=Timeouts(connect=2, read=2), ca_file=str(tmp_path / "ca.pem"))
    with raw_server(posting(ACCEPTED), tls=context) as server, venue_at(server.url, key, tuning=tuning) as venue:
        assert place(venue).kind is AnswerKind.ACCEPTED


def test_a_server_that_hangs_in_the_tls_handshake_has_seen_nothing(key: Path) -> None:
    with raw_server(posting(ACCEPTED)) as server, venue_at(server.url, key) as venue:
        signed = venue.sign(ORDER)
    with (
        closing(socket.create_server(("127.0.0.1", 0))) as silent,
        venue_at(f"https://127.0.0.1:{silent.getsockname()[1]}", key, tuning=SHORT) as venue,
    ):
        assert venue.send(signed, 1).kind is AnswerKind.NOT_SENT


def test_signing_without_a_reachable_venue_is_unavailable_and_sends_nothing(key: Path) -> None:
    with venue_at(f"http://127.0.0.1:{free_port()}", key, tuning=SHORT) as venue, pytest.raises(VenueUnavailable):
        venue.sign(ORDER)


def test_T26_a_machine_with_a_wrong_clock_signs_what_the_venue_takes(key: Path) -> None:
    clock = VirtualClock()  # months away from the server's own time
    with raw_server(posting(ACCEPTED)) as server, venue_at(server.url, key, clock=clock) as venue:
        signed = venue.sign(ORDER)
        assert abs(signed.not_after.timestamp() - time.time() - 30) < 2.5
        assert abs(venue.offset().seconds) > 86_400


def test_threads_have_sessions_of_their_own(key: Path) -> None:
    with raw_server(posting(ACCEPTED)) as server, venue_at(server.url, key) as venue:
        venue.offset()
        told: list[AnswerKind] = []
        threads = [threading.Thread(target=lambda: told.append(place(venue).kind)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert told == [AnswerKind.ACCEPTED] * 4
        assert len({got.connection for got in server.of("POST", "/orders")}) == 4
        tokens = {got.headers["authorization"] for got in server.of("POST", "/orders")}
        assert len(tokens) == 4


def test_the_connection_of_a_thread_is_closed_once_it_has_ended(key: Path) -> None:
    with raw_server(posting(ACCEPTED)) as server, venue_at(server.url, key) as venue:
        questions: SimpleQueue[bool] = SimpleQueue()

        def living() -> None:
            while questions.get():
                place(venue)

        staying = threading.Thread(target=living)
        staying.start()
        try:
            for count in range(1, 6):
                passing = [threading.Thread(target=place, args=(venue,)) for _ in range(3)]
                for thread in passing:
                    thread.start()
                for thread in passing:
                    thread.join()
                questions.put(True)
                assert settled(lambda wanted=4 * count: len(server.of("POST", "/orders")) == wanted)
                assert settled(lambda: len(server.open) == 1), "that of the thread which goes on"
        finally:
            questions.put(False)
            staying.join()
        assert len({got.connection for got in server.of("POST", "/orders")}) == 5 * 3 + 1
        assert server.open == {server.of("POST", "/orders")[-1].connection}


@pytest.mark.parametrize("netrc", ["machine 127.0.0.1 login me password hush", "default login me password hush"])
def test_T39_netrc_does_not_take_the_place_of_the_token(
    key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, netrc: str
) -> None:
    path = tmp_path / "netrc"
    path.write_text(netrc)
    path.chmod(0o600)
    monkeypatch.setenv("NETRC", str(path))
    with raw_server(posting(ACCEPTED)) as server, venue_at(server.url, key) as venue:
        venue._transport._client().session.trust_env = True  # as for a venue that is not on loopback
        signed = venue.sign(ORDER)
        venue.send(signed, 1)
        (sent,) = server.of("POST", "/orders")
        assert sent.headers["authorization"] == f"Bearer {signed.token}"


def test_T39_a_proxy_does_not_catch_what_goes_to_loopback(key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with raw_server(lambda _: reply(500, "the proxy")) as proxy, raw_server(posting(ACCEPTED)) as server:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        with venue_at(server.url, key) as venue:
            assert place(venue).kind is AnswerKind.ACCEPTED
        assert proxy.got == []


def test_T39_a_proxy_that_digs_no_tunnel_has_seen_no_order(key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with raw_server(posting(ACCEPTED)) as server, venue_at(server.url, key) as venue:
        signed = venue.sign(ORDER)
    with raw_server(lambda _: reply(403, "no", then="close"), tells_time=False) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        with venue_at("https://venue.example", key, tuning=SHORT) as venue:
            told = venue.send(signed, 1)
        assert told.kind is AnswerKind.NOT_SENT
        assert [got.method for got in proxy.got] == ["CONNECT"]
        assert all("authorization" not in got.headers for got in proxy.got)


def test_nothing_is_printed_and_no_secret_is_in_an_answer(
    key: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    echo = lambda got: reply(400, {"error": "BAD", "message": f"token {got.headers.get('authorization')}"})  # noqa: E731
    with raw_server(echo) as server, venue_at(server.url, key) as venue:
        told = place(venue)
        assert "eyJ" not in repr(told)
    shown = "".join(capfd.readouterr()) + caplog.text
    assert "eyJ" not in shown
    assert "HTTP Error" not in shown
    assert time_answer().content
