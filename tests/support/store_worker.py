"""One process of a test with several: does one job on a store and prints what came of it.

Run as ``python -m tests.support.store_worker JOB URL NUMBER COUNT``; it says ``ready`` and waits for a line
on stdin, so that all begin at once.
"""

from __future__ import annotations

import json
import random
import sys
import time
from datetime import timedelta

from ordersync_cli.clock import SystemChance, SystemClock
from ordersync_cli.domain.observations import AnswerKind, PlaceAnswer
from ordersync_cli.domain.orders import Source
from ordersync_cli.services.ports import Lane
from ordersync_cli.services.record import Recorder
from ordersync_cli.store import open_store
from tests.support.trade_samples import fill, fills_seen, intent, seen
from tests.support.virtual_clock import START

TRADES = 5


def joined(url: str, number: int, count: int) -> object:
    """Feed cumulative figures and own fills of one order, the figures of all processes interleaved."""
    store = open_store(url, clock=SystemClock(), chance=SystemChance())
    recorder = Recorder(store=store, clock=SystemClock())
    for step in range(count):
        filled = step * 4 + number + 1
        at = START + timedelta(milliseconds=filled)
        recorder.seen([seen("o-1", "OPEN", str(filled), at=at)], source=Source.POLL)
        own = fill(f"e-{number}-{step}", venue_trade_id=f"{number}-{step}")
        recorder.seen([fills_seen(own, at=at)], source=Source.POLL)
    store.close()
    return count


def crossing(url: str, number: int, count: int) -> object:
    """Feed batches about several trades, each batch in another order."""
    store = open_store(url, clock=SystemClock(), chance=SystemChance())
    recorder = Recorder(store=store, clock=SystemClock())
    draw = random.Random(number)
    for step in range(count):
        at = START + timedelta(milliseconds=step * 10 + number)
        batch = [seen(f"o-{n}", "OPEN", str(step + 1), client_order_id=f"c-{n}", at=at) for n in range(TRADES)]
        draw.shuffle(batch)
        recorder.seen(batch, source=Source.POLL)
    store.close()
    return count


def claiming(url: str, number: int, count: int) -> object:
    """See orders that nobody claims yet, while the first process places and so claims them."""
    store = open_store(url, clock=SystemClock(), chance=SystemChance())
    recorder = Recorder(store=store, clock=SystemClock())
    draw = random.Random(number)
    for step in range(count):
        names = [f"{step}-{n}" for n in range(4 * TRADES)]
        draw.shuffle(names)
        for name in names:  # rows lie in the order in which they came
            recorder.seen([seen(f"o-{name}", client_order_id=None)], source=Source.WEBSOCKET)
        for look in range(5):
            at = START + timedelta(milliseconds=10 * look + number)
            recorder.seen([seen(f"o-{name}", client_order_id=None, at=at) for name in names], source=Source.POLL)
        if number == 0:
            with store.write() as transaction:
                trades = {name: transaction.trades.add(intent(f"c-{name}")) for name in names}
                said = {
                    trade.trade_id: [PlaceAnswer(kind=AnswerKind.ACCEPTED, attempt=1, at=START, order_id=f"o-{name}")]
                    for name, trade in trades.items()
                }
                recorder.about_in(transaction, said, source=Source.PLACE)  # type: ignore[arg-type]
    store.close()
    return count


def adding(url: str, number: int, count: int) -> object:
    """Commit intents, telling each id once it is committed; made to be killed."""
    store = open_store(url, clock=SystemClock(), chance=SystemChance())
    recorder = Recorder(store=store, clock=SystemClock())
    for step in range(count):
        name = f"{number}-{step}"
        with store.write() as transaction:
            trade = transaction.trades.add(intent(f"c-{name}"))
        print(f"committed {name}", flush=True)
        recorder.about(
            trade.trade_id or 0, [seen(f"o-{name}", "FILLED", "1", client_order_id=f"c-{name}")], source=Source.POLL
        )
    store.close()
    return count


def opening(url: str, number: int, count: int) -> object:
    """Open a store that nobody has made yet, and claim it."""
    store = open_store(url, clock=SystemClock(), chance=SystemChance())
    store.claim("simulator", None)
    with store.read() as transaction:
        tag = transaction.notes.get("tag")
    store.close()
    return tag


def upgrading(url: str, number: int, count: int) -> object:
    """Upgrade a database that nobody has upgraded yet, then open it."""
    from ordersync_cli.store.maintenance import upgrade

    upgrade(url, SystemClock())
    return opening(url, number, count)


def taking(url: str, number: int, count: int) -> object:
    """Take requests for a while; tell how many."""
    store = open_store(url, clock=SystemClock(), chance=SystemChance(), requests_per_second=20)
    store.budget.take(Lane.PLACE)
    taken, ends = 1, time.monotonic() + count / 1000
    while time.monotonic() < ends:
        store.budget.take(Lane.PLACE)
        taken += 1
    store.close()
    return taken


JOBS = {job.__name__: job for job in (joined, crossing, claiming, adding, opening, upgrading, taking)}

if __name__ == "__main__":
    name, url, number, count = sys.argv[1:]
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps({"result": JOBS[name](url, int(number), int(count))}), flush=True)
