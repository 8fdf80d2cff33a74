"""A bot's table, copied in or taken over in place, on SQLite and on a real Postgres."""

from __future__ import annotations

import hashlib
import math
import sqlite3
from contextlib import closing
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from ordersync_cli.clock import SystemChance, SystemClock
from ordersync_cli.domain.observations import Channel, OrderSeen
from ordersync_cli.domain.orders import Figures, OrderRequest, OrderType, Origin, Side, Source
from ordersync_cli.domain.trade import Trade
from ordersync_cli.errors import SettingsError, StoreError
from ordersync_cli.services.importing import Importer, Overtaker, look_in_place, read_mapping
from ordersync_cli.services.ports import TradeFilter
from ordersync_cli.services.record import Recorder
from ordersync_cli.store import open_store
from ordersync_cli.store.adopt import adopt_table
from ordersync_cli.store.foreign_table import ForeignTable
from ordersync_cli.store.upkeep import upgrade_location
from ordersync_cli.store.urls import locate
from tests.support.patience import in_time
from tests.support.ready_store import ready_store
from tests.support.trade_samples import fill, fills_seen

STUCK = 300
BORN = datetime(2026, 3, 1, 12, 0, 0)  # naive, as bots write


class Base(DeclarativeBase):
    pass


class BotTrade(Base):
    """A bot's own class: Float columns, NOT NULL columns of its own, and arithmetic on floats."""

    __tablename__ = "trades"

    id: Mapped[int] = mapped_column(primary_key=True)
    bot_id: Mapped[int] = mapped_column(sa.Integer, nullable=False)
    product_id: Mapped[str] = mapped_column(sa.String(20), nullable=False)
    side: Mapped[str] = mapped_column(sa.String(4), nullable=False)
    size: Mapped[float | None] = mapped_column(sa.Float)
    price: Mapped[float | None] = mapped_column(sa.Float)
    order_id: Mapped[str | None] = mapped_column(sa.String(64))
    status: Mapped[str] = mapped_column(sa.String(16), nullable=False)
    size_usd: Mapped[float | None] = mapped_column(sa.Float)
    created_at: Mapped[datetime] = mapped_column(sa.DateTime, nullable=False)
    filled_at: Mapped[datetime | None] = mapped_column(sa.DateTime)
    strategy: Mapped[str] = mapped_column(sa.String(16), nullable=False, server_default="grid")
    retries: Mapped[int] = mapped_column(sa.Integer, nullable=False, server_default="0")

    @property
    def worth(self) -> float:
        return (self.size or 0.0) * (self.price or 0.0)


def bot_row(number, **changes):
    row = {
        "bot_id": number % 4,
        "product_id": "BTC-USD",
        "side": "BUY",
        "size": 0.1 + number / 1000,
        "price": 65000.01,
        "order_id": f"o-{number}",
        "status": "pending",
        "size_usd": 25.3,
        "created_at": BORN + timedelta(seconds=number),
        "strategy": "dca",
        "retries": 3,
        "filled_at": None,
    }
    return {**row, **changes}


def bot_engine(url):
    return sa.create_engine(url, poolclass=sa.NullPool)


def fill_bot(url, rows, metadata=Base.metadata):
    engine = bot_engine(url)
    metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(sa.insert(metadata.tables["trades"]), rows)
    engine.dispose()


def raw_table(url):
    """Every row of the bot's own columns and the types they are stored with."""
    engine = bot_engine(url)
    names = [c.name for c in BotTrade.__table__.columns]
    with engine.connect() as connection:
        rows = connection.execute(sa.text(f"SELECT {', '.join(names)} FROM trades ORDER BY id")).all()
        types = {c["name"]: str(c["type"]) for c in sa.inspect(connection).get_columns("trades")}
    engine.dispose()
    return rows, {name: types[name] for name in names}


@pytest.fixture(params=["sqlite", "postgres"])
def bot_url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/bot.db"
    return request.getfixturevalue("postgres_url")


