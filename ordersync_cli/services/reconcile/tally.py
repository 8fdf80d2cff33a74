"""Counts what a pass does, and writes each break in the transaction that found it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from ordersync_cli.domain.orders import Status
from ordersync_cli.domain.ruled_out import Difference
from ordersync_cli.domain.trade import Change
from ordersync_cli.services.lasting import break_key
from ordersync_cli.services.ports import StoredBreak, Transaction
from ordersync_cli.services.reconcile.acceptance import Accepted, accepted_breaks
from ordersync_cli.services.reconcile.differences import differences, edited_to
from ordersync_cli.services.reconcile.drift import Drift
from ordersync_cli.services.reconcile.explain import explain_change
from ordersync_cli.services.reconcile.pass_report import Detail, Found
from ordersync_cli.services.record import Recorded

INFO_FIRST = {"unknown_outcome": 300.0, "missing_fill": 600.0, "missing_at_venue": 300.0}  # seconds


@dataclass(slots=True)
class Tally:
    """What one pass has seen and changed so far. Holds no trade: 10,000 changes stay small."""

    now: datetime
    known: dict[tuple[str, str], StoredBreak] = field(default_factory=dict)  # open before this pass
    checked: set[int] = field(default_factory=set)
    answered: set[str] = field(default_factory=set)  # order ids that the venue showed
    details: dict[int, Detail] = field(default_factory=dict)
    found: dict[tuple[str, str], Found] = field(default_factory=dict)
    differed: set[int] = field(default_factory=set)  # trades that the venue shows otherwise
    drifted: set[int] = field(default_factory=set)  # those of them that were repaired
    drift: Drift = field(default_factory=Drift)
    explains: bool = False
    accepted: set[tuple[str, str]] = field(default_factory=set)  # found, and a person has accepted just that
    changed: set[Accepted] = field(default_factory=set)  # accepted, and found to say something else
    fills_added: int = 0
    adopted: list[str] = field(default_factory=list)  # order ids
    notes: list[str] = field(default_factory=list)

    def took(self, transaction: Transaction, recorded: Recorded, at: datetime) -> None:
        """Count what was recorded, and write its breaks inside the same transaction."""
        repaired: list[StoredBreak] = []
        for change in recorded.changes:
            self.fills_added += len(change.fills_added)
            different = differences(change)
            edited = edited_to(change)
            if not different and edited is None:
                continue
            trade_id = change.after.trade_id
            assert trade_id is not None
            if different:
                self.differed.add(trade_id)
            moved = tuple(d for d in different if not d.stands)
            if moved:
                self._drift(trade_id, change, moved, at)
            if moved or edited is not None:
                self._detail(trade_id, change, edited)
            for difference in different:
                found = _found(change, difference, at)
                if difference.stands:
                    self.see(transaction, found, at)
                    continue
                identity = (found.kind, found.key)
                earlier = self.found.get(identity) or self.known.get(identity)
                found = self._keep(found)
                if found.severity == "repaired":
                    if earlier is not None and earlier.severity != "repaired":  # what was open is mended now
                        transaction.breaks.resolve(found.key, [found.kind], at, "repaired")
                    repaired.append(_as_row(found, at))
                # what stays open the recorder has opened already, in this transaction (services/lasting.py)
        transaction.breaks.add(repaired)

    def see(self, transaction: Transaction, found: Found, at: datetime) -> None:
        """Count and write a break that is found again while nothing changes.

        Its age counts from when it was first seen, and some kinds are info while they are young.
        """
        if found.lasts and self._is_accepted(transaction, found):
            return
        earlier = self.known.get((found.kind, found.key))
        if earlier is not None:
            lasted = (at - earlier.first_seen).total_seconds()
            fresh = earlier.severity != found.severity
            found = replace(found, age_seconds=max(found.age_seconds, lasted), fresh=fresh)
        patience = INFO_FIRST.get(found.kind)
        if patience is not None and found.severity == "open" and found.age_seconds < patience:
            found = replace(found, severity="info")
        found = self._keep(found)
        if found.severity == "repaired":
            transaction.breaks.add([_as_row(found, at)])
        else:
            transaction.breaks.see(_as_row(found, at))

    def _is_accepted(self, transaction: Transaction, found: Found) -> bool:
        """Tell whether a person has accepted just this; read here, for that may have been during the pass."""
        if found.severity == "repaired":
            return False
        identity = (found.kind, found.key)
        known = accepted_breaks(transaction).get(identity)
        if known is None:
            return False
        if (known.stored, known.venue) != (found.stored, found.venue):
            self.changed.add(known)
            return False
        self.accepted.add(identity)
        return True

    def _keep(self, found: Found) -> Found:
        """Keep one break of a kind and key: what was stored before this pass, and the newest word of the venue."""
        before = self.found.get((found.kind, found.key))
        if before is not None and before.severity == "repaired" and before.stored is not None:
            found = replace(found, stored=before.stored)
        self.found[(found.kind, found.key)] = found
        return found

    def _detail(self, trade_id: int, change: Change, edited: str | None) -> None:
        now = change.now
        key = now.order_id or change.after.request.client_order_id or f"trade-{trade_id}"
        first = self.details.get(trade_id)
        explanation = explain_change(change) if self.explains else ()
        self.details[trade_id] = Detail(
            key=key,
            trade_id=trade_id,
            old_status=first.old_status if first else change.was.status.value,
            new_status=now.status.value,
            old_order_status=first.old_order_status if first else change.was.order_status.value,
            new_order_status=now.order_status.value,
            venue_status=now.venue_status,
            filled_size=now.figures.filled_size if now.figures else None,
            edited_to=edited or (first.edited_to if first else None),
            explanation=(first.explanation[:1] + explanation[1:]) if first else explanation,
        )

    def _drift(self, trade_id: int, change: Change, different: tuple[Difference, ...], at: datetime) -> None:
        if trade_id in self.drifted:
            return
        self.drifted.add(trade_id)
        settled = change.was.status is not Status.PENDING
        age = (at - change.venue_time).total_seconds() if change.venue_time is not None else 0.0
        kinds = ", ".join(d.kind for d in different)
        key = change.now.order_id or change.after.request.client_order_id or str(trade_id)
        self.drift.add(f"{key} ({kinds})", age_seconds=age, settled=settled)

    # ------------------------------------------------------------------ at the end

    def not_found_again(self) -> list[StoredBreak]:
        """List open rows of earlier passes that this one did not find."""
        return [row for identity, row in self.known.items() if identity not in self.found]

    def still_open(self, gone: set[tuple[str, str]]) -> list[Found]:
        """List breaks of earlier passes that are open still."""
        return [
            _as_found(row, self.now)
            for row in self.not_found_again()
            if row.severity == "open" and (row.kind, row.key) not in gone
        ]


def _found(change: Change, difference: Difference, at: datetime) -> Found:
    since = change.venue_time or change.now.filled_at
    trade = change.after
    return Found(
        kind=difference.kind,
        severity=difference.severity,
        key=break_key(change),
        order_id=change.now.order_id,
        trade_id=trade.trade_id,
        stored=difference.stored,
        venue=difference.venue,
        age_seconds=max(0.0, (at - since).total_seconds()) if since else 0.0,
        money_effect=difference.money_effect,
    )


def _as_row(found: Found, at: datetime) -> StoredBreak:
    repaired = found.severity == "repaired"
    return StoredBreak(
        break_id=None,
        kind=found.kind,
        severity=found.severity,
        key=found.key,
        order_id=found.order_id,
        trade_id=found.trade_id,
        stored=found.stored,
        venue=found.venue,
        money_effect=found.money_effect,
        first_seen=at,
        last_seen=at,
        resolved_at=at if repaired else None,
        resolution="repaired" if repaired else None,
    )


def _as_found(row: StoredBreak, at: datetime) -> Found:
    return Found(
        kind=row.kind,
        severity=row.severity,
        key=row.key,
        order_id=row.order_id,
        trade_id=row.trade_id,
        stored=row.stored,
        venue=row.venue,
        age_seconds=max(0.0, (at - row.first_seen).total_seconds()),
        money_effect=row.money_effect,
        fresh=False,
    )
