"""Hundreds of open orders without a feed, at the real pace of requests, and a `place` beside them: as processes."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from time import monotonic, sleep

import pytest

from ordersync_cli.simulator.application import Application
from ordersync_cli.simulator.requests import Answer, Call
from ordersync_cli.simulator.server import SimulatorServer
from tests.support.live_watch import Books
from tests.support.patience import fast_enough, within
from tests.support.watch_process import environment, run, watch_process

OPEN = 500
OLDEST = 4.0  # seconds
PLACING = ("place", "buy", "BTC-USD", "--quote-size", "25", "--yes", "--json")

Seen = list[tuple[float, Call]]


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    """Every request that the exchange answers, with the time of its answer."""
    kept: Seen = []
    answer = Application.answer

    def noted(self: Application, call: Call) -> Answer:
        kept.append((monotonic(), call))
        return answer(self, call)

    monkeypatch.setattr(Application, "answer", noted)
    return kept


@pytest.fixture
def server(tmp_path: Path, seen: Seen) -> Iterator[SimulatorServer]:
    with SimulatorServer(tmp_path / "exchange.db", seed=7, rate_limit=None) as made:
        yield made


@pytest.fixture
def books(server: SimulatorServer, tmp_path: Path) -> Iterator[Books]:
    made = Books(server, tmp_path / "store.db", requests_per_second=2.5)
    yield made
    made.close()


def of(seen: Seen, ending: str, method: str = "GET") -> list[float]:
    return [at for at, call in seen if call.method == method and call.path.endswith(ending)]


def longest_gap(seen: Seen, order_ids: list[str], since: float, until: float) -> float:
    """Tell the longest time between two look-ups of one order, those under way at both ends included."""
    times: dict[str, list[float]] = defaultdict(list)
    for at, call in seen:
        for order_id in call.query.get("order_ids", ()):
            if call.path.endswith("/historical/batch") and at <= until:
                times[order_id].append(at)
    return max(
        later - earlier
        for order_id in order_ids
        for earlier, later in pairwise([*times[order_id], until])
        if later > since
    )


def test_500_orders_without_a_feed_stay_young_while_a_place_beside_them_is_not_held_up(
    server: SimulatorServer, books: Books, seen: Seen, tmp_path: Path
) -> None:
    order_ids = books.place(OPEN)
    server.control.fault(target="ws", kind="refuse", status=503)
    env = environment(server, tmp_path / "store.db", ORDERSYNC_REQUESTS_PER_SECOND="2.5")
    with watch_process(env):  # with its passes: both begin within the first seconds
        within(15.0, lambda: len(of(seen, "/historical/batch")) >= 14, "two rounds of turns")
        began = monotonic()
        said = run(env, *PLACING)
        took = monotonic() - began
        sleep(6.0)
        ended = monotonic()
    told = json.loads(said.stdout)
    assert (said.returncode, told["outcome"]) == (0, "filled")
    asked = [call.path.rsplit("/", 1)[-1] for at, call in seen if call.path.endswith(told["trade"]["order_id"])]
    assert len(asked) <= 1 + took // 2.0  # the first look; from then on the watcher is left two seconds each time
    ahead = max(at for at in of(seen, "/key_permissions") if at > began)
    (sent,) = (at for at in of(seen, "/orders", "POST") if at > began)
    fast_enough(sent - ahead, 1.0, "the order")
    fast_enough(took, 4.0, "the whole command")
    fast_enough(longest_gap(seen, order_ids, began, ended), OLDEST, "a snapshot")


def test_beside_a_watcher_place_need_not_ask_for_the_time(
    server: SimulatorServer, books: Books, seen: Seen, tmp_path: Path
) -> None:
    books.place()  # so that it goes on looking, and hearing the venue's clock
    env = environment(server, tmp_path / "store.db")
    with watch_process(env) as watch:
        watch.wait_for(15, type="feed", state="live")
        within(5.0, lambda: noted(books), "what it knows of the venue's clock")
        sleep(5.1)
        asked = len(of(seen, "/time"))
        assert run(env, *PLACING).returncode == 0
        assert len(of(seen, "/time")) == asked
    sleep(5.1)
    assert run(env, *PLACING).returncode == 0
    assert len(of(seen, "/time")) == asked + 1


def noted(books: Books) -> bool:
    with books.store.read() as transaction:
        return transaction.notes.get("venue_clock") is not None
