"""In whatever dialect of Coinbase's format: watch and reconcile bring every row to the venue's truth, to the digit."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.support import other_books as fates
from tests.support.other_stage import OtherStage, one_document, other_stage
from tests.support.other_wire import MINIMAL, SHAPE_2023, Manners

DIALECTS = {
    "2023": Manners(shape=SHAPE_2023, create="null", digits=6, client_id=False, sequence="channel", page=3),
    "least": Manners(shape=MINIMAL, key_permissions=False, date_header=False, digits=3, acks=False, positions=[]),
    "numbers": Manners(numbers=True, number_cursors=True, page=2, newest_first=True, string_counters=True),
    "odd": Manners(lying_has_next=True, empty_strings=True, create="extra", order_type="UNKNOWN_ORDER_TYPE", repeats=3),
    "batches": Manners(snapshot_batch=4, positions=None, digits=7, newest_first=True, canonical=True, check_jwt=False),
    "mute": Manners(user_channel=False, client_id=False, page=4),
}
LIVES = [
    *(fates.FILLS, fates.FILLS_AT_ONCE, fates.FILLS_IN_PARTS, fates.PART_THEN_CANCELLED, fates.EXPIRES, fates.FAILS),
    *(fates.CANCELLED_EMPTY, fates.QUEUES, fates.NEW_WORD),
]


def insert_as_a_bot(stage: OtherStage, order_id: str) -> None:
    """Insert what the bot of the incident inserted, and nothing more."""
    with closing(sqlite3.connect(stage.database, timeout=10)) as connection, connection:
        connection.execute(
            "INSERT INTO trades (bot_id, product_id, side, size, price, order_id, status, size_usd, created_at)"
            " VALUES (7, 'BTC-USD', 'BUY', 0.01, 40000, ?, 'pending', 400, datetime('now'))",
            [order_id],
        )


@pytest.mark.parametrize("name", DIALECTS)
def test_every_life_of_an_order_ends_as_the_venue_says(tmp_path: Path, name: str) -> None:
    with other_stage(tmp_path, DIALECTS[name]) as stage:
        stage.exchange.fates(fates.FILLS)
        placed = stage.place("buy", "BTC-USDC", "--quote-size", "25", "--wait", "8")
        assert placed.code == 0, placed.err
        assert one_document(placed)["outcome"] == "filled", placed
        for life in LIVES:
            insert_as_a_bot(stage, stage.books.place_elsewhere(life).order_id)
        watched = stage.run("watch", "--json", "--until-idle", "--for", "25s")
        assert watched.code == 0, (watched.out[-1500:], watched.err)
        deep = stage.run("reconcile", "--deep", "--json")
        assert deep.code == 0, (deep.out, deep.err)
        assert stage.differences() == []
        assert stage.fill_differences() == []
        assert all(row["fills_verified"] for row in stage.rows() if row["status"] == "completed")
        assert stage.exchange.state.complaints == []
        assert stage.exchange.most_together <= 1, "Coinbase expects one connection a user"
        lines = [json.loads(line) for line in watched.out.splitlines()]
        assert lines[0]["type"] == "snapshot"
