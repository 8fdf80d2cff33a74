"""One transaction's view of the exchange: loads orders, brings due steps to pass, writes what changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

from ordersync_cli.simulator.balances import Move
from ordersync_cli.simulator.effects import Effects
from ordersync_cli.simulator.exchange import apply_step
from ordersync_cli.simulator.lives import Planner, Step
from ordersync_cli.simulator.money import plus
from ordersync_cli.simulator.orders import Order, dump_fill, dump_order, load_order
from ordersync_cli.simulator.products import CATALOGUE
from ordersync_cli.simulator.state import State

_BATCH = 500


class Session:
    """Inside one write transaction at the moment `now`."""

    def __init__(self, state: State, now: int) -> None:
        self.state = state
        self.sql = state.sql
        self.now = now
        self._orders: dict[str, Order] = {}

    def order(self, order_id: str) -> Order | None:
        """Return the order as it stands, or None."""
        if order_id not in self._orders:
            row = self.sql.execute("SELECT doc FROM orders WHERE order_id = ?", (order_id,)).fetchone()
            if row is None:
                return None
            self._orders[order_id] = load_order(row[0])
        return self._orders[order_id]

    def planner(self, product_id: str) -> Planner:
        """Return what plans for this product depend on."""
        return Planner(self.state.market, CATALOGUE[product_id], self.state.seed)

    def catch_up(self) -> int:
        """Bring every step to pass that is due by now, in order of time; return how many."""
        count = 0
        while True:
            rows = self.sql.execute(
                "SELECT id, order_id, due, kind, data FROM steps WHERE due <= ? ORDER BY due, id LIMIT ?",
                (self.now, _BATCH),
            ).fetchall()
            if not rows:
                return count
            bound = rows[-1][2]
            for number, order_id, due, kind, data in rows:
                if not self.sql.execute("DELETE FROM steps WHERE id = ?", (number,)).rowcount:
                    continue  # an earlier step of this batch has ended the order
                count += 1
                added = self.run(order_id, Step(due, kind, json.loads(data)))
                if added <= bound:
                    break  # a step was added before the rest of this batch: read the order of time anew

    def run(self, order_id: str, step: Step) -> int:
        """Do one step of one order; return when the earliest step it added is due."""
        order = self.order(order_id)
        if order is None:
            raise LookupError(f"a step without its order: {order_id}")
        effects = apply_step(order, step, self.planner(order.product_id))
        self.write(order, effects, step.due)
        return min((added.due for added in effects.steps), default=step.due + 10**15)

    def insert(self, order: Order, effects: Effects) -> None:
        """Add a new order with everything that its acceptance did."""
        self._orders[order.order_id] = order
        doc = dump_order(order)
        named = (order.seq, order.order_id, order.client_order_id, order.product_id, order.side, order.kind)
        row = (*named, order.time_in_force, order.status, order.placement_source, order.created_at, doc)
        self.sql.execute("INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        self._log(order, effects, self.now, doc)
        self._write_beside(order, effects)

    def write(self, order: Order, effects: Effects, at: int) -> None:
        """Write the order and everything that happened with it."""
        if effects.changed or effects.show:
            doc = dump_order(order)
            if effects.changed:
                self.sql.execute(
                    "UPDATE orders SET status = ?, doc = ? WHERE order_id = ?", (order.status, doc, order.order_id)
                )
            self._log(order, effects, at, doc)
        self._write_beside(order, effects)

    def _log(self, order: Order, effects: Effects, at: int, doc: str) -> None:
        self.sql.execute(
            "INSERT INTO events (order_id, at, show, doc) VALUES (?, ?, ?, ?)",
            (order.order_id, at, int(effects.show), doc),
        )

    def _write_beside(self, order: Order, effects: Effects) -> None:
        if effects.drop:
            self.sql.executemany(
                "DELETE FROM steps WHERE order_id = ? AND kind = ?", [(order.order_id, kind) for kind in effects.drop]
            )
        for step in effects.steps:
            self.add_step(order.order_id, step)
        for fill in effects.fills:
            self.sql.execute(
                "INSERT INTO fills (entry_id, order_id, product_id, trade_id, side, booked_at, visible_at, doc)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    fill.entry_id,
                    fill.order_id,
                    fill.product_id,
                    fill.trade_id,
                    fill.side,
                    fill.booked_at,
                    fill.visible_at,
                    dump_fill(fill),
                ),
            )
        for move in effects.moves:
            self._move(move)

    def add_step(self, order_id: str, step: Step) -> None:
        """Put one step on the schedule."""
        self.sql.execute(
            "INSERT INTO steps (order_id, due, kind, data) VALUES (?, ?, ?, ?)",
            (order_id, step.due, step.kind, json.dumps(step.data)),
        )

    def _move(self, move: Move) -> None:
        row = self.sql.execute("SELECT available, held FROM balances WHERE currency = ?", (move.currency,)).fetchone()
        available, held = (Decimal(row[0]), Decimal(row[1])) if row else (Decimal(0), Decimal(0))
        values = (move.currency, str(plus(available, move.available)), str(plus(held, move.held)))
        self.sql.execute(
            "INSERT INTO balances VALUES (?, ?, ?, '0') ON CONFLICT DO UPDATE"
            " SET available = excluded.available, held = excluded.held",
            values,
        )


@contextmanager
def writing(state: State) -> Iterator[Session]:
    """Open a write transaction in which everything due has already come to pass."""
    now = state.now()
    with state.transaction():
        session = Session(state, now)
        session.catch_up()
        yield session


def caught_up(state: State) -> int:
    """Return the present moment, by which everything due has come to pass: enough for a look-up of one row."""
    now = state.now()
    due = state.next_due()
    if due is not None and due <= now:
        with state.transaction():
            Session(state, now).catch_up()
    return now


@contextmanager
def reading(state: State) -> Iterator[int]:
    """Open one consistent read at a moment by which everything due has come to pass; yields that moment."""
    now = caught_up(state)
    state.sql.execute("BEGIN")
    try:
        yield now
    finally:
        state.sql.execute("COMMIT")


def catch_up(state: State) -> bool:
    """Bring what is due to pass; tell whether there was anything."""
    now = state.now()
    due = state.next_due()
    if due is None or due > now:
        return False
    with state.transaction():
        return Session(state, now).catch_up() > 0
