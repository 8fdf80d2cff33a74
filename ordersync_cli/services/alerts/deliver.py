"""Delivers the outbox: at least once, in order for each key, and never before the commit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from ordersync_cli.errors import LeaseLost

if TYPE_CHECKING:
    from ordersync_cli.clock import Chance, Clock
    from ordersync_cli.services.ports import Delivery, Lease, Store

NOTIFICATION = "notification"  # the sink of `trade_status_update`s
OUTBOX_LEASE = "outbox"
_BATCH = 50
_FLUSH_AFTER = 1.0  # seconds: the lease's beat must move well within its 4 s
_FIRST_RETRY = 1.0
_LONGEST_RETRY = 300.0


class DeliveryFailed(Exception):
    """A sink did not take a message; ``problem`` holds no secret.

    ``sink_down``: nothing else will get through to it either (no connection, 5xx, 429), so the
    rest is left alone for now. ``retry_after`` is the sink's own wish in seconds.
    """

    def __init__(self, problem: str, *, sink_down: bool, retry_after: float | None = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.sink_down = sink_down
        self.retry_after = retry_after


class Sink(Protocol):
    """Where messages go: a webhook, Slack, apprise, the log."""

    def send(self, delivery: Delivery) -> None:
        """Hand over one message; raises DeliveryFailed unless the other side took it."""
        ...

    def close(self) -> None:
        """Let go of connections; the next send opens new ones."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRound:
    """What one round delivered; ``problems`` has the last one of each sink that failed."""

    delivered: int = 0
    failed: int = 0
    problems: Mapping[str, str] = field(default_factory=dict)
    skipped: bool = False  # another process holds the outbox


@dataclass(slots=True)
class _Outcome:
    delivered: list[int] = field(default_factory=list)
    failed: list[tuple[int, float, str]] = field(default_factory=list)


class Deliverer:
    """Sends what is due to the sinks that this process knows; several processes share the work.

    A round holds the outbox lease, and what it delivered is marked under its fence: a process
    that was paused and overtaken repeats messages at worst, and marks nothing.
    """

    def __init__(self, store: Store, clock: Clock, chance: Chance, sinks: Mapping[str, Sink], holder: str) -> None:
        self._store = store
        self._clock = clock
        self._chance = chance
        self._sinks = dict(sinks)
        self._holder = holder
        self._not_before: dict[str, float] = {}

    def run_once(self, *, wait: float = 0.0, at_most: float = 20.0) -> DeliveryRound:
        """Deliver what is due, for ``at_most`` seconds; waits that long for the lease.

        One quick read when nothing is due. Raises StoreError where the store fails.
        """
        sinks = self._ready()
        if not sinks or not self._due(sinks, 1):
            return DeliveryRound()
        lease = self._store.leases.acquire(OUTBOX_LEASE, self._holder, wait)
        if lease is None:
            return DeliveryRound(skipped=True)
        try:
            return self._deliver(lease, self._clock.monotonic() + at_most)
        except LeaseLost:  # we were paused and overtaken: who holds it now sends what we did not mark
            return DeliveryRound(skipped=True)
        finally:
            for sink in self._sinks.values():
                sink.close()
            self._store.leases.release(lease)

    def _ready(self) -> list[str]:
        now = self._clock.monotonic()
        return [s for s in self._sinks if self._not_before.get(s, now) <= now]

    def _due(self, sinks: list[str], limit: int) -> list[Delivery]:
        with self._store.read() as reading:
            return reading.outbox.due(self._clock.now(), limit, sinks)

    def _deliver(self, lease: Lease, until: float) -> DeliveryRound:
        delivered = failed = 0
        problems: dict[str, str] = {}
        while self._clock.monotonic() < until:
            sinks = self._ready()
            batch = self._due(sinks, _BATCH) if sinks else []
            if not batch:
                break
            outcome = self._send(batch, problems)
            self._mark(lease, outcome)
            delivered += len(outcome.delivered)
            failed += len(outcome.failed)
            if not self._store.leases.beat(lease):
                break
        return DeliveryRound(delivered=delivered, failed=failed, problems=problems)

    def _send(self, batch: list[Delivery], problems: dict[str, str]) -> _Outcome:
        outcome = _Outcome()
        started = self._clock.monotonic()
        for delivery in batch:
            if self._clock.monotonic() - started > _FLUSH_AFTER:
                break
            if delivery.sink not in self._ready():
                continue
            try:
                self._sinks[delivery.sink].send(delivery)
            except DeliveryFailed as failure:
                problems[delivery.sink] = failure.problem
                pause = self._pause(delivery.attempts, failure.retry_after)
                outcome.failed.append((delivery.delivery_id, pause, failure.problem))
                if failure.sink_down:
                    self._not_before[delivery.sink] = self._clock.monotonic() + pause
            else:
                outcome.delivered.append(delivery.delivery_id)
        return outcome

    def _pause(self, attempts: int, retry_after: float | None) -> float:
        longest = min(_LONGEST_RETRY, _FIRST_RETRY * 2.0 ** min(attempts, 16))
        pause = self._chance.uniform(longest / 2, longest)
        return max(pause, min(retry_after or 0.0, _LONGEST_RETRY))

    def _mark(self, lease: Lease, outcome: _Outcome) -> None:
        now = self._clock.now()
        with self._store.write() as writing:
            writing.fence(lease)
            for delivery_id in outcome.delivered:
                writing.outbox.delivered(delivery_id, now)
            for delivery_id, pause, problem in outcome.failed:
                writing.outbox.failed(delivery_id, now + timedelta(seconds=pause), problem)
