"""An answer that is lost, however it is lost, leaves one order at the venue and an outcome that says so."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from ordersync_cli.domain.observations import AnswerKind
from ordersync_cli.domain.orders import OrderRequest, OrderType, Side
from ordersync_cli.errors import CredentialsRefused, OrderRefused, UnreadableAnswer, VenueUnavailable
from ordersync_cli.services.ports import Lane
from ordersync_cli.simulator.server import SimulatorServer
from ordersync_cli.venue.rest import RestVenue, Tuning
from ordersync_cli.venue.retries import Retries
from ordersync_cli.venue.transport import Timeouts
from tests.support.venue_kit import KEY_NAME, ed25519_base64, venue_at, write_key

ORDERS = "/api/v3/brokerage/orders"
ORDER = OrderRequest(
    product_id="BTC-USD", side=Side.BUY, order_type=OrderType.MARKET, quote_size=Decimal(25), client_order_id="lost-1"
)
SHORT = Tuning(timeouts=Timeouts(connect=1.0, read=0.5), retries=Retries(attempts=1))


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[SimulatorServer]:
    with SimulatorServer(tmp_path / "exchange.db", seed=5, rate_limit=None) as server:
        yield server


@pytest.fixture
def venue(exchange: SimulatorServer) -> Iterator[RestVenue]:
    with venue_at(exchange.rest_url, Path(exchange.key_file), tuning=SHORT) as opened:
        yield opened


def orders_at(exchange: SimulatorServer) -> int:
    return len([one for one in exchange.control.ledger()["orders"] if one["client_order_id"] == "lost-1"])


@pytest.mark.parametrize(
    "kind", ["cut_after", "hang_after", "status_after", "rate_limit_after", "garbage_after", "html_after"]
)
def test_T16_an_order_accepted_without_an_answer_is_unknown_and_there_once(
    exchange: SimulatorServer, venue: RestVenue, kind: str
) -> None:
    signed = venue.sign(ORDER)
    exchange.control.fault(kind=kind, method="POST", path=ORDERS, count=1, seconds=2.0)
    assert venue.send(signed, 1).kind is AnswerKind.UNKNOWN
    assert orders_at(exchange) == 1
    page = venue.orders_created(signed.signed_at - timedelta(hours=1), None, Lane.SYNC)
    assert [seen.client_order_id for seen in page.orders] == ["lost-1"]


@pytest.mark.parametrize("kind", ["cut_before", "hang_before", "status", "html", "rate_limit"])
def test_T16_an_order_that_never_arrived_looks_the_same_from_here(
    exchange: SimulatorServer, venue: RestVenue, kind: str
) -> None:
    signed = venue.sign(ORDER)
    exchange.control.fault(kind=kind, method="POST", path=ORDERS, count=1, seconds=2.0)
    assert venue.send(signed, 1).kind is AnswerKind.UNKNOWN
    assert orders_at(exchange) == 0


def test_T43_a_token_that_has_expired_places_nothing(exchange: SimulatorServer, venue: RestVenue) -> None:
    signed = venue.sign(ORDER)
    exchange.control.advance_clock(300)
    answer = venue.send(signed, 1)
    assert (answer.kind, answer.credentials) == (AnswerKind.REJECTED, True)
    assert orders_at(exchange) == 0


def test_T13_a_reused_client_order_id_is_told_by_get_order(exchange: SimulatorServer, venue: RestVenue) -> None:
    first = venue.send(venue.sign(ORDER), 1)
    other = OrderRequest(
        product_id="ETH-USD",
        side=Side.BUY,
        order_type=OrderType.MARKET,
        quote_size=Decimal(30),
        client_order_id="lost-1",
    )
    second = venue.send(venue.sign(other), 1)
    assert second.order_id == first.order_id
    assert second.order_id is not None
    seen = venue.order(second.order_id, Lane.SYNC)
    assert seen is not None
    assert seen.product_id == "BTC-USD"


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("cut_before", VenueUnavailable),
        ("status", VenueUnavailable),
        ("rate_limit", VenueUnavailable),
        ("html", (UnreadableAnswer, VenueUnavailable)),
        ("garbage_after", UnreadableAnswer),
    ],
)
def test_T30_lookups_fail_loudly(
    exchange: SimulatorServer, venue: RestVenue, kind: str, error: type[Exception]
) -> None:
    venue.offset()
    exchange.control.fault(kind=kind, path="*/orders/historical/*")
    with pytest.raises(error):
        venue.orders_by_id(["o-1"], Lane.POLL)


def test_T48_a_filter_that_is_ignored_is_noticed(exchange: SimulatorServer, venue: RestVenue) -> None:
    wanted = venue.send(venue.sign(ORDER), 1).order_id
    other = OrderRequest(
        product_id="BTC-USD", side=Side.BUY, order_type=OrderType.MARKET, quote_size=Decimal(9), client_order_id="other"
    )
    venue.send(venue.sign(other), 1)
    assert wanted is not None
    exchange.control.fault(kind="ignore_ids")
    page = venue.orders_by_id([wanted], Lane.POLL)
    assert page.filter_ignored
    assert page.next_cursor is None
    assert {seen.order_id for seen in page.orders} <= {wanted}


def test_T37_an_unreadable_row_is_quarantined(exchange: SimulatorServer, venue: RestVenue) -> None:
    order_id = venue.send(venue.sign(ORDER), 1).order_id
    assert order_id is not None
    exchange.control.fault(kind="unreadable", count=1)
    page = venue.orders_by_id([order_id], Lane.POLL)
    assert not page.orders
    assert len(page.quarantined) == 1


def test_a_key_that_the_venue_does_not_know_is_refused(exchange: SimulatorServer, tmp_path: Path) -> None:
    strange = write_key(tmp_path / "key.json", {"name": KEY_NAME, "privateKey": ed25519_base64()})
    with venue_at(exchange.rest_url, strange, tuning=SHORT) as venue:
        with pytest.raises(CredentialsRefused) as refused:
            venue.key_permissions(Lane.SYNC)
        assert "apiKeys/" not in refused.value.message
        answer = venue.send(venue.sign(ORDER), 1)
        assert (answer.kind, answer.credentials) == (AnswerKind.REJECTED, True)


@pytest.mark.parametrize("kind", ["ecdsa", "ed25519"])
def test_T38_both_kinds_of_keys_are_taken(exchange: SimulatorServer, tmp_path: Path, kind: str) -> None:
    path = exchange.control.make_key_file(tmp_path / "made.json", kind=kind)
    with venue_at(exchange.rest_url, Path(path or tmp_path / "made.json"), tuning=SHORT) as venue:
        assert venue.key_permissions(Lane.SYNC).can_trade


def test_T38_a_key_without_the_scope_is_said(exchange: SimulatorServer, tmp_path: Path) -> None:
    path = exchange.control.make_key_file(tmp_path / "viewer.json", scopes=("rat#view",))
    with venue_at(exchange.rest_url, Path(path or tmp_path / "viewer.json"), tuning=SHORT) as venue:
        assert not venue.key_permissions(Lane.SYNC).can_trade
        answer = venue.send(venue.sign(ORDER), 1)
        assert (answer.kind, answer.credentials) == (AnswerKind.REJECTED, True)
        with pytest.raises((CredentialsRefused, OrderRefused)):
            venue.cancel(["o-1"], Lane.SYNC)
