"""What a store promises about trades, held against SQLite and a real Postgres."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from ordersync_cli.domain.observations import (
    AbsenceProven,
    AnswerKind,
    CancelSeen,
    CancelStep,
    Look,
    PlaceAnswer,
    SettledByHand,
)
from ordersync_cli.domain.orders import OrderType, Origin, Side, Source, StopDirection, TimeInForce
from ordersync_cli.domain.trade import VenueOrder
from ordersync_cli.errors import AlreadyKnown
from ordersync_cli.services.ports import ClockOffset, TradeFilter
from ordersync_cli.services.ports.history import Scope
from ordersync_cli.services.record import Recorder
from tests.support.trade_samples import add, fill, fills_seen, intent, recorder, seen
from tests.support.virtual_clock import START

THIRTY_DIGITS = Decimal("123456789012345.678901234567891")


def loaded(store, trade_id):
    with store.read() as transaction:
        return transaction.trades.load([trade_id])[trade_id]


def view(store, trade_id):
    with store.read() as transaction:
        (found,) = transaction.trades.views(TradeFilter(trade_ids=[trade_id]))
    return found


def test_an_intent_comes_back_as_it_was_committed(store) -> None:
    asked_for = intent(
        "c-9",
        order_type=OrderType.STOP_LIMIT,
        time_in_force=TimeInForce.GTD,
        side=Side.SELL,
        quote_size=None,
        base_size=Decimal("0.00000001"),
        limit_price=Decimal("99999999999.99999999"),
        stop_price=Decimal("1E+3"),
        stop_direction=StopDirection.DOWN,
        end_time=START + timedelta(days=1, microseconds=7),
        post_only=True,
        bot_id=7,
    )

    trade_id = add(store, asked_for)

    again = loaded(store, trade_id)
    assert again == replace(asked_for, trade_id=trade_id, updated_at=START)
    shown = view(store, trade_id)
    assert (shown.status, shown.order_status) == ("pending", "submitting")
    assert shown.size == Decimal("0.00000001")
    assert shown.price == Decimal("99999999999.99999999")


def test_registers_of_any_kind_come_back_as_they_were_joined(store) -> None:
    trade_id = add(store, intent())
    record = recorder(store)
    look = Look(started_at=START, window_start=START - timedelta(hours=1), rows=3, positive_control="o-0")
    record.about(
        trade_id,
        [
            CancelSeen(requested_at=START, step=CancelStep.REQUESTED),
            AbsenceProven(attempt=1, at=START, looks=(look,)),
            SettledByHand(word="failed", reason="the venue forgot it", at=START),
        ],
        source=Source.SYNC,
    )
    recorded = record.seen(
        [seen("o-1", "FILLED", "1.5", at=START + timedelta(seconds=1), quote_size=Decimal("25"))], source=Source.POLL
    )
    record.seen([fills_seen(fill("e-1", size="1.5"), at=START + timedelta(seconds=2))], source=Source.POLL)

    again = loaded(store, trade_id)
    assert again.verdict.looks == (look,)
    assert again.cancel.step is CancelStep.REQUESTED
    assert again.settled.word == "failed"
    assert again.orders[0].figures == recorded.changes[-1].after.orders[0].figures
    assert [f.entry_id for f in again.orders[0].fills] == ["e-1"]
    assert again.orders[0].fills_read == START + timedelta(seconds=2)


def test_thirty_digits_survive(store) -> None:
    trade_id = add(store, intent(base_size=THIRTY_DIGITS, quote_size=None))

    assert loaded(store, trade_id).request.base_size == THIRTY_DIGITS
    assert view(store, trade_id).size == THIRTY_DIGITS


def test_T32_thirty_digit_figures_and_fills_survive(store) -> None:
    trade_id = add(store, intent())
    sight = seen("o-1", "FILLED", str(THIRTY_DIGITS), quote_size=Decimal("25"))
    recorder(store).seen([sight], source=Source.POLL)
    told = fill("e-1", size=str(THIRTY_DIGITS), commission=THIRTY_DIGITS)
    recorder(store).seen([fills_seen(told)], source=Source.POLL)

    shown = view(store, trade_id)
    assert shown.filled_size == THIRTY_DIGITS
    assert shown.filled_value == sight.figures.filled_value
    assert shown.total_fees == sight.figures.total_fees
    assert shown.fills_verified
    assert loaded(store, trade_id).orders[0].fills == (told,)


def test_equal_decimals_are_stored_alike_however_they_are_written(store) -> None:
    ids = [add(store, intent(f"c-{n}", quote_size=Decimal(n))) for n in ("25", "25.00", "2.5E+1")]

    assert {str(view(store, trade_id).size_usd) for trade_id in ids} == {"25"}


def test_times_come_back_aware_in_utc_with_microseconds(store) -> None:
    moment = datetime(2026, 3, 1, 17, 45, 0, 1, tzinfo=timezone(timedelta(hours=5, minutes=45)))
    trade_id = add(store, intent(at=moment))

    again = loaded(store, trade_id).created_at
    assert again == moment
    assert again.utcoffset() == timedelta(0)
    assert again.microsecond == 1


def test_a_naive_time_is_refused(store) -> None:
    with pytest.raises(ValueError, match="time zone"):
        add(store, intent(at=datetime(2026, 3, 1)))


def test_a_client_order_id_has_one_trade(store) -> None:
    add(store, intent("same"))

    with pytest.raises(AlreadyKnown):
        add(store, intent("same"))
    with store.read() as transaction:
        assert len(transaction.trades.views(TradeFilter())) == 1


def test_an_order_id_has_one_trade(store) -> None:
    order = VenueOrder(order_id="o-1", accepted=True)
    adopted = replace(intent(None), origin=Origin.ADOPTED, orders=(order,))
    add(store, adopted)

    with pytest.raises(AlreadyKnown):
        add(store, adopted)


def test_trades_without_a_client_order_id_do_not_collide(store) -> None:
    first, second = add(store, intent(None)), add(store, intent(None))

    assert first != second


def test_ids_are_found_by_order_id_and_by_client_order_id(store) -> None:
    first, second = add(store, intent("c-1")), add(store, intent("c-2"))
    recorder(store).seen([seen("o-2", client_order_id="c-2", quote_size=Decimal("25"))], source=Source.POLL)

    with store.read() as transaction:
        found = transaction.trades.ids_of(["o-2", "o-none"], ["c-1", "c-2", "c-none"])
    assert found == {"o-2": second, "c-1": first, "c-2": second}


def test_T13_two_trades_may_name_one_order_until_it_was_compared(store) -> None:
    """A reused client order id is answered with the old order's id: the old row keeps it."""
    order = VenueOrder(order_id="o-old", accepted=True)
    old = add(store, replace(intent(None), origin=Origin.ADOPTED, orders=(order,)))
    new = add(store, intent("reused"))
    answer = PlaceAnswer(kind=AnswerKind.ACCEPTED, attempt=1, at=START, order_id="o-old")
    recorder(store).about(new, [answer], source=Source.PLACE)

    assert view(store, old).order_id == "o-old"
    assert view(store, new).order_id is None
    with store.read() as transaction:
        assert transaction.trades.ids_of(["o-old"]) == {"o-old": old}
    other = seen("o-old", "FILLED", "1", client_order_id="theirs")
    recorder(store).about(new, [other], source=Source.PLACE)
    assert view(store, new).order_status == "rejected"
    assert view(store, new).reason == "client_order_id_in_use"


