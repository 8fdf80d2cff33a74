"""The figures of reports, held against sums made independently, on SQLite and on Postgres."""

from __future__ import annotations

import random
from collections import Counter
from datetime import timedelta
from decimal import Decimal

import pytest

from ordersync_cli.domain.histogram import bucket_of
from ordersync_cli.domain.orders import OrderType, Source
from ordersync_cli.services.ports import ClockOffset
from ordersync_cli.services.ports.history import Scope
from ordersync_cli.services.record import Recorder
from ordersync_cli.services.report.latency import breakdown
from ordersync_cli.store.measures import micros_of
from tests.support.trade_samples import add, fill, fills_seen, intent, recorder, seen
from tests.support.virtual_clock import START

HOUR = timedelta(hours=1)
WINDOW = Scope(since=START, until=START + 6 * HOUR)
SOURCES = ("websocket", "poll", "place", "reconcile")
PRODUCTS = ("BTC-USD", "ETH-USD", "SOL-USD")


def drawn(seed: int, count: int) -> list[dict]:
    """Draw measures, some of them outside of the window, some at the very same moment or length."""
    draw = random.Random(seed)
    return [
        {
            "measure": draw.choice(("sync_latency", "status:pending", "order:open")),
            "at_us": micros_of(START) + draw.choice((0, draw.randrange(-3600 * 10**6, 7 * 3600 * 10**6))),
            "micros": int(draw.choice((draw.lognormvariate(12, 2), 250_000, -draw.randrange(1, 900), 0))),
            "error_us": draw.choice((None, draw.randrange(9_000))),
            "trade_id": draw.randrange(1, 50),
            "bot_id": draw.choice((None, 1, 2)),
            "product_id": draw.choice(PRODUCTS),
            "order_type": draw.choice(("MARKET", "LIMIT")),
            "at_once": draw.random() < 0.5,
            "source": draw.choice(SOURCES),
        }
        for _ in range(count)
    ]  # fmt: skip


def write(store, rows: list[dict]) -> None:
    with store.transaction() as sql:
        for row in rows:
            named = {**row, "bucket": bucket_of(row["micros"])}
            marks = ", ".join("?" * len(named))
            sql.run(f"INSERT INTO measures ({', '.join(named)}) VALUES ({marks})", tuple(named.values()))


def nearest(samples: list[int], percent: int) -> int:
    """The nearest-rank percentile, straight from its definition."""
    ordered = sorted(samples)
    return next(s for s in ordered if sum(o <= s for o in ordered) * 100 >= percent * len(ordered))


def expect(measured, samples: list[int]) -> None:
    spread = measured.spread
    assert spread.count == len(samples)
    if not samples:
        assert spread.mean is None
        return
    assert abs(spread.mean - Decimal(sum(samples)) / len(samples) / 10**6) <= Decimal("0.0000005")
    told = [spread.p50, spread.p95, spread.p99, spread.max]
    assert told == [Decimal(n) / 10**6 for n in (*(nearest(samples, p) for p in (50, 95, 99)), max(samples))]


