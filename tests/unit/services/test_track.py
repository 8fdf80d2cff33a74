"""The watch loop in virtual time: what arrives is committed, what is missing is asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from ordersync_cli.services.ports import Lane
from ordersync_cli.services.ports.messages import FeedChanged, FeedState, SequenceGap, StopAsked
from ordersync_cli.services.watch.watch_state import LAST_FRAME
from ordersync_cli.venue.feed_reader import FeedReader, Receipt
from tests.support.watch_world import WatchWorld, watch_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[WatchWorld]:
    with watch_world(tmp_path / "store.db") as made:
        yield made


def test_a_frame_is_committed_in_the_step_that_takes_it(world: WatchWorld) -> None:
    order_id = world.place(limit="90")
    one = world.watcher()
    world.run(0.5)
    one.feed.connect()
    world.run(0.5)
    one.feed.frame(world.fill(order_id))
    one.step()
    view = world.view(order_id)
    assert (view.status, view.filled_size, view.source) == ("completed", Decimal(1), "websocket")


def test_fills_of_an_ended_order_are_fetched_and_verified(world: WatchWorld) -> None:
    order_id = world.place(limit="90")
    one = world.watcher()
    world.run(0.2)
    one.feed.connect()
    world.run(0.2)
    one.feed.frame(world.fill(order_id))
    world.until(lambda: world.status(order_id) == "completed" and world.view(order_id).fills_verified, within=1.0)
    assert world.venue.count("fills_of") == 1


def test_T03_late_fills_are_asked_for_until_they_are_verified(world: WatchWorld) -> None:
    order_id = world.place(limit="90")
    one = world.watcher()
    world.run(0.2)
    one.feed.connect()
    world.venue.hidden_fills.add("entry-1")
    one.feed.frame(world.fill(order_id))
    world.run(5.0)
    assert not world.view(order_id).fills_verified
    world.venue.hidden_fills.clear()
    world.until(lambda: world.view(order_id).fills_verified, within=10.0)


def test_T17_a_frame_before_the_create_answer_is_matched_by_client_order_id(world: WatchWorld) -> None:
    one = world.watcher()
    world.run(0.2)
    one.feed.connect()
    world.run(0.2)
    trade = world.intent()
    order = world.venue.accept(trade.request, "order-x")
    world.venue.fill("order-x", "1", "100")
    order.word = "FILLED"
    one.feed.frame(order)
    world.run(0.1)
    assert world.status("order-x") == "completed"


def test_T19_a_frame_of_an_order_that_the_store_does_not_know_is_kept_as_external(world: WatchWorld) -> None:
    one = world.watcher()
    world.run(0.2)
    one.feed.connect()
    one.feed.frame(world.venue.add("app-1", client_order_id="somebody-else"))
    world.run(0.2)
    with world.store.read() as transaction:
        assert [o.order_id for o in transaction.external.list()] == ["app-1"]


def test_T21_orders_that_ended_while_the_feed_was_away_are_fetched_by_id_after_the_connect(world: WatchWorld) -> None:
    orders = [world.place(limit="90") for _ in range(3)]
    world.clock.advance(3600)  # no listing of what was created lately shows these
    one = world.watcher()
    one.state.agenda.pace.audit_every = 1e9
    world.run(0.5)
    one.feed.connect()
    world.run(1.0)
    one.feed.drop()
    one.crew.asked.clear()
    one.state.reach._not_before = world.clock.monotonic() + 5.0  # nothing is asked while it is away
    for order_id in orders:
        world.fill(order_id)
    world.run(1.0)
    one.state.reach._not_before = 0.0
    one.feed.connect()
    took = world.until(lambda: all(world.status(o) == "completed" for o in orders), within=2.0)
    assert took < 0.5
    first = next(ask for _, ask in one.crew.asked if ask.order_ids and not ask.fills)
    assert (first.purpose, set(first.order_ids)) == ("reconnect", set(orders))


def test_T21_what_was_created_and_ended_while_the_feed_was_away_is_listed(world: WatchWorld) -> None:
    one = world.watcher()
    world.run(0.5)
    one.feed.connect()
    world.run(1.0)
    one.feed.drop()
    trade = world.intent(limit="90")  # its answer was lost; only a listing can tell
    world.venue.accept(trade.request, "order-lost", word="OPEN")
    world.fill("order-lost")
    world.touch()
    one.feed.connect()
    world.until(lambda: bool(_ids(world, "order-lost")), within=2.0)
    assert world.status("order-lost") == "completed"


def _listed_from(world: WatchWorld) -> list[float]:
    """Tell how many seconds before now each listing of what was created began."""
    now = world.venue.now()
    starts = [datetime.fromisoformat(a[0]) for name, a in world.venue.calls if name == "orders_created"]
    return [(now - start).total_seconds() for start in starts]


def test_T46_a_frame_dated_by_a_wrong_clock_moves_no_later_listing(world: WatchWorld) -> None:
    order_id = world.place(limit="90")
    one = world.watcher()
    world.run(0.5)
    one.feed.connect()
    world.run(1.0)
    orders = [{"order_id": order_id, "status": "OPEN"}]
    told = {"channel": "user", "timestamp": "2030-01-01T00:00:00Z", "sequence_num": 7}
    raw = json.dumps({**told, "events": [{"type": "update", "orders": orders}]})
    for message in FeedReader().read(raw, Receipt(world.clock.now(), world.clock.monotonic())).messages:
        one.inbox.put(message)
    world.run(12.0)  # the time of the last frame is noted
    one.feed.drop()
    world.run(20.0)
    for _ in range(2):
        watcher = one if one.alive else world.watcher()
        world.run(0.5)
        world.venue.calls.clear()
        watcher.feed.connect()
        world.run(0.2)
        assert _listed_from(world)
        assert min(_listed_from(world)) > 32.0  # the time without the feed, and an overlap
        one.kill()
        one.state.store.leases.release(one.state.seat.lease)  # type: ignore[arg-type]


def test_T46_a_time_of_the_last_frame_that_is_still_to_come_is_not_believed(world: WatchWorld) -> None:
    with world.store.write() as transaction:
        transaction.notes.set(LAST_FRAME, "2030-01-01T00:00:00+00:00")
    one = world.watcher()
    world.run(0.5)
    one.feed.connect()
    world.run(0.2)
    assert min(_listed_from(world)) > 300.0
    world.clock.advance(3600)  # a quiet account, then an outage: nothing was heard since the start
    world.venue.calls.clear()
    one.feed.drop()
    one.feed.connect()
    world.run(0.2)
    assert max(_listed_from(world)) > 3600.0
    one.feed.frame(world.venue.add("app-1"))
    world.run(12.0)
    with world.store.read() as transaction:
        assert str(transaction.notes.get(LAST_FRAME)) < world.venue.now().isoformat()


def _ids(world: WatchWorld, order_id: str) -> dict[str, int]:
    with world.store.read() as transaction:
        return transaction.trades.ids_of([order_id])


def test_T23_a_sequence_gap_asks_rest_for_every_pending_order(world: WatchWorld) -> None:
    order_id = world.place(limit="90")
    one = world.watcher()
    one.state.agenda.pace.audit_every = 1e9
    world.run(0.5)
    one.feed.connect()
    world.run(1.0)
    world.fill(order_id)  # the frame that told of it is lost
    one.inbox.put(SequenceGap(expected=7, got=8, at=world.clock.now()))
    took = world.until(lambda: world.status(order_id) == "completed", within=1.0)
    assert took < 0.2
    assert one.audience.feed_states()[-1] != "down"


def test_T20_heartbeats_alone_do_not_count_as_live(world: WatchWorld) -> None:
    order_id = world.place(limit="90")
    one = world.watcher()
    world.run(0.5)
    one.feed.connect()
    world.run(4.0)
    assert one.audience.feed_states()[-1] == "live"
    one.feed.delivering = False  # heartbeats go on, the user channel is dead
    world.fill(order_id)
    took = world.until(lambda: one.audience.feed_states()[-1] == "stale", within=3.0)
    assert took <= 3.0
    assert one.state.completeness.misses == 1
    assert world.status(order_id) == "completed"


def test_T20_a_stream_that_misses_is_polled_fast_and_connected_anew(world: WatchWorld) -> None:
    orders = [world.place(limit="90") for _ in range(3)]
    one = world.watcher()
    one.crew.on_reconnect = one.feed.connect
    world.run(0.5)
    one.feed.connect()
    world.run(4.0)
    one.feed.delivering = False
    world.fill(orders[0])
    world.until(lambda: one.audience.feed_states()[-1] == "stale", within=3.0)
    asked = len(one.crew.asked)
    world.run(2.5)
    looks = [ask for _, ask in one.crew.asked[asked:] if ask.order_ids and not ask.fills]
    assert len(looks) >= 2  # each second instead of each two
    one.feed.delivering = True
    world.until(lambda: one.audience.feed_states()[-1] == "live", within=5.0)
    assert one.crew.reconnects >= 1


def test_T23_a_frame_that_only_comes_a_little_later_than_rest_is_no_miss(world: WatchWorld) -> None:
    order_id = world.place(limit="90")
    one = world.watcher()
    world.run(0.5)
    one.feed.connect()
    world.run(3.0)
    order = world.fill(order_id)
    world.until(lambda: world.status(order_id) == "completed", within=2.5)  # by the audit
    world.timeline.after(0.2, lambda: one.feed.frame(order))
    world.run(2.0)
    assert one.state.completeness.misses == 0
    assert one.audience.feed_states()[-1] == "live"


def test_T22_silence_with_the_socket_open_is_stale_after_two_and_a_half_seconds(world: WatchWorld) -> None:
    world.place(limit="90")
    one = world.watcher()
    world.run(0.5)
    one.feed.connect()
    world.run(2.0)
    one.feed.beating = False
    took = world.until(lambda: one.audience.feed_states()[-1] == "stale", within=4.0)
    assert took <= 3.6  # the last heartbeat may have been almost a second ago


@pytest.mark.parametrize("count", [1, 100, 240])
def test_snapshot_age_stays_in_its_bound_while_the_feed_is_dead(world: WatchWorld, count: int) -> None:
    world.place_many(count)
    one = world.watcher()
    world.run(3.0)
    bound = max(1.0, -(-count // 100) / 1.5) + one.crew.round_trip
    worst = 0.0

    def look() -> None:
        nonlocal worst
        ages = [r.snapshot_age for r in one.audience.boards[0].pending]
        assert None not in ages
        worst = max([worst, *(a for a in ages if a is not None)])

    world.run(10.0, look)
    assert worst <= bound + 0.02
    assert world.venue.count("order") == 0  # never one by one


def test_polling_is_slower_while_the_feed_is_live(world: WatchWorld) -> None:
    for _ in range(5):
        world.place(limit="90")
    one = world.watcher()
    world.run(0.5)
    one.feed.connect()
    world.run(2.0)
    before = world.venue.requests_made
    world.run(20.0)
    assert 8 <= world.venue.requests_made - before <= 12  # an audit each two seconds, nothing else


def test_zero_proof_look_is_made_when_it_is_due_and_not_before(world: WatchWorld) -> None:
    order_id = world.place(limit="90")
    one = world.watcher()
    world.run(0.5)
    one.feed.connect()
    world.run(0.5)
    world.venue.end(order_id, "CANCELLED")
    one.feed.frame(world.venue.orders[order_id])
    world.run(1.5)
    assert world.status(order_id) == "pending"
    took = world.until(lambda: world.status(order_id) == "failed", within=2.0)
    assert took >= 0.4


def test_T30_an_outage_is_one_incident_and_changes_no_status(world: WatchWorld) -> None:
    orders = world.place_many(120)
    one = world.watcher()
    world.run(5.0)
    world.venue.fail(times=None)
    asked = world.venue.requests_made
    world.run(40.0)
    assert world.venue.requests_made - asked < 40  # backed off, one question at a time
    assert world.statuses() == {"pending"}
    assert one.audience.alerts() == ["venue_unreachable"]
    assert one.audience.boards[0].unreachable_since is not None
    world.fill(orders[0])
    world.venue.heal()
    took = world.until(lambda: world.status(orders[0]) == "completed", within=3.0)
    assert took <= 2.0
    world.run(0.5)
    assert one.audience.boards[0].unreachable_since is None


def test_an_end_of_an_outage_is_found_though_nothing_is_pending(world: WatchWorld) -> None:
    order_id = world.place(limit="90")
    one = world.watcher()
    world.run(2.0)
    world.venue.fail(times=None)
    world.run(2.0)
    with world.store.write() as transaction:  # it ends by another hand meanwhile
        world.fill(order_id)
        seen = world.venue.orders[order_id].seen(world.venue.now())
        world.recorder.seen_in(transaction, [seen], source=_sync())
    world.touch()
    world.run(2.0)
    assert not one.state.roster.pending()
    world.venue.heal()
    world.until(lambda: one.state.reach.reachable, within=3.0)


def _sync():  # type: ignore[no-untyped-def]
    from ordersync_cli.domain.orders import Source

    return Source.SYNC


def test_trades_that_other_processes_place_are_picked_up_at_once(world: WatchWorld) -> None:
    one = world.watcher()
    world.run(2.0)
    order_id = world.place(limit="90")
    took = world.until(lambda: any(h.order_id == order_id for h in one.state.roster), within=0.2)
    assert took <= 0.1


def test_quiet_confirmations_are_written_in_one_batch_each_ten_seconds(world: WatchWorld) -> None:
    order_id = world.place(limit="90")
    world.watcher()
    world.run(3.0)
    first = world.view(order_id).confirmed_at
    world.run(3.0)
    assert world.view(order_id).confirmed_at == first
    world.run(12.0)
    later = world.view(order_id).confirmed_at
    assert later is not None
    assert first is not None
    assert (later - first).total_seconds() > 5


def test_stop_leaves_nothing_unwritten_and_gives_up_the_lease(world: WatchWorld) -> None:
    order_id = world.place(limit="90")
    one = world.watcher()
    world.run(3.0)
    one.inbox.put(StopAsked(exit_code=143))
    assert one.step() == 143
    one.tracker.close()
    one.alive = False
    confirmed = world.view(order_id).confirmed_at
    assert confirmed is not None
    assert (world.clock.now() - confirmed).total_seconds() < 2
    with world.store.read() as transaction:
        assert transaction.watchers.list() == []
    other = world.watcher()
    world.run(0.1)
    assert other.state.seat.driving


def test_until_idle_ends_with_0_when_nothing_is_pending(world: WatchWorld) -> None:
    order_id = world.place(limit="90")
    one = world.watcher(until_idle=True, run_for=60.0)
    world.timeline.after(2.0, lambda: world.fill(order_id) and None)
    codes = []
    while not codes or codes[-1] is None:
        codes.append(one.step())
    assert codes[-1] == 0
    assert world.status(order_id) == "completed"


def test_until_idle_ends_with_13_when_the_time_is_up_first(world: WatchWorld) -> None:
    world.place(limit="90")
    one = world.watcher(until_idle=True, run_for=3.0)
    began = world.clock.monotonic()
    code = None
    while code is None:
        code = one.step()
    assert code == 13
    assert world.clock.monotonic() - began == pytest.approx(3.0, abs=0.2)


def test_no_feed_polls_and_says_so(world: WatchWorld) -> None:
    order_id = world.place(limit="90")
    one = world.watcher(feed_wanted=False)
    world.run(0.5)
    world.fill(order_id)
    took = world.until(lambda: world.status(order_id) == "completed", within=1.2)
    assert took <= 1.2
    assert one.audience.boards[0].feed_state == "polling"


def test_T50_a_connection_that_is_lost_again_and_again_is_named_as_flapping(world: WatchWorld) -> None:
    world.place(limit="90")
    one = world.watcher()
    world.run(0.5)
    for _ in range(3):
        one.feed.connect()
        world.run(3.0)
        one.feed.drop("closed with code 1000")
        world.run(1.0)
    last = [d for d in one.audience.said if d["type"] == "feed"][-1]
    assert "--no-feed" in str(last["reason"])
    assert one.audience.boards[0].flapping


def test_T22_a_feed_that_is_tried_again_and_again_is_down_since_it_was_lost(world: WatchWorld) -> None:
    """Each try began the count anew: the alert after 30 s came after 90, and the screen said 0.8 s."""
    world.place(limit="90")
    one = world.watcher()
    world.run(0.5)
    one.feed.connect()
    world.run(5.0)
    lost = world.clock.now()
    for _ in range(11):
        one.feed.drop("the venue cannot be reached (connection refused)")
        world.run(2.8)
        one.feed.try_in_vain()
        world.run(0.2)
    board = one.audience.boards[0]
    assert abs((board.feed_since - lost).total_seconds()) < 0.5
    assert "feed_stale" in one.audience.alerts()


def test_T50_a_single_loss_a_minute_later_is_no_flapping(world: WatchWorld) -> None:
    world.place(limit="90")
    one = world.watcher()
    world.run(0.5)
    for _ in range(3):
        one.feed.connect()
        world.run(2.0)
        one.feed.drop("closed with code 1000")
        world.run(0.5)
    one.feed.connect()
    world.run(70.0)
    one.feed.drop("closed with code 1012")
    world.run(1.0)
    assert one.state.health.reason == "closed with code 1012"
    assert not one.audience.boards[0].flapping


def test_T50_a_venue_that_lets_nobody_in_is_not_taken_for_another_program(world: WatchWorld) -> None:
    world.place(limit="90")
    one = world.watcher()
    world.run(0.5)
    for _ in range(3):
        one.feed.connect()
        world.run(2.0)
        one.feed.drop("closed with code 1013")
        world.run(0.5)
    one.feed.drop("the venue refused the handshake with 503")
    world.run(1.0)
    assert one.state.health.reason == "the venue refused the handshake with 503"


def test_a_live_feed_has_the_first_word_about_an_order_just_placed(world: WatchWorld) -> None:
    """The poll asked for it at once, raced the frame, and sometimes won (source poll, a request for nothing)."""
    one = world.watcher()
    world.run(0.2)
    one.feed.connect()
    world.run(3.0)
    order_id = world.place()
    world.fill(order_id)
    world.timeline.after(0.5, lambda: one.feed.frame(world.venue.orders[order_id]))
    world.until(lambda: world.status(order_id) == "completed", within=0.9)
    assert world.view(order_id).source == "websocket"
    assert (one.state.completeness.misses, one.state.health.state) == (0, "live")
    one.feed.delivering = False  # and still it is found by REST, should the frames not come
    silent = world.place()
    world.fill(silent)
    world.until(lambda: world.status(silent) == "completed", within=2.2)
    world.until(lambda: one.state.health.state == "stale", within=1.0)


def test_the_next_question_is_chosen_when_its_turn_comes(world: WatchWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three questions lined up for the budget overtook each other: orders were seen after 14 s instead of 6."""
    order_ids = world.place_many(300)
    one = world.watcher(feed_wanted=False)
    world.run(3.0)
    budget = one.state.store.budget
    line = [1]
    monkeypatch.setattr(budget, "waiting", lambda lane: line[0] if lane is Lane.POLL else 0)
    world.run(0.5)
    asked = world.venue.requests_made
    world.run(3.0)
    assert world.venue.requests_made == asked, "one waits for the budget already"
    line[0] = 0
    confirmed = {h.order_id: h.confirmed_mono for h in one.state.roster.pending()}
    oldest = sorted(order_ids, key=lambda o: confirmed[o])[:100]
    world.until(lambda: world.venue.requests_made > asked, within=1.1)
    world.run(0.2)
    moved = {h.order_id for h in one.state.roster.pending() if h.confirmed_mono > max(confirmed.values())}
    assert moved >= set(oldest)


