"""The strings that tests and the demo pull: fates, faults, the clock, orders placed elsewhere, the ledger."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ordersync_cli.simulator.credentials import ALL_SCOPES, make_key, write_key_file
from ordersync_cli.simulator.desk import Behaviour, advance_order, cancel_orders, create_order
from ordersync_cli.simulator.faults import Faults
from ordersync_cli.simulator.ledger import ledger
from ordersync_cli.simulator.scripts import script_steps
from ordersync_cli.simulator.session import writing
from ordersync_cli.simulator.state import State
from ordersync_cli.simulator.tally import Tally
from ordersync_cli.simulator.times import SECOND


class Control:
    """Has its own connection to the state, so that any thread may call it while the server runs."""

    def __init__(self, state: State, faults: Faults, behaviour: Behaviour, tally: Tally) -> None:
        self.state = state
        self.faults = faults
        self.behaviour = behaviour
        self.tally = tally
        self._lock = threading.RLock()

    def script(
        self,
        steps: Iterable[dict[str, Any]],
        *,
        client_order_id: str | None = None,
        product_id: str | None = None,
        count: int | None = 1,
        refuse: dict[str, str] | None = None,
    ) -> None:
        """Dictate the fate of the next `count` orders that match (None: of all); `refuse` is an error_response instead.

        The keys of a step are listed in scripts.py. Raises ValueError for a step that cannot be read.
        """
        entries = list(steps)
        script_steps(entries, 0)
        row = (client_order_id, product_id, count, json.dumps(entries), None if refuse is None else json.dumps(refuse))
        with self._lock, self.state.transaction():
            self.state.sql.execute(
                "INSERT INTO scripts (client_order_id, product_id, remaining, steps, answer) VALUES (?, ?, ?, ?, ?)",
                row,
            )

    def continue_order(self, order_id: str, steps: Iterable[dict[str, Any]], *, keep_plan: bool = False) -> None:
        """Dictate from now on what becomes of an order that exists, ended ones included; raises LookupError."""
        entries = list(steps)
        with self._lock, writing(self.state) as session:
            if session.order(order_id) is None:
                raise LookupError(f"no order {order_id}")
            if not keep_plan:
                session.sql.execute("DELETE FROM steps WHERE order_id = ?", (order_id,))
            for step in script_steps(entries, session.now):
                session.add_step(order_id, step)
            session.catch_up()

    def advance(self, order_id: str, count: int | None = None) -> int:
        """Bring the next `count` steps of an order (default: all) to pass now; return how many did."""
        with self._lock, writing(self.state) as session:
            return advance_order(session, order_id, count)

    def place_elsewhere(self, body: dict[str, Any], **how: Any) -> dict[str, Any]:
        """Place an order as another program or the app would; how: source, script, allow_duplicate."""
        with self._lock, writing(self.state) as session:
            return create_order(session, body, self.behaviour, elsewhere={"allow_duplicate": False, **how})

    def cancel_elsewhere(self, order_ids: list[str]) -> list[dict[str, Any]]:
        """Cancel orders as another program would."""
        with self._lock, writing(self.state) as session:
            return cancel_orders(session, order_ids)

    def advance_clock(self, seconds: float) -> None:
        """Move the exchange's clock, for every process on this state; steps that become due come to pass."""
        with self._lock:
            self.state.move_clock(int(seconds * SECOND))

    def set_skew(self, seconds: float) -> None:
        """Set how far the exchange's clock is ahead of this machine's."""
        with self._lock:
            self.state.move_clock(int(seconds * SECOND), absolute=True)

    def fault(self, **entry: Any) -> None:
        """Add one line to the fault plan; its keys are listed in faults.py."""
        self.faults.add(**entry)

    def ledger(self) -> dict[str, Any]:
        """Return the exchange's full truth: orders with exact figures, fills, events, balances."""
        with self._lock:
            return ledger(self.state)

    def requests(self) -> dict[str, Any]:
        """Return how often each path was asked, by method and status (0: cut without an answer)."""
        with self._lock:
            return self.tally.shown(self.state)

    def make_key_file(self, path: Path, *, kind: str = "ecdsa", scopes: tuple[str, ...] = ALL_SCOPES) -> Path:
        """Write another key file that this exchange accepts: kind ecdsa or ed25519, scopes of view, trade, transfer."""
        with self._lock:
            write_key_file(path, make_key(self.state, kind=kind, scopes=scopes))
        return path

    def switch(self, **switches: Any) -> dict[str, Any]:
        """Set switches of Behaviour by name and return them all; raises ValueError for an unknown one."""
        for name, value in switches.items():
            if name not in asdict(self.behaviour):
                raise ValueError(f"no switch {name}")
            setattr(self.behaviour, name, value)
        return asdict(self.behaviour)
