"""Bring one order up to the venue's truth, by hand, and tell why it now reads as it does."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ordersync_cli.clock import Chance, Clock
from ordersync_cli.domain.observations import OrderSeen
from ordersync_cli.domain.orders import OrderStatus, Source
from ordersync_cli.domain.standing import derive
from ordersync_cli.domain.view import TradeView
from ordersync_cli.errors import BreaksRemain, OrderRefused, UnknownOrder, UnreadableAnswer
from ordersync_cli.services.find import trade_id_of
from ordersync_cli.services.ports import Lane, Store, TradeFilter, Venue
from ordersync_cli.services.reconcile.adoption import adopt_in
from ordersync_cli.services.reconcile.closing import close_pass
from ordersync_cli.services.reconcile.explain import explain_trade, standing_text
from ordersync_cli.services.reconcile.light import LightPass
from ordersync_cli.services.reconcile.pass_report import Detail
from ordersync_cli.services.reconcile.preparing import Means, prepare
from ordersync_cli.services.reconcile.pulse import Pulse
from ordersync_cli.services.reconcile.work import Work
from ordersync_cli.services.record import Recorder
from ordersync_cli.services.sideless import sideless, way_out

SYNC = "sync"


@dataclass(frozen=True, slots=True, kw_only=True)
class Synced:
    """What became of it: ``success`` is False where the order could not be settled either way."""

    success: bool
    exit_code: int
    message: str
    order_id: str | None
    view: TradeView | None
    status_change: str | None
    changed: bool
    coinbase_status: str | None
    explanation: tuple[str, ...]

    def json(self) -> dict[str, Any]:
        """Give the contract's document, values still typed."""
        trade = None if self.view is None else asdict(self.view)
        if trade is not None and trade["trade_id"] < 0:  # a dry run cannot know a new row's id
            trade["trade_id"] = None
        return {
            "success": self.success,
            "order_id": self.order_id,
            "trade_id": None if trade is None else trade["trade_id"],
            "status_change": self.status_change,
            "changed": self.changed,
            "coinbase_status": self.coinbase_status,
            "updated_at": None if self.view is None else self.view.updated_at,
            "explanation": list(self.explanation),
            "trade": trade,
        }


