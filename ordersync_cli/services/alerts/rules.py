"""The alert rules: which causes of alarm a situation holds, as a pure function of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from ordersync_cli.domain.orders import OrderStatus, OrderType, Status
from ordersync_cli.services.alerts.situation import (
    ALERTED_BREAKS,
    EACH_COUNTS,
    WHOLE,
    AlertLimits,
    Cause,
    Situation,
    StoreFacts,
)

if TYPE_CHECKING:
    from ordersync_cli.domain.view import TradeView

OpenKeys = Collection[tuple[str, str]]


def causes(
    situation: Situation, facts: StoreFacts, limits: AlertLimits, open_keys: OpenKeys = frozenset()
) -> list[Cause]:
    """List every cause that holds now, orders of one rule grouped where they are many.

    ``open_keys`` are the (rule, key) of open incidents: what has an incident of its own keeps it.
    """
    found: list[Cause] = []
    if situation.pending_known:
        for rule in _BY_ORDER:
            found += grouped([*rule(situation, limits)], limits.group_above, open_keys)
    found += grouped([*_breaks(facts, open_keys)], limits.group_above, open_keys)
    for single in (_feed(situation, limits), _venue(situation, limits), _outbox(situation, facts, limits)):
        found += [single] if single else []
    found += _runs(situation, facts, limits)
    found += _moments(situation, limits)
    return found


def grouped(found: Sequence[Cause], above: int, open_keys: OpenKeys = frozenset()) -> list[Cause]:
    """Keep up to ``above`` causes of each rule apart; fold the rest of a larger number into one."""
    result: list[Cause] = []
    for rule in dict.fromkeys(c.rule for c in found):
        result += _fold([c for c in found if c.rule == rule], above, open_keys)
    return result


def _fold(found: Sequence[Cause], above: int, open_keys: OpenKeys) -> list[Cause]:
    rule = found[0].rule
    apart = [c for c in found if c.key == WHOLE or (rule, c.key) in open_keys]
    others = [c for c in found if c.key != WHOLE and (rule, c.key) not in open_keys]
    # An open group takes in what comes after it: it would else be resolved while its cause stands.
    if not others or rule in EACH_COUNTS or (len(found) <= above and (rule, WHOLE) not in open_keys):
        return list(found)
    named = ", ".join(c.key for c in others[:above]) + (", …" if len(others) > above else "")
    critical = any(c.loudness == "critical" for c in others)
    message = f"{len(others)} at once ({named}); the first: {others[0].message}"
    return [*apart, Cause(rule=rule, message=message, severity="critical" if critical else others[0].loudness)]


def _name(view: TradeView) -> str:
    return view.order_id or view.client_order_id or f"trade {view.trade_id}"


def _age(view: TradeView, at: datetime) -> float:
    return (at - (view.submitted_at or view.created_at)).total_seconds()


def _market_pending(situation: Situation, limits: AlertLimits) -> Iterable[Cause]:
    for view in situation.pending:
        age = _age(view, situation.at)
        if view.order_type == OrderType.MARKET and _is_pending(view) and age > limits.market_order_pending:
            yield Cause(
                rule="market_order_pending",
                key=_name(view),
                order_id=view.order_id,
                message=f"market order {_name(view)} on {view.product_id} is pending for {age:.0f} s",
            )


def _is_pending(view: TradeView) -> bool:
    return view.status == Status.PENDING


def _stale(situation: Situation, limits: AlertLimits) -> Iterable[Cause]:
    for view in situation.pending:
        if view.order_id is None or not _is_pending(view):
            continue
        limit = limits.stale_market if view.order_type == OrderType.MARKET else limits.stale_resting
        age = situation.snapshot_ages.get(view.trade_id)
        if age is None:
            age = (situation.at - (view.confirmed_at or view.accepted_at or view.created_at)).total_seconds()
        if age > limit:
            yield Cause(
                rule="snapshot_stale",
                key=view.order_id,
                order_id=view.order_id,
                message=f"the venue last confirmed order {view.order_id} {age:.0f} s ago (limit {limit:.0f} s)",
            )


def _unknown_outcome(situation: Situation, limits: AlertLimits) -> Iterable[Cause]:
    for view in situation.pending:
        age = _age(view, situation.at)
        if view.order_status == OrderStatus.SUBMITTING and _is_pending(view) and age > limits.outcome_unknown:
            yield Cause(
                rule="outcome_unknown",
                key=_name(view),
                order_id=view.order_id,
                message=f"the outcome of {_name(view)} on {view.product_id} is unknown for {age:.0f} s:"
                " the order may exist",
            )


_BY_ORDER: tuple[Callable[[Situation, AlertLimits], Iterable[Cause]], ...] = (
    _market_pending,
    _stale,
    _unknown_outcome,
)


def _breaks(facts: StoreFacts, open_keys: OpenKeys) -> Iterable[Cause]:
    """Tell of open breaks, unless the join has told of that very order already."""
    for found in facts.open_breaks:
        if found.severity != "open" or found.kind in ALERTED_BREAKS or found.resolved_at is not None:
            continue
        if ("break_open", found.order_id) in open_keys:
            continue
        yield Cause(
            rule="break_open",
            key=f"{found.kind}:{found.key}",
            order_id=found.order_id,
            severity="critical" if found.kind in {"duplicate", "missing_at_venue"} else "",
            message=f"break {found.kind} on {found.key}: stored {found.stored}, venue {found.venue}",
        )


def _feed(situation: Situation, limits: AlertLimits) -> Cause | None:
    if situation.feed_state is None or situation.feed_since is None or not situation.feed_wanted:
        return None
    seconds = (situation.at - situation.feed_since).total_seconds()
    if situation.feed_state == "live" or seconds <= limits.feed_stale:
        return None
    why = f" ({situation.feed_reason})" if situation.feed_reason else ""
    return Cause(
        rule="feed_stale",
        message=f"the feed is {situation.feed_state} for {seconds:.0f} s{why}; orders are followed by polling",
    )


def _venue(situation: Situation, limits: AlertLimits) -> Cause | None:
    since = situation.venue_unreachable_since
    if situation.venue_reachable is not False or since is None:
        return None
    seconds = (situation.at - since).total_seconds()
    if seconds < limits.venue_unreachable:
        return None
    return Cause(
        rule="venue_unreachable",
        message=f"the venue cannot be reached since {since:%Y-%m-%dT%H:%M:%SZ};"
        f" {len(situation.pending)} pending trades wait for it",
    )


def _outbox(situation: Situation, facts: StoreFacts, limits: AlertLimits) -> Cause | None:
    since = facts.undelivered_since
    if not facts.undelivered or since is None:
        return None
    seconds = (situation.at - since).total_seconds()
    if seconds <= limits.outbox_undelivered:
        return None
    return Cause(
        rule="outbox_undelivered",
        message=f"{facts.undelivered} alerts and notifications are undelivered, the oldest for {seconds:.0f} s",
    )


def _runs(situation: Situation, facts: StoreFacts, limits: AlertLimits) -> list[Cause]:
    found: list[Cause] = []
    for mode, interval in situation.run_intervals.items():
        age = overdue_by(mode, interval, situation.at, facts, limits)
        if age is not None:
            message = f"no {mode} pass has ended well for {age:.0f} s: is its cron job or the watcher still running?"
            found.append(Cause(rule="run_overdue", key=mode, message=message))
    return found


def overdue_by(mode: str, interval: float, at: datetime, facts: StoreFacts, limits: AlertLimits) -> float | None:
    """Tell the seconds since the last good pass of this mode where they are over its limit, else None."""
    limit = limits.run_overdue.get(mode, 0.0)
    good = facts.last_good_runs.get(mode)
    since = (good.finished_at or good.started_at) if good else facts.first_runs.get(mode)
    if limit <= 0 or since is None:
        return None
    seconds = (at - since).total_seconds()
    return seconds if seconds > due_after(mode, interval, facts, limits) else None


def due_after(mode: str, interval: float, facts: StoreFacts, limits: AlertLimits) -> float:
    """Tell the seconds after which a pass is overdue: its limit, or twice its interval, set or kept so far.

    A cron job keeps a pace of its own, which the interval of a watcher's passes says nothing of.
    """
    return max(limits.run_overdue.get(mode, 0.0), 2 * interval, 2 * facts.paces.get(mode, 0.0))


def _moments(situation: Situation, limits: AlertLimits) -> list[Cause]:
    found: list[Cause] = []
    offset = situation.clock_offset
    if offset is not None and abs(offset) > limits.clock_skew:
        found.append(
            Cause(
                rule="clock_skew",
                message=f"this machine's clock is {abs(offset):.1f} s {'behind' if offset > 0 else 'ahead of'}"
                " the venue's",
            )
        )
    if situation.budget_refusals:
        found.append(
            Cause(
                rule="budget_exhausted",
                message="the request budget of this store is exhausted: look-ups are late",
            )
        )
    return found


def is_quiet(at: datetime, limits: AlertLimits) -> bool:
    """Tell whether quiet hours (UTC) hold at this moment; they may span midnight."""
    if limits.quiet_from is None or limits.quiet_to is None:
        return False
    start, end = limits.quiet_from.replace(tzinfo=None), limits.quiet_to.replace(tzinfo=None)
    now = at.time()
    return start <= now < end if start <= end else (now >= start or now < end)