@pytest.fixture
def store(tmp_path):
    with closing(ready_store(tmp_path / "store.db", SystemClock(), SystemChance())) as made:
        yield made


def imported(url, store, pairs=(), *, dry_run=False):
    with closing(ForeignTable(url)) as source:
        mapping = read_mapping(list(pairs), source.columns)
        return Importer(store, SystemClock()).run(source, mapping, dry_run=dry_run, progress=lambda *_: None)


def take_over(url):
    adopted = adopt_table(url, SystemClock())
    store = open_store(url, clock=SystemClock(), chance=SystemChance())
    return adopted, store, Overtaker(store, SystemClock()).run(url, adopted.rows, lambda *_: None)


def views(store):
    with store.read() as reading:
        return {v.trade_id: v for v in reading.trades.views(TradeFilter())}


def filled(order_id, size="0.123456789012345678"):
    now = SystemClock().now()
    size = Decimal(size)
    return OrderSeen(
        order_id=order_id,
        as_of=now,
        channel=Channel.REST,
        word="FILLED",
        figures=Figures(
            filled_size=size,
            number_of_fills=1,
            filled_value=size * 65000,
            total_fees=Decimal("0.5"),
            average_filled_price=Decimal(65000),
        ),
        product_id="BTC-USD",
        side=Side.BUY,
        last_fill_time=now - timedelta(days=2),
    )


def names_in(folder):
    """Every file of the bot's."""
    return {p.name for p in folder.iterdir() if p.name.startswith("bot")}


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


# ------------------------------------------------------------------ copied in


def test_rows_come_in_exactly_and_their_source_is_not_touched(bot_url, store, tmp_path):
    fill_bot(bot_url, [bot_row(n) for n in range(1, 4)] + [bot_row(4, status="completed", filled_at=BORN)])
    before = raw_table(bot_url)
    listing = names_in(tmp_path)
    result = imported(bot_url, store)
    assert (result.rows, result.imported, result.pending, result.completed) == (4, 4, 3, 1)
    assert raw_table(bot_url) == before
    if bot_url.startswith("sqlite"):
        assert names_in(tmp_path) == listing
    rows = {v.order_id: v for v in views(store).values()}
    assert rows["o-1"].size == Decimal("0.101")
    assert rows["o-1"].price == Decimal("65000.01")
    assert rows["o-1"].size_usd == Decimal("25.3")
    assert rows["o-1"].created_at == (BORN + timedelta(seconds=1)).replace(tzinfo=UTC)
    assert (rows["o-4"].status, rows["o-4"].filled_at) == ("completed", BORN.replace(tzinfo=UTC))
    assert result.kept_aside == ["retries", "strategy"]


def test_a_wal_source_that_nobody_has_open_gets_no_file_beside_it(store, tmp_path):
    url = f"sqlite:///{tmp_path}/bot.db"
    fill_bot(url, [bot_row(1)])
    engine = bot_engine(url)
    with engine.connect() as connection:
        connection.execute(sa.text("PRAGMA journal_mode=WAL"))
    engine.dispose()
    before = digest(tmp_path / "bot.db")
    assert imported(url, store).imported == 1
    assert digest(tmp_path / "bot.db") == before
    assert names_in(tmp_path) == {"bot.db"}


def test_a_source_that_the_bot_is_writing_is_read_as_of_one_moment(store, tmp_path):
    url = f"sqlite:///{tmp_path}/bot.db"
    fill_bot(url, [bot_row(1)])
    engine = bot_engine(url)
    with engine.connect() as connection:
        connection.execute(sa.text("PRAGMA journal_mode=WAL"))
        connection.commit()
        connection.execute(sa.insert(BotTrade).values(bot_row(2)))
        assert imported(url, store).imported == 1
        connection.commit()
        assert imported(url, store).imported == 1
    engine.dispose()


def test_a_second_import_changes_nothing(bot_url, store):
    rows = [bot_row(n) for n in range(1, 30)] + [bot_row(n, order_id=None) for n in range(30, 33)]
    fill_bot(bot_url, rows)
    first = imported(bot_url, store)
    before = views(store)
    second = imported(bot_url, store)
    assert (first.imported, second.imported, second.already_there) == (32, 0, 32)
    assert views(store) == before