@dataclass(slots=True, kw_only=True)
class Syncing:
    """Syncs orders of one store with one venue."""

    store: Store
    venue: Venue
    recorder: Recorder
    clock: Clock
    chance: Chance

    def sync(self, wanted: str, *, adopt: bool = False, dry_run: bool = False) -> Synced:
        """Sync the order that this id means: the venue's, our client order id, or the trade's number.

        Raises UnknownOrder (11) where nobody knows it, BreaksRemain (10) for a bot's row without a
        readable side, and whatever a failed look-up raises.
        """
        work = self._work(dry=dry_run)
        with work.store.read() as transaction:
            trade_id = trade_id_of(transaction, wanted)
            why = None if trade_id is None else sideless(transaction, trade_id)
        if trade_id is not None and why is not None:
            raise BreaksRemain(f"Nothing was asked: {why}.", way_out(trade_id))
        if trade_id is None:
            seen = self._ask(wanted)
            trade_id = self._owner(work, seen, adopt=adopt)
            if trade_id is None:
                return self._external(seen)
        light = LightPass(work=work, only=frozenset({trade_id}))
        light.run()
        close_pass(work, requests=0)
        if light.followed.unanswered:
            raise UnreadableAnswer(
                f"The venue's row of {wanted} cannot be read; the stored trade {trade_id} was left as it is.",
                f"ordersync show trade:{trade_id}",
            )
        return self._result(work, trade_id, missing=bool(light.followed.missing))

    def _work(self, *, dry: bool) -> Work:
        means = Means(store=self.store, venue=self.venue, recorder=self.recorder, clock=self.clock, chance=self.chance)
        pulse = Pulse(self.store.leases, None, self.clock)
        run_id = self.chance.uuid()
        return prepare(
            means, run_id=run_id, mode=SYNC, lane=Lane.SYNC, source=Source.SYNC, pulse=pulse, dry=dry, explain=True
        )

    def _ask(self, wanted: str) -> OrderSeen:
        """Ask the venue for an id that the store does not know."""
        try:
            seen = self.venue.order(wanted, Lane.SYNC)
        except OrderRefused:  # not even the form of an order id
            seen = None
        if seen is None:
            raise UnknownOrder(
                f"Neither the store nor {self.venue.name} knows the order {wanted}. Nothing was changed.",
                "See `ordersync list`; an order whose answer was lost is known by its client order id.",
            )
        return seen

    def _owner(self, work: Work, seen: OrderSeen, *, adopt: bool) -> int | None:
        """Find whose order it is after all, or take it in where that was asked for."""
        work.record([seen])
        with work.store.write() as transaction:
            found = transaction.trades.ids_of(order_ids=[seen.order_id])
            if seen.order_id in found or not adopt:
                return found.get(seen.order_id)
            added = adopt_in(transaction, seen, at=self.clock.now(), source=Source.SYNC, recorder=work.recorder)
            work.tally.adopted += [] if added is None else [seen.order_id]
            return None if added is None else added.trade_id

    def _external(self, seen: OrderSeen) -> Synced:
        filled = "" if seen.figures is None else f", filled {seen.figures.filled_size:f}"
        return Synced(
            success=False,
            exit_code=10,
            message=(
                f"Order {seen.order_id} exists at the venue ({seen.word}{filled}), but was not placed through this "
                f"store; it was left alone. Next: ordersync sync {seen.order_id} --adopt"
            ),
            order_id=seen.order_id,
            view=None,
            status_change=None,
            changed=False,
            coinbase_status=seen.word,
            explanation=(
                "stored: nothing; no trade claims this order",
                f"said: REST at {seen.as_of:%Y-%m-%dT%H:%M:%S.%fZ}: {seen.word}{filled}",
                "rule: an external order is taken in only when somebody asks for it (--adopt)",
                "written: nothing",
            ),
        )

    def _result(self, work: Work, trade_id: int, *, missing: bool) -> Synced:
        with work.store.read() as transaction:
            (view,) = transaction.trades.views(TradeFilter(trade_ids=[trade_id]))
            trade = transaction.trades.load([trade_id], lock=False)[trade_id]
        detail = work.tally.details.get(trade_id)
        standing = derive(trade)
        unknown = view.order_status == OrderStatus.SUBMITTING
        explanation = detail.explanation if detail else explain_trade(trade, standing)
        if work.tally.adopted:
            explanation = (
                "stored: nothing; no trade claimed this order",
                *(line for line in explanation if not line.startswith(("stored:", "written:"))),
                f"written: a new trade, {standing_text(standing)}",
            )
        return Synced(
            success=not (unknown or missing),
            exit_code=8 if unknown or missing else 0,
            message=_message(view, missing=missing, unknown=unknown),
            order_id=view.order_id,
            view=view,
            status_change=_status_change(detail),
            changed=detail is not None or work.tally.fills_added > 0 or bool(work.tally.adopted),
            coinbase_status=view.venue_status,
            explanation=(*explanation, *work.tally.notes),
        )


def _status_change(detail: Detail | None) -> str | None:
    if detail is None or detail.old_status == detail.new_status:
        return None
    return f"{detail.old_status} → {detail.new_status}"


def _message(view: TradeView, *, missing: bool, unknown: bool) -> str:
    if missing:
        return (
            f"The venue says that it has no order {view.order_id}; trade {view.trade_id} stays {view.status}. "
            f"If that is final: ordersync resolve {view.order_id} --as WORD --reason TEXT"
        )
    if unknown:
        return (
            f"The outcome of trade {view.trade_id} ({view.client_order_id}) is still unknown: no order of it was "
            "seen, and its absence is not proven. It stays pending. Run it again in half a minute."
        )
    return ""
