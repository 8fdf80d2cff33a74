"""Every error raised on purpose: its exit code, its message, and what to do next."""

from __future__ import annotations


class OrdersyncError(Exception):
    """Something that could not be done, said to the person who asked for it.

    ``message`` says what happened and what is true now; ``remedy`` the next command.
    ``exit_code`` is the contract's number, ``kind`` its stable name in JSON.
    """

    exit_code = 1
    kind = "bug"

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class UsageError(OrdersyncError):
    """The caller asked for something that cannot be meant."""

    exit_code = 2
    kind = "usage"


class Declined(OrdersyncError):
    """The confirmation was declined, or could not be asked for."""

    exit_code = 2
    kind = "declined"


class PlacingFrozen(OrdersyncError):
    """Placing on this store is frozen until somebody looks."""

    exit_code = 2
    kind = "frozen"


class SettingsError(OrdersyncError):
    """A setting or the credentials file is wrong."""

    exit_code = 3
    kind = "settings"


class CredentialsRefused(OrdersyncError):
    """The venue refuses the credentials or their scope."""

    exit_code = 4
    kind = "credentials"


class OrderRefused(OrdersyncError):
    """The venue refused the order or a request about it."""

    exit_code = 5
    kind = "refused"


class VenueUnavailable(OrdersyncError):
    """The venue cannot be reached, fails, or limits the rate; nothing is at stake.

    ``retry_after`` is the venue's own wish in seconds, where it gave one.
    """

    exit_code = 6
    kind = "venue_unavailable"

    def __init__(self, message: str, remedy: str = "", *, retry_after: float | None = None) -> None:
        super().__init__(message, remedy)
        self.retry_after = retry_after


class BudgetExhausted(VenueUnavailable):
    """The shared request budget left nothing for this lane in time."""

    kind = "budget_exhausted"


class UnreadableAnswer(OrdersyncError):
    """The venue answered something that cannot be read."""

    exit_code = 7
    kind = "unreadable"


class OutcomeUnknown(OrdersyncError):
    """The order may exist; only the venue can tell."""

    exit_code = 8
    kind = "unknown"


class StoreError(OrdersyncError):
    """The store is unreachable, locked, or needs a migration."""

    exit_code = 9
    kind = "store"


class BreaksRemain(OrdersyncError):
    """Finished, and breaks remain or a target is missed."""

    exit_code = 10
    kind = "breaks"


class UnknownOrder(OrdersyncError):
    """Neither the store nor the venue knows this order."""

    exit_code = 11
    kind = "unknown_order"


class LeaseHeld(OrdersyncError):
    """Another run holds the lease."""

    exit_code = 12
    kind = "lease_held"


class LeaseLost(OrdersyncError):
    """Another process took the lease over; what this one was about to write is dropped."""

    exit_code = 12
    kind = "lease_lost"


class NotFilled(OrdersyncError):
    """Not filled within the wait, as --require-fill asked."""

    exit_code = 13
    kind = "not_filled"


class AlreadyKnown(StoreError):
    """The store has a trade with this client order id or order id already."""

    kind = "already_known"