def test_a_dry_run_tells_the_same_and_writes_nothing(bot_url, store):
    fill_bot(bot_url, [bot_row(n) for n in range(1, 6)] + [bot_row(9, order_id="o-1")])
    told = imported(bot_url, store, dry_run=True)
    assert views(store) == {}
    done = imported(bot_url, store)
    assert (told.imported, told.duplicates, told.problems) == (done.imported, done.duplicates, done.problems)
    assert (done.imported, done.duplicates) == (5, 1)


def test_imported_rows_are_followed_and_left_out_of_latency(bot_url, store):
    fill_bot(bot_url, [bot_row(1), bot_row(2, status="completed"), bot_row(3, order_id=None)])
    imported(bot_url, store)
    with store.read() as reading:
        pending = reading.trades.pending_ids()
        trades = reading.trades.load(pending, lock=False)
    assert [t.request.base_size for t in trades.values()] == [Decimal("0.101")]
    assert {t.origin for t in trades.values()} == {Origin.IMPORTED}
    recorded = Recorder(store=store, clock=SystemClock()).seen([filled("o-1")], source=Source.RECONCILE)
    (event,) = recorded.events
    assert (event.old_status, event.status, event.latency_seconds) == ("pending", "completed", None)
    row = {v.order_id: v for v in views(store).values()}["o-1"]
    assert (row.status, row.filled_size) == ("completed", Decimal("0.123456789012345678"))
    assert row.filled_at is not None


def test_a_row_that_got_its_order_id_after_the_first_import_gets_it_too(bot_url, store):
    fill_bot(bot_url, [bot_row(1, order_id=None)])
    assert imported(bot_url, store).without_order_id == ["1"]
    engine = bot_engine(bot_url)
    with engine.begin() as connection:
        connection.execute(sa.update(BotTrade).values(order_id="late"))
    engine.dispose()
    again = imported(bot_url, store)
    assert (again.imported, again.order_ids_added) == (0, 1)
    assert [v.order_id for v in views(store).values()] == ["late"]
    assert imported(bot_url, store).order_ids_added == 0


ODD = sa.MetaData()
sa.Table(
    "trades",
    ODD,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("product_id", sa.String),
    sa.Column("side", sa.String),
    sa.Column("qty", sa.String),
    sa.Column("price", sa.Float),
    sa.Column("oid", sa.String),
    sa.Column("status", sa.String),
    sa.Column("created_at", sa.String),
)


def odd_row(number, **changes):
    row = {"product_id": "ETH-USD", "side": "sell", "qty": "0.10", "price": 1.5, "oid": f"x-{number}"}
    return {**row, "status": "pending", "created_at": "2026-03-01 12:00:00", **changes}


def test_columns_of_another_name_are_mapped(bot_url, store):
    fill_bot(bot_url, [odd_row(1)], ODD)
    with pytest.raises(SettingsError, match="order_id"):
        imported(bot_url, store)
    assert views(store) == {}
    result = imported(bot_url, store, ["oid=order_id", "qty=size"])
    (row,) = views(store).values()
    assert (row.order_id, row.size, row.side, row.size_usd) == ("x-1", Decimal("0.1"), "SELL", None)
    assert result.mapped == {"oid": "order_id", "qty": "size"}


