"""How trades look: the JSON of the contract, and the columns of a table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from ordersync_cli.domain.view import TradeView

COLUMNS = (
    "trade",
    "created",
    "bot",
    "product",
    "side",
    "type",
    "size",
    "price",
    "status",
    "order status",
    "filled",
    "average",
    "fees",
    "order id",
)
# What a narrow terminal goes without, the first ones first; `show` and --json have it all.
SPARE = ("fees", "average", "created", "type", "bot", "price", "size", "order status", "filled")
_NAMES = tuple(f.name for f in fields(TradeView))


def trade_json(view: TradeView) -> dict[str, Any]:
    """Give a trade as the contract's JSON (values still typed)."""
    return {name: getattr(view, name) for name in _NAMES}


def trade_rows(views: Iterable[TradeView]) -> Iterable[tuple[object, ...]]:
    """Give trades as rows of a table."""
    for view in views:
        yield (
            view.trade_id,
            view.created_at.strftime("%Y-%m-%d %H:%M:%S"),
            view.bot_id,
            view.product_id,
            view.side,
            view.order_type,
            view.size if view.size is not None else f"{view.size_usd:f} quote" if view.size_usd is not None else None,
            view.price,
            view.status,
            view.order_status,
            view.filled_size,
            view.average_filled_price,
            view.total_fees,
            view.order_id or view.client_order_id,
        )


def in_words(view: TradeView) -> str:
    """Say in one line where a trade stands."""
    name = view.order_id or view.client_order_id or f"trade {view.trade_id}"
    said = f"{name} {view.product_id} {view.side} {view.status} ({view.order_status})"
    if view.filled_size:
        said += f", filled {view.filled_size:f}"
        if view.average_filled_price:
            said += f" at {view.average_filled_price:f}"
    if view.total_fees:
        said += f", fees {view.total_fees:f}"
    if view.reason and view.status == "failed":
        said += f": {view.reason}"
    return said
