"""Says in words what is wrong, and what the watcher does about it; the worst first."""

from __future__ import annotations

from dataclasses import dataclass

from ordersync_cli.cli.cells import age, clock_time
from ordersync_cli.services.ports.messages import FeedState
from ordersync_cli.services.watch.board import Board

LOOP_STANDS_STILL = 3.0  # seconds without a new picture
MARKET_PENDING = 10.0


@dataclass(frozen=True, slots=True)
class Word:
    """One sentence, and how bad it is: bad, warn, info, good."""

    tone: str
    text: str


def words(board: Board, mono: float) -> list[Word]:
    """List what a person has to know, the worst first; one good word when nothing is wrong."""
    said = [*_machine(board, mono), *_venue(board), *_feed(board), *_orders(board), *_manners(board)]
    if not any(word.tone in {"bad", "warn"} for word in said):
        said.append(_good(board, mono))
    return said


def _machine(board: Board, mono: float) -> list[Word]:
    said: list[Word] = []
    still = mono - board.mono
    if still > LOOP_STANDS_STILL:
        text = f"This screen is {age(still)} old: the loop waits, for the store most likely. Nothing is lost by that."
        said.append(Word("bad", text))
    if board.store_problem:
        text = (
            f"The store takes nothing: {board.store_problem} What arrived is kept; trying again twice a second, "
            "and stopping (exit 9) after a minute."
        )
        said.append(Word("bad", text))
    return said


def _venue(board: Board) -> list[Word]:
    if board.unreachable_since is None:
        return []
    lasted = age((board.at - board.unreachable_since).total_seconds())
    text = (
        f"The venue is unreachable since {clock_time(board.unreachable_since)} ({lasted}). No order changes its "
        f"status meanwhile. Asking again in {age(board.next_try_in)}, and for every pending order once it answers. "
        f"Said: {board.unreachable_reason}"
    )
    return [Word("bad", text)]


def _feed(board: Board) -> list[Word]:
    if not board.feed_wanted or board.feed_state in {FeedState.LIVE, FeedState.POLLING}:
        return []
    every = f"every {age(board.poll_every)}" if board.poll_every is not None else "as soon as there is something to ask"
    reason = f" Said: {board.feed_reason}" if board.feed_reason else ""
    instead = "" if board.unreachable_since else f" Asking by REST {every} instead."
    since = clock_time(board.feed_since)
    if board.flapping:
        return [Word("bad", f"The feed flaps: {board.feed_reason}{instead}")]
    if board.feed_state is FeedState.STALE:
        return [Word("warn", f"The feed is stale since {since}: it cannot be relied on.{instead}{reason}")]
    if board.feed_state is FeedState.DOWN:
        return [Word("bad", f"The feed is down since {since}; connecting again by itself.{instead}{reason}")]
    return [Word("info", f"The feed is connecting.{instead}")]


def _orders(board: Board) -> list[Word]:
    said: list[Word] = []
    unknown = [r for r in board.pending if r.view.order_status == "submitting" and r.view.submitted_at is not None]
    if unknown:
        oldest = min(r.view.created_at for r in unknown)
        text = (
            f"{_orders_are(len(unknown), 'has', 'have')} no answer yet: unknown, never guessed (the oldest since "
            f"{clock_time(oldest)}). Looking for them at the venue; a proof of absence takes over a minute."
        )
        said.append(Word("warn", text))
    stale = [r for r in board.pending if r.snapshot_age is not None and r.snapshot_age > r.stale_after]
    if stale and board.unreachable_since is None:
        text = f"{_orders_are(len(stale), 'was', 'were')} not confirmed by the venue for too long; asked for next."
        said.append(Word("warn", text))
    worst = board.targets.worst_market_pending
    if worst is not None and worst > MARKET_PENDING:
        text = f"A market order is pending for {age(worst)}: its bot is blocked."
        said.append(Word("warn", text))
    return said


def _manners(board: Board) -> list[Word]:
    said: list[Word] = []
    if board.frozen:
        said.append(Word("warn", "Placing is frozen on this store: look, then `ordersync unfreeze`."))
    if not board.driving:
        who = f"{board.driver} drives" if board.driver else "Nobody drives yet"
        said.append(Word("info", f"{who}; this watcher only shows, and takes over within 6 s when it dies."))
    failed = [p for p in board.passes.values() if p.result == "failed" and board.unreachable_since is None]
    said += [Word("warn", f"The last {p.mode} pass failed: {p.message} It is tried again soon.") for p in failed]
    return said


def _good(board: Board, mono: float) -> Word:
    ages = [r.snapshot_age for r in board.pending if r.snapshot_age is not None]
    if not board.pending:
        return Word("good", "All is well: nothing is pending.")
    oldest = age(max(ages) + mono - board.mono) if ages else "never"
    return Word("good", f"All is well: every pending order was confirmed at most {oldest} ago.")


def _orders_are(count: int, one: str, many: str) -> str:
    return f"1 order {one}" if count == 1 else f"{count} orders {many}"
