"""The proof that an order never reached the venue: enough complete looks after its token died.

The rules stand in decision record 0003. One look that does not count never hurts the others;
one look that holds the order is an observation and ends the matter by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ordersync_cli.domain.merge import look_key
from ordersync_cli.domain.observations import AbsenceProven, Look

LOOKS_NEEDED = 3
LOOKS_OVER = timedelta(seconds=60)
TOKEN_DEAD_FOR = timedelta(seconds=30)
WINDOW_BEFORE = timedelta(hours=1)
PAUSE = LOOKS_OVER / (LOOKS_NEEDED - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """The newest order known to be accepted before the attempt: a true listing must hold it."""

    order_id: str
    created_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """How one listing of orders went, as its maker saw it; times on the venue's clock.

    ``rows`` counts what was read; ``order_ids`` of them. ``can_list``: the key is known, by
    other means, to be able to list orders. ``unexplained_fill``: the venue shows a fill of that
    product and side since the attempt that no known order accounts for.
    """

    started_at: datetime
    window_start: datetime
    rows: int
    order_ids: frozenset[str]
    every_page_read: bool
    quarantined: int = 0
    filtered: bool = False
    own_portfolio: bool = True
    holds_order: bool = False
    can_list: bool = False
    unexplained_fill: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NotYet:
    """Why absence is not proven yet, and when (venue clock) the next look makes sense."""

    why: str
    next_look_at: datetime
    counted: int


def window_start(attempt_here: datetime, attempt_there: datetime, control: Control | None = None) -> datetime:
    """Tell where a listing must begin: an hour before the attempt on either clock.

    It reaches back to the positive control, so that a listing that is cut short shows.
    """
    start = min(attempt_here, attempt_there) - WINDOW_BEFORE
    return start if control is None else min(start, control.created_time)


def objection(listing: Listing, *, not_after: datetime, needed_start: datetime, control: Control | None) -> str | None:
    """Tell why a listing proves nothing; None when it counts as a look."""
    reasons = (
        (listing.holds_order, "the order is in it"),
        (not listing.own_portfolio, "the key's portfolio is not the store's"),
        (not listing.every_page_read, "not every page could be read"),
        (listing.quarantined > 0, "a row could not be read"),
        (listing.filtered, "it was filtered by status or product"),
        (listing.window_start > needed_start, "it does not reach back far enough"),
        (listing.started_at <= not_after + TOKEN_DEAD_FOR, "the request could still be alive"),
        (listing.unexplained_fill, "there is a fill that no known order explains"),
        (not _control_shows(listing, control), _missing(control)),
    )
    return next((why for applies, why in reasons if applies), None)


def look_of(listing: Listing, control: Control | None) -> Look:
    """Turn a listing that counts into the look that is recorded with the verdict."""
    return Look(
        started_at=listing.started_at,
        window_start=listing.window_start,
        rows=listing.rows,
        positive_control=control.order_id if control is not None else None,
    )


def proof_of(looks: Sequence[Look], *, attempt: int, not_after: datetime, at: datetime) -> AbsenceProven | NotYet:
    """Weigh the looks that counted: at least 3, over at least 60 s, all after the token's death.

    ``at`` is now on the venue's clock; the answer is the proof, or when to look again.
    """
    alive_until = not_after + TOKEN_DEAD_FOR
    counting = sorted({look for look in looks if look.started_at > alive_until}, key=look_key)
    if not counting:
        return NotYet(why="no look since the request expired", counted=0, next_look_at=max(at, _after(alive_until)))
    first, last = counting[0].started_at, counting[-1].started_at
    enough, long_enough = len(counting) >= LOOKS_NEEDED, last - first >= LOOKS_OVER
    if enough and long_enough:
        return AbsenceProven(attempt=attempt, at=at, looks=tuple(counting))
    done_at = first + LOOKS_OVER
    next_at = done_at if len(counting) >= LOOKS_NEEDED - 1 else last + PAUSE
    why = f"{len(counting)} of {LOOKS_NEEDED} looks over {(last - first).total_seconds():.0f} of 60 s"
    return NotYet(why=why, counted=len(counting), next_look_at=max(at, next_at))


def _after(moment: datetime) -> datetime:
    return moment + timedelta(milliseconds=1)


def _control_shows(listing: Listing, control: Control | None) -> bool:
    if control is not None:
        return control.order_id in listing.order_ids
    return listing.rows > 0 or listing.can_list


def _missing(control: Control | None) -> str:
    if control is None:
        return "it is empty, and nothing shows that the key can list orders"
    return f"it does not hold {control.order_id}, which is known to exist"
