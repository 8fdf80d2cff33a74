"""The state file: shared, seeded once, and refused when it is something else."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from ordersync_cli.simulator.credentials import shared_key_file
from ordersync_cli.simulator.orders import Order, dump_order, load_order
from ordersync_cli.simulator.state import State
from ordersync_cli.simulator.tally import Tally
from tests.support.simulator_world import OPENED_AT


def opened(path: Path, seed: int = 1) -> State:
    return State(path, lambda: OPENED_AT, seed)


def test_the_first_seed_stays(tmp_path: Path) -> None:
    with (
        closing(opened(tmp_path / "deep" / "a.db", 5)) as first,
        closing(opened(tmp_path / "deep" / "a.db", 6)) as second,
    ):
        assert (first.seed, second.seed) == (5, 5)
        assert first.portfolio_id == second.portfolio_id


def test_two_exchanges_are_two_portfolios_even_with_one_seed(tmp_path: Path) -> None:
    later = State(tmp_path / "b.db", lambda: OPENED_AT + 1, 1)
    with closing(opened(tmp_path / "a.db")) as first, closing(later) as second:
        assert first.portfolio_id != second.portfolio_id


def test_a_moved_clock_is_seen_by_every_connection(tmp_path: Path) -> None:
    with closing(opened(tmp_path / "a.db")) as here, closing(opened(tmp_path / "a.db")) as there:
        here.move_clock(5_000_000)
        assert here.now() == there.now() == OPENED_AT + 5_000_000
        there.move_clock(1, absolute=True)
        assert here.now() == there.now() == OPENED_AT + 1


def test_an_order_reads_as_it_was_written() -> None:
    terms = {"limit_limit_gtc": {"base_size": "1.50", "limit_price": "2"}}
    new = Order(1, "o-1", "c-1", "BTC-USD", "BUY", terms, "limit", "GOOD_UNTIL_CANCELLED", OPENED_AT)
    entry = {"price": "1", "size": "2", "replace_accept_timestamp": "x"}
    lived = replace(new, status="OPEN", base_size=Decimal("1.50"), filled_size=Decimal("0.10"), edit_history=[entry])
    for order in (new, lived):
        assert load_order(dump_order(order)) == order
    assert load_order(dump_order(new)).edit_history is not load_order(dump_order(new)).edit_history


def test_a_file_that_is_no_state_is_refused_and_left_alone(tmp_path: Path) -> None:
    other, text = tmp_path / "other.db", tmp_path / "text.db"
    with closing(sqlite3.connect(other)) as sql:
        sql.execute("CREATE TABLE trades (id INTEGER)")
    text.write_text("not a database, but long enough to be looked at " * 40)
    for path in (other, text, tmp_path):
        with pytest.raises(OSError, match="cannot be the state"):
            opened(path)
    with closing(sqlite3.connect(other)) as sql:
        assert sql.execute("SELECT name FROM sqlite_master").fetchall() == [("trades",)]


def test_a_lost_key_file_is_made_anew_and_a_foreign_one_replaced(tmp_path: Path) -> None:
    with closing(opened(tmp_path / "a.db")) as state:
        path = shared_key_file(state)
        first = path.read_text()
        assert shared_key_file(state).read_text() == first
        path.unlink()
        assert shared_key_file(state).read_text() != first
        path.write_text('{"name": "somebody", "privateKey": "x"}')
        assert "somebody" not in shared_key_file(state).read_text()


def test_counts_of_several_processes_add_up(tmp_path: Path) -> None:
    with closing(opened(tmp_path / "a.db")) as state:
        one, two = Tally(), Tally()
        for tally in (one, two, two):
            tally.count("GET", "/a", 200)
        two.count("GET", "/a", 404)
        one.keep(state)
        shown = two.shown(state)
        assert (shown["total"], shown["by_path"]) == (4, {"GET /a": 4})
        assert {(row["status"], row["count"]) for row in shown["detail"]} == {(200, 3), (404, 1)}