def test_odd_rows_are_taken_as_far_as_they_can_be_and_named(bot_url, store):
    rows = [
        odd_row(1, price=math.nan if bot_url.startswith("postgres") else None),
        odd_row(2, qty="lots"),
        odd_row(3, side="HOLD"),
        odd_row(4, status="weird"),
        odd_row(5, oid="x-4"),
        odd_row(6, created_at=None),
        odd_row(7, product_id=None, oid=None),
    ]
    fill_bot(bot_url, rows, ODD)
    result = imported(bot_url, store, ["oid=order_id", "qty=size"])
    assert (result.rows, result.imported, result.duplicates) == (7, 6, 1)
    named = {(p["source_id"], p["problem"].split(":")[0]) for p in result.problems}
    assert ("2", "size 'lots' is no number") in named
    assert ("3", "side 'HOLD' cannot be read") in named
    assert ("4", "status 'weird' is unknown") in named
    assert ("5", "order id x-4 stands in an earlier row too") in named
    assert result.without_order_id == ["7"]
    with store.read() as reading:
        assert reading.trades.unreadable().keys() == {v.trade_id for v in views(store).values() if v.order_id == "x-3"}
        followed = reading.trades.load(reading.trades.pending_ids(), lock=False)
    assert {t.request.side for t in followed.values()} == {Side.SELL}
    assert views(store).keys() >= followed.keys()


def test_ten_thousand_rows_come_in_quickly(bot_url, store):
    fill_bot(bot_url, [bot_row(n) for n in range(1, 10_001)])
    began = SystemClock().monotonic()
    assert imported(bot_url, store).imported == 10_000
    in_time(began, 20, "the import (2 s on a quiet machine)")


def test_a_source_that_is_not_there_is_said_in_one_line(tmp_path):
    with pytest.raises(StoreError, match="does not exist"):
        ForeignTable(f"sqlite:///{tmp_path}/none.db")
    (tmp_path / "other.db").write_bytes(b"")
    with pytest.raises(SettingsError, match="no table"):
        ForeignTable(f"sqlite:///{tmp_path}/other.db")


def test_a_store_on_postgres_takes_a_bot_on_sqlite(tmp_path, postgres_url):
    url = f"sqlite:///{tmp_path}/bot.db"
    fill_bot(url, [bot_row(n) for n in range(1, 50)])
    upgrade_location(locate(postgres_url), SystemClock())
    with closing(open_store(postgres_url, clock=SystemClock(), chance=SystemChance())) as store:
        assert imported(url, store).imported == 49
        assert imported(url, store).already_there == 49
        assert {v.size for v in views(store).values()} == {Decimal(str(0.1 + n / 1000)) for n in range(1, 50)}


# ------------------------------------------------------------------ in place


def test_a_bots_table_of_300_stuck_rows_is_taken_over_in_place(bot_url, tmp_path):
    fill_bot(bot_url, [bot_row(n) for n in range(1, STUCK + 1)])
    rows, types = raw_table(bot_url)
    adopted, store, result = take_over(bot_url)
    with closing(store):
        assert (result.rows, result.imported, result.pending) == (STUCK, STUCK, STUCK)
        assert raw_table(bot_url) == (rows, types)
        if bot_url.startswith("sqlite"):
            assert raw_table(f"sqlite:///{adopted.backup}")[0] == rows
        with store.read() as reading:
            assert len(reading.trades.pending_ids()) == STUCK
        recorder = Recorder(store=store, clock=SystemClock())
        recorder.seen([filled(f"o-{n}", f"0.{n:018d}") for n in range(1, STUCK + 1)], source=Source.RECONCILE)
        after, types_after = raw_table(bot_url)
        assert types_after == types
        assert [r.id for r in after] == [r.id for r in rows]
        assert {r.status for r in after} == {"completed"}
        assert all(r.filled_at is not None for r in after)
        assert [(r.size, r.price, r.size_usd, r.strategy, r.retries) for r in after] == [
            (r.size, r.price, r.size_usd, r.strategy, r.retries) for r in rows
        ]
        assert views(store)[1].filled_size == Decimal("0.000000000000000001")
        assert views(store)[1].size == Decimal("0.101")