def test_T13_the_row_that_had_an_order_first_keeps_it_when_both_change_together(store) -> None:
    """Both lost it where the younger claim had the smaller trade id."""
    new = add(store, intent("reused"))
    order = VenueOrder(order_id="o-old", accepted=True)
    old = add(store, replace(intent(None), origin=Origin.ADOPTED, orders=(order,)))
    answer = PlaceAnswer(kind=AnswerKind.ACCEPTED, attempt=1, at=START, order_id="o-old")
    partly = seen("o-old", "OPEN", "0.5", client_order_id=None, at=START + timedelta(seconds=1))

    with store.write() as transaction:
        recorder(store).about_in(transaction, {new: [answer], old: [partly]}, source=Source.PLACE)

    assert (view(store, old).order_id, view(store, old).filled_size) == ("o-old", Decimal("0.5"))
    assert view(store, new).order_id is None


def test_an_attempt_is_begun_by_one_process(place) -> None:
    here, there = place.open(), place.open()
    trade_id = add(here, intent())
    again = replace(loaded(here, trade_id), attempts=2, attempt_at=START + timedelta(minutes=1))

    won = []
    for store in (here, there):
        with store.write() as transaction:
            won.append(transaction.trades.begin_attempt(again, expected_attempts=1))

    assert won == [True, False]
    assert loaded(here, trade_id).attempts == 2
    assert loaded(here, trade_id).attempt_at == START + timedelta(minutes=1)


def test_no_attempt_is_begun_once_the_id_is_burnt_or_an_order_was_seen(store) -> None:
    burnt, shown = add(store, intent("c-1")), add(store, intent("c-2"))
    recorder(store).about(burnt, [AbsenceProven(attempt=1, at=START, looks=())], source=Source.RECONCILE)
    recorder(store).seen([seen("o-2", client_order_id="c-2", quote_size=Decimal("25"))], source=Source.POLL)

    for trade_id in (burnt, shown):
        again = replace(loaded(store, trade_id), attempts=2)
        with store.write() as transaction:
            assert not transaction.trades.begin_attempt(again, expected_attempts=1)


