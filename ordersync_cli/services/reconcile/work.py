"""What the steps of one pass share: where they look, where they write, what they counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from ordersync_cli.clock import Chance, Clock
from ordersync_cli.domain.observations import FillsSeen, Observation, OrderSeen
from ordersync_cli.domain.orders import Source
from ordersync_cli.domain.trade import Alarm, Change
from ordersync_cli.services.ports import Lane, Lease, Quarantined, Store, Transaction, Venue
from ordersync_cli.services.reconcile import drift
from ordersync_cli.services.reconcile.looks import Looked, Looker
from ordersync_cli.services.reconcile.pass_report import Found
from ordersync_cli.services.reconcile.pulse import Pulse
from ordersync_cli.services.reconcile.tally import Tally
from ordersync_cli.services.record import Recorded, Recorder

Then = Callable[[Transaction, Recorded], None]
ROWS_AT_ONCE = 100  # observations in one transaction: short enough for a place or a frame beside it


@dataclass(slots=True, kw_only=True)
class Work:
    """One pass under way. ``dry`` means that ``store`` keeps nothing and no order is touched."""

    run_id: str
    store: Store
    venue: Venue
    recorder: Recorder
    clock: Clock
    chance: Chance
    lane: Lane
    looker: Looker
    pulse: Pulse
    tally: Tally
    mode: str
    started_at: datetime
    lease: Lease | None = None
    source: Source = Source.RECONCILE
    dry: bool = False

    def record(
        self, observations: Sequence[OrderSeen | FillsSeen], then: Then | None = None, *, each: Then | None = None
    ) -> Recorded:
        """Commit what the venue said of any orders, with what belongs to the same moment.

        ``each`` runs inside every transaction, with what that one recorded; after it ``then``,
        inside the transaction of the last rows. Neither may ask the venue.
        """
        self.pulse.step()
        changes: list[Change] = []
        external: list[OrderSeen] = []
        chunks = [observations[i : i + ROWS_AT_ONCE] for i in range(0, len(observations), ROWS_AT_ONCE)] or [()]
        for chunk in chunks:
            with self.store.write() as transaction:
                recorded = self.recorder.seen_in(transaction, chunk, source=self.source)
                self._count(transaction, recorded)
                if each is not None:
                    each(transaction, recorded)
                if then is not None and chunk is chunks[-1]:
                    then(transaction, recorded)
            changes += recorded.changes
            external += recorded.external
        return Recorded(changes=tuple(changes), external=tuple(external))

    def record_about(self, grouped: Mapping[int, Sequence[Observation]], then: Then | None = None) -> Recorded:
        """Commit what is known of known trades."""
        self.pulse.step()
        with self.store.write() as transaction:
            by_trade = {k: list(v) for k, v in grouped.items()}
            recorded = self.recorder.about_in(transaction, by_trade, source=self.source)
            self._count(transaction, recorded)
            if then is not None:
                then(transaction, recorded)
        return recorded

    def _count(self, transaction: Transaction, recorded: Recorded) -> None:
        before = (self.tally.drift.settled, self.tally.drift.late)
        self.tally.took(transaction, recorded, self.clock.now())
        if self.lease is not None and before != (self.tally.drift.settled, self.tally.drift.late):
            drift.keep(transaction, self.mode, self.tally.drift)

    def looked(self, part: Looked, *, each: Then | None = None) -> Recorded:
        """Commit one answered batch of look-ups, and sound the alarm for rows that cannot be read."""
        self.tally.answered.update(o.order_id for o in part.orders)
        if not part.orders and not part.quarantined:
            return Recorded()
        return self.record(part.orders, self.unreadable(part.quarantined), each=each)

    def unreadable(self, rows: Iterable[Quarantined]) -> Then | None:
        """Make the alarm for rows of a page that could not be read (trap T37)."""
        alarms = [
            Alarm(
                rule="unreadable_message",
                severity="warning",
                message=f"{row.where} of {row.order_id or 'an order'} cannot be read: {row.problem}",
                order_id=row.order_id,
            )
            for row in rows
        ]
        if not alarms:
            return None
        return lambda transaction, _: self.recorder.announce(transaction, alarms, [])

    def report(self, found: Sequence[Found]) -> None:
        """Write breaks that no change tells of."""
        at = self.clock.now()
        for start in range(0, len(found), ROWS_AT_ONCE):
            with self.store.write() as transaction:
                for one in found[start : start + ROWS_AT_ONCE]:
                    self.tally.see(transaction, one, at)

    def alarm(self, transaction: Transaction, rule: str, severity: str, message: str, order_id: str | None) -> None:
        """Put an alarm into the transaction's outbox."""
        self.recorder.announce(
            transaction, [Alarm(rule=rule, severity=severity, message=message, order_id=order_id)], []
        )
