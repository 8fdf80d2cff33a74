"""`ordersync list` and `ordersync show`: what the store says, without asking anybody."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ordersync_cli.cli.invocation import Invocation
from ordersync_cli.cli.options import LARGEST, command, read_past
from ordersync_cli.cli.trades import COLUMNS, SPARE, trade_json, trade_rows
from ordersync_cli.errors import UnknownOrder, UsageError

if TYPE_CHECKING:
    from ordersync_cli.domain.orders import Fill
    from ordersync_cli.services.ports import TradeEvent

_STATUSES = ("pending", "completed", "failed")


@command("list", shape={"trades": []}, touches_venue=True)
def list_trades(
    run: Invocation,
    *,
    status: Annotated[str | None, typer.Option("--status", metavar="pending|completed|failed")] = None,
    bot_id: Annotated[int | None, typer.Option("--bot-id", min=-LARGEST, max=LARGEST, metavar="N")] = None,
    product: Annotated[str | None, typer.Option("--product", metavar="PRODUCT")] = None,
    since: Annotated[
        datetime | None, typer.Option("--since", parser=read_past, metavar="T", help="24h, 7d, or a date.")
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=LARGEST - 1, metavar="N", help="At most so many, newest first.")
    ] = 100,
) -> int:
    """List trades, newest first; from the store alone, so it works in an outage."""
    from ordersync_cli.services.ports import TradeFilter

    if status is not None and status not in _STATUSES:
        raise UsageError(f"--status is one of {', '.join(_STATUSES)}, not {status}.")
    wanted = TradeFilter(
        status=status, bot_id=bot_id, product_id=product.upper() if product else None, since=since, limit=limit + 1
    )
    with run.wiring.store.read() as transaction:
        views = transaction.trades.views(wanted)
    more, views = len(views) > limit, views[:limit]
    run.document({"trades": [trade_json(view) for view in views]})
    run.output.table(COLUMNS, trade_rows(views), spare=SPARE)
    if more:
        run.output.note(f"The newest {limit} of more; see --limit.")
    return 0


@command("show", shape={"trade": None, "fills": [], "events": []})
def show(run: Invocation, order_id: Annotated[str, typer.Argument(metavar="ORDER_ID")]) -> int:
    """Show one trade with its fills and its history; ORDER_ID may be the client order id or the trade id."""
    from ordersync_cli.services.find import trade_id_of
    from ordersync_cli.services.ports import TradeFilter

    with run.wiring.store.read() as transaction:
        trade_id = trade_id_of(transaction, order_id)
        if trade_id is None:
            raise UnknownOrder(
                f"The store holds no order {order_id}.", f"`ordersync sync {order_id}` asks the venue, too."
            )
        view = transaction.trades.views(TradeFilter(trade_ids=[trade_id]))[0]
        # with any side: a bot's row whose side nobody can read is shown like any other
        trade = transaction.trades.load([trade_id], lock=False, sideless=True)[trade_id]
        events = transaction.trades.events(trade_id)
    fills = [fill for order in trade.orders for fill in order.fills]
    row = trade_json(view)
    run.document({"trade": row, "fills": [_plain(f) for f in fills], "events": [_plain(e) for e in events]})
    run.output.table(("field", "value"), [(name, value) for name, value in row.items() if value is not None])
    if fills:
        run.output.table(
            ("fill", "kind", "price", "size", "commission", "time", "liquidity"), [_fill_row(f) for f in fills], "fills"
        )
    if events:
        run.output.table(
            ("committed", "event", "status", "order status", "venue", "filled", "source", "latency"),
            [_event_row(e) for e in events],
            "events",
        )
    return 0


def _plain(value: Fill | TradeEvent) -> dict[str, Any]:
    return {f.name: getattr(value, f.name) for f in fields(value)}


def _fill_row(fill: Fill) -> tuple[object, ...]:
    size = f"{fill.size:f} quote" if fill.size_in_quote else fill.size
    return (
        fill.entry_id[:12],
        fill.trade_type,
        fill.price,
        size,
        fill.commission,
        fill.trade_time,
        fill.liquidity_indicator,
    )


def _event_row(event: TradeEvent) -> tuple[object, ...]:
    moved = event.status if event.old_status in {None, event.status} else f"{event.old_status} → {event.status}"
    return (
        event.committed_at,
        event.kind,
        moved,
        event.order_status,
        event.venue_status,
        event.filled_size,
        event.source,
        event.latency_seconds,
    )