def test_what_is_due_is_listed(store) -> None:
    submitting, open_one, filled, cancelled = (add(store, intent(f"c-{n}")) for n in range(4))
    money = {"quote_size": Decimal("25")}
    recorder(store).seen(
        [
            seen("o-1", "OPEN", client_order_id="c-1", **money),
            seen("o-2", "FILLED", "1", client_order_id="c-2", **money),
            seen("o-3", "CANCELLED", "0", client_order_id="c-3", **money),
        ],
        source=Source.POLL,
    )

    with store.read() as transaction:
        # the cancelled one awaits its zero proof
        assert transaction.trades.pending_ids() == [submitting, open_one, cancelled]
        assert filled in transaction.trades.unverified_ids(10)
        assert len(transaction.trades.unverified_ids(1)) == 1


def test_views_are_filtered_and_newest_first(store) -> None:
    for number in range(5):
        at = START + timedelta(hours=number)
        add(store, intent(f"c-{number}", at=at, bot_id=number % 2, product_id="ETH-USD" if number == 3 else "BTC-USD"))

    def names(**wanted):
        with store.read() as transaction:
            return [v.client_order_id for v in transaction.trades.views(TradeFilter(**wanted))]

    assert names() == ["c-4", "c-3", "c-2", "c-1", "c-0"]
    assert names(limit=2) == ["c-4", "c-3"]
    assert names(bot_id=1) == ["c-3", "c-1"]
    assert names(product_id="ETH-USD") == ["c-3"]
    assert names(since=START + timedelta(hours=3)) == ["c-4", "c-3"]
    assert names(until=START + timedelta(hours=1)) == ["c-0"]
    assert names(status="completed") == []
    assert names(trade_ids=[]) == []


def test_ten_thousand_ids_at_once(store) -> None:
    trade_id = add(store, intent())
    many = [f"o-{n}" for n in range(10_000)]

    with store.read() as transaction:
        assert transaction.trades.ids_of(many, ["c-1", *many]) == {"c-1": trade_id}
        assert list(transaction.trades.load(range(1, 10_001))) == [trade_id]


def test_events_tell_each_public_change_once(store) -> None:
    trade_id = add(store, intent())
    sight = seen("o-1", "FILLED", "1", at=START + timedelta(seconds=1), quote_size=Decimal("25"))
    record = recorder(store)
    store._clock.advance(2)
    first = record.seen([sight], source=Source.WEBSOCKET)
    second = record.seen([sight], source=Source.POLL)

    assert len(first.events) == 1
    assert second.events == ()
    with store.read() as transaction:
        intent_event, filled = transaction.trades.events(trade_id)
    assert (intent_event.kind, intent_event.old_status, intent_event.status) == ("intent", None, "pending")
    assert filled == first.events[0]
    assert (filled.old_status, filled.status, filled.source) == ("pending", "completed", "websocket")
    assert filled.latency_seconds == Decimal("1")
    shown = view(store, trade_id)
    assert shown.sync_latency_seconds == Decimal("1")
    assert (shown.updated_at, shown.source) == (START + timedelta(seconds=2), "websocket")


@pytest.mark.parametrize(
    ("error", "published", "detail"),
    [
        (None, None, "clock_suspect: the venue's time is 9 s after the commit"),
        (0.5, None, "clock_suspect: the venue's time is 9 s after the commit"),
        (8.1, Decimal(0), None),
    ],
)
def test_T41_a_latency_below_zero_is_published_only_where_the_clocks_error_explains_it(
    store, error, published, detail
) -> None:
    """A clock that jumped back must not make the mean look good."""
    add(store, intent())
    late = START + timedelta(seconds=9)
    offset = None if error is None else ClockOffset(seconds=0.0, error=error, measured_at=START)

    recorded = Recorder(store=store, clock=store._clock, offset=lambda: offset).seen(
        [seen("o-1", "FILLED", "1", at=late, quote_size=Decimal("25"))], source=Source.POLL
    )

    with store.read() as reading:
        (cell,) = reading.history.cells(
            Scope(since=START - timedelta(days=1), until=START + timedelta(days=1)), "sync_latency"
        ) or [None]
    assert (recorded.events[0].latency_seconds, recorded.events[0].detail) == (published, detail)
    assert (None if cell is None else cell.histogram.total) == (None if published is None else 0)


