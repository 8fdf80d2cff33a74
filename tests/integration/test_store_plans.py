"""No statement of the hot path reads a whole table, however many trades there are."""

from __future__ import annotations

import re

import pytest

from ordersync_cli.domain.orders import Source
from tests.support.trade_samples import add, fill, fills_seen, intent, recorder, seen

ALLOWED = {
    "trade_events",  # MAX(id) of an empty store
    "json_each",
    "notes",
}


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_every_look_up_of_the_hot_path_uses_an_index(place) -> None:
    store = place.open()
    connection = store._database._opened()
    statements: list[str] = []
    connection.set_trace_callback(statements.append)
    trade_id = add(store, intent())
    record = recorder(store)
    record.seen([seen("o-1", "OPEN", quote_size=25), seen("x-1", client_order_id="theirs")], source=Source.WEBSOCKET)
    record.seen([seen("o-1", "FILLED", "1")], source=Source.POLL)
    record.seen([fills_seen(fill("e-1"))], source=Source.POLL)
    with store.write() as transaction:
        transaction.trades.pending_ids()
        transaction.trades.foreign_ids()
        transaction.trades.overwritten_ids()
        transaction.trades.unverified_ids(10)
        transaction.trades.events_after(0, 10)
        transaction.trades.rewrite([trade_id])
        transaction.outbox.due(store._clock.now(), 10)
        transaction.incidents.open()
    connection.set_trace_callback(None)

    looked = {s for s in statements if re.match(r"(?i)\s*(SELECT|UPDATE|DELETE)", s) and "sqlite_" not in s}
    assert len(looked) > 10
    scans = {}
    for statement in looked:
        for *_, detail in connection.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall():
            scan = re.fullmatch(r"SCAN (\w+)", detail)
            if scan and scan[1] not in ALLOWED:
                scans[statement[:150]] = detail
    assert scans == {}
