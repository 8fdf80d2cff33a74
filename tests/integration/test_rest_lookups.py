"""Look-ups over a real wire: bounded, retried, complete, and never an empty answer for a failed one."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import jwt
import pytest

from ordersync_cli.domain.orders import OrderRequest, OrderType, Side
from ordersync_cli.errors import (
    BudgetExhausted,
    CredentialsRefused,
    OrderRefused,
    SettingsError,
    UnreadableAnswer,
    UsageError,
    VenueUnavailable,
)
from ordersync_cli.services.ports import Lane
from ordersync_cli.venue.rest import RestVenue, Tuning
from ordersync_cli.venue.retries import Retries
from ordersync_cli.venue.transport import Timeouts
from tests.support.raw_http import CLOSE, CUT, HANG, Answer, Got, free_port, raw_server, reply
from tests.support.venue_kit import ONCE, FreeBudget, ecdsa_pem, venue_at, write_key
from tests.support.virtual_clock import VirtualClock

NOT_FOUND = {"error": "NOT_FOUND", "error_details": "order with this orderID was not found", "message": "x"}
SHORT = Tuning(timeouts=Timeouts(connect=0.3, read=0.3), retries=Retries(attempts=1))


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return write_key(tmp_path / "key.json")


def order(order_id: str, **changes: Any) -> dict[str, Any]:
    return {"order_id": order_id, "status": "OPEN", "filled_size": "0", **changes}


def always(answer: Answer) -> Callable[[Got], Answer]:
    return lambda _: answer


def in_turn(*answers: Answer) -> Callable[[Got], Answer]:
    left = list(answers)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


LOOKUPS: dict[str, Callable[[RestVenue], object]] = {
    "order": lambda venue: venue.order("o-1", Lane.SYNC),
    "orders_by_id": lambda venue: venue.orders_by_id(["o-1"], Lane.POLL),
    "orders_created": lambda venue: venue.orders_created(datetime(2026, 1, 1, tzinfo=UTC), None, Lane.DEEP),
    "fills_of": lambda venue: venue.fills_of(["o-1"], Lane.POLL),
    "fills_booked": lambda venue: venue.fills_booked(datetime(2026, 1, 1, tzinfo=UTC), None, Lane.DEEP),
    "product": lambda venue: venue.product("BTC-USD", Lane.PLACE),
    "key_permissions": lambda venue: venue.key_permissions(Lane.SYNC),
    "balances": lambda venue: venue.balances(Lane.LIGHT),
}
FAILURES = [
    (reply(500, "oops"), VenueUnavailable),
    (reply(502, "go/sg/f00"), VenueUnavailable),
    (reply(429, {"errors": [{"id": "rate_limit_exceeded"}]}), VenueUnavailable),
    (CUT, VenueUnavailable),
    (CLOSE, VenueUnavailable),
    (HANG, VenueUnavailable),
    (Answer(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{", then="close"), VenueUnavailable),
    (reply(200, "<html>maintenance</html>"), UnreadableAnswer),
    (reply(200, {}), UnreadableAnswer),
    (reply(200, "null"), UnreadableAnswer),
    (reply(404, "<html>nginx</html>"), UnreadableAnswer),
    (reply(302, "", headers={"Location": "/login"}), UnreadableAnswer),
    (reply(401, "Unauthorized"), CredentialsRefused),
    (reply(403, {"error": "PERMISSION_DENIED", "message": "Missing required scopes"}), CredentialsRefused),
    (reply(403, "<html>firewall</html>"), VenueUnavailable),
    (reply(400, {"error": "INVALID_ARGUMENT", "message": "account is not available"}), OrderRefused),
]


@pytest.mark.parametrize("name", LOOKUPS)
@pytest.mark.parametrize(("answer", "error"), FAILURES)
def test_T30_a_failed_lookup_raises_and_is_never_an_empty_answer(
    key: Path, name: str, answer: Answer, error: type[Exception]
) -> None:
    with raw_server(always(answer)) as server, venue_at(server.url, key, tuning=SHORT) as venue:
        with pytest.raises(error):
            LOOKUPS[name](venue)
        assert server.got


@pytest.mark.parametrize("name", LOOKUPS)
def test_T30_a_venue_that_is_not_there_is_unavailable(key: Path, name: str) -> None:
    with (
        venue_at(f"http://127.0.0.1:{free_port()}", key, tuning=SHORT) as venue,
        pytest.raises(VenueUnavailable) as gone,
    ):
        LOOKUPS[name](venue)
    assert gone.value.exit_code == 6
    assert "\n" not in gone.value.message


def test_only_the_venues_own_404_says_that_there_is_no_such_order(key: Path) -> None:
    for body, missing in (
        (NOT_FOUND, True),
        ({**NOT_FOUND, "error": "unknown"}, True),
        ({"error": "unknown", "error_details": "Not Found", "message": "Not Found"}, False),
        ({"error": "INVALID_ARGUMENT", "message": "order with this orderID was not found?"}, False),
    ):
        status = 404 if body["error"] != "INVALID_ARGUMENT" else 400
        with raw_server(always(reply(status, body))) as server, venue_at(server.url, key) as venue:
            if missing:
                assert venue.order("o-1", Lane.SYNC) is None
            else:
                with pytest.raises(OrderRefused):
                    venue.order("o-1", Lane.SYNC)


def test_an_answer_about_another_order_is_unreadable(key: Path) -> None:
    with (
        raw_server(always(reply(200, {"order": order("o-2")}))) as server,
        venue_at(server.url, key) as venue,
        pytest.raises(UnreadableAnswer, match="o-2"),
    ):
        venue.order("o-1", Lane.SYNC)


def test_ids_are_written_into_the_path_safely_and_signed_as_written(key: Path) -> None:
    with raw_server(always(reply(404, NOT_FOUND))) as server, venue_at(server.url, key) as venue:
        venue.order("../accounts?x=1", Lane.SYNC)
        (got,) = [one for one in server.got if not one.path.endswith("/time")]
        assert got.path == "/api/v3/brokerage/orders/historical/..%2Faccounts%3Fx%3D1"
        claims = jwt.decode(got.headers["authorization"].split()[1], options={"verify_signature": False})
        assert claims["uri"] == f"GET 127.0.0.1:{server.port}{got.path}"
        assert got.body == b""
        for blank in ("", "  "):
            with pytest.raises(UsageError):
                venue.order(blank, Lane.SYNC)


def test_reads_are_tried_again_within_bounds_and_each_takes_from_the_budget(key: Path) -> None:
    budget = FreeBudget()
    with (
        raw_server(in_turn(reply(503, "x"), CUT, reply(200, {"order": order("o-1")}))) as server,
        venue_at(server.url, key, budget=budget) as venue,
    ):
        assert venue.order("o-1", Lane.POLL) is not None
        assert budget.taken == [Lane.POLL] * 4  # the time, and three tries
    with raw_server(always(reply(503, "x"))) as server, venue_at(server.url, key) as venue:
        with pytest.raises(VenueUnavailable):
            venue.order("o-1", Lane.POLL)
        assert len(server.of("GET", "/o-1")) == 3
        assert venue.requests_made == 4


def test_T42_a_429_holds_everybody_back_and_its_wish_is_honoured(key: Path) -> None:
    budget = FreeBudget()
    limited = reply(429, {"errors": [{"id": "rate_limit_exceeded"}]}, headers={"Retry-After": "0.3"})
    with (
        raw_server(in_turn(limited, reply(200, {"order": order("o-1")}))) as server,
        venue_at(server.url, key, budget=budget) as venue,
    ):
        began = time.monotonic()
        assert venue.order("o-1", Lane.POLL) is not None
        assert time.monotonic() - began >= 0.3
    assert budget.penalties == [0.3]
    long = reply(429, {"errors": [{"id": "rate_limit_exceeded"}]}, headers={"Retry-After": "60"})
    with raw_server(always(long)) as server, venue_at(server.url, key) as venue:
        with pytest.raises(VenueUnavailable) as limited_for_long:
            venue.order("o-1", Lane.POLL)
        assert limited_for_long.value.retry_after == 60
        assert len(server.of("GET", "/o-1")) == 1


class EmptyBudget(FreeBudget):
    def take(self, lane: Lane, within: float | None = None) -> None:
        super().take(lane, within)
        raise BudgetExhausted("nothing left")


def test_an_empty_budget_is_not_asked_again_and_sends_nothing(key: Path) -> None:
    budget = EmptyBudget()
    with raw_server(always(reply(404, NOT_FOUND))) as server, venue_at(server.url, key, budget=budget) as venue:
        with pytest.raises(BudgetExhausted):
            venue.order("o-1", Lane.DEEP)
        assert server.got == []
    assert budget.taken == [Lane.DEEP]


def test_a_cancel_and_nothing_else_that_changes_the_venue_is_tried_again(key: Path) -> None:
    with raw_server(always(reply(503, "x"))) as server, venue_at(server.url, key) as venue:
        with pytest.raises(VenueUnavailable):
            venue.cancel(["o-1"], Lane.SYNC)
        assert len(server.of("POST", "/batch_cancel")) == 1


def test_T31_cancel_answers_are_matched_by_order_id(key: Path) -> None:
    results = [
        {"success": False, "failure_reason": "UNKNOWN_CANCEL_ORDER", "order_id": "b"},
        {"success": True, "failure_reason": "UNKNOWN_CANCEL_FAILURE_REASON", "order_id": "a"},
        {"success": True, "failure_reason": "", "order_id": "stranger"},
    ]
    with raw_server(always(reply(200, {"results": results}))) as server, venue_at(server.url, key) as venue:
        told = venue.cancel(["a", "b", "c", "a"], Lane.SYNC)
        assert [(one.order_id, one.accepted) for one in told] == [("a", True), ("b", False)]
        assert server.of("POST", "/batch_cancel")[0].json == {"order_ids": ["a", "b", "c"]}
        assert venue.cancel([], Lane.SYNC) == ()
        assert len(server.of("POST", "/batch_cancel")) == 1
        with pytest.raises(UsageError):
            venue.cancel([str(number) for number in range(101)], Lane.SYNC)


def test_T48_ids_nobody_asked_for_mean_that_the_filter_was_ignored(key: Path) -> None:
    body = {"orders": [order("o-1"), order("x")], "has_next": True, "cursor": "17"}
    with raw_server(always(reply(200, body))) as server, venue_at(server.url, key) as venue:
        page = venue.orders_by_id(["o-1", "o-2"], Lane.POLL)
        assert page.filter_ignored
        assert page.next_cursor is None
        assert [seen.order_id for seen in page.orders] == ["o-1"]
        assert server.of("GET", "/batch")[0].query["order_ids"] == ["o-1", "o-2"]


def test_T48_ids_left_out_are_left_out(key: Path) -> None:
    with (
        raw_server(always(reply(200, {"orders": [order("o-1")], "has_next": False, "cursor": ""}))) as server,
        venue_at(server.url, key) as venue,
    ):
        page = venue.orders_by_id(["o-1", "o-2"], Lane.POLL)
        assert (len(page.orders), page.filter_ignored, page.next_cursor) == (1, False, None)


def test_T27_filters_are_written_in_the_plural_and_cursors_encoded(key: Path) -> None:
    start = datetime(2026, 3, 1, 12, 0, 0, 5, UTC)
    with (
        raw_server(always(reply(200, {"orders": [], "fills": [], "has_next": False}))) as server,
        venue_at(server.url, key) as venue,
    ):
        venue.orders_created(start, start + timedelta(hours=1), Lane.DEEP, cursor="a b+/=&x", limit=7)
        venue.fills_of(["o-1"], Lane.POLL)
        venue.fills_booked(start, start + timedelta(hours=1), Lane.DEEP, cursor="9")
    orders, fills, booked = (one.query for one in server.got if not one.path.endswith("/time"))
    assert orders == {
        "start_date": ["2026-03-01T12:00:00.000005Z"],
        "end_date": ["2026-03-01T13:00:00.000005Z"],
        "cursor": ["a b+/=&x"],
        "limit": ["7"],
    }
    assert fills["order_ids"] == ["o-1"]
    assert "order_id" not in fills
    assert booked["start_sequence_timestamp"] == ["2026-03-01T12:00:00.000005Z"]
    assert booked["cursor"] == ["9"]


@pytest.mark.parametrize("ids", [[], [""], [str(number) for number in range(101)]])
def test_a_lookup_without_ids_or_with_too_many_is_never_sent(key: Path, ids: list[str]) -> None:
    with raw_server(always(reply(500, "x"))) as server, venue_at(server.url, key) as venue:
        for look in (venue.orders_by_id, venue.fills_of):
            with pytest.raises(UsageError):
                look(ids, Lane.POLL)
        assert server.got == []


def test_T38_a_refused_key_is_read_once_more(key: Path) -> None:
    name = json.loads(key.read_text())["name"]
    fresh = ecdsa_pem()

    def rotated(got: Got) -> Answer:
        header = jwt.get_unverified_header(got.headers["authorization"].split()[1])
        if header["kid"] == name:
            write_key(key, {"name": "the new key", "privateKey": fresh})
            return reply(401, "Unauthorized")
        return reply(200, {"order": order("o-1")})

    with raw_server(rotated) as server, venue_at(server.url, key) as venue:
        assert venue.order("o-1", Lane.SYNC) is not None
        assert len(server.of("GET", "/o-1")) == 2


def test_T38_a_key_refused_twice_is_refused(key: Path) -> None:
    with raw_server(always(reply(401, "Unauthorized"))) as server, venue_at(server.url, key) as venue:
        with pytest.raises(CredentialsRefused) as refused:
            venue.order("o-1", Lane.SYNC)
        assert refused.value.exit_code == 4
        assert len(server.of("GET", "/o-1")) == 2
        key.unlink()
        with pytest.raises(CredentialsRefused, match="cannot be read"):
            venue.order("o-1", Lane.SYNC)


def test_T26_a_401_makes_the_clock_be_measured_again(key: Path) -> None:
    with (
        raw_server(in_turn(reply(401, "Unauthorized"), reply(200, {"order": order("o-1")}))) as server,
        venue_at(server.url, key) as venue,
    ):
        assert venue.order("o-1", Lane.SYNC) is not None
        assert len(server.of("GET", "/time")) == 2


def test_a_missing_permission_is_said_at_once(key: Path) -> None:
    denied = reply(403, {"error": "PERMISSION_DENIED", "error_details": "Missing required scopes"})
    with raw_server(always(denied)) as server, venue_at(server.url, key) as venue:
        with pytest.raises(CredentialsRefused, match="Missing required scopes"):
            venue.key_permissions(Lane.SYNC)
        assert len(server.of("GET", "/key_permissions")) == 1


def test_T46_an_answer_is_dated_within_a_second_of_the_venues_date(key: Path) -> None:
    ahead = datetime.now(UTC) + timedelta(hours=1)
    answer = reply(200, {"order": order("o-1")}, headers={"Date": format_datetime(ahead, usegmt=True)})
    with raw_server(always(answer)) as server, venue_at(server.url, key) as venue:
        seen = venue.order("o-1", Lane.SYNC)
        assert seen is not None
        assert seen.clamped
        assert abs((seen.as_of - ahead).total_seconds()) < 2.5
        assert abs(venue.offset().seconds - 3600) < 3, "the newest word of the venue is believed"


def test_a_venue_without_a_clock_of_its_own_is_read_by_its_dates(key: Path) -> None:
    clock = VirtualClock()
    with (
        raw_server(always(reply(404, NOT_FOUND)), tells_time=False) as server,
        venue_at(server.url, key, clock=clock) as venue,
    ):
        offset = venue.offset()
        assert abs(clock.now().timestamp() + offset.seconds - time.time()) < 1.6
        assert offset.error <= 1.0


def test_products_are_remembered_for_a_short_while(key: Path) -> None:
    product = {"product_id": "BTC-USD", "base_increment": "0.1", "quote_increment": "0.01", "base_min_size": "1"}
    clock = VirtualClock()
    with raw_server(always(reply(200, product))) as server, venue_at(server.url, key, clock=clock) as venue:
        for _ in range(3):
            assert venue.product("BTC-USD", Lane.PLACE) is not None
        assert len(server.of("GET", "/products/BTC-USD")) == 1
        clock.advance(31)
        assert venue.product("BTC-USD", Lane.PLACE) is not None
        assert len(server.of("GET", "/products/BTC-USD")) == 2


@pytest.mark.parametrize(
    "answer",
    [
        reply(404, {**NOT_FOUND, "error_details": "product not found"}),
        reply(400, {"error": "INVALID_ARGUMENT", "message": "invalid product_id"}),
    ],
)
def test_an_unknown_product_is_none(key: Path, answer: Answer) -> None:
    with raw_server(always(answer)) as server, venue_at(server.url, key) as venue:
        assert venue.product("NO-SUCH", Lane.PLACE) is None
        assert venue.product("", Lane.PLACE) is None


def test_balances_are_paged_and_summed_exactly(key: Path) -> None:
    def account(currency: str, value: str) -> dict[str, Any]:
        return {"currency": currency, "available_balance": {"value": value}, "hold": {"value": "0"}}

    pages = {
        None: {"accounts": [account("BTC", "1" * 30 + ".1")], "has_next": True, "cursor": "2"},
        "2": {"accounts": [account("USD", "5"), account("BTC", "0.00000000001")], "has_next": True, "cursor": "3"},
        "3": {"accounts": [], "has_next": True, "cursor": "2"},
    }
    with (
        raw_server(lambda got: reply(200, pages[got.query.get("cursor", [None])[0]])) as server,
        venue_at(server.url, key) as venue,
    ):
        told = {one.currency: one.available for one in venue.balances(Lane.LIGHT)}
        assert told == {"BTC": Decimal("1" * 30 + ".10000000001"), "USD": Decimal(5)}
        assert len(server.of("GET", "/accounts")) == 3, "cursors that go round in a circle end it"


def test_a_preview_that_is_refused_is_a_preview(key: Path) -> None:
    request = OrderRequest(
        product_id="BTC-USD", side=Side.BUY, order_type=OrderType.MARKET, quote_size=Decimal(5), client_order_id="c"
    )
    bad = reply(400, {"error": "INVALID_ARGUMENT", "message": "too small"})
    with raw_server(always(bad)) as server, venue_at(server.url, key) as venue:
        assert venue.preview(request, Lane.PLACE).errors == ("INVALID_ARGUMENT: too small",)
        assert "client_order_id" not in server.of("POST", "/preview")[0].json
    gone = reply(404, {"error": "unknown", "error_details": "Not Found", "message": "Not Found"})
    with raw_server(always(gone)) as server, venue_at(server.url, key) as venue:
        told = venue.preview(request, Lane.PLACE)
        assert (told.errors, told.warnings) == ((), ("there is no preview at this venue",))


def test_a_venue_that_tells_no_time_is_no_word_about_a_product(key: Path) -> None:
    gone = reply(404, {"error": "unknown", "error_details": "Not Found", "message": "Not Found"}, headers={"Date": ""})
    with (
        raw_server(always(gone), tells_time=False) as server,
        venue_at(server.url, key) as venue,
        pytest.raises(UnreadableAnswer, match="clock"),
    ):
        venue.product("BTC-USD", Lane.PLACE)


def test_a_key_file_that_will_not_do_is_said_before_anything_is_sent(key: Path) -> None:
    key.chmod(0o644)
    with raw_server(always(reply(500, "x"))) as server:
        with pytest.raises(SettingsError), venue_at(server.url, key, tuning=ONCE):
            pass
        assert server.got == []


BOUNDED: dict[str, Callable[[RestVenue], object]] = {
    "order": lambda venue: venue.order("o-1", Lane.PLACE, within=0.4),
    "fills_of": lambda venue: venue.fills_of(["o-1"], Lane.PLACE, within=0.4),
}


@pytest.mark.parametrize("name", BOUNDED)
@pytest.mark.parametrize("trouble", [HANG, reply(503, "x"), reply(429, "x", headers={"Retry-After": "2"})])
def test_a_look_up_that_is_given_little_time_takes_no_more(key: Path, name: str, trouble: Answer) -> None:
    patient = Tuning(timeouts=Timeouts(connect=5.0, read=5.0), retries=Retries(attempts=9, first_wait=0.1))
    with raw_server(always(trouble)) as server, venue_at(server.url, key, tuning=patient) as venue:
        venue.offset()
        began = time.monotonic()
        with pytest.raises(VenueUnavailable):
            BOUNDED[name](venue)
        assert time.monotonic() - began < 1.0


def test_the_clock_is_measured_within_the_time_of_the_look_up_that_needs_it(key: Path) -> None:
    with raw_server(always(HANG), tells_time=False) as server, venue_at(server.url, key) as venue:
        began = time.monotonic()
        with pytest.raises(VenueUnavailable):
            BOUNDED["order"](venue)
        assert time.monotonic() - began < 0.9
        assert {got.path for got in server.got} == {"/api/v3/brokerage/time"}


def test_the_budget_is_waited_for_no_longer_than_the_look_up_has(key: Path) -> None:
    budget = FreeBudget()
    with raw_server(always(reply(404, NOT_FOUND))) as server, venue_at(server.url, key, budget=budget) as venue:
        BOUNDED["order"](venue)
        venue.order("o-1", Lane.SYNC)
    assert all(within is not None and 0 < within <= 0.4 for within in budget.within[:-1])
    assert budget.within[-1] is None


def test_a_connection_whose_answer_was_given_up_brings_no_other_answer(key: Path) -> None:
    """The first answer comes when nobody waits for it any more; the next look has the usual time again."""

    def late(got: Got) -> Answer:
        if got.path.endswith("/o-1"):
            time.sleep(0.7)
        elif got.path.endswith("/o-2"):
            time.sleep(0.6)
        return reply(200, {"order": order(got.path.rpartition("/")[2])})

    with raw_server(late) as server, venue_at(server.url, key, tuning=ONCE) as venue:
        with pytest.raises(VenueUnavailable):
            venue.order("o-1", Lane.PLACE, within=0.3)
        found = venue.order("o-2", Lane.PLACE)
        assert found is not None
        assert found.order_id == "o-2"
        (first,), (second,) = server.of("GET", "/o-1"), server.of("GET", "/o-2")
        assert first.connection != second.connection


def test_a_look_up_without_any_time_sends_nothing(key: Path) -> None:
    with raw_server(always(reply(404, NOT_FOUND))) as server, venue_at(server.url, key) as venue:
        with pytest.raises(VenueUnavailable):
            venue.order("o-1", Lane.PLACE, within=0.0)
        assert server.got == []
