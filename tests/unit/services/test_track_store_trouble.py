"""The store away, slow or refusing: what arrived is kept, or asked for again (T36)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ordersync_cli.domain.observations import AnswerKind, PlaceAnswer
from ordersync_cli.domain.orders import Source
from ordersync_cli.errors import StoreError
from ordersync_cli.services.watch.event_tail import EventTail
from ordersync_cli.services.watch.store_patience import STORE_PATIENCE
from ordersync_cli.services.watch.watch_state import WatchState
from ordersync_cli.store.trades import Trades
from ordersync_cli.venue.feed_reader import FeedReader, Receipt
from tests.support.watch_world import One, WatchWorld, watch_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[WatchWorld]:
    with watch_world(tmp_path / "store.db") as made:
        yield made


class AwayStore:
    """A store whose writes fail while ``away``, each after a ``wait`` (as on a lock)."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.away = False
        self.wait: Callable[[], None] = lambda: None
        self.leases = AwayLeases(self, store.leases)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    @contextmanager
    def write(self) -> Iterator[Any]:
        self.locked()
        with self._store.write() as transaction:
            yield transaction

    def locked(self) -> None:
        self.wait()
        if self.away:
            raise StoreError("The store is locked.")


class AwayLeases:
    """The leases of a store that may be away."""

    def __init__(self, store: AwayStore, leases: Any) -> None:
        self._store = store
        self._leases = leases

    def __getattr__(self, name: str) -> Any:
        self._store.locked()
        return getattr(self._leases, name)


def away_store(one: One) -> AwayStore:
    store = AwayStore(one.state.store)
    one.state.store = one.state.intake.store = store  # type: ignore[assignment]
    one.state.seat.leases = store.leases  # type: ignore[assignment]
    return store


def test_T36_frames_of_a_time_without_a_store_are_committed_afterwards(world: WatchWorld) -> None:
    order_id = world.place(limit="90")
    one = world.watcher()
    world.run(0.5)
    one.feed.connect()
    world.run(1.0)
    store = away_store(one)
    store.away = True
    one.feed.frame(world.fill(order_id))
    world.run(3.0)
    assert world.status(order_id) == "pending"
    assert "locked" in one.audience.boards[0].store_problem
    store.away = False
    world.until(lambda: world.status(order_id) == "completed", within=1.0)
    world.run(1.0)
    assert one.audience.boards[0].store_problem == ""


def test_T36_a_store_that_stays_away_ends_the_watch_with_9(world: WatchWorld) -> None:
    world.place(limit="90")
    one = world.watcher()
    world.run(0.5)
    away_store(one).away = True
    with pytest.raises(StoreError) as refused:
        world.run(STORE_PATIENCE + 5.0)
    assert refused.value.exit_code == 9
    one.alive = False


def test_T36_a_store_that_is_locked_for_good_ends_the_watch_close_to_the_patience(
    world: WatchWorld, caplog: pytest.LogCaptureFixture
) -> None:
    """Each try waits 10 s for the lock, and so did each of the last words."""
    one = world.watcher()
    world.run(0.5)
    store = away_store(one)
    store.away, store.wait = True, lambda: world.timeline.advance_to(world.clock.monotonic() + 10.0)
    began = world.clock.monotonic()
    one.tracker.step()
    while not caplog.records:
        one.tracker.step()
    assert "The store is locked." in caplog.text
    assert world.clock.monotonic() - began < 12.0
    with pytest.raises(StoreError):
        one.tracker.run()
    one.alive = False
    assert world.clock.monotonic() - began < STORE_PATIENCE + 15.0
    assert len(caplog.records) == 1, "said once"


def test_T36_that_the_store_is_back_is_said_too(world: WatchWorld, caplog: pytest.LogCaptureFixture) -> None:
    one = world.watcher()
    world.run(0.5)
    store = away_store(one)
    for away in (True, False, True, False):
        store.away = away
        world.run(3.0)
    assert [("locked" in r.getMessage(), "everything again" in r.getMessage()) for r in caplog.records] == [
        (True, False),
        (False, True),
    ] * 2


def test_T22_heartbeats_that_waited_for_the_store_were_heard(world: WatchWorld) -> None:
    one = world.watcher()
    world.run(0.5)
    one.feed.connect()
    world.run(2.0)
    store = away_store(one)
    store.wait = lambda: world.timeline.advance_to(world.clock.monotonic() + 4.6)
    one.tracker.step()
    for _ in range(5):
        one.tracker.step()
    store.wait = lambda: None
    world.run(2.0)
    states = [d["state"] for d in one.audience.said if d["type"] == "feed"]
    assert "stale" not in states
    assert states[-1] == "live"


@pytest.mark.parametrize("failures", [1, 3])
def test_T36_a_role_won_while_the_store_fails_is_acted_on_when_it_answers(
    world: WatchWorld, monkeypatch: pytest.MonkeyPatch, failures: int
) -> None:
    """The lease was held from then on, and nobody followed the orders."""
    order_id = world.place(limit="90")
    one = world.watcher()
    resume, left = WatchState.resume, [None] * failures

    def fails_at_first(state: WatchState) -> None:
        if left:
            left.pop()
            raise StoreError("The store is locked.")
        resume(state)

    monkeypatch.setattr(WatchState, "resume", fails_at_first)
    world.run(10.0)
    world.fill(order_id)
    world.until(lambda: world.status(order_id) == "completed", within=3.0)
    assert one.crew.driving
    assert one.crew.drives == 1


