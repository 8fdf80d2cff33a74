"""The table of trades of one transaction: loading, listing, writing, and the audit."""

from __future__ import annotations

from ordersync_cli.store.context import Context
from ordersync_cli.store.trade_events import TradeEvents
from ordersync_cli.store.trade_lists import TradeLists
from ordersync_cli.store.trade_reads import TradeReads
from ordersync_cli.store.trade_writes import TradeWrites


class Trades(TradeReads, TradeLists, TradeWrites, TradeEvents):
    """What services see of the trades (the port `TradeTable`)."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
