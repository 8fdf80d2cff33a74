"""Settle by hand what the venue can no longer tell; the venue's own word outranks it later."""

from __future__ import annotations

from dataclasses import dataclass

from ordersync_cli.clock import Clock
from ordersync_cli.domain.observations import SettledByHand
from ordersync_cli.domain.orders import OrderStatus, Source
from ordersync_cli.domain.standing import derive
from ordersync_cli.domain.trade import Change
from ordersync_cli.errors import UnknownOrder, UsageError
from ordersync_cli.services.find import only_trade_id_of
from ordersync_cli.services.ports import Store
from ordersync_cli.services.record import Recorder

WORDS = (
    OrderStatus.FILLED,
    OrderStatus.CANCELLED,
    OrderStatus.EXPIRED,
    OrderStatus.FAILED,
    OrderStatus.NOT_PLACED,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolving:
    """Settles trades of one store by hand."""

    store: Store
    recorder: Recorder
    clock: Clock

    def resolve(self, wanted: str, word: str, reason: str) -> tuple[int, Change | None]:
        """Settle a trade as ``word``; returns its id and what changed.

        Raises UsageError for a word that ends nothing, for an empty reason, and for a trade
        that the venue has ended already; UnknownOrder (11) for one the store does not hold.
        """
        if word not in {w.value for w in WORDS}:
            raise UsageError(
                f"{word} does not end a trade. Nothing was changed.",
                "Use one of: " + ", ".join(w.value for w in WORDS) + ".",
            )
        if not reason.strip():
            raise UsageError("A reason is needed. Nothing was changed.", "Say why with --reason.")
        with self.store.write() as transaction:
            trade_id = only_trade_id_of(transaction, wanted)
            if trade_id is None:
                raise UnknownOrder(
                    f"The store holds no trade {wanted}. Nothing was changed.",
                    "See `ordersync list`.",
                )
            # A bot's row without a readable side is never followed, so nobody but the user can end it; and the
            # side decides nothing here: the row names its order by id, and no figure is made of a side.
            trade = transaction.trades.load([trade_id], sideless=True)[trade_id]
            standing = derive(trade)
            if standing.terminal and trade.settled is None:
                raise UsageError(
                    f"Trade {trade_id} has ended already ({standing.order_status.value}); nothing was changed.",
                    f"ordersync show trade:{trade_id}",
                )
            settled = SettledByHand(word=word, reason=reason.strip(), at=self.clock.now())
            recorded = self.recorder.about_in(transaction, {trade_id: [settled]}, source=Source.SYNC)
        return trade_id, recorded.changes[-1] if recorded.changes else None