def test_a_screen_opened_later_shows_what_was_completed_today(world: WatchWorld) -> None:
    first, second = world.place(), world.place()
    one = world.watcher()
    world.run(0.5)
    one.feed.connect()
    world.run(0.5)
    for order_id in (second, first):
        one.feed.frame(world.fill(order_id))
        world.run(0.5)
    one.kill()
    later = world.watcher()
    world.run(1.0)
    done = later.audience.boards[0].completions
    assert [(c.trade_id, c.status, c.filled_size, c.source) for c in done] == [
        (trade_id, "completed", Decimal(1), "websocket") for trade_id in (1, 2)
    ]


def test_the_past_teaches_when_to_look(world: WatchWorld) -> None:
    one = world.watcher(feed_wanted=False)
    world.run(0.5)
    for _ in range(3):
        order_id = world.place()
        world.run(0.2)
        world.fill(order_id)
        world.until(lambda o=order_id: world.status(o) == "completed", within=2.0)  # type: ignore[misc]
    world.run(15.0)  # what was learned is kept
    with world.store.read() as transaction:
        assert "BTC-USD/MARKET/at_once" in (transaction.notes.get("learned_schedule") or "")
    assert one.state.schedules.learned.samples


def test_T38_a_feed_whose_key_rest_takes_is_tried_once_more_soon_and_not_again_and_again(world: WatchWorld) -> None:
    one = world.watcher()
    world.run(0.5)

    def refuse() -> None:
        one.inbox.put(FeedChanged(state=FeedState.CONNECTING, reason="connecting", at=world.clock.now()))
        one.inbox.put(FeedChanged(state=FeedState.DOWN, reason="refused", at=world.clock.now(), fatal=True))

    refuse()
    world.run(1.5)
    assert one.crew.reconnects == 0, "not at once: what made the venue refuse it lasts a moment"
    world.run(5.0)
    assert one.crew.reconnects == 1
    refuse()
    world.run(30.0)
    assert one.crew.reconnects == 1
    one.feed.connect()
    world.run(1.0)
    refuse()
    world.run(7.0)
    assert one.crew.reconnects == 2


def test_T38_a_feed_that_tries_by_itself_meanwhile_is_left_alone(world: WatchWorld) -> None:
    one = world.watcher()
    world.run(0.5)
    one.inbox.put(FeedChanged(state=FeedState.DOWN, reason="refused", at=world.clock.now(), fatal=True))
    world.run(1.0)
    one.feed.connect()
    world.run(10.0)
    assert one.crew.reconnects == 0
