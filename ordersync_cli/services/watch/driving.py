"""Who drives: one watcher on a store holds the lease, the others stand by and take over when it dies."""

from __future__ import annotations

from dataclasses import dataclass, field

from ordersync_cli.services.ports import Lease, Leases

DRIVER = "driver"
BEAT_EVERY = 1.0  # seconds
TRY_EVERY = 0.5  # seconds between a stander-by's looks at the lease


@dataclass(slots=True)
class DriverSeat:
    """Our claim on the driver lease."""

    leases: Leases
    holder: str
    lease: Lease | None = field(default=None, init=False)
    _next: float = field(default=float("-inf"), init=False)

    @property
    def driving(self) -> bool:
        """Tell whether this watcher drives."""
        return self.lease is not None

    def turn(self, mono: float) -> bool:
        """Beat the lease, or try for it, when that is due; True when the role changed.

        Raises StoreError where the store cannot be reached: the role stays what it was, and
        whoever takes over meanwhile is protected by the token.
        """
        if mono < self._next:
            return False
        if self.lease is not None:
            self._next = mono + BEAT_EVERY
            if self.leases.beat(self.lease):
                return False
            self.lease = None
            self._next = mono + TRY_EVERY
            return True
        self._next = mono + TRY_EVERY
        self.lease = self.leases.acquire(DRIVER, self.holder, 0.0)
        if self.lease is not None:
            self._next = mono + BEAT_EVERY
        return self.lease is not None

    def lost(self) -> None:
        """Give up the role: a write was refused because another watcher drives."""
        self.lease = None

    def leave(self) -> None:
        """Release the lease, so that a stander-by need not wait for the beat to stand still."""
        if self.lease is not None:
            self.leases.release(self.lease)
            self.lease = None

    def wait(self, mono: float) -> float:
        """Tell how many seconds until the next beat or try."""
        return max(0.0, self._next - mono)
