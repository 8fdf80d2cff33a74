"""Puts alerts and notifications into the outbox, inside the transaction that they tell of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ordersync_cli.services.alerts.deliver import NOTIFICATION
from ordersync_cli.services.alerts.incidents import IncidentBook, cause_of
from ordersync_cli.services.plain import plain
from ordersync_cli.services.record import is_news, status_update

if TYPE_CHECKING:
    from ordersync_cli.clock import Clock
    from ordersync_cli.domain.trade import Alarm
    from ordersync_cli.services.ports import TradeEvent, Transaction


@dataclass(frozen=True, slots=True)
class Announcer:
    """What the Recorder calls inside each transaction; ``notify`` when a webhook is configured."""

    clock: Clock
    book: IncidentBook
    notify: bool = False

    def __call__(self, transaction: Transaction, alarms: Sequence[Alarm], events: Sequence[TradeEvent]) -> None:
        """Queue one notification for each event, and raise the incidents of the alarms."""
        if self.notify:
            for event in filter(is_news, events):
                key = f"trade:{event.trade_id}"
                body = notification_body(event, simulated=self.book.simulated)
                transaction.outbox.put(NOTIFICATION, key, event.event_id, body, event.committed_at)
        if alarms:
            self.book.raise_all(transaction, [cause_of(a) for a in alarms], self.clock.now())


def notification_body(event: TradeEvent, *, simulated: bool) -> dict[str, Any]:
    """Build the JSON that a webhook gets for a committed change."""
    body: dict[str, Any] = plain(status_update(event))
    return {**body, "simulated": simulated}