def test_imported_rows_have_no_latency(store) -> None:
    order = VenueOrder(order_id="o-1", accepted=True)
    add(store, replace(intent(None), origin=Origin.IMPORTED, orders=(order,)))

    recorded = recorder(store).seen([seen("o-1", "FILLED", "1")], source=Source.RECONCILE)

    assert recorded.events[0].latency_seconds is None


def test_events_are_numbered_in_the_order_of_their_commits(place) -> None:
    here, there = place.open(), place.open()
    with here.read() as transaction:
        assert transaction.trades.last_event() == 0
    add(here, intent("c-1"))
    with here.read() as transaction:
        row = transaction.trades.last_event()
    add(there, intent("c-2"))
    add(here, intent("c-3"))

    with here.read() as transaction:
        after = transaction.trades.events_after(row, 10)
        one = transaction.trades.events_after(row, 1)
        now = START
        all_of_them = transaction.trades.events_between(now, now + timedelta(seconds=1))
    assert [event.client_order_id for _, event in after] == ["c-2", "c-3"]
    assert one == after[:1]
    assert [number for number, _ in after] == sorted(number for number, _ in after)
    assert [event.client_order_id for event in all_of_them] == ["c-1", "c-2", "c-3"]


def test_events_told_in_this_transaction_can_be_read_in_it(store) -> None:
    with store.write() as transaction:
        trade = transaction.trades.add(intent())
        assert [event.kind for event in transaction.trades.events(trade.trade_id)] == ["intent"]


@pytest.mark.parametrize("statement", ["UPDATE trade_events SET status = 'completed'", "DELETE FROM trade_events"])
def test_the_audit_is_append_only(store, statement) -> None:
    from ordersync_cli.errors import StoreError

    add(store, intent())

    with pytest.raises(StoreError, match="append-only"), store.transaction() as sql:
        sql.run(statement)
    with store.read() as transaction:
        assert [e.status for _, e in transaction.trades.events_after(0, 10)] == ["pending"]


def test_confirmations_only_move_forward(store) -> None:
    trade_id = add(store, intent())
    for seconds in (5, 3):
        with store.write() as transaction:
            transaction.trades.confirm({trade_id: START + timedelta(seconds=seconds)})

    assert view(store, trade_id).confirmed_at == START + timedelta(seconds=5)


def test_a_failed_block_leaves_nothing(store) -> None:
    with pytest.raises(KeyError), store.write() as transaction:  # noqa: PT012 - the whole block is the transaction
        transaction.trades.add(intent())
        raise KeyError

    with store.read() as transaction:
        assert transaction.trades.views(TradeFilter()) == []
        assert transaction.trades.last_event() == 0


def test_writing_through_a_reading_transaction_is_an_error(store) -> None:
    with pytest.raises(RuntimeError, match="reading"), store.read() as transaction:
        transaction.notes.set("frozen", "yes")


def test_a_writing_transaction_inside_another_is_an_error(store) -> None:
    with pytest.raises(RuntimeError, match="inside"), store.write(), store.write():
        pass


def test_a_reader_sees_one_snapshot(place) -> None:
    here, there = place.open(), place.open()
    add(here, intent("c-1"))
    with there.read() as reading:
        before = len(reading.trades.views(TradeFilter()))
        add(here, intent("c-2"))
        assert len(reading.trades.views(TradeFilter())) == before


def test_ended_trades_are_drawn_without_replacement_and_by_a_seed(store) -> None:
    for number in range(20):
        add(store, intent(f"c-{number}"))
    recorder(store).seen(
        [seen(f"o-{n}", "FILLED", "1", client_order_id=f"c-{n}", quote_size=Decimal("25")) for n in range(15)],
        source=Source.POLL,
    )

    with store.read() as transaction:
        drawn = [transaction.trades.sample_terminal(START, 5, draw) for draw in (1, 1, 2)]
        everything = transaction.trades.sample_terminal(START, 99, 3)
        nothing = transaction.trades.sample_terminal(START + timedelta(days=1), 99, 3)
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(set(drawn[0])) == 5
    assert len(everything) == 15
    assert nothing == []


def test_the_question_of_the_bot_works_as_it_stands(store) -> None:
    add(store, intent("c-1"))
    add(store, intent("c-2", at=START + timedelta(seconds=1)))
    recorder(store).seen(
        [seen("o-2", "FILLED", "1", client_order_id="c-2", quote_size=Decimal("25"))], source=Source.POLL
    )

    with store.transaction() as sql:
        row = sql.row("SELECT order_id, status, filled_at FROM trades ORDER BY created_at DESC LIMIT 1")
    assert row[:2] == ("o-2", "completed")
    assert sql.values.moment(row[2]) == START.astimezone(UTC)