def test_the_bots_own_class_goes_on_reading_and_writing_and_its_new_row_is_followed(bot_url):
    fill_bot(bot_url, [bot_row(n) for n in range(1, 4)])
    _, store, _ = take_over(bot_url)
    with closing(store):
        Recorder(store=store, clock=SystemClock()).seen([filled("o-1")], source=Source.RECONCILE)
        engine = bot_engine(bot_url)
        with Session(engine) as session:
            one = session.get(BotTrade, 1)
            assert one.status == "completed"
            assert one.worth == one.size * one.price
            assert isinstance(one.filled_at, datetime)
            session.add(BotTrade(**bot_row(99)))
            session.commit()
        engine.dispose()
        with store.read() as reading:
            new = reading.trades.foreign_ids()
        Recorder(store=store, clock=SystemClock()).seen([filled("o-99")], source=Source.WEBSOCKET)
        row = {v.order_id: v for v in views(store).values()}["o-99"]
        assert row.trade_id in new
        assert row.status == "completed"


def test_a_second_takeover_changes_nothing(bot_url, tmp_path):
    fill_bot(bot_url, [bot_row(n) for n in range(1, 20)] + [bot_row(20, status="completed", filled_at=BORN)])
    _, store, _ = take_over(bot_url)
    with closing(store):
        before = (raw_table(bot_url), views(store))
    backups = names_in(tmp_path)
    adopted, store, result = take_over(bot_url)
    with closing(store):
        assert (adopted.columns_added, adopted.backup) == ((), None)
        assert (result.imported, result.already_there) == (0, 20)
        assert (raw_table(bot_url), views(store)) == before
    assert names_in(tmp_path) == backups


def test_a_takeover_that_was_interrupted_is_finished_by_the_next(bot_url):
    fill_bot(bot_url, [bot_row(n) for n in range(1, 20)])
    adopt_table(bot_url, SystemClock())
    _, store, result = take_over(bot_url)
    with closing(store):
        assert result.imported == 19
        assert views(store)[1].size == Decimal("0.101")


ODD_TIMES = (
    1796036400,
    1796036400.5,
    1796036400123,
    "1796036400",
    "",
    "30/11/2026",
    "2026-11-30T12:00:00Z",
    b"x",
    None,
)


@pytest.mark.parametrize("declared", ["DATETIME", "VARCHAR", ""])
def test_a_table_with_odd_times_is_taken_over_in_place(tmp_path, declared):
    with closing(sqlite3.connect(tmp_path / "bot.db", isolation_level=None)) as bot:
        bot.execute(
            "CREATE TABLE trades (id INTEGER PRIMARY KEY, product_id, side, order_id, status, "
            f"created_at {declared}, filled_at {declared})"
        )
        for number, odd in enumerate(ODD_TIMES, 1):
            cells = (number, f"o-{number}", odd, odd)
            bot.execute("INSERT INTO trades VALUES (?, 'BTC-USD', 'buy', ?, 'pending', ?, ?)", cells)
        before = bot.execute("SELECT created_at FROM trades ORDER BY id").fetchall()
    _, store, result = take_over(f"sqlite:///{tmp_path}/bot.db")
    with closing(store):
        assert (result.imported, result.pending) == (len(ODD_TIMES), len(ODD_TIMES))
        orders = [filled(f"o-{number}") for number in range(1, len(ODD_TIMES) + 1)]
        Recorder(store=store, clock=SystemClock()).seen(orders, source=Source.RECONCILE)
        assert {view.status for view in views(store).values()} == {"completed"}
    with closing(sqlite3.connect(tmp_path / "bot.db")) as bot:
        assert bot.execute("SELECT created_at FROM trades ORDER BY id").fetchall() == before


def test_a_not_null_column_that_nobody_could_fill_is_named_and_nothing_is_changed(bot_url):
    metadata = sa.MetaData()
    columns = [c._copy() for c in BotTrade.__table__.columns]
    sa.Table("trades", metadata, *columns, sa.Column("secret_sauce", sa.String(9), nullable=False))
    fill_bot(bot_url, [bot_row(1, secret_sauce="x")], metadata)
    before = raw_table(bot_url)
    with pytest.raises(SettingsError, match="secret_sauce") as refused:
        adopt_table(bot_url, SystemClock())
    assert refused.value.exit_code == 3
    assert raw_table(bot_url) == before


