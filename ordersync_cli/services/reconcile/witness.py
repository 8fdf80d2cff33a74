"""Balances as a third witness: a note where what a currency moved by is not what the fills say."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from ordersync_cli.domain.fills import ADJUSTMENTS, base_size, quote_value
from ordersync_cli.domain.orders import ZERO, Fill, Side
from ordersync_cli.errors import CredentialsRefused, OrderRefused, UnreadableAnswer
from ordersync_cli.services.ports import FillPage
from ordersync_cli.services.reconcile.work import Work
from ordersync_cli.services.record import Recorded

_NOTE = "balances"


@dataclass(slots=True)
class Witness:
    """Adds up the fills since the last deep pass; says where the balances disagree, repairs nothing.

    Deposits, withdrawals and conversions move balances without fills, so a note is no break.
    """

    work: Work
    since: datetime | None = field(init=False)
    before: dict[str, Decimal] = field(init=False)
    _seen: set[str] = field(default_factory=set, init=False)
    _moved: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal), init=False)
    _clear: bool = field(default=True, init=False)

    def __post_init__(self) -> None:
        with self.work.store.read() as transaction:
            noted = json.loads(transaction.notes.get(_NOTE) or "{}")
        self.since = datetime.fromisoformat(noted["at"]) if noted else None
        self.before = {k: Decimal(v) for k, v in noted.get("totals", {}).items()}

    def took(self, page: FillPage, _: Recorded) -> None:
        """Add the fills of a page, each once."""
        for fill in page.fills:
            if self.since is None or fill.sequence_timestamp < self.since or fill.entry_id in self._seen:
                continue
            self._seen.add(fill.entry_id)
            self._add(fill)

    def _add(self, fill: Fill) -> None:
        if fill.trade_type in ADJUSTMENTS or fill.side is None:
            self._clear = False  # nobody has seen the signs of these
            return
        base, _, quote = fill.product_id.rpartition("-")
        sign = 1 if fill.side is Side.BUY else -1
        self._moved[base] += sign * base_size(fill)
        self._moved[quote] -= sign * quote_value(fill) + fill.commission

    def note(self) -> None:
        """Compare, note what is unexplained, and keep the balances for the next deep pass."""
        at = self.work.venue.now()
        try:
            balances = self.work.venue.balances(self.work.lane)
        except (CredentialsRefused, OrderRefused, UnreadableAnswer):
            return  # the key does not allow it, or this server does not know it
        totals: dict[str, Decimal] = defaultdict(Decimal)
        for balance in balances:
            totals[balance.currency] += balance.available + balance.hold
        if self.since is not None and self._clear:
            self.work.tally.notes += self._unexplained(totals)
        kept = {"at": at.isoformat(), "totals": {k: str(v) for k, v in sorted(totals.items()) if v != ZERO}}
        with self.work.store.write() as transaction:
            transaction.notes.set(_NOTE, json.dumps(kept))

    def _unexplained(self, totals: dict[str, Decimal]) -> list[str]:
        notes = []
        for currency in sorted({*totals, *self.before}):
            moved = totals.get(currency, ZERO) - self.before.get(currency, ZERO)
            told = self._moved.get(currency, ZERO)
            if moved != told:
                notes.append(
                    f"balances: {currency} moved by {moved:f} since {self.since:%Y-%m-%dT%H:%M:%SZ}, "
                    f"the fills listed since then by {told:f} (a deposit, a withdrawal, or a fill under way)"
                )
        return notes
