"""The other exchange, a store, and the real commands as processes between them: black boxes, told by environment."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.support.other_books import ENDED
from tests.support.other_exchange import OtherExchange
from tests.support.other_wire import Manners
from tests.support.stage import Said


class OtherStage:
    """Runs ordersync against the other exchange."""

    def __init__(self, folder: Path, exchange: OtherExchange) -> None:
        self.folder = folder
        self.exchange = exchange
        self.books = exchange.books
        self.database = folder / "store.db"
        self.environment = {
            **os.environ,
            "ORDERSYNC_VENUE": "coinbase",
            "ORDERSYNC_REST_URL": exchange.rest_url,
            "ORDERSYNC_WS_URL": exchange.ws_url,
            "ORDERSYNC_KEY_FILE": str(exchange.key_file),
            "ORDERSYNC_DATABASE_URL": f"sqlite:///{self.database}",
            "ORDERSYNC_REQUESTS_PER_SECOND": "50",
        }

    def start(self, *words: str, bare: dict[str, str] | None = None, **environ: str) -> subprocess.Popen[str]:
        """Start a command; `bare` is its whole environment."""
        whole = {**self.environment, **environ} if bare is None else bare
        return subprocess.Popen(
            [sys.executable, "-m", "ordersync_cli", *words],
            env=whole, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(self, *words: str, bare: dict[str, str] | None = None, **environ: str) -> Said:
        """Run a command to its end."""
        process = self.start(*words, bare=bare, **environ)
        try:
            out, err = process.communicate(timeout=90)
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()
        return Said(process.returncode, out, err)

    def place(self, *words: str, **environ: str) -> Said:
        """Place an order as JSON, confirmed."""
        return self.run("place", *words, "--yes", "--json", **environ)

    def rows(self, statement: str = "SELECT * FROM trades ORDER BY id") -> list[dict[str, Any]]:
        """Read the store as any other program would."""
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(statement)]

    def differences(self) -> list[str]:
        """Name every order of this exchange whose row is not exactly equal, and every row without an order."""
        stored = self.rows()
        ids = [row["order_id"] for row in stored]
        found = [
            f"{row['id']}: order {row['order_id']} is not the venue's"
            for row in stored
            if row["order_id"] is not None and row["order_id"] not in {o.order_id for o in self.books.orders}
        ]
        found += [f"{i}: twice" for i in ids if i is not None and ids.count(i) > 1]
        rows = {row["order_id"]: row for row in stored}
        for order in self.books.orders:
            look, name = order.look(), f"{order.order_id} ({order.request['client_order_id']})"
            row = rows.get(order.order_id)
            if row is None:
                found.append(f"{name}: no row")
                continue
            status = "pending" if look.word not in ENDED else "completed" if look.size else "failed"
            if (row["order_id"], row["status"]) != (order.order_id, status):
                found.append(f"{name}: {row['order_id']} {row['status']}, not {order.order_id} {status} ({look.word})")
            for column, truth in (("filled_size", look.size), ("filled_value", look.value), ("total_fees", look.fees)):
                if Decimal(row[column] or 0) != truth:
                    found.append(f"{name}: {column} {row[column]}, not {truth}")
        return found

    def fill_differences(self) -> list[str]:
        """Name the fills that the store lacks or has too many of."""
        truth = {fill.entry_id for order in self.books.orders for fill in order.look().fills}
        stored = [row["entry_id"] for row in self.rows("SELECT entry_id FROM fills")]
        return [*(truth ^ set(stored)), *(["twice"] if len(stored) != len(set(stored)) else [])]


@contextmanager
def other_stage(folder: Path, manners: Manners | None = None) -> Iterator[OtherStage]:
    """Give a stage before an exchange with these manners."""
    folder.mkdir(parents=True, exist_ok=True)
    exchange = OtherExchange(folder, manners)
    try:
        yield OtherStage(folder, exchange)
    finally:
        exchange.stop()


def one_document(said: Said) -> dict[str, Any]:
    """Read the one JSON document on stdout, and nothing else."""
    told = json.loads(said.out)
    assert said.out.strip().count("\n") == 0 or json.loads(said.out) == told
    return dict(told)