def strict_table():
    """A bot's table whose own columns must all hold something."""
    metadata = sa.MetaData()
    columns = [c._copy() for c in BotTrade.__table__.columns]
    for column in columns:
        column.nullable = column.name == "filled_at"
    sa.Table("trades", metadata, *columns)
    return metadata


def test_a_table_whose_columns_must_hold_something_gets_zero_until_the_venue_tells(bot_url):
    fill_bot(bot_url, [bot_row(1)], strict_table())
    _, store, _ = take_over(bot_url)
    with closing(store):
        now = SystemClock().now()
        request = OrderRequest(
            product_id="BTC-USD",
            side=Side.BUY,
            order_type=OrderType.MARKET,
            client_order_id="ours-1",
            quote_size=Decimal(25),
            bot_id=7,
        )
        with store.write() as writing:
            added = writing.trades.add(Trade(request=request, created_at=now))
            assert writing.trades.begin_attempt(
                replace(added, attempts=1, attempt_at=now, not_after=now, submitted_at=now), expected_attempts=0
            )
        row = raw_table(bot_url)[0][1]
        assert (row.size, row.price, row.size_usd, row.order_id) == (0.0, 0.0, 25.0, "")
        view = views(store)[added.trade_id]
        assert (view.size, view.price, view.order_id, view.order_status) == (None, None, None, "submitting")
        with store.read() as reading:
            assert reading.trades.overwritten_ids() == []
        seen = replace(filled("o-new", "0.0003"), client_order_id="ours-1", quote_size=Decimal(25), created_time=now)
        Recorder(store=store, clock=SystemClock()).seen([seen], source=Source.PLACE)
        row = raw_table(bot_url)[0][1]
        assert (row.size, row.price, row.order_id, row.status) == (0.0003, 65000.0, "o-new", "completed")
        with store.read() as reading:
            assert reading.trades.overwritten_ids() == []
        Recorder(store=store, clock=SystemClock()).seen([filled("o-1")], source=Source.RECONCILE)
        assert raw_table(bot_url)[0][0].size == 0.101, "the bot's own number stays"


def test_a_price_of_ours_that_the_venue_took_back_is_zero_again_where_it_must_hold_something(bot_url):
    fill_bot(bot_url, [bot_row(1, price=0.0)], strict_table())
    _, store, _ = take_over(bot_url)
    with closing(store):
        recorder = Recorder(store=store, clock=SystemClock())
        sight = filled("o-1", "0.25")
        booked = [fill(f"e-{kind}", "o-1", "0.25", "65000", trade_type=kind) for kind in ("FILL", "REVERSAL")]
        fees = sum((one.commission for one in booked[:1]), Decimal(0))
        recorder.seen([replace(sight, figures=replace(sight.figures, total_fees=fees))], source=Source.RECONCILE)
        assert raw_table(bot_url)[0][0].price == 65000.0
        later = sight.as_of + timedelta(seconds=1)
        nothing = Figures(**dict.fromkeys((f.name for f in fields(Figures)), Decimal(0)) | {"number_of_fills": 0})
        taken_back = replace(sight, as_of=later, figures=nothing)
        recorder.seen([fills_seen(*booked, order_id="o-1", at=later), taken_back], source=Source.RECONCILE)
        assert views(store)[1].price is None
        assert raw_table(bot_url)[0][0].price == 0.0
        with store.read() as reading:
            assert reading.trades.overwritten_ids() == []


def test_looking_first_counts_and_changes_nothing(bot_url):
    fill_bot(bot_url, [bot_row(n) for n in range(1, 4)] + [bot_row(4, order_id=None, status="odd")])
    before = raw_table(bot_url)
    assert len(adopt_table(bot_url, SystemClock(), dry_run=True).columns_added) > 20
    with closing(ForeignTable(bot_url)) as source:
        told = look_in_place(source, lambda *_: None)
    assert (told.rows, told.imported, told.pending, told.without_order_id) == (4, 4, 4, ["4"])
    assert told.problem_count == 1
    assert raw_table(bot_url) == before
