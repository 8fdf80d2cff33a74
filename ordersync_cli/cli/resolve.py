"""`ordersync resolve`: settle by hand what the venue can no longer tell."""

from __future__ import annotations

from typing import Annotated

import typer

from ordersync_cli.cli.invocation import Invocation
from ordersync_cli.cli.options import command
from ordersync_cli.cli.trades import in_words, trade_json


@command("resolve", shape={"trade_id": None, "status_change": None, "changed": False, "trade": None})
def resolve(
    run: Invocation,
    *,
    trade: Annotated[str, typer.Argument(metavar="TRADE", help="Trade id, order id or client order id.")],
    word: Annotated[str, typer.Option("--as", metavar="WORD", help="filled, cancelled, expired, failed, not_placed.")],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it stays in the history.")],
) -> int:
    """Settle a trade by hand, with a reason; whatever the venue says later outranks it."""
    from ordersync_cli.services.ports import TradeFilter
    from ordersync_cli.services.resolve import Resolving

    wiring = run.wiring
    service = Resolving(store=wiring.store, recorder=wiring.recorder, clock=wiring.clock)
    trade_id, change = service.resolve(trade, word.lower(), reason)
    with wiring.store.read() as transaction:
        view = transaction.trades.views(TradeFilter(trade_ids=[trade_id]))[0]
    moved = None
    if change is not None and change.was.status is not change.now.status:
        moved = f"{change.was.status.value} → {change.now.status.value}"
    run.document(
        {
            "trade_id": trade_id,
            "status_change": moved,
            "changed": change is not None and change.public,
            "trade": trade_json(view),
        }
    )
    run.output.text(f"{moved or 'unchanged'}: {in_words(view)}")
    return 0
