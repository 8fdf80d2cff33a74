"""How many orders are asked for at once, and what is concluded from the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from ordersync_cli.errors import OrderRefused, UnreadableAnswer, VenueUnavailable
from ordersync_cli.services.ports import Lane, OrderPage
from ordersync_cli.services.reconcile.looks import Looker
from tests.support.fake_venue import FakeVenue


def venue_with(count: int) -> FakeVenue:
    venue = FakeVenue()
    for number in range(count):
        venue.add(f"order-{number:04}")
    return venue


def looker(venue: FakeVenue) -> Looker:
    return Looker(venue, venue.clock)


def test_a_thousand_orders_take_ten_requests() -> None:
    venue = venue_with(1000)
    looked = looker(venue).orders(venue.orders, Lane.LIGHT)
    assert len(looked.orders) == 1000
    assert venue.requests_made == looked.requests == 10


def test_T27_every_page_of_a_batched_look_up_is_read() -> None:
    venue = venue_with(100)
    venue.page_size = 30
    looked = looker(venue).orders(venue.orders, Lane.LIGHT)
    assert {o.order_id for o in looked.orders} == set(venue.orders)
    assert venue.requests_made == 4


@pytest.mark.parametrize("words", [("FILLED", "OPEN"), ("OPEN", "FILLED")])
@pytest.mark.parametrize("page_size", [1, 250])
def test_T27_every_row_of_an_order_that_is_listed_twice_is_handed_on(words: tuple[str, str], page_size: int) -> None:
    venue = venue_with(1)
    venue.end("order-0000", "FILLED")
    venue.listed_as["order-0000"] = words
    venue.page_size = page_size
    looked = looker(venue).orders(venue.orders, Lane.LIGHT)
    assert tuple(o.word for o in looked.orders) == words
    assert looked.asked == ("order-0000",)


@pytest.mark.parametrize("rows", [0, 1])
def test_pages_that_only_repeat_themselves_end_a_look_up_that_is_answered(rows: int) -> None:
    venue = venue_with(1)
    real = venue.orders_by_id

    def endless(order_ids: Sequence[str], lane: Lane, cursor: str | None = None) -> OrderPage:
        page = real(order_ids, lane)
        kept = page.orders if cursor is None else page.orders[:rows]
        return replace(page, orders=kept, next_cursor=f"{cursor}x")

    venue.orders_by_id = endless  # type: ignore[method-assign]
    assert len(looker(venue).orders(venue.orders, Lane.LIGHT).orders) == 1 + rows
    assert venue.requests_made == 2


def test_T48_an_id_left_out_of_a_batch_is_asked_for_alone() -> None:
    venue = venue_with(100)
    venue.leave_out = {"order-0007"}
    looked = looker(venue).orders(venue.orders, Lane.LIGHT)
    assert {o.order_id for o in looked.orders} == set(venue.orders)
    assert looked.missing == ()
    assert venue.count("order") == 1


def test_only_get_orders_404_makes_an_order_missing() -> None:
    venue = venue_with(3)
    venue.hidden = {"order-0001"}
    looked = looker(venue).orders(venue.orders, Lane.LIGHT)
    assert looked.missing == ("order-0001",)
    assert len(looked.orders) == 2


def test_T48_an_ignored_filter_ends_the_paging_and_orders_are_asked_for_one_by_one() -> None:
    venue = venue_with(2000)
    venue.filter_ignored = True
    wanted = ["order-0003", "order-1500"]
    looked = looker(venue).orders(wanted, Lane.LIGHT)
    assert {o.order_id for o in looked.orders} == set(wanted)
    assert looked.filter_ignored
    assert venue.count("orders_by_id") == 1
    assert venue.count("order") == 1  # the other one stood on the page that was read


def test_an_ignored_filter_is_remembered() -> None:
    venue = venue_with(300)
    venue.filter_ignored = True
    eyes = looker(venue)
    eyes.orders(venue.orders, Lane.LIGHT)
    eyes.orders(["order-0001"], Lane.LIGHT)
    assert venue.count("orders_by_id") == 1


def test_a_batch_that_the_venue_refuses_is_halved_and_the_size_remembered() -> None:
    venue = venue_with(200)
    venue.max_ids = 50
    eyes = looker(venue)
    assert len(eyes.orders(venue.orders, Lane.LIGHT).orders) == 200
    assert venue.count("order") == 0
    assert eyes.batch == 50
    before = venue.requests_made
    eyes.orders(venue.orders, Lane.LIGHT)
    assert venue.requests_made - before == 4


def test_a_passing_refusal_makes_the_batches_small_for_a_while_only() -> None:
    venue = venue_with(100)
    eyes = looker(venue)
    for _ in range(7):  # as many as would end at one request an order
        venue.fail(lambda: OrderRefused("400: a hiccup."), call="orders_by_id", times=1)
        assert len(eyes.orders(venue.orders, Lane.POLL).orders) == 100
        assert eyes.batch == 50
        for _ in range(5):
            eyes.orders(venue.orders, Lane.POLL)
        before = venue.requests_made
        eyes.orders(venue.orders, Lane.POLL)
        assert venue.requests_made - before == 1


def test_batches_that_had_become_single_orders_grow_again_from_turn_to_turn() -> None:
    venue = venue_with(100)
    eyes = looker(venue)
    venue.max_ids = 1
    eyes.orders(venue.orders, Lane.POLL)
    assert eyes.batch == 1
    venue.max_ids = 100
    for _ in range(20):
        eyes.orders(venue.orders, Lane.POLL)
    assert eyes.batch == 100


def test_a_venue_that_takes_few_ids_is_asked_too_much_ever_more_rarely() -> None:
    venue = venue_with(100)
    venue.max_ids = 7
    eyes = looker(venue)
    for _ in range(100):
        assert len(eyes.orders(venue.orders, Lane.POLL).orders) == 100
    refused, before = eyes.refused, venue.requests_made
    for _ in range(100):
        assert len(eyes.orders(venue.orders, Lane.POLL).orders) == 100
    assert eyes.batch == 6
    assert eyes.refused - refused <= 4
    assert venue.requests_made - before <= 100 * 17 + 4
    assert venue.count("order") == 0


def test_a_few_orders_do_not_try_the_size_of_many() -> None:
    venue = venue_with(100)
    venue.max_ids = 25
    eyes = looker(venue)
    eyes.orders(venue.orders, Lane.POLL)
    refused = eyes.refused
    for _ in range(100):
        eyes.orders(list(venue.orders)[:20], Lane.POLL)
    assert (eyes.batch, eyes.refused) == (25, refused)


def test_T37_an_unreadable_order_loses_only_itself() -> None:
    venue = venue_with(100)
    venue.unreadable = {"order-0042"}
    looked = looker(venue).orders(venue.orders, Lane.LIGHT)
    assert len(looked.orders) == 99
    assert looked.unanswered == ("order-0042",)
    assert looked.missing == ()
    assert [q.order_id for q in looked.quarantined] == ["order-0042"]


def test_an_order_unreadable_by_get_order_too_is_unanswered_not_missing() -> None:
    venue = venue_with(3)
    venue.leave_out = {"order-0001"}
    venue.fail(lambda: UnreadableAnswer("no JSON"), call="order")
    looked = looker(venue).orders(venue.orders, Lane.LIGHT)
    assert looked.unanswered == ("order-0001",)
    assert looked.missing == ()
    assert len(looked.orders) == 2


def test_T30_a_failed_look_up_raises_and_keeps_what_was_answered_before() -> None:
    venue = venue_with(250)
    venue.fail(call="orders_by_id", skip=1, times=None)
    parts = looker(venue).batches(venue.orders, Lane.LIGHT)
    assert len(next(parts).orders) == 100
    with pytest.raises(VenueUnavailable):
        next(parts)


def test_a_listing_without_end_is_given_up() -> None:
    venue = venue_with(10)
    venue.page_size = 0
    with pytest.raises(UnreadableAnswer):
        looker(venue).orders(venue.orders, Lane.LIGHT)


def test_fills_are_listed_for_a_hundred_orders_at_once_and_complete_only_with_the_last_page() -> None:
    venue = venue_with(100)
    for order_id in venue.orders:
        venue.fill(order_id, "1", "10")
        venue.fill(order_id, "2", "10")
        venue.fill(order_id, "3", "10")
    pages = list(looker(venue).fill_batches(venue.orders, Lane.LIGHT))
    assert venue.count("fills_of") == 3
    assert len(pages) == 2  # the last two come together
    assert not any(seen.complete for seen in pages[0])
    assert all(seen.complete for seen in pages[1])
    assert len(pages[1]) == 100
    seen = looker(venue).fills(venue.orders, Lane.LIGHT)
    assert all(s.complete and len(s.fills) == 3 for s in seen)


def test_fills_read_before_a_page_that_fails_are_kept() -> None:
    venue = venue_with(100)
    for order_id in venue.orders:
        venue.fill(order_id, "1", "10")
        venue.fill(order_id, "2", "10")
    venue.fail(call="fills_of", skip=1, times=None)
    pages = looker(venue).fill_batches(venue.orders, Lane.LIGHT)
    kept = next(pages)
    assert sum(len(seen.fills) for seen in kept) == 100
    assert not any(seen.complete for seen in kept)
    with pytest.raises(VenueUnavailable):
        next(pages)


def test_fills_of_a_cut_listing_are_kept_but_not_called_complete() -> None:
    venue = venue_with(2)
    venue.fills_page_size = 1
    for order_id in venue.orders:
        venue.fill(order_id, "1", "10")
    venue.fail(call="fills_of", skip=1)
    pages = looker(venue).fill_batches(venue.orders, Lane.LIGHT)
    (first,) = next(pages)
    with pytest.raises(VenueUnavailable):
        next(pages)
    assert len(first.fills) == 1
    assert not first.complete


def test_an_order_without_fills_is_complete_too() -> None:
    venue = venue_with(1)
    (seen,) = looker(venue).fills(["order-0000"], Lane.LIGHT)
    assert seen.complete
    assert seen.fills == ()
