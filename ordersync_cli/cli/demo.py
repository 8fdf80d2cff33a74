"""`ordersync demo`: the whole story in one command, on a simulated exchange, proven at its end."""

from __future__ import annotations

import shutil
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer

from ordersync_cli.cli.demo_fates import FATES, Fate
from ordersync_cli.cli.demo_stage import Stage, documents, last_words
from ordersync_cli.cli.demo_teller import Teller
from ordersync_cli.cli.invocation import Invocation
from ordersync_cli.cli.options import command

_LIVE_WITHIN = 20.0
_SETTLED_WITHIN = 30.0
_COMPARED = ("filled_size", "average_filled_price", "filled_value", "total_fees")


@command("demo", shape={"equal": False, "orders": [], "report": None, "folder": None}, touches_venue=False)
def demo(
    run: Invocation,
    *,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the simulated market.")] = 7,
    keep: Annotated[bool, typer.Option("--keep", help="Keep store and exchange for a look.")] = False,
) -> int:
    """Place seven orders with seven fates on a simulated exchange, watch, cut, kill, reconcile, compare.

    Nothing real is touched. Exit 0 only if, at the end, every order is equal in store and exchange.
    """
    from ordersync_cli.simulator.server import SimulatorServer

    run.output.simulated = True
    run.output.mark_simulated()
    folder = Path(tempfile.mkdtemp(prefix="ordersync-demo-"))
    teller = Teller(run, run.clock.monotonic())
    try:
        with SimulatorServer(folder / "exchange.db", seed=seed) as exchange:
            stage = Stage(folder, exchange)
            _watched(run, stage, teller)
            _unwatched(stage, teller)
            reconciled = _reconciled(run, stage, teller)
            report = _reported(stage, teller)
            compared = _compared(stage, teller)
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
    equal = reconciled and all(row["equal"] for row in compared)
    run.document({"equal": equal, "orders": compared, "report": report, "folder": str(folder) if keep else None})
    if keep:
        run.output.text(f"Kept in {folder}")
    took = run.clock.monotonic() - teller.began
    same = sum(row["equal"] for row in compared)
    run.output.text(f"\n{same} of {len(compared)} orders are equal in store and exchange, in {took:.0f} s.")
    return 0 if equal else 10


def _watched(run: Invocation, stage: Stage, teller: Teller) -> None:
    teller.heading("Five orders, placed beside a live `ordersync watch`")
    watching = stage.watch(teller.hear)
    if not watching.wait_until_live(_LIVE_WITHIN):
        teller.say("the feed did not come up; going on without it")
    try:
        for fate in (f for f in FATES if f.watched):
            _place(stage, teller, fate)
            if fate.cut_feed_after is not None:
                run.clock.sleep(fate.cut_feed_after)
                teller.say("exchange  cuts the feed without a word (close 1006)")
                stage.exchange.close_feeds(1006)
        _wait_until_settled(run, stage, teller)
    finally:
        watching.stop()
    teller.say("watch is stopped (SIGTERM); from here on nobody listens")


def _unwatched(stage: Stage, teller: Teller) -> None:
    teller.heading("Two accidents, with nobody watching")
    for fate in (f for f in FATES if not f.watched):
        _place(stage, teller, fate)


def _place(stage: Stage, teller: Teller, fate: Fate) -> None:
    stage.prepare(fate)
    teller.say(f"place  {fate.name}: {fate.story}")
    done = stage.place(fate)
    told = documents(done)
    if fate.is_killed:
        teller.say(f"       killed (signal {-done.returncode}): the store holds the intent, and no answer")
    else:
        outcome = told.get("outcome") or "?"
        trade = told.get("trade") or {}
        teller.say(f"       {outcome}, exit {done.returncode}; the store says {trade.get('status')}")
    if fate.exit_code is not None and done.returncode != fate.exit_code:
        teller.say(f"       expected exit {fate.exit_code}: {last_words(done)}")


def _wait_until_settled(run: Invocation, stage: Stage, teller: Teller) -> None:
    """Wait until the watcher has brought every order of the first part to its end."""
    deadline = run.clock.monotonic() + _SETTLED_WITHIN
    while run.clock.monotonic() < deadline:
        listed = documents(stage.run("list", "--status", "pending", "--json"))
        if not listed.get("trades"):
            return
        run.clock.sleep(0.5)
    teller.say("some orders are still pending; reconcile goes on from here")


def _reconciled(run: Invocation, stage: Stage, teller: Teller) -> bool:
    teller.heading("ordersync reconcile --deep")
    told: dict[str, Any] = {}
    run.clock.sleep(0.5)  # the last fills of the exchange are due by now
    for mode in ("--deep", ""):
        done = stage.run("reconcile", *([mode] if mode else []), "--json")
        told = documents(done)
        teller.settled(told, {order["order_id"]: order["client_order_id"] for order in stage.orders()})
        teller.say(f"reconcile {told.get('mode')}: {told.get('result')}, exit {done.returncode}")
    return told.get("result") in {"in_sync", "drift"}


def _reported(stage: Stage, teller: Teller) -> dict[str, Any] | None:
    teller.heading("ordersync report")
    done = stage.run("report", "--since", "1h", "--json")
    report = documents(done)
    teller.figures(report)
    return report or None


def _compared(stage: Stage, teller: Teller) -> list[dict[str, Any]]:
    """Hold every order of the store against the exchange's own ledger, to the last digit."""
    teller.heading("Store against exchange, order by order, to the last digit")
    listed = documents(stage.run("list", "--json", "--limit", "1000"))["trades"]
    stored = {trade["client_order_id"]: trade for trade in listed}
    at_exchange: dict[str, list[dict[str, Any]]] = {}
    for order in stage.orders():
        at_exchange.setdefault(order["client_order_id"], []).append(order)
    rows = [
        _verdict(fate, stored.get(fate.client_order_id), at_exchange.get(fate.client_order_id, [])) for fate in FATES
    ]
    columns = ("order", "store", "exchange", "filled", "equal")  # as much as 80 columns hold; --json has it all
    teller.run.output.table(
        columns,
        [
            (
                row["fate"],
                f"{row['store_status']} ({row['store_order_status']})",
                row["exchange_status"] or "no order",
                row["filled_size"],
                "yes" if row["equal"] else "NO",
            )
            for row in rows
        ],
    )
    return rows


def _verdict(fate: Fate, trade: dict[str, Any] | None, orders: list[dict[str, Any]]) -> dict[str, Any]:
    order = orders[0] if orders else None
    trade = trade or {}
    if order is None:
        equal = trade.get("order_status") == "rejected" and trade.get("status") == "failed"
    else:
        equal = len(orders) == 1 and _same(trade, order)
    return {
        "fate": fate.name,
        "client_order_id": fate.client_order_id,
        "order_id": trade.get("order_id"),
        "store_status": trade.get("status"),
        "store_order_status": trade.get("order_status"),
        "exchange_status": order["status"] if order else None,
        "filled_size": trade.get("filled_size"),
        "total_fees": trade.get("total_fees"),
        "equal": equal,
    }


def _same(trade: dict[str, Any], order: dict[str, Any]) -> bool:
    filled = Decimal(order["filled_size"]) > 0
    status = "completed" if order["status"] == "FILLED" or filled else "failed"
    return (
        trade.get("order_id") == order["order_id"]
        and trade.get("venue_status") == order["status"]
        and trade.get("status") == status
        and trade.get("number_of_fills") == int(order["number_of_fills"])
        and bool(trade.get("fills_verified"))
        and all(Decimal(trade.get(name) or 0) == Decimal(order[name] or 0) for name in _COMPARED)
    )
