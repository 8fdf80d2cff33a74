"""What a trap test is held against: ordersync's core, or something simpler that must fail it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from ordersync_cli.domain.absence import proof_of
from ordersync_cli.domain.lifecycle import observe
from ordersync_cli.domain.observations import AbsenceProven, Look, Observation
from ordersync_cli.domain.orders import Source
from ordersync_cli.domain.standing import derive
from ordersync_cli.domain.trade import Alarm, Trade
from ordersync_cli.domain.view import TradeView, view
from tests.unit.domain.builders import s


class Subject(Protocol):
    """One trade, kept by somebody: feed it, read its row."""

    alarms: list[str]

    def start(self, trade: Trade) -> None: ...

    def feed(self, *observations: Observation) -> None: ...

    def not_found(self) -> None:
        """The venue answered 404 for this order."""

    def absent(self, looks: Sequence[Look], *, not_after: datetime, at: datetime) -> bool: ...

    @property
    def row(self) -> Any: ...


class Core:
    """ordersync's own join."""

    def __init__(self) -> None:
        self.trade: Trade | None = None
        self.alarms: list[str] = []
        self.heard: list[Alarm] = []

    def start(self, trade: Trade) -> None:
        self.trade = trade

    def feed(self, *observations: Observation) -> None:
        for observation in observations:
            assert self.trade is not None
            change = observe(self.trade, observation, source=Source.POLL, at=s(500))
            self.trade = change.after
            self.heard += change.alarms
            self.alarms += [alarm.rule for alarm in change.alarms]

    def not_found(self) -> None:
        """A 404 is no observation: absence has a proof of its own."""

    def absent(self, looks: Sequence[Look], *, not_after: datetime, at: datetime) -> bool:
        return isinstance(proof_of(looks, attempt=1, not_after=not_after, at=at), AbsenceProven)

    @property
    def row(self) -> TradeView:
        assert self.trade is not None
        return view(self.trade, derive(self.trade))
