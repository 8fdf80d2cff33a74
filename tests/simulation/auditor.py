"""Holds every commit against what the exchange had said by then, and the end against the exchange's ledger."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.simulation.exchange import Exchange
from tests.simulation.kernel import Kernel

TERMINAL = {"filled": 4, "cancelled": 3, "expired": 2, "failed": 1}
WORDS = {"FILLED": "filled", "CANCELLED": "cancelled", "EXPIRED": "expired", "FAILED": "failed"}
ALARMS = ("failed_but_filled", "absent_order_appeared")
SURELY_SEEN = 12.0  # seconds: a look that began before this is over, and a stale one is not that stale
CLOCKS = timedelta(seconds=2)
FIGURES = ("filled_size", "filled_value", "total_fees", "average_filled_price", "number_of_fills")
_EVENTS = (
    "SELECT id, event_id, trade_id, order_id, client_order_id, kind, old_status, status, order_status, venue_status,"
    " filled_size FROM trade_events WHERE id > ? ORDER BY id"
)


class Broken(AssertionError):
    """An invariant does not hold."""


@dataclass(slots=True)
class Told:
    """What the events have said of one trade so far."""

    status: str = "pending"
    order_status: str = ""
    events: list[str] = field(default_factory=list)


class Auditor:
    """Reads the store with a connection of its own; knows the exchange's truth."""

    def __init__(self, kernel: Kernel, path: Path, exchange: Exchange) -> None:
        self._kernel = kernel
        self._exchange = exchange
        self._sql = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._sql.row_factory = sqlite3.Row
        self._last = 0
        self._rows: list[tuple[Any, ...]] = []
        self._suspect: list[tuple[int, str]] = []  # trades that were `failed` when the exchange had fills
        self.told: dict[int, Told] = defaultdict(Told)
        self.foreign_ids: set[str] = set()  # client order ids that another program used before us

    def close(self) -> None:
        self._sql.close()

    def rows(self, statement: str, *values: Any) -> list[sqlite3.Row]:
        return self._sql.execute(statement, values).fetchall()

    # ------------------------------------------------------------------ after each commit

    def commit(self) -> None:
        """Check what the commit that has just happened brought."""
        for row in self.rows(_EVENTS, self._last):
            self._last = row["id"]
            self._rows.append(tuple(row))
            self._event(row)
        self._watermarks()

    def _event(self, row: sqlite3.Row) -> None:
        told = self.told[row["trade_id"]]
        self._kernel.say("event", row["trade_id"], row["kind"], row["status"], row["order_status"], row["filled_size"])
        if row["event_id"] in told.events:
            raise Broken(f"event {row['event_id']} was written twice")
        self._said_by_exchange(row)
        self._only_forward(row, told)
        self._proven(row)
        told.status, told.order_status = row["status"], row["order_status"]
        told.events.append(row["event_id"])

    def _said_by_exchange(self, row: sqlite3.Row) -> None:
        order_id, word = row["order_id"], row["venue_status"]
        if order_id is None:
            return
        words = self._exchange.words.get(order_id)
        if words is None:
            raise Broken(f"trade {row['trade_id']} has the order {order_id}, which the exchange never had")
        if word is not None and word not in words:
            raise Broken(f"trade {row['trade_id']}: {word} was never said of {order_id}, only {sorted(words)}")
        expected = WORDS.get(word or "")
        if expected is not None and row["order_status"] != expected:
            raise Broken(f"trade {row['trade_id']}: {word} is shown as {row['order_status']}")
        if row["order_status"] in TERMINAL and expected is None:
            raise Broken(f"trade {row['trade_id']}: {row['order_status']} without the exchange's word ({word})")
        size = Decimal(row["filled_size"] or 0)
        if size > self._exchange.largest[order_id]:
            raise Broken(f"trade {row['trade_id']}: filled {size}, above {self._exchange.largest[order_id]}")

    def _only_forward(self, row: sqlite3.Row, told: Told) -> None:
        before, after = told.order_status, row["order_status"]
        if row["client_order_id"] in self.foreign_ids:
            if row["status"] == "completed":
                raise Broken(f"trade {row['trade_id']} took somebody else's order {row['order_id']} for its own")
            return
        if before in TERMINAL and TERMINAL.get(after, 0) < TERMINAL[before]:
            raise Broken(f"trade {row['trade_id']}: {before} became {after}")
        if told.status == "completed" and row["status"] != "completed":
            raise Broken(f"trade {row['trade_id']}: completed became {row['status']}")
        if told.status == "failed" and row["status"] != "failed" and row["kind"] != "attempt":
            key = row["order_id"]
            heard = self.rows("SELECT rule FROM incidents WHERE rule IN (?, ?)", *ALARMS)
            found = self.rows("SELECT kind FROM breaks WHERE kind IN (?, ?) AND trade_id = ?", *ALARMS, row["trade_id"])
            if not heard and not found:
                raise Broken(f"trade {row['trade_id']} ({key}): failed became {row['status']} without an alarm")

    def _proven(self, row: sqlite3.Row) -> None:
        client_id = row["client_order_id"]
        order_id = self._exchange.by_client.get(client_id or "")
        ours = order_id is not None and client_id not in self.foreign_ids
        if row["order_status"] in ("not_placed", "rejected") and ours and row["kind"] != "attempt":
            raise Broken(f"trade {row['trade_id']} is {row['order_status']}, and the exchange has {order_id}")
        if row["status"] == "failed" and ours:
            booked = self._exchange.state.sql.execute(
                "SELECT MIN(booked_at) FROM fills WHERE order_id = ?", (order_id,)
            ).fetchone()[0]
            if booked is None:
                return
            age = (self._exchange.state.now() - booked) / 1_000_000
            if age > SURELY_SEEN:
                raise Broken(f"trade {row['trade_id']} is failed, and {order_id} was filled {age:.1f} s before")
            self._suspect.append((row["trade_id"], str(order_id)))

    def _watermarks(self) -> None:
        reached = self.rows("SELECT name, reached FROM watermarks")
        if not reached:
            return
        oldest = self.rows(
            "SELECT MIN(attempt_at) AS at FROM trades WHERE status = 'pending' AND order_status = 'submitting'"
        )[0]["at"]
        if oldest is None:
            return
        for row in reached:
            if moment(row["reached"]) > moment(oldest) + CLOCKS:
                raise Broken(f"the watermark {row['name']} at {row['reached']} passed an intent of {oldest}")

    # ------------------------------------------------------------------ at the end

    def unsettled(self) -> list[str]:
        """Say what is not as the exchange has it; nothing when all is well."""
        ledger = self._exchange.truth()
        ours = {row["client_order_id"]: row for row in self.rows("SELECT * FROM trades")}
        found: list[str] = []
        twice = [c for c, n in ledger["orders_per_client_order_id"].items() if n > 1 and c in ours]
        found += [f"two orders for {c}" for c in twice]
        at_exchange: set[str] = set()
        for order in ledger["orders"]:
            client_id = order["client_order_id"]
            if client_id in ours and client_id not in self.foreign_ids:
                at_exchange.add(client_id)
                found += self._differences(ours[client_id], order)
        for client_id, row in ours.items():
            if client_id not in at_exchange and row["order_status"] not in ("not_placed", "rejected"):
                found.append(f"trade {row['id']} never reached the exchange and is {row['order_status']}")
        return found

    def _differences(self, row: sqlite3.Row, order: dict[str, Any]) -> list[str]:
        name = f"trade {row['id']} ({order['order_id']})"
        word = str(order["status"])
        found: list[tuple[str, object, object]] = [("order_id", row["order_id"], order["order_id"])]
        wanted = WORDS.get(word)
        if wanted is not None:
            size = Decimal(order["filled_size"])
            status = "completed" if word == "FILLED" or size > 0 else "failed"
            found += [
                ("venue_status", row["venue_status"], word),
                ("order_status", row["order_status"], wanted),
                ("status", row["status"], status),
            ]
        else:
            found.append(("status", row["status"], "pending"))
        found += [(n, Decimal(row[n] or 0), Decimal(order[n] or 0)) for n in FIGURES]
        fills = {f["entry_id"]: f for f in self.rows("SELECT * FROM fills WHERE order_id = ?", order["order_id"])}
        if wanted is not None:
            found.append(("fills", sorted(fills), sorted(f["entry_id"] for f in order["fills"])))
            adjusted = any(f["trade_type"] != "FILL" for f in order["fills"])
            if not adjusted and order["fills"]:
                found.append(("fills_verified", bool(row["fills_verified"]), True))
        for fill in order["fills"]:
            known = fills.get(fill["entry_id"])
            if known is not None:
                for part in ("price", "size", "commission"):
                    found.append((f"fill {part}", Decimal(known[part]), Decimal(fill[part])))
        return [
            f"{name}: {what} is {stored}, the exchange says {true}" for what, stored, true in found if stored != true
        ]

    def history(self) -> None:
        """Check that no event was changed, and that whoever was `failed` with fills was alarmed about."""
        rows = [tuple(row) for row in self.rows(_EVENTS, 0)]
        if rows != self._rows:
            raise Broken("an event that was committed has changed or gone")
        ids = [row[1] for row in rows]
        if len(set(ids)) != len(ids):
            raise Broken("two events have one id")
        for trade_id, order_id in self._suspect:
            heard = self.rows("SELECT 1 FROM incidents WHERE rule = 'failed_but_filled' AND order_id = ?", order_id)
            broken = self.rows("SELECT 1 FROM breaks WHERE kind = 'failed_but_filled' AND trade_id = ?", trade_id)
            if not heard and not broken:
                raise Broken(f"trade {trade_id} was failed although {order_id} had fills, and nobody was told")

    def deliveries(self, taken: list[tuple[str, str, str]], *, finished: bool) -> None:
        """Check that each event was delivered, in order for each trade, and none was invented."""
        known = {event for told in self.told.values() for event in told.events}
        by_key: dict[str, list[str]] = defaultdict(list)
        for sink, key, event_id in taken:
            if sink == "notification" and event_id not in by_key[key]:
                by_key[key].append(event_id)
        for key, events in by_key.items():
            if not set(events) <= known:
                raise Broken(f"{key}: a delivery that no commit tells of")
            trade_id = int(key.partition(":")[2])
            wanted = self.told[trade_id].events
            queued = [e for e in wanted if e in set(events)]
            if queued != events:
                raise Broken(f"{key}: delivered out of order")
        if finished:
            waiting = self.rows("SELECT COUNT(*) AS n FROM outbox WHERE delivered_at IS NULL")[0]["n"]
            if waiting:
                raise Broken(f"{waiting} messages were never delivered")
            for trade_id, told in self.told.items():
                missing = set(told.events) - set(by_key[f"trade:{trade_id}"])
                if missing and self._public(missing):
                    raise Broken(f"trade {trade_id}: {len(missing)} events were never delivered")

    def _public(self, event_ids: set[str]) -> bool:
        marks = ", ".join("?" for _ in event_ids)
        kinds = [r["kind"] for r in self.rows(f"SELECT kind FROM trade_events WHERE event_id IN ({marks})", *event_ids)]
        return any(kind in ("status", "figures") for kind in kinds)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