@pytest.mark.parametrize("seed", [1, 2])
def test_every_spread_is_exact_whole_and_by_each_key(store, seed) -> None:
    rows = drawn(seed, 400)
    write(store, rows)
    since, until = micros_of(WINDOW.since), micros_of(WINDOW.until)
    inside = [r for r in rows if r["measure"] == "sync_latency" and since <= r["at_us"] < until]

    with store.read() as reading:
        found = breakdown(reading.history, WINDOW, "sync_latency", ("source", "product_id", "order_type", "hour"))

    expect(found.whole, [r["micros"] for r in inside])
    errors = [r["error_us"] for r in inside if r["error_us"] is not None]
    assert found.whole.error == Decimal(max(errors)) / 10**6
    for key in ("source", "product_id", "order_type"):
        assert {*found.by[key]} == {r[key] for r in inside}
        for word, measured in found.by[key].items():
            expect(measured, [r["micros"] for r in inside if r[key] == word])
    for hour, measured in found.by["hour"].items():
        expect(measured, [r["micros"] for r in inside if r["at_us"] // 3_600_000_000 % 24 == hour])


@pytest.mark.parametrize(("bot_id", "product_id"), [(1, None), (None, "ETH-USD"), (2, "BTC-USD")])
def test_a_bot_or_product_has_figures_of_its_own(store, bot_id, product_id) -> None:
    rows = drawn(3, 300)
    write(store, rows)
    scope = Scope(since=WINDOW.since, until=WINDOW.until, bot_id=bot_id, product_id=product_id)
    since, until = micros_of(WINDOW.since), micros_of(WINDOW.until)
    mine = [
        r["micros"]
        for r in rows
        if r["measure"] == "status:pending" and since <= r["at_us"] < until
        and bot_id in {None, r["bot_id"]} and product_id in {None, r["product_id"]}
    ]  # fmt: skip

    waited = [
        r["micros"] for r in rows
        if r["measure"] == "status:pending" and since <= r["at_us"] < until and r["at_once"]
    ]  # fmt: skip

    with store.read() as reading:
        found = breakdown(reading.history, scope, "status:%", ("measure",))
        longest = reading.history.longest_pending(WINDOW)

    expect(found.whole, mine)
    assert longest == max(waited)


def test_who_waited_for_long_is_told_trade_by_trade(store) -> None:
    rows = drawn(5, 300)
    write(store, rows)
    long = [
        (r["at_us"], r["trade_id"], r["micros"]) for r in rows
        if r["measure"] == "status:pending" and r["at_once"] and r["micros"] > 1_500_000
        and r["at_us"] >= micros_of(WINDOW.since)
    ]  # fmt: skip

    with store.read() as reading:
        found = reading.history.long_pending(WINDOW, 1.5)

    told = [(micros_of(s.ended_at), s.trade_id, micros_of(s.ended_at) - micros_of(s.began_at)) for s in found]
    assert sorted(told) == sorted(long)
    assert long


def test_money_is_added_up_to_the_last_digit(store) -> None:
    draw = random.Random(4)
    expected: dict[tuple[str, str, str], list[Decimal]] = {}
    counts = Counter()
    for number in range(120):
        value = Decimal(draw.randrange(10**24)) / 10**18
        fees = Decimal(draw.randrange(-(10**20), 10**24)) / 10**20
        key = (draw.choice(("completed", "pending", "failed")), draw.choice(PRODUCTS), draw.choice(("BUY", "SELL")))
        at = START + draw.randrange(-3600, 7 * 3600) * timedelta(seconds=1)
        with store.transaction() as sql:
            sql.run(
                "INSERT INTO trades (status, product_id, side, filled_value, total_fees, created_at, order_id) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (*key, sql.values.decimal(value), sql.values.decimal(fees), sql.values.time(at), f"o-{number}"),
            )
        if WINDOW.since <= at < WINDOW.until:
            counts[key] += 1
            sums = expected.setdefault(key, [Decimal(0), Decimal(0)])
            sums[0] += value
            sums[1] += fees

    with store.read() as reading:
        found = reading.history.turnover(WINDOW)

    assert {(t.status, t.product_id, t.side): t.trades for t in found} == dict(counts)
    assert {(t.status, t.product_id, t.side): [t.filled_value, t.total_fees] for t in found} == expected


def test_a_fill_a_cancel_and_each_status_are_measured(store, place) -> None:
    clock = place.clock
    add(store, intent("c-1", at=clock.now(), bot_id=7))
    first, book = clock.now(), recorder(store)
    clock.advance(0.25)
    book.seen([seen("o-1", "OPEN", at=clock.now())], source=Source.POLL)
    clock.advance(2)
    filled = clock.now() - timedelta(seconds=0.75)
    book.seen([seen("o-1", "FILLED", "1", at=clock.now(), last_fill_time=filled)], source=Source.WEBSOCKET)
    add(store, intent("c-2", at=clock.now(), order_type=OrderType.LIMIT, limit_price=Decimal(1)))
    book.seen([seen("o-2", "OPEN", at=clock.now(), client_order_id="c-2")], source=Source.POLL)
    clock.advance(30)
    book.seen([seen("o-2", "CANCELLED", at=clock.now(), client_order_id="c-2")], source=Source.POLL)

    with store.read() as reading:
        history = reading.history
        whole = {
            name: [(s.whole.spread.count, s.whole.spread.max)]
            for name in ("sync_latency", "cancel_bound", "status:pending", "order:submitting", "order:open")
            for s in [breakdown(history, Scope(since=first, until=clock.now() + HOUR), name, ())]
        }

    assert whole["sync_latency"] == [(1, Decimal("0.75"))]
    assert whole["cancel_bound"] == [(1, Decimal(30))]
    assert whole["status:pending"] == [(1, Decimal("2.25"))]  # the cancelled one has no zero proof yet
    assert whole["order:submitting"] == [(2, Decimal("0.25"))]
    assert whole["order:open"] == [(2, Decimal(30))]


@pytest.mark.parametrize(
    ("seconds", "error", "ago", "told"),
    [
        (3.0, 0.04, -2.5, "0.5"),  # this machine is 3 s behind: what looks like the future is half a second
        (-0.4, 0.5, 0.02, "0.02"),  # a time told by the second: as far as anybody knows, the clocks agree
    ],
)
def test_the_commit_is_taken_on_the_venues_clock_with_its_error(store, place, seconds, error, ago, told) -> None:
    clock = place.clock
    trade_id = add(store, intent("c-1", at=clock.now()))
    offset = ClockOffset(seconds=seconds, error=error, measured_at=clock.now())
    book = Recorder(store=store, clock=clock, offset=lambda: offset)
    venue_time = clock.now() - timedelta(seconds=ago)

    book.seen([seen("o-1", "FILLED", "1", at=venue_time, last_fill_time=venue_time)], source=Source.WEBSOCKET)

    with store.read() as reading:
        scope = Scope(since=clock.now() - HOUR, until=clock.now() + HOUR)
        found = breakdown(reading.history, scope, "sync_latency", ("source",)).whole
        (event,) = [e for e in reading.trades.events(trade_id) if e.latency_seconds is not None]
    assert (found.spread.max, found.error) == (Decimal(told), Decimal(str(error)))
    assert (event.latency_seconds, event.detail) == (Decimal(told), None)


def test_what_is_pending_now_is_listed_whatever_the_window(store, place) -> None:
    add(store, intent("c-1", at=START - timedelta(days=3), bot_id=4))
    add(store, intent("c-2", at=START, bot_id=5, order_type=OrderType.LIMIT, limit_price=Decimal(1)))

    with store.read() as reading:
        found = reading.history.pending(WINDOW)
        mine = reading.history.pending(Scope(since=START, until=START + HOUR, bot_id=5))

    assert [(p.bot_id, p.at_once, p.created_at) for p in found] == [
        (4, True, START - timedelta(days=3)),
        (5, False, START),
    ]
    assert [p.bot_id for p in mine] == [5]


def test_a_bots_own_row_of_unknown_type_counts_as_one_that_it_waits_for(store, place) -> None:
    with store.transaction() as sql:
        sql.run(
            "INSERT INTO trades (bot_id, product_id, side, order_id, status, created_at) VALUES (1, 'BTC-USD', 'BUY', "
            "'o-9', 'pending', ?)",
            (sql.values.time(START),),
        )

    with store.read() as reading:
        (found,) = reading.history.pending(WINDOW)
    assert (found.order_id, found.at_once, found.order_status) == ("o-9", True, "open")


def test_a_bots_row_that_nobody_can_follow_is_pending_all_the_same(store, place) -> None:
    """Without an order id, or without a side: its bot reads `pending` and waits, and the report must say so."""
    rows = [
        (1, "BUY", None, "pending"), (2, None, "o-2", None), (3, "BUY", "", "Pending "), (4, "BUY", None, " completed"),
        (5, "BUY", None, "FAILED"),
    ]  # fmt: skip
    with store.transaction() as sql:
        for bot, side, order_id, status in rows:
            sql.run(
                "INSERT INTO trades (bot_id, product_id, side, order_id, status, created_at) "
                "VALUES (?, 'BTC-USD', ?, ?, ?, ?)",
                (bot, side, order_id, status, sql.values.time(START)),
            )

    with store.read() as reading:
        found = reading.history.pending(WINDOW)
        mine = reading.history.pending(Scope(since=WINDOW.since, until=WINDOW.until, bot_id=3))
    told = [(p.bot_id, p.at_once, p.order_status) for p in found]
    assert told == [(1, True, "submitting"), (2, True, "open"), (3, True, "submitting")]
    assert [p.bot_id for p in mine] == [3]


def test_a_bots_own_spelling_of_a_time_moves_no_trade_out_of_its_window(store, place) -> None:
    """As text, `2026-01-01T00:10` sorts after every time of that day which is written with a space."""
    moments = [START - HOUR, START + timedelta(minutes=10), START + 5 * HOUR, START + 7 * HOUR]
    with store.transaction() as sql:
        for number, at in enumerate(moments):
            spelt = f"{at:%Y-%m-%dT%H:%M:%S}" if number % 2 else f"{at:%Y-%m-%dT%H:%M:%S.%f}Z"
            sql.run(
                "INSERT INTO trades (bot_id, product_id, side, order_id, status, created_at) "
                "VALUES (?, 'BTC-USD', 'BUY', ?, 'completed', ?)",
                (number, f"o-{number}", spelt),
            )
        ids = [i for (i,) in sql.rows("SELECT id FROM trades ORDER BY id")]

    with store.read() as reading:
        history = reading.history
        _, rows = history.exported(WINDOW, "trades")
        exported = [row[1] for row in rows]
        (turnover,) = history.turnover(WINDOW)
        mine = history.turnover(Scope(since=WINDOW.since, until=WINDOW.until, bot_id=3))
        found = (history.touched(WINDOW, ids), history.population(WINDOW))
    assert (exported, turnover.trades, mine) == ([1, 2], 2, [])
    assert found == (set(ids[1:3]), ids[1:3])


def test_trades_and_fills_are_exported_in_the_order_of_time(store, place) -> None:
    add(store, intent("c-1", at=START, bot_id=3))
    book = recorder(store)
    book.seen([seen("o-1", "FILLED", "1", at=START)], source=Source.POLL)
    book.seen(
        [fills_seen(fill("e-2", size="0.4", trade_time=START + HOUR), fill("e-1", size="0.6"))], source=Source.POLL
    )

    with store.read() as reading:
        columns, trades = reading.history.exported(WINDOW, "trades")
        (row,) = [dict(zip(columns, r, strict=True)) for r in trades]
        names, fills = reading.history.exported(WINDOW, "fills")
        lines = [dict(zip(names, r, strict=True)) for r in fills]

    assert (row["bot_id"], row["status"], row["filled_size"], row["created_at"]) == (3, "completed", Decimal(1), START)
    assert [(f["entry_id"], f["size"], f["size_in_quote"], f["trade_id"]) for f in lines] == [
        ("e-1", Decimal("0.6"), False, row["trade_id"]),
        ("e-2", Decimal("0.4"), False, row["trade_id"]),
    ]


def test_what_a_person_did_is_listed_apart(store, place) -> None:
    one, other = (add(store, intent(name, at=START)) for name in ("c-1", "c-2"))
    book = recorder(store)
    book.seen([seen("o-1", "OPEN", client_order_id="c-1")], source=Source.POLL)
    book.seen([seen("o-2", "OPEN", client_order_id="c-2")], source=Source.SYNC)

    with store.read() as reading:
        found = reading.history.by_hand(Scope(since=START - HOUR, until=START + HOUR))
        nobodys = reading.history.by_hand(Scope(since=START - HOUR, until=START + HOUR, bot_id=99))

    assert [(e.trade_id, e.order_status) for e in found] == [(other, "open")] != [(one, "open")]
    assert nobodys == []


def test_an_audit_draws_from_what_was_touched_and_never_from_what_was_imported(store, place) -> None:
    kept = add(store, intent("c-1", at=START))
    recorder(store).seen([seen("o-1", "OPEN")], source=Source.POLL)
    without_order = add(store, intent("c-2", at=START))
    with store.transaction() as sql:
        sql.run(
            "INSERT INTO trades (order_id, created_at, origin) VALUES ('o-3', ?, 'imported')", (sql.values.time(START),)
        )

    scope = Scope(since=START - HOUR, until=START + HOUR)
    with store.read() as reading:
        assert reading.history.population(scope) == [kept]
        assert reading.history.touched(scope, [kept, without_order, without_order + 1]) == {kept, without_order}
        assert reading.history.touched(scope.before(), [kept]) == set()
