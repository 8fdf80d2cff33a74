"""The one way a trade changes: an observation becomes registers, and the registers are joined."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from ordersync_cli.domain.alarms import alarms_of
from ordersync_cli.domain.matching import belongs
from ordersync_cli.domain.merge import join, latest
from ordersync_cli.domain.observations import Channel, FillsSeen, Observation, OrderSeen
from ordersync_cli.domain.orders import NOTHING_FILLED, Fill, Source
from ordersync_cli.domain.registers import fragment
from ordersync_cli.domain.standing import derive
from ordersync_cli.domain.trade import Change, Standing, Trade, VenueOrder
from ordersync_cli.domain.view import accepted_at, columns


def observe(trade: Trade, observation: Observation, *, source: Source, at: datetime) -> Change:
    """Join one observation into a trade and tell what that changed.

    ``at`` is when this program saw it. ValueError for a settlement by an unknown word.
    """
    told = fragment(trade, observation)
    joined = trade if told is None else join(trade, told)
    changed = joined != trade
    was = derive(trade)
    now = derive(joined) if changed else was
    figures_changed = (was.figures or NOTHING_FILLED) != (now.figures or NOTHING_FILLED)
    public = changed and (figures_changed or columns(trade, was) != columns(joined, now))  # figures are columns
    after = replace(
        joined,
        source=source if public else trade.source,
        accepted_at=accepted_at(joined, now),
        confirmed_at=_confirmed_at(joined, observation),
    )
    return Change(
        before=trade,
        after=after,
        was=was,
        now=now,
        source=source,
        seen_at=at,
        changed=changed,
        public=public,
        timestamps_only=changed and not public and _timeless(joined) == _timeless(trade),
        figures_changed=figures_changed,
        venue_time=_venue_time(was, now, observation, figures_changed=figures_changed),
        fills_added=_fills_added(trade, joined, observation),
        alarms=alarms_of(trade, was, now, observation),
    )


def _confirmed_at(trade: Trade, observation: Observation) -> datetime | None:
    if not isinstance(observation, OrderSeen):
        return trade.confirmed_at
    order = _order(trade, observation.order_id)
    if order is None or not belongs(trade, order):
        return trade.confirmed_at
    return latest(trade.confirmed_at, observation.as_of)


def _venue_time(was: Standing, now: Standing, observation: Observation, *, figures_changed: bool) -> datetime | None:
    """Tell the venue's own time of what happened, where it has one.

    A look-up shows the time of the last fill and of the creation; a cancel has no time of its
    own there (Coinbase docs, Get Order), only the frame that told of it does. A time that had
    to be clamped is no measurement.
    """
    if not isinstance(observation, OrderSeen):
        return None
    frame_time = observation.as_of if observation.channel is Channel.WEBSOCKET and not observation.clamped else None
    if figures_changed:
        return observation.last_fill_time or frame_time
    if now.terminal and now.order_status is not was.order_status:
        return frame_time
    if was.venue_status is None and now.venue_status is not None:
        return observation.created_time
    return frame_time if now.order_status is not was.order_status else None


def _fills_added(before: Trade, after: Trade, observation: Observation) -> tuple[Fill, ...]:
    """List the fills that were not known before, or whose content moved."""
    if not isinstance(observation, FillsSeen):
        return ()
    known, told = (_order(trade, observation.order_id) for trade in (before, after))
    if told is None:
        return ()
    old = set(known.fills) if known is not None else set()
    return tuple(fill for fill in told.fills if fill not in old)


def _timeless(trade: Trade) -> Any:
    """Tell what a trade's registers say, apart from when the same was last seen."""
    orders = tuple(
        (
            replace(
                order,
                raw=None,
                open_word=None,
                figures=None,
                rest_figures=None,
                fills_read=None,
                zero_look=None,
                reason_as_of=None,
                edit_as_of=None,
            ),
            order.raw.word if order.raw else None,
            order.open_word.word if order.open_word else None,
            order.figures.figures if order.figures else None,
            order.rest_figures.figures if order.rest_figures else None,
        )
        for order in trade.orders
    )
    return orders, trade.verdict, trade.cancel, trade.settled


def _order(trade: Trade, order_id: str | None) -> VenueOrder | None:
    return next((o for o in trade.orders if o.order_id == order_id), None)