@pytest.mark.parametrize("odd", ["a\ud800b", "a\0b"])
def test_T37_an_id_that_no_store_holds_holds_up_nothing_of_its_message(world: WatchWorld, odd: str) -> None:
    mine = world.place(limit="90")
    one = world.watcher()
    world.run(0.5)
    one.feed.connect()
    world.run(1.0)
    filled = {"order_id": mine, "status": "FILLED", "cumulative_quantity": "1", "number_of_fills": "1"}
    filled |= {"filled_value": "90", "avg_price": "90", "total_fees": "0"}
    orders = [{"order_id": "foreign", "client_order_id": odd, "status": "OPEN"}, filled]
    raw = json.dumps({"channel": "user", "sequence_num": 7, "events": [{"type": "update", "orders": orders}]})
    for message in FeedReader().read(raw, Receipt(world.clock.now(), world.clock.monotonic())).messages:
        one.inbox.put(message)
    world.run(0.1)
    assert world.status(mine) == "completed"
    with world.store.read() as transaction:
        assert [o.order_id for o in transaction.external.list()] == ["foreign"]


@pytest.mark.parametrize("broken", ["_last_words", "stand_by"])
def test_whatever_the_last_words_end_with_the_lease_and_the_row_are_given_up(
    world: WatchWorld, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    one = world.watcher()
    world.run(0.5)
    assert one.state.seat.driving

    def breaks() -> None:
        raise RuntimeError("a bug")

    with monkeypatch.context() as patched:
        patched.setattr(one.tracker if broken == "_last_words" else one.crew, broken, breaks)
        with pytest.raises(RuntimeError):  # said, but last
            one.tracker.close()
    one.alive = False
    with world.store.read() as transaction:
        assert transaction.watchers.list() == []
    other = world.watcher()
    world.run(0.1)
    assert other.state.seat.driving


class Numbered:
    """A transaction whose events have the numbers that a test says; as Postgres, it may fill gaps late."""

    def __init__(self) -> None:
        self.rows: dict[int, str] = {}
        self.trades = self

    def last_event(self) -> int:
        return max(self.rows, default=0)

    def events_after(self, row: int, limit: int) -> list[tuple[int, str]]:
        return [(n, self.rows[n]) for n in sorted(self.rows) if n > row][:limit]


def test_an_event_that_commits_below_the_cursor_is_still_read_once() -> None:
    rows, tail = Numbered(), EventTail()
    tail.begin(rows)  # type: ignore[arg-type]
    rows.rows = {1: "a", 3: "c"}
    assert tail.read(rows, 0.0) == ["a", "c"]  # type: ignore[arg-type]
    rows.rows[2] = "b"
    assert tail.read(rows, 1.0) == ["b"]  # type: ignore[arg-type]
    assert tail.read(rows, 2.0) == []  # type: ignore[arg-type]


def _lose(events: object) -> None:
    assert events == ["b", "d", "f"]
    raise StoreError("The connection is lost.")


def test_events_of_a_read_that_failed_are_read_again() -> None:
    rows, tail = Numbered(), EventTail()
    tail.begin(rows)  # type: ignore[arg-type]
    rows.rows = {1: "a", 3: "c"}
    assert tail.read(rows, 0.0) == ["a", "c"]  # type: ignore[arg-type]
    rows.rows |= {2: "b", 4: "d", 6: "f"}
    for _ in range(2):
        with pytest.raises(StoreError), tail.back_on_failure():
            _lose(tail.read(rows, 1.0))  # type: ignore[arg-type]
    with tail.back_on_failure():
        assert tail.read(rows, 2.0) == ["b", "d", "f"]  # type: ignore[arg-type]
    rows.rows[5] = "e"
    assert tail.read(rows, 3.0) == ["e"]  # type: ignore[arg-type]


def test_T36_what_another_process_wrote_is_taken_up_after_a_look_at_the_store_that_failed(
    world: WatchWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = world.watcher(feed_wanted=False)
    world.run(1.0)
    trade = world.intent(limit="90")
    world.touch()
    world.run(0.2)
    assert trade.trade_id is not None
    other = world.open()
    world.venue.accept(trade.request, "answered")
    world.venue.unlisted.add("answered")  # listings lag
    answer = PlaceAnswer(kind=AnswerKind.ACCEPTED, attempt=1, at=world.venue.now(), order_id="answered")
    world.make_recorder(other).about(trade.trade_id, [answer], source=Source.PLACE)
    other.close()  # type: ignore[attr-defined]
    load = Trades.load

    def lost_once(self: Trades, *_: Any, **__: Any) -> Any:
        monkeypatch.setattr(Trades, "load", load)
        raise StoreError("The connection is lost.")

    monkeypatch.setattr(Trades, "load", lost_once)
    world.touch()
    world.run(5.0)
    assert Trades.load is load
    held = one.state.roster.get(trade.trade_id)
    assert held is not None
    assert held.order_id == "answered"
    world.fill("answered")
    world.until(lambda: world.status("answered") == "completed", within=5.0)


def test_a_number_that_never_commits_is_given_up() -> None:
    rows, tail = Numbered(), EventTail()
    tail.begin(rows)  # type: ignore[arg-type]
    rows.rows = {1: "a", 3: "c"}
    tail.read(rows, 0.0)  # type: ignore[arg-type]
    tail.read(rows, 60.0)  # type: ignore[arg-type]
    assert not tail._gaps
