"""The deep pass: the venue's books against every stored trade, each break named and repaired."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ordersync_cli.domain.orders import OrderType, Origin
from ordersync_cli.errors import PlacingFrozen, StoreError, VenueUnavailable
from ordersync_cli.services.freeze import frozen_because, refuse_when_frozen
from ordersync_cli.services.ports import Balance
from ordersync_cli.services.reconcile.acceptance import accept_break
from ordersync_cli.services.reconcile.audits import audits_of
from ordersync_cli.services.reconcile.contradictions import contradicted
from ordersync_cli.services.reconcile.deep import FILLS, ORDERS
from ordersync_cli.services.reconcile.running import Wish
from tests.support.pass_world import DRY, World

ADOPT = Wish(adopt=True)


def settled(world: World, order_id: str, word: str = "FILLED", size: str = "1") -> None:
    """Put an order on both sides, ended and known as such."""
    world.placed(order_id)
    if word == "FILLED":
        world.venue.fill(order_id, size, "10", "0.1")
    world.venue.end(order_id, word)
    world.sync(order_id)


def shrink(world: World, order_id: str, size: str = "1") -> None:
    """Let the venue show less of an ended order than it did, at the same price."""
    order = world.venue.orders[order_id]
    order.figures = replace(order.figures, filled_size=Decimal(size), filled_value=Decimal(size) * 10)


def kinds(report: object) -> dict[str, str]:
    return {b.kind: b.severity for b in report.breaks}  # type: ignore[attr-defined]


def test_a_store_that_agrees_is_in_sync(world: World) -> None:
    settled(world, "o1")
    settled(world, "o2", "CANCELLED")
    report = world.deep()
    assert (report.result, report.exit_code, report.breaks) == ("in_sync", 0, ())


def test_a_corrected_fee_on_an_ended_order_is_found_and_repaired(world: World) -> None:
    settled(world, "o1")
    order = world.venue.orders["o1"]
    world.clock.advance(60)
    order.figures = replace(order.figures, total_fees=Decimal("0.2"))
    report = world.deep()
    assert kinds(report) == {"total_fees": "repaired"}
    assert report.breaks[0].money_effect == Decimal("0.1")
    assert world.view("o1").total_fees == Decimal("0.2")
    assert "drift_found" in world.heard.rules()
    assert world.deep().breaks == ()


def test_T47_a_late_fill_of_what_was_failed_is_loud_and_stays_until_accepted(world: World) -> None:
    settled(world, "o1", "CANCELLED")
    assert world.view("o1").status == "failed"
    world.clock.advance(60)
    world.venue.fill("o1", "0.3", "10", "0.01")
    report = world.deep()
    assert world.view("o1").status == "completed"
    assert kinds(report)["failed_but_filled"] == "open"
    assert report.exit_code == 10
    assert "failed_but_filled" in world.heard.rules()
    world.clock.advance(60)
    again = world.deep()
    assert kinds(again) == {"failed_but_filled": "open"}
    assert again.exit_code == 10
    assert not any(b.fresh for b in again.breaks)
    with world.store.write() as transaction:
        (row,) = [b for b in transaction.breaks.open() if b.kind == "failed_but_filled"]
        assert row.break_id is not None
        accept_break(transaction, row.break_id, "seen", world.clock.now())
    assert world.deep().exit_code == 0


def test_an_order_that_was_proven_absent_and_appears_is_loud(world: World) -> None:
    trade = world.intent()
    for _ in range(5):
        world.passes.light()
        world.clock.advance(31)
    assert world.view(trade.trade_id).order_status == "not_placed"
    world.venue.accept(trade.request, "ghost", created_time=trade.attempt_at)
    world.venue.fill("ghost", "1", "10")
    world.venue.end("ghost", "FILLED")
    report = world.deep()
    assert kinds(report)["absent_order_appeared"] == "open"
    assert world.view(trade.trade_id).status == "completed"
    assert "absent_order_appeared" in world.heard.rules()


def test_T19_external_orders_are_listed_as_info_and_left_alone(world: World) -> None:
    world.venue.add("app", placement_source="RETAIL_SIMPLE", word="FILLED")
    world.venue.fill("app", "1", "10")
    world.venue.add("stop", client_order_id="", order_type=OrderType.OTHER, word="OPEN")
    report = world.deep()
    assert {(b.kind, b.severity, b.order_id) for b in report.breaks} == {
        ("external_order", "info", "app"),
        ("external_order", "info", "stop"),
    }
    assert (report.exit_code, report.result, world.views()) == (0, "in_sync", [])


def test_adopt_takes_external_orders_in_with_their_fills(world: World) -> None:
    world.venue.add("app", word="OPEN", base_size=Decimal(1))
    world.venue.fill("app", "1", "10", "0.1")
    world.venue.end("app", "FILLED")
    world.deep()
    report = world.deep(wish=ADOPT)
    assert report.adopted == ("app",)
    view = world.view("app")
    assert (view.status, view.filled_size, view.fills_verified) == ("completed", Decimal(1), True)
    again = world.deep(wish=ADOPT)
    assert (again.adopted, again.breaks, again.result) == ((), (), "in_sync")
    with world.store.read() as transaction:
        (trade,) = transaction.trades.load([view.trade_id], lock=False).values()
        assert transaction.external.list() == []
        assert transaction.breaks.open() == []
    assert trade.origin is Origin.ADOPTED


def test_two_adopted_orders_with_one_client_order_id_are_two_trades(world: World) -> None:
    for name in ("a", "b"):
        world.venue.add(name, client_order_id="clientOrderId", word="FILLED")
        world.venue.fill(name, "1", "10")
    assert set(world.deep(wish=ADOPT).adopted) == {"a", "b"}
    assert {world.view(n).status for n in ("a", "b")} == {"completed"}


def test_a_dry_run_adopts_nothing_and_tells_what_it_would(world: World) -> None:
    world.venue.add("app", word="FILLED")
    world.venue.fill("app", "1", "10")
    dry = world.deep(wish=replace(DRY, adopt=True))
    assert dry.adopted == ("app",)
    assert world.views() == []
    with world.store.read() as transaction:
        assert transaction.external.list() == []
        assert transaction.runs.watermark(ORDERS) is None
        assert transaction.runs.last("deep") is None


def test_a_dry_run_that_adopts_tells_what_the_real_one_does(world: World) -> None:
    world.venue.add("filled", word="FILLED")
    world.venue.fill("filled", "1", "10")
    world.venue.add("ended", word="CANCELLED")
    world.venue.add("alive")
    told = []
    for wish in (replace(DRY, adopt=True), ADOPT):
        report = world.deep(wish=wish)
        told.append((report.adopted, [(d.key, d.old_status, d.new_status) for d in report.details], report.fills_added))
    dry, real = told
    assert dry == real
    assert real[1] == [("ended", "pending", "failed")]


def test_T45_a_tagged_order_that_the_store_does_not_know_freezes_placing_until_accepted(world: World) -> None:
    request = world.request()
    world.venue.accept(request, "lost")
    report = world.deep()
    assert kinds(report) == {"unknown_tagged_order": "open"}
    assert report.exit_code == 10
    assert "unknown_tagged_order" in world.heard.rules()
    with world.store.read() as transaction, pytest.raises(PlacingFrozen):
        refuse_when_frozen(transaction)
    with world.store.write() as transaction:
        (row,) = transaction.breaks.open()
        assert row.break_id is not None
        _, unfrozen = accept_break(transaction, row.break_id, "restored on purpose", world.clock.now())
    assert unfrozen
    world.clock.advance(60)
    later = world.deep()
    assert kinds(later) == {"external_order": "info"}
    with world.store.read() as transaction:
        refuse_when_frozen(transaction)


class CutStore:
    """A store that is lost at one of its commits and stays away: as by kill -9, no last words reach it."""

    def __init__(self, store: Any, commit: int) -> None:
        self._store = store
        self._left = commit

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    @property
    def reached(self) -> bool:
        return self._left <= 0

    @contextmanager
    def write(self) -> Iterator[Any]:
        with self._store.write() as transaction:
            yield transaction
            self._left -= 1
            if self.reached:
                raise StoreError("The store is locked.")


@pytest.mark.parametrize("found_by", ["listing", "fill"])
def test_T45_a_pass_cut_at_any_commit_never_moves_past_a_tagged_order_unsaid(tmp_path: Path, found_by: str) -> None:
    commit, reached = 0, True
    while reached:
        commit += 1
        world = World(url=f"sqlite:///{tmp_path / f'{commit}.db'}")
        world.deep()
        world.clock.advance(3600)
        old = world.clock.now() - timedelta(days=20)
        times = {} if found_by == "listing" else {"created_time": old}
        world.venue.accept(world.request(), "lost", **times)
        if found_by == "fill":
            world.venue.fill("lost", "1", "10")
        world.clock.advance(1800)  # longer ago than the next pass reads back
        store = CutStore(world.store, commit)
        with suppress(StoreError):
            world.another(store=store).deep()
        reached = store.reached
        world.clock.advance(300)
        world.deep()
        with world.store.read() as transaction:
            assert [(b.kind, b.key) for b in transaction.breaks.open()] == [("unknown_tagged_order", "lost")], commit
            assert frozen_because(transaction) is not None, commit
        assert "unknown_tagged_order" in world.heard.rules(), commit
        world.close()
    assert commit > 5


def test_T45_a_tagged_order_on_a_long_page_is_said_where_it_is_committed(world: World) -> None:
    for number in range(150):
        world.venue.add(f"app{number:03}")
    world.clock.advance(1)
    world.venue.accept(world.request(), "lost")  # the newest is the first on the page
    report = world.deep()
    assert kinds(report) == {"unknown_tagged_order": "open", "external_order": "info"}
    assert len(report.breaks) == 151


def test_every_break_kind_is_named_once_and_a_second_pass_finds_nothing_new(world: World) -> None:
    for number in range(40):
        settled(world, f"ok{number:02}")
    world.placed("status")
    world.venue.end("status", "EXPIRED")
    world.placed("size")
    world.venue.fill("size", "0.5", "10", "0.1")
    settled(world, "fee")
    settled(world, "gone")
    settled(world, "late", "CANCELLED")
    world.clock.advance(700)
    world.venue.orders["fee"].figures = replace(world.venue.orders["fee"].figures, total_fees=Decimal(3))
    del world.venue.orders["gone"]
    world.venue.fill("late", "1", "10")
    world.venue.add("app", word="OPEN")
    world.venue.accept(world.request(), "tagged")
    report = world.deep()
    found = {(b.kind, b.key): b.severity for b in report.breaks}
    assert found[("status", "status")] == "repaired"
    assert found[("filled_size", "size")] == "repaired"
    assert found[("total_fees", "fee")] == "repaired"
    assert found[("missing_at_venue", "gone")] == "open"
    assert found[("failed_but_filled", "late")] == "open"
    assert found[("external_order", "app")] == "info"
    assert found[("unknown_tagged_order", "tagged")] == "open"
    assert not [b for b in report.breaks if b.key.startswith("ok")]
    assert report.exit_code == 10
    world.clock.advance(30)
    again = world.deep()
    assert again.details == ()
    assert {(b.kind, b.key) for b in again.breaks if b.severity == "open"} == {
        k for k, v in found.items() if v == "open"
    }
    assert not any(b.fresh for b in again.breaks if b.severity == "open")


def test_a_stored_order_that_listings_leave_out_is_asked_for_by_id_before_it_is_missed(world: World) -> None:
    settled(world, "o1")
    world.venue.unlisted = {"o1"}
    assert world.deep().breaks == ()


def test_T29_P11_the_watermark_moves_with_the_last_page_and_never_before(world: World) -> None:
    for number in range(30):
        settled(world, f"o{number:02}")
    world.venue.page_size = 10
    world.venue.fail(call="orders_created", skip=2, times=None)
    with pytest.raises(VenueUnavailable):
        world.deep()
    assert world.watermark(ORDERS) is None or world.watermark(ORDERS) < world.clock.now() - timedelta(hours=1)  # type: ignore[operator]
    world.venue.heal()
    world.deep()
    assert world.watermark(ORDERS) == world.watermark(FILLS) == world.venue.now()


def test_the_watermark_never_passes_an_unresolved_intent(world: World) -> None:
    trade = world.intent()
    world.venue.unreadable = {"noise"}
    world.venue.add("noise")
    world.clock.advance(3600)
    world.deep()
    assert trade.attempt_at is not None
    assert world.watermark(ORDERS) < trade.attempt_at  # type: ignore[operator]


def test_the_next_pass_reads_from_the_watermark_with_an_overlap_and_once_a_day_a_week(world: World) -> None:
    world.deep()
    marks = world.watermark(ORDERS)
    world.clock.advance(300)
    world.venue.calls.clear()
    world.deep()
    starts = [arguments[0] for name, arguments in world.venue.calls if name == "orders_created"]
    assert starts == [(marks - timedelta(minutes=10)).isoformat()]  # type: ignore[operator]
    world.clock.advance(86_400)
    world.venue.calls.clear()
    world.deep()
    starts = [arguments[0] for name, arguments in world.venue.calls if name == "orders_created"]
    assert min(starts) == (world.clock.now() - timedelta(days=7)).isoformat()


def test_since_before_the_watermark_reads_more_and_since_after_it_moves_nothing(world: World) -> None:
    world.deep()
    first = world.watermark(ORDERS)
    world.clock.advance(3600)
    world.deep(wish=Wish(since=world.clock.now() - timedelta(minutes=5)))
    assert world.watermark(ORDERS) == first
    world.deep(wish=Wish(since=world.clock.now() - timedelta(days=3)))
    assert world.watermark(ORDERS) == world.venue.now()


def test_a_fill_of_an_old_order_that_nobody_knows_fetches_that_order(world: World) -> None:
    world.deep()
    world.clock.advance(86_400 * 20)
    world.deep()
    world.venue.add("old", created_time=world.clock.now() - timedelta(days=15))
    world.venue.fill("old", "1", "10")
    report = world.deep()
    assert [(b.kind, b.order_id) for b in report.breaks] == [("external_order", "old")]


def test_T28_an_old_gtc_order_that_filled_is_settled_whatever_the_window(world: World) -> None:
    world.known("gtc", order_type=OrderType.LIMIT, limit_price=Decimal(10))
    world.clock.advance(86_400 * 60)
    world.venue.fill("gtc", "1", "10")
    world.venue.end("gtc", "FILLED")
    world.deep()
    assert world.view("gtc").status == "completed"


def test_a_look_that_contradicts_an_end_three_times_is_an_open_break_and_goes_away_when_confirmed(
    world: World,
) -> None:
    settled(world, "o1")
    ended = world.venue.orders["o1"]
    for turn in range(3):
        world.clock.advance(90)
        ended.word = "OPEN"
        report = world.deep() if turn == 0 else world.passes.light()
        assert world.view("o1").status == "completed"
    assert kinds(report) == {"status": "open"}
    assert report.exit_code == 10
    ended.word = "FILLED"
    world.clock.advance(90)
    assert world.passes.light().exit_code == 0
    assert world.passes.light().checked == 0


def test_looks_of_a_pass_beside_it_count_and_are_not_written_over(world: World) -> None:
    settled(world, "o1")
    settled(world, "o2")
    world.venue.orders["o1"].word = "OPEN"
    world.clock.advance(90)
    world.deep()
    world.venue.orders["o2"].word = "OPEN"
    world.clock.advance(90)

    def beside(_: str) -> None:
        world.venue.before_call = None
        world.another(host="there").light()
        world.clock.advance(1)

    world.venue.before_call = beside  # the deep pass has begun by then
    report = world.deep()
    assert contradicted(world.store) == {"o1": 3, "o2": 1}
    assert {(b.kind, b.order_id) for b in report.breaks} == {("status", "o1")}


def test_figures_that_shrank_without_an_explanation_are_an_open_break(world: World) -> None:
    settled(world, "o1", size="2")
    world.clock.advance(90)
    shrink(world, "o1")
    report = world.deep()
    assert kinds(report)["filled_size"] == "open"
    assert world.view("o1").filled_size == Decimal(2)
    assert report.exit_code == 10


def test_figures_that_shrank_are_a_break_and_no_change_of_the_row(world: World) -> None:
    settled(world, "o1", size="2")
    world.clock.advance(90)
    shrink(world, "o1")
    for turn in range(2):
        report = world.deep()
        assert (kinds(report), report.details, report.updated_count) == ({"filled_size": "open"}, (), 0)
        assert [b.fresh for b in report.breaks] == [turn == 0]
        assert report.result == "breaks"
        with world.store.read() as transaction:
            run = transaction.runs.last("deep")
            assert run is not None
            (audit,) = audits_of(transaction, [run])
        assert audit.differed == {world.view("o1").trade_id}  # a figure that nobody can tell is not accurate
        world.clock.advance(90)
    assert "drift_found" not in world.heard.rules()


def test_audits_are_drawn_and_counted_before_the_repair(world: World) -> None:
    for number in range(20):
        settled(world, f"o{number:02}")
    world.imported(["imported"])
    world.venue.add("imported")
    world.clock.advance(60)
    order = world.venue.orders["o07"]
    order.figures = replace(order.figures, total_fees=Decimal(9))
    report = world.deep()
    with world.store.read() as transaction:
        run = transaction.runs.last("deep")
        assert run is not None
        (audit,) = audits_of(transaction, [run])
    assert len(audit.audited) == 20
    assert audit.differed == {world.view("o07").trade_id}
    assert report.checked >= 20
    world.deep()
    with world.store.read() as transaction:
        run = transaction.runs.last("deep")
        assert run is not None
        (second,) = audits_of(transaction, [run])
    assert second.differed == frozenset()


def test_balances_are_a_note_and_never_a_repair(world: World) -> None:
    def wallet(btc: str, usd: str) -> tuple[Balance, ...]:
        return (
            Balance(currency="BTC", available=Decimal(btc), hold=Decimal(0)),
            Balance(currency="USD", available=Decimal(usd), hold=Decimal(0)),
        )

    world.venue.wallet = wallet("1", "100")
    world.deep()
    world.clock.advance(60)
    settled(world, "o1")
    world.venue.wallet = wallet("2", "89.9")
    assert world.deep().notes == ()
    world.clock.advance(60)
    world.venue.wallet = wallet("7", "89.9")
    report = world.deep()
    assert report.result == "in_sync"
    assert len(report.notes) == 1
    assert "BTC moved by 5" in report.notes[0]


def test_a_deep_pass_cut_at_any_call_completes_the_next_time_with_nothing_lost_or_doubled(world: World) -> None:
    def build() -> None:
        for number in range(12):
            world.placed(f"o{number:02}")
            if number % 3:
                world.venue.fill(f"o{number:02}", "1", "10", "0.1")
            world.venue.end(f"o{number:02}", "FILLED" if number % 3 else "CANCELLED")
        world.venue.add("app", word="FILLED")
        world.venue.fill("app", "1", "10")

    build()
    world.venue.page_size = 5
    world.venue.fills_page_size = 3
    cut = 0
    while True:
        world.venue.heal()
        world.venue.fail(skip=cut, times=None)
        try:
            world.deep()
        except VenueUnavailable:
            cut += 1
            world.clock.advance(5)
            continue
        break
    assert cut > 10
    world.venue.heal()
    world.deep()
    for number in range(12):
        view = world.view(f"o{number:02}")
        assert view.status == ("completed" if number % 3 else "failed")
        assert view.filled_size == Decimal(1 if number % 3 else 0)
        assert view.fills_verified
    with world.store.read() as transaction:
        trades = transaction.trades.load([v.trade_id for v in world.views()], lock=False)
        entries = [f.entry_id for t in trades.values() for o in t.orders for f in o.fills]
        runs = transaction.runs.between(world.clock.now() - timedelta(days=1), world.clock.now())
    assert len(entries) == len(set(entries)) == 8
    assert all(r.finished_at is not None for r in runs)
