"""A simulated exchange and a store of its own, with the real commands run against both as processes."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ordersync_cli.simulator.server import SimulatorServer

PLACE_PATH = "/api/v3/brokerage/orders"
FILL_SOON = [
    {"after_seconds": "0.02", "status": "OPEN"},
    {"after_seconds": "0.1", "filled_fraction": "1", "status": "FILLED"},
]


@dataclass(frozen=True)
class Said:
    """How one command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """Read its one JSON document."""
        return dict(json.loads(self.out))


class Stage:
    """Runs ordersync against a server of the wire format, told where to go by the environment alone."""

    def __init__(self, folder: Path, exchange: SimulatorServer, venue: str = "coinbase") -> None:
        self.folder = folder
        self.exchange = exchange
        self.database = folder / "store.db"
        self.environment = {
            **os.environ,
            "ORDERSYNC_VENUE": venue,
            "ORDERSYNC_REST_URL": exchange.rest_url,
            "ORDERSYNC_WS_URL": exchange.ws_url,
            "ORDERSYNC_KEY_FILE": str(exchange.key_file),
            "ORDERSYNC_DATABASE_URL": f"sqlite:///{self.database}",
            "ORDERSYNC_REQUESTS_PER_SECOND": "50",
        }

    def start(self, *words: str, module: str = "ordersync_cli", **environ: str) -> subprocess.Popen[str]:
        """Start a command and leave it running."""
        return subprocess.Popen(
            [sys.executable, "-m", module, *words],
            env={**self.environment, **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str, module: str = "ordersync_cli", **environ: str) -> Said:
        """Run a command to its end."""
        process = self.start(*words, module=module, **environ)
        out, err = process.communicate(timeout=90)
        return Said(process.returncode, out, err)

    def place(self, *words: str, **environ: str) -> Said:
        """Place an order as JSON, confirmed."""
        return self.run("place", *words, "--yes", "--json", **environ)

    def rows(self, statement: str = "SELECT * FROM trades ORDER BY id") -> list[dict[str, Any]]:
        """Read the store as any other program would."""
        if not self.database.exists():
            return []
        with sqlite3.connect(f"file:{self.database}?mode=ro", uri=True) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(statement)]

    def orders(self, client_order_id: str | None = None) -> list[dict[str, Any]]:
        """List what the exchange has accepted."""
        listed = self.exchange.control.ledger()["orders"]
        return [o for o in listed if client_order_id in {None, o["client_order_id"]}]

    def lose_answer(self, kind: str = "cut_after", **fault: Any) -> None:
        """Let the answer to the next order be lost in this way."""
        self.exchange.control.fault(kind=kind, method="POST", path=PLACE_PATH, count=1, **fault)

    def differences(self) -> list[str]:
        """Name every accepted order whose row is not exactly equal."""
        rows = {row["client_order_id"]: row for row in self.rows()}
        return [found for order in self.orders() for found in difference(rows.get(order["client_order_id"]), order)]


def difference(row: dict[str, Any] | None, order: dict[str, Any]) -> Iterator[str]:
    """Compare one row with the exchange's truth, to the last digit."""
    from decimal import Decimal

    if row is None:
        yield f"{order['client_order_id']}: no row"
        return
    ended = order["status"] in {"FILLED", "CANCELLED", "EXPIRED", "FAILED"}
    filled = Decimal(order["filled_size"]) > 0
    status = "pending" if not ended else "completed" if filled else "failed"
    if row["order_id"] != order["order_id"] or row["status"] != status:
        yield f"{order['client_order_id']}: {row['order_id']} {row['status']}, not {order['order_id']} {status}"
    for name in ("filled_size", "filled_value", "total_fees", "average_filled_price"):
        if Decimal(row[name] or 0) != Decimal(order[name] or 0):
            yield f"{order['client_order_id']}: {name} {row[name]}, not {order[name]}"


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """Give a stage whose exchange has no rate limit."""
    with SimulatorServer(tmp_path / "exchange.db", seed=7, rate_limit=None) as exchange:
        yield Stage(tmp_path, exchange)
