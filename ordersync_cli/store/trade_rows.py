"""Writes the public row of trades, in the order of their ids, beside whatever a bot wrote there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from ordersync_cli.domain.orders import Origin, Status
from ordersync_cli.domain.trade import Standing, Trade
from ordersync_cli.store.context import Context
from ordersync_cli.store.trade_columns import DERIVED, FACTS, KEPT, derived, facts, read_status

# product, side, creation and bot are the bot's own and stay as it wrote them
_ASKED = tuple(name for name in FACTS if name not in {"bot_id", "product_id", "side", "created_at"})
_TAKE_IN = f"UPDATE trades SET {', '.join(f'{name} = ?' for name in _ASKED)} WHERE id = ?"
_BOTS_OWN = {Origin.FOREIGN, Origin.IMPORTED}


@dataclass(frozen=True, slots=True)
class Final:
    """What one batch of changes made of one trade."""

    first: Trade
    trade: Trade
    standing: Standing


@cache
def _update(never_null: frozenset[str], *, postgres: bool) -> str:
    """Write the UPDATE of one row.

    Where the join knows no number, a bot's own stays, and counts as what we wrote; but one that is
    ours (the join knew it, and nobody wrote over it) goes with what the join knew.
    """
    same = "IS NOT DISTINCT FROM" if postgres else "IS"
    kept = []
    for name in KEPT:
        bots = name.removeprefix("written_")
        unknown = "0" if bots in never_null else "NULL"
        ours = f"{bots}_exact IS NOT NULL AND {bots} {same} written_{bots}"
        kept.append(f"{name} = COALESCE(?, CASE WHEN {ours} THEN {unknown} ELSE {bots} END)")
    return f"UPDATE trades SET {', '.join([*(f'{name} = ?' for name in DERIVED), *kept])} WHERE id = ?"


class TradeRows:
    """Updates rows inside one transaction."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._sql = context.sql
        self._update = _update(context.never_null, postgres=context.sql.postgres)

    def write(self, finals: Sequence[Final]) -> None:
        """Write what the join has decided of each trade."""
        sql, values = self._sql, self._sql.values
        taken = self._taken(finals)
        never_null = self._context.never_null & {"order_id"}  # a number that is not known stays as it is
        rows = []
        taken_in = []
        for final in finals:
            trade, standing = final.trade, final.standing
            if trade.trade_id in taken:
                standing = replace(standing, order_id=None)
            own_word = kept_word(self._context, trade, standing)
            rows.append((*derived(trade, standing, values, own_word, never_null), trade.trade_id))
            if trade.trade_id in self._context.unstored:
                asked = dict(zip(FACTS, facts(trade, values), strict=True))
                taken_in.append((*(asked[name] for name in _ASKED), trade.trade_id))
        sql.many(self._update, rows)
        sql.many(_TAKE_IN, taken_in)

    def _taken(self, finals: Sequence[Final]) -> set[int | None]:
        """Find trades whose order id is in another trade's row already.

        A reused client order id is answered with the old order's id (trap T13): until the order
        has been compared, two trades name it, and the row that had it first keeps it.
        """
        wants = [(f.standing.order_id, f.trade.trade_id) for f in finals if f.standing.order_id is not None]
        named = self._context.named
        owners = {order_id: trade_id for order_id, trade_id in wants if named.get(trade_id or 0) == order_id}
        asked = sorted({order_id for order_id, _ in wants} - owners.keys())
        if asked:
            # the index on order_id is partial, hence its own words
            text = f"SELECT order_id, id FROM trades WHERE {self._sql.among('order_id')} AND order_id <> ''"
            owners.update(self._sql.rows(text, (self._sql.values.several(asked),)))
        return {trade_id for order_id, trade_id in wants if owners.setdefault(order_id, trade_id) != trade_id}


def kept_word(context: Context, trade: Trade, standing: Standing) -> tuple[str, Any] | None:
    """Leave a bot's own `completed` or `failed` (and its filled_at) alone until the venue has said a word."""
    if trade.origin not in _BOTS_OWN or standing.status is not Status.PENDING:
        return None
    if trade.settled is not None or any(order.raw is not None for order in trade.orders):
        return None
    word, filled_at = context.own_words.get(trade.trade_id or 0, (None, None))
    return (word or "", filled_at) if read_status(word) != Status.PENDING else None
