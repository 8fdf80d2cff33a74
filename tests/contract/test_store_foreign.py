"""Rows that other programs write into `trades`: followed, kept apart, and written again where they lie."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from ordersync_cli.domain.matching import request_told
from ordersync_cli.domain.observations import Channel
from ordersync_cli.domain.orders import Origin, Side, Source
from ordersync_cli.domain.schedule import AT_ONCE, class_of
from ordersync_cli.services.ports import TradeFilter
from ordersync_cli.services.ports.history import Scope
from tests.support.stores import plain_url
from tests.support.trade_samples import add, fill, fills_seen, intent, recorder, seen
from tests.support.virtual_clock import START


class Bot:
    """Another program with its own driver, writing into the same table."""

    def __init__(self, place) -> None:
        self._place = place
        self.zone = "+00" if place.postgres else ""  # SQLite's text has no zone, and means UTC

    def run(self, statement: str, *values: object) -> None:
        if self._place.postgres:
            with psycopg.connect(plain_url(self._place.url)) as connection:
                connection.execute(statement.replace("?", "%s"), values)
            return
        with sqlite3.connect(self._place.path) as connection:
            connection.execute(statement, values)
        connection.close()

    def insert(self, order_id="b-1", **fields) -> None:
        row = {
            "bot_id": 3, "product_id": "BTC-USD", "side": "buy", "size": 0.1, "price": None, "order_id": order_id,
            "status": "pending", "size_usd": None, "created_at": f"2026-03-01 12:00:00{self.zone}", **fields,
        }  # fmt: skip
        marks = ", ".join("?" * len(row))
        self.run(f"INSERT INTO trades ({', '.join(row)}) VALUES ({marks})", *row.values())


@pytest.fixture
def bot(place) -> Bot:
    return Bot(place)


def only_view(store):
    with store.read() as transaction:
        (view,) = transaction.trades.views(TradeFilter())
    return view


def lists(store):
    with store.read() as transaction:
        trades = transaction.trades
        return trades.pending_ids(), trades.foreign_ids(), trades.overwritten_ids()


def test_a_bot_inserts_with_its_own_columns_alone_and_is_followed(store, bot) -> None:
    bot.insert()

    assert lists(store) == ([1], [1], [])
    shown = only_view(store)
    assert (shown.status, shown.order_status, shown.size) == ("pending", "open", Decimal("0.1"))
    with store.read() as transaction:
        trade = transaction.trades.load([1])[1]
        assert transaction.trades.ids_of(["b-1"]) == {"b-1": 1}
    assert (trade.origin, trade.request.side, trade.request.base_size) == (Origin.FOREIGN, Side.BUY, Decimal("0.1"))
    assert [(o.order_id, o.accepted) for o in trade.orders] == [("b-1", True)]

    recorded = recorder(store).seen([seen("b-1", "FILLED", "0.1", client_order_id="theirs")], source=Source.POLL)

    assert (recorded.events[0].old_status, recorded.events[0].status) == ("pending", "completed")
    assert lists(store) == ([], [], [])
    shown = only_view(store)
    assert (shown.status, shown.filled_size, shown.filled_at) == ("completed", Decimal("0.1"), START)
    assert (shown.bot_id, shown.created_at, shown.size) == (3, START, Decimal("0.1"))
    with store.transaction() as sql:
        (row,) = sql.rows("SELECT status, size, price FROM trades")
    assert row == ("completed", 0.1, 100.0)


def test_a_bots_defaults_are_filled_in(store, bot) -> None:
    bot.run("INSERT INTO trades (bot_id, product_id, side, order_id) VALUES (1, 'BTC-USD', 'SELL', 'b-1')")

    shown = only_view(store)
    assert shown.status == "pending"
    assert abs(shown.created_at - datetime.now(shown.created_at.tzinfo)) < timedelta(minutes=5)


def test_a_bots_own_orm_with_float_columns_goes_on_working(place, store) -> None:
    class Base(DeclarativeBase):
        pass

    class Trade(Base):
        __tablename__ = "trades"
        id: Mapped[int] = mapped_column(primary_key=True)
        bot_id: Mapped[int]
        product_id: Mapped[str]
        side: Mapped[str]
        size: Mapped[float | None]
        price: Mapped[float | None]
        order_id: Mapped[str | None]
        status: Mapped[str]
        size_usd: Mapped[float | None]
        created_at: Mapped[datetime] = mapped_column(sa.DateTime(timezone=place.postgres))
        filled_at: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=place.postgres))

    engine = sa.create_engine(place.url, poolclass=sa.NullPool)
    when = START if place.postgres else START.replace(tzinfo=None)
    with Session(engine) as session:
        session.add(
            Trade(
                bot_id=1, product_id="BTC-USD", side="SELL", size=0.3, order_id="b-1", status="pending", created_at=when
            )
        )
        session.commit()
    recorder(store).seen([seen("b-1", "FILLED", "0.3", side=Side.SELL)], source=Source.POLL)
    with Session(engine) as session:
        trade = session.scalars(sa.select(Trade)).one()
        assert (trade.status, trade.size, trade.price, trade.size_usd) == ("completed", 0.3, 100.0, 30.0)
        assert isinstance(trade.size, float)
        assert trade.filled_at == when
    engine.dispose()


@pytest.mark.parametrize("word", ["completed", "failed", "COMPLETED"])
def test_a_bots_own_last_word_is_left_alone_until_the_venue_speaks(store, bot, word) -> None:
    bot.insert(status=word, filled_at=f"2026-03-01 11:00:00{bot.zone}")
    assert lists(store) == ([], [], [])
    assert only_view(store).order_status == ("failed" if word == "failed" else "filled")

    recorder(store).seen([fills_seen(fill("e-1", "b-1", "0.1"), order_id="b-1")], source=Source.RECONCILE)

    assert only_view(store).status == word.lower()
    assert only_view(store).filled_at == START - timedelta(hours=1)
    assert lists(store)[2] == []
    assert lists(store)[0] == [1]  # now it is asked for

    recorder(store).seen([seen("b-1", "OPEN", client_order_id=None)], source=Source.RECONCILE)
    assert only_view(store).status == "pending"
    recorder(store).seen([seen("b-1", "FILLED", "0.1", client_order_id=None)], source=Source.RECONCILE)
    shown = only_view(store)
    assert (shown.status, shown.order_status, shown.filled_size) == ("completed", "filled", Decimal("0.1"))


def test_what_was_seen_of_an_order_before_its_bot_wrote_the_row_counts(store, bot) -> None:
    recorder(store).seen([seen("b-1", "FILLED", "0.1", client_order_id="theirs")], source=Source.WEBSOCKET)
    recorder(store).seen([fills_seen(fill("e-1", "b-1", "0.1"), order_id="b-1")], source=Source.POLL)
    bot.insert()

    with store.read() as transaction:
        order = transaction.trades.load([1])[1].orders[0]
    assert (order.terminal, order.accepted, len(order.fills)) == ("FILLED", True, 1)
    recorder(store).seen([seen("b-1", "FILLED", "0.1", at=START + timedelta(seconds=5))], source=Source.POLL)
    assert only_view(store).status == "completed"
    with store.read() as transaction:
        assert transaction.external.list() == []


def test_a_row_without_a_readable_side_is_named_and_never_followed(store, bot) -> None:
    bot.insert(side="sideways")

    assert lists(store) == ([], [], [])
    with store.read() as transaction:
        assert transaction.trades.unreadable() == {1: "its side reads 'sideways'"}
        assert transaction.trades.load([1]) == {}


def test_a_bots_row_without_an_order_is_not_followed(store, bot) -> None:
    bot.insert(order_id=None)
    bot.insert(order_id="")
    bot.insert(order_id="")

    assert lists(store) == ([], [], [])
    with store.read() as transaction:
        assert len(transaction.trades.views(TradeFilter())) == 3


@pytest.mark.parametrize("blank", ["  ", "\t", " \r\n"])
def test_a_blank_order_id_names_no_order(store, bot, blank) -> None:
    bot.insert(order_id=blank)
    bot.insert(order_id=blank + " ", side="sideways")

    assert lists(store) == ([], [], [])
    with store.read() as transaction:
        assert transaction.trades.unreadable() == {}
        assert transaction.trades.load([1])[1].orders == ()
        shown = transaction.trades.views(TradeFilter())
    assert {(view.order_id, view.order_status) for view in shown} == {(None, "submitting")}


@pytest.mark.parametrize(
    "overwrite",
    [
        "status = 'pending'", "status = 'failed'", "filled_at = NULL", "price = 5", "size_usd = 1.5", "size = 9",
        "order_id = 'other'",
    ],
)  # fmt: skip
def test_what_another_program_overwrote_is_found_and_written_again(store, bot, overwrite) -> None:
    add(store, intent())
    recorder(store).seen([seen("o-1", "FILLED", "0.25", quote_size=Decimal(25))], source=Source.POLL)
    before = only_view(store)
    assert lists(store)[2] == []

    bot.run(f"UPDATE trades SET {overwrite}")
    assert lists(store)[2] == [1]
    with store.write() as transaction:
        assert transaction.trades.rewrite([1]) == [1]

    assert lists(store)[2] == []
    assert only_view(store) == before
    with store.transaction() as sql:
        assert sql.rows("SELECT order_id, status, size, price, size_usd FROM trades") == [
            ("o-1", "completed", 0.25, 100.0, 25.0)
        ]


def test_a_bots_price_of_an_order_that_has_none_yet_stays(store, bot) -> None:
    add(store, intent())
    bot.run("UPDATE trades SET price = 101.5")
    assert lists(store)[2] == [1]

    with store.write() as transaction:
        transaction.trades.rewrite([1])

    assert lists(store)[2] == []
    with store.transaction() as sql:
        assert sql.rows("SELECT price, price_exact FROM trades") == [(101.5, None)]


def at_once(store) -> list[bool]:
    with store.read() as transaction:
        window = Scope(since=START - timedelta(days=1), until=START + timedelta(days=1))
        return [trade.at_once for trade in transaction.history.pending(window)]


@pytest.mark.parametrize(("word", "waits"), [("LIMIT", False), ("STOP_LIMIT", False), ("MARKET", True)])
def test_the_type_that_the_venue_tells_of_a_bots_order_counts(store, bot, word, waits) -> None:
    bot.insert()
    assert at_once(store) == [True], "nobody knows its type yet"

    told = seen("b-1", "OPEN", order_type=word, client_order_id="theirs")
    recorder(store).seen([replace(told, channel=Channel.WEBSOCKET)], source=Source.WEBSOCKET)
    assert (only_view(store).order_type, at_once(store)) == ("OTHER", [True]), "a frame is no proof of it"

    for _ in range(2):
        recorded = recorder(store).seen([replace(told, as_of=START + timedelta(seconds=9))], source=Source.POLL)
        assert (only_view(store).order_type, at_once(store)) == (word, [waits])
    assert recorded.changes == ()
    with store.read() as transaction:
        trade = transaction.trades.load([1])[1]
    assert request_told(trade).order_type == word
    assert (class_of(request_told(trade)).distance == AT_ONCE) == waits


@pytest.mark.parametrize("word", ["OTHER", "SHINY_NEW_TYPE", "", None])
def test_a_type_that_says_nothing_leaves_a_bots_order_as_one_that_is_waited_for(store, bot, word) -> None:
    bot.insert()
    recorder(store).seen([seen("b-1", "OPEN", order_type=word, client_order_id="theirs")], source=Source.POLL)

    assert (only_view(store).order_type, at_once(store)) == ("OTHER", [True])


def test_the_type_that_was_told_before_a_bot_wrote_its_row_counts(store, bot) -> None:
    told = seen("b-1", "OPEN", order_type="LIMIT", client_order_id="theirs")
    recorder(store).seen([told], source=Source.POLL)
    bot.insert()
    recorder(store).seen([replace(told, as_of=START + timedelta(seconds=9))], source=Source.POLL)

    assert (only_view(store).order_type, at_once(store)) == ("LIMIT", [False])


def test_the_type_of_an_order_of_ours_is_what_was_asked_for(store) -> None:
    add(store, intent())
    recorder(store).seen([seen("o-1", "OPEN", order_type="LIMIT", quote_size=Decimal(25))], source=Source.POLL)

    assert only_view(store).order_type == "MARKET"


def reversed_in_full(store) -> None:
    """Let the venue fill a market order, and take the whole of it back."""
    recorder(store).seen([seen("b-1", "FILLED", "0.1", client_order_id="theirs")], source=Source.POLL)
    later = START + timedelta(hours=1)
    booked = (fill("e-1", "b-1", "0.1"), fill("e-2", "b-1", "0.1", trade_type="REVERSAL"))
    empty = seen("b-1", "FILLED", "0", at=later, client_order_id="theirs")
    recorder(store).seen([fills_seen(*booked, order_id="b-1", at=later), empty], source=Source.RECONCILE)


def test_a_price_of_ours_goes_when_the_venue_takes_it_back(store, bot) -> None:
    bot.insert()
    reversed_in_full(store)

    assert (only_view(store).status, only_view(store).filled_size, only_view(store).price) == ("completed", 0, None)
    assert lists(store)[2] == []
    with store.transaction() as sql:
        assert sql.rows("SELECT size, price, price_exact FROM trades") == [(0.1, None, None)]


def test_a_price_that_a_bot_wrote_over_ours_stays_when_the_venue_takes_ours_back(store, bot) -> None:
    bot.insert()
    recorder(store).seen([seen("b-1", "FILLED", "0.1", client_order_id="theirs")], source=Source.POLL)
    bot.run("UPDATE trades SET price = 101.5")
    reversed_in_full(store)

    with store.transaction() as sql:
        assert sql.rows("SELECT price, price_exact FROM trades") == [(101.5, None)]


def test_the_search_for_overwritten_rows_reads_an_index(store, place) -> None:
    from ordersync_cli.store.schema import overwritten

    explain = "EXPLAIN " if place.postgres else "EXPLAIN QUERY PLAN "
    wanted = f"SELECT id FROM trades WHERE {overwritten(postgres=place.postgres)}"
    with store.transaction() as sql:
        if place.postgres:
            sql.run("SET LOCAL enable_seqscan = off")  # the table is empty: reading all of it is cheapest
        assert "ix_trades_overwritten" in str(sql.rows(explain + wanted))
        assert "ix_trades_awaits_look" in str(sql.rows(f"{explain}SELECT id FROM trades WHERE awaits_look"))


def test_a_bot_that_deletes_its_row_leaves_an_external_order(store, bot) -> None:
    bot.insert()
    recorder(store).seen([seen("b-1", "OPEN")], source=Source.POLL)
    bot.run("DELETE FROM trades")

    with store.read() as transaction:
        assert transaction.trades.ids_of(["b-1"]) == {}
        assert [order.order_id for order in transaction.external.list()] == ["b-1"]


def test_a_float_is_read_as_its_shortest_decimal(store, bot) -> None:
    bot.insert(size=0.1 + 0.2, size_usd=1e-7)

    with store.read() as transaction:
        request = transaction.trades.load([1])[1].request
    assert request.base_size == Decimal("0.30000000000000004")
    assert request.quote_size == Decimal("0.0000001")


def test_waiting_ends_when_a_bot_wrote(place, bot) -> None:
    from ordersync_cli.clock import SystemClock

    store = place.open(SystemClock())
    store.wait_for_change(0)
    assert not store.wait_for_change(0.05)
    bot.insert()

    assert store.wait_for_change(5)
    assert not store.wait_for_change(0.05)
