"""The simulator's pure exchange inside this process: requests answered by a call, frames published to sockets."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from ordersync_cli.simulator.application import Application
from ordersync_cli.simulator.control import Control
from ordersync_cli.simulator.credentials import make_key
from ordersync_cli.simulator.desk import Behaviour
from ordersync_cli.simulator.faults import Faults
from ordersync_cli.simulator.orders import Order, load_order
from ordersync_cli.simulator.requests import Answer, Call
from ordersync_cli.simulator.routes import Exchange as Routed
from ordersync_cli.simulator.session import catch_up
from ordersync_cli.simulator.state import State
from ordersync_cli.simulator.tally import Tally
from ordersync_cli.venue.credentials import Credentials, credentials
from tests.simulation.kernel import Kernel

START = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
START_US = int(START.timestamp()) * 1_000_000


@cache
def _key() -> tuple[tuple[str, str, str], Credentials]:
    """Make one key for all exchanges of this run; its name is no part of any trace."""
    state = State(Path(":memory:"), lambda: START_US, 1)
    content = make_key(state, kind="ed25519")
    row = state.sql.execute("SELECT name, public_pem, scopes FROM keys").fetchone()
    state.close()
    return row, credentials(content["id"], content["privateKey"], "the simulated key")


class SameKey:
    """The credential source of every process."""

    def load(self) -> Credentials:
        return _key()[1]


class Exchange:
    """One exchange on the kernel's clock. ``listeners`` are told of each event that is shown on the user channel."""

    def __init__(self, kernel: Kernel, seed: int, behaviour: Behaviour) -> None:
        self._kernel = kernel
        self.state = State(Path(":memory:"), lambda: START_US + round(kernel.now * 1_000_000), seed)
        self.state.sql.execute("INSERT INTO keys VALUES (?, ?, ?)", _key()[0])
        self.routed = Routed(self.state, behaviour)
        faults, tally = Faults(seed), Tally()
        self.app = Application(self.routed, faults, lambda _: Answer(404, b""), tally, 30.0, lambda _: None)
        self.control = Control(self.state, faults, behaviour, tally)
        self.listeners: list[Callable[[int, list[Order]], None]] = []
        self.words: dict[str, set[str]] = {}
        self.largest: dict[str, Any] = {}
        self.by_client: dict[str, str] = {}
        self._last_event = 0
        self._timer = float("inf")

    def now(self) -> datetime:
        """Tell the exchange's clock."""
        return START + timedelta(seconds=self._kernel.now)

    def answer(self, call: Call) -> Answer:
        """Answer one request."""
        answer = self.app.answer(call)
        self.moved()
        return answer

    def moved(self) -> None:
        """Publish what happened, and see when something happens next."""
        catch_up(self.state)
        rows = self.state.sql.execute(
            "SELECT id, show, doc FROM events WHERE id > ? ORDER BY id", (self._last_event,)
        ).fetchall()
        if rows:
            self._last_event = rows[-1][0]
            shown = []
            for _, show, doc in rows:
                order = load_order(doc)
                self._note(order)
                if show:
                    shown.append(order)
            for listener in list(self.listeners):
                listener(self._last_event, shown)
        due = self.state.next_due()
        if due is None:
            return
        when = max(self._kernel.now, (due - START_US) / 1_000_000 + 1e-6)
        if when < self._timer:
            self._timer = when
            self._kernel.at(when, lambda: self._fire(when))

    def _fire(self, when: float) -> None:
        if self._timer == when:
            self._timer = float("inf")
            self.moved()

    def _note(self, order: Order) -> None:
        """Remember what was ever true of an order."""
        self.words.setdefault(order.order_id, {"PENDING"}).add(order.shown.get("status", order.status))
        self.words[order.order_id].add(order.status)
        if "status" in order.shown_in_frames:
            self.words[order.order_id].add(order.shown_in_frames["status"])
        before = self.largest.get(order.order_id)
        self.largest[order.order_id] = order.filled_size if before is None else max(before, order.filled_size)
        self.by_client.setdefault(order.client_order_id, order.order_id)

    def truth(self) -> dict[str, Any]:
        """Return the exchange's ledger."""
        self.moved()
        return self.control.ledger()
