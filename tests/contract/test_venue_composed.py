"""The client against answers that public reports show and that no simulator of ours would think of."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from ordersync_cli.domain.observations import AnswerKind, PlaceAnswer
from ordersync_cli.domain.orders import NOTHING_FILLED, OrderRequest, OrderType, Side
from ordersync_cli.errors import CredentialsRefused, OrderRefused
from ordersync_cli.services.ports import Lane
from ordersync_cli.venue.rest import RestVenue
from tests.support.cassettes import COMPOSED, playing
from tests.support.venue_kit import FreeBudget, venue_at, write_key

ID = "7c1d0f3a-52a4-4c3e-9f57-0c6a8a5b1d10"
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
ORDER = OrderRequest(
    product_id="ETH-USD",
    side=Side.BUY,
    order_type=OrderType.MARKET,
    quote_size=Decimal(25),
    client_order_id="composed-1",
)
Check = Callable[[RestVenue], None]
CHECKS: dict[str, Check] = {}


def of(check: Check) -> Check:
    CHECKS[check.__name__] = check
    return check


def placed(venue: RestVenue) -> PlaceAnswer:
    return venue.send(venue.sign(ORDER), 1)


def answers(kind: AnswerKind, told: str, *, credentials: bool = False) -> Check:
    def check(venue: RestVenue) -> None:
        answer = placed(venue)
        assert answer.kind is kind
        assert told in (answer.order_id, answer.reason)
        assert answer.credentials is credentials

    return check


CREATES = {
    "create_success_with_null_configuration": answers(AnswerKind.ACCEPTED, ID),
    "create_success_with_extra_keys": answers(AnswerKind.ACCEPTED, ID),
    "create_refused_by_preview_reason_only": answers(AnswerKind.REJECTED, "PREVIEW_INVALID_LIMIT_PRICE_POST_ONLY"),
    "create_refused_by_details_only": answers(AnswerKind.REJECTED, "preview_bracket_order_size_exceeds_position"),
    "create_refused_with_legacy_shape": answers(AnswerKind.REJECTED, "UNSUPPORTED_ORDER_CONFIGURATION"),
    "create_refused_without_a_reason": answers(AnswerKind.UNKNOWN, "UNKNOWN_FAILURE_REASON"),
    "create_refused_as_duplicate": answers(AnswerKind.UNKNOWN, "DUPLICATE_CLIENT_ORDER_ID"),
    "create_answered_502": answers(AnswerKind.UNKNOWN, "http_502"),
    "create_answered_429": answers(AnswerKind.UNKNOWN, "http_429"),
    "create_answered_401": answers(AnswerKind.REJECTED, "credentials_refused", credentials=True),
    "create_answered_403": answers(AnswerKind.REJECTED, "credentials_refused", credentials=True),
    "create_answered_account_not_available": answers(AnswerKind.REJECTED, "INVALID_ARGUMENT"),
}


@of
def create_echoes_an_old_order(venue: RestVenue) -> None:
    answer = placed(venue)
    assert answer.order_id is not None
    seen = venue.order(answer.order_id, Lane.SYNC)
    assert seen is not None
    assert (seen.product_id, seen.side) == ("BTC-USD", Side.SELL), "the order itself tells that it is another"
    assert seen.created_time is not None
    assert seen.created_time < AT


@of
def order_not_found_right_after_create(venue: RestVenue) -> None:
    assert venue.order(ID, Lane.SYNC) is None
    assert venue.order(ID, Lane.SYNC) is None
    assert venue.order(ID, Lane.SYNC) is not None


@of
def order_path_not_found(venue: RestVenue) -> None:
    with pytest.raises(OrderRefused):
        venue.order(ID, Lane.SYNC)


@of
def order_filled_with_internal_error(venue: RestVenue) -> None:
    seen = venue.order(ID, Lane.SYNC)
    assert seen is not None
    assert (seen.word, seen.reason, seen.quote_size) == ("FILLED", None, Decimal(25))
    assert seen.figures is not None
    assert str(seen.figures.filled_size) == "0.013643290470000015"
    assert str(seen.figures.average_filled_price) == "1810.4000000012345678"


@of
def order_open_with_unknown_type(venue: RestVenue) -> None:
    seen = venue.order(ID, Lane.SYNC)
    assert seen is not None
    assert seen.order_type == OrderType.LIMIT


@of
def order_cancelled_with_empty_figures(venue: RestVenue) -> None:
    seen = venue.order(ID, Lane.SYNC)
    assert seen is not None
    assert (seen.word, seen.figures, seen.reason) == ("CANCELLED", NOTHING_FILLED, "User requested cancel")


@of
def order_with_numbers_for_strings(venue: RestVenue) -> None:
    seen = venue.order(ID, Lane.SYNC)
    assert seen is not None
    assert seen.figures is not None
    assert str(seen.figures.filled_size) == "0.1234567890123456789"
    assert seen.figures.number_of_fills == 1
    assert seen.base_size == Decimal("0.75")


@of
def order_older_shape(venue: RestVenue) -> None:
    seen = venue.order(ID, Lane.SYNC)
    assert seen is not None
    assert (seen.figures, seen.edit, seen.last_fill_time) == (NOTHING_FILLED, None, None)


@of
def order_edited(venue: RestVenue) -> None:
    seen = venue.order(ID, Lane.SYNC)
    assert seen is not None
    assert seen.edit is not None
    assert (seen.edit.size, seen.edit.price) == (Decimal("0.5"), Decimal(1820))


@of
def orders_with_rare_statuses(venue: RestVenue) -> None:
    page = venue.orders_by_id([f"o-{number}" for number in range(5)], Lane.POLL)
    words = ["QUEUED", "CANCEL_QUEUED", "EDIT_QUEUED", "UNKNOWN_ORDER_STATUS", "HALF_OPEN"]
    assert [seen.word for seen in page.orders] == words
    assert not page.quarantined


@of
def orders_page_with_an_unreadable_one(venue: RestVenue) -> None:
    page = venue.orders_by_id(["o-1", "o-2", "o-3"], Lane.POLL)
    assert [seen.order_id for seen in page.orders] == ["o-1", "o-3"]
    assert [row.order_id for row in page.quarantined] == ["o-2"]


@of
def orders_filter_ignored(venue: RestVenue) -> None:
    page = venue.orders_by_id(["o-1", "o-2"], Lane.POLL)
    assert page.filter_ignored
    assert page.next_cursor is None


@of
def orders_listing_with_a_repeated_cursor(venue: RestVenue) -> None:
    start = datetime(2026, 3, 1, 11, tzinfo=UTC)
    first = venue.orders_created(start, None, Lane.DEEP, limit=2)
    assert first.next_cursor == "17"
    assert venue.orders_created(start, None, Lane.DEEP, "17", limit=2).next_cursor is None


@of
def fills_without_has_next(venue: RestVenue) -> None:
    first = venue.fills_of([ID], Lane.POLL)
    assert first.next_cursor is not None
    second = venue.fills_of([ID], Lane.POLL, first.next_cursor)
    assert second.next_cursor is None
    fills = [*first.fills, *second.fills]
    assert len({fill.entry_id for fill in fills}) == 4
    assert [fill.size_in_quote for fill in fills] == [False, True, False, False]
    assert fills[2].trade_type == "REVERSAL"
    assert fills[2].venue_trade_id == fills[0].venue_trade_id


@of
def cancel_with_reasons_on_success(venue: RestVenue) -> None:
    told = venue.cancel(["o-1", "o-2"], Lane.SYNC)
    assert [(one.order_id, one.accepted, one.reason) for one in told] == [
        ("o-1", True, None),
        ("o-2", False, "ORDER_IS_FULLY_FILLED"),
    ]


@of
def cancel_over_the_limit(venue: RestVenue) -> None:
    with pytest.raises(OrderRefused, match="limit is 100"):
        venue.cancel(["o-1"], Lane.SYNC)


@of
def product_with_empty_numbers(venue: RestVenue) -> None:
    product = venue.product("ETH-USDC", Lane.PLACE)
    assert product is not None
    assert (product.price, product.base_max_size, product.quote_max_size) == (None, None, None)
    assert (product.price_increment, product.aliases, product.limit_only) == (Decimal("0.01"), ("ETH-USD",), True)


@of
def key_refused(venue: RestVenue) -> None:
    with pytest.raises(CredentialsRefused, match="Unauthorized"):
        venue.key_permissions(Lane.SYNC)


@of
def key_without_a_scope(venue: RestVenue) -> None:
    with pytest.raises(CredentialsRefused, match="Missing required scopes"):
        venue.key_permissions(Lane.SYNC)


@of
def accounts_of_both_kinds(venue: RestVenue) -> None:
    (held,) = venue.balances(Lane.LIGHT)
    assert (held.available, held.hold) == (Decimal("3.23456789"), Decimal("0.5"))


@of
def preview_refused_with_200(venue: RestVenue) -> None:
    assert venue.preview(ORDER, Lane.PLACE).errors == ("PREVIEW_INSUFFICIENT_FUND",)


@of
def time_with_numbers(venue: RestVenue) -> None:
    venue.offset()
    assert abs((venue.now() - AT).total_seconds()) < 2


CHECKS.update(CREATES)


@pytest.mark.parametrize("name", sorted(CHECKS))
def test_a_shape_that_was_reported_is_understood(name: str, tmp_path: Path) -> None:
    budget = FreeBudget()
    with (
        playing(COMPOSED / f"{name}.yaml") as played,
        venue_at("https://venue.example", write_key(tmp_path / "key.json"), budget=budget) as venue,
    ):
        CHECKS[name](venue)
        assert played.all_played
    assert budget.penalties == ([3.0] if name == "create_answered_429" else [])


def test_every_composed_cassette_is_used_labelled_and_names_its_source() -> None:
    paths = sorted(COMPOSED.glob("*.yaml"))
    assert [path.stem for path in paths] == sorted(CHECKS)
    for path in paths:
        text = path.read_text(encoding="utf-8")
        assert text.startswith("# Composed by hand, not recorded. Source: ")
        about = yaml.safe_load(text)["composed"]
        assert about["source"]
        assert about["shows"]
