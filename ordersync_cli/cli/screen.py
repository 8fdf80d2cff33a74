"""Draws a board as lines of text for a given width and height; knows no terminal."""

from __future__ import annotations

import textwrap
from datetime import datetime
from decimal import Decimal

from rich.text import Text

from ordersync_cli.cli.cells import age, clock_time, fit, number, since
from ordersync_cli.cli.pending_rows import WIDE, Look, pending_lines
from ordersync_cli.cli.trouble import words
from ordersync_cli.services.ports.messages import FeedState
from ordersync_cli.services.watch.board import Board, Completion, PassLine

FEW = 6  # pending trades that leave room on a small screen to say all that is wrong
TONES = {"bad": "bold red", "warn": "yellow", "info": "cyan", "good": "green"}
MARKS = {"bad": "✖", "warn": "▲", "info": "·", "good": "✔"}
MARKS_PLAIN = {"bad": "X", "warn": "!", "info": "-", "good": "+"}
FEED_TONES = {
    FeedState.LIVE: "bold green",
    FeedState.POLLING: "cyan",
    FeedState.CONNECTING: "yellow",
    FeedState.STALE: "bold yellow",
    FeedState.DOWN: "bold red",
}


def draw(board: Board, look: Look, mono: float, rate: float) -> list[Text]:
    """Draw the whole screen: exactly ``height`` lines, none wider than ``width``.

    ``mono`` is now, so that ages go on between two pictures; ``rate`` is requests a second of
    this process lately.
    """
    passed = max(0.0, mono - board.mono)
    top = [*_head(board, look, passed, rate), *_words(board, look, mono)]
    foot = _foot(board, look)
    room = look.height - len(top) - len(foot)
    alerts = _alerts(board, look, max(1, min(4, room // 6)) + 1) if board.incidents else []
    done = _completions(board, look, max(2, min(8, (room - len(alerts)) // 4)) + 1)
    pending = pending_lines(board, look, max(2, room - len(alerts) - len(done)), passed)
    lines = [*top, *pending]
    lines += [Text("")] * (look.height - len(lines) - len(alerts) - len(done) - len(foot))
    lines = [*lines, *done, *alerts, *foot][: look.height]
    for line in lines:
        line.truncate(look.width)
    return lines


def _head(board: Board, look: Look, passed: float, rate: float) -> list[Text]:
    title = Text("ordersync watch", style="bold")
    title.append(f"  {look.venue}", style="default")
    if look.simulated:
        title.append(" ")
        title.append(" SIMULATED ", style="bold black on yellow")
    right = f"{'driving' if board.driving else 'standing by'}  {board.at:%Y-%m-%d} {clock_time(board.at)} UTC"
    title.append(fit(right, max(len(right) + 1, look.width - title.cell_len), right=True), style="dim")
    ago = age((board.at - board.feed_since).total_seconds() + passed)
    feed = Text("Feed ")
    feed.append(board.feed_state.value, style=FEED_TONES[board.feed_state])
    feed.append(f" for {ago}")
    if board.feed_wanted:
        beat, frame = _ago(board, board.last_heartbeat_at, passed), _ago(board, board.last_frame_at, passed)
        feed.append(f"  heartbeat {beat}  frame {frame}")
        misses = f"  missed {board.stream_misses}"
        feed.append(misses, style="yellow" if board.stream_misses else "dim")
    venue = Text("REST ")
    if board.unreachable_since is None:
        venue.append("answers", style="green")
    else:
        venue.append("unreachable", style="bold red")
    if board.clock_offset is not None:
        venue.append(f"  venue clock {board.clock_offset:+.3f} s")
    venue.append(f"  requests {rate:.1f}/s of {look.requests_per_second:g}")
    if board.poll_every is not None and board.unreachable_since is None:
        venue.append(f"  looking every {age(board.poll_every)}", style="dim")
    return [title, feed, venue]


def _ago(board: Board, then: datetime | None, passed: float) -> str:
    if then is None:
        return "never"
    return f"{age((board.at - then).total_seconds() + passed)} ago"


def _words(board: Board, look: Look, mono: float) -> list[Text]:
    marks = MARKS_PLAIN if look.plain else MARKS
    most = 3 if look.height < 30 and len(board.pending) > FEW else 6
    lines: list[Text] = []
    for word in words(board, mono):
        wrapped = textwrap.wrap(word.text, look.width - 2) or [""]
        for number_, part in enumerate(wrapped):
            lead = f"{marks[word.tone]} " if number_ == 0 else "  "
            lines.append(Text(lead + part, style=TONES[word.tone]))
    if len(lines) > most:
        lines = lines[:most]
        lines[-1] = Text(lines[-1].plain[: look.width - 1].rstrip() + "…", style=lines[-1].style)
    return lines


# ------------------------------------------------------------------ completions, alerts, targets


def _completions(board: Board, look: Look, room: int) -> list[Text]:
    if not board.completions:
        return [Text("No completions yet", style="dim")]
    shown = board.completions[: room - 1]
    return [Text("LAST COMPLETED", style="bold"), *(_completion(c, look) for c in shown)]


def _completion(done: Completion, look: Look) -> Text:
    styles = {"completed": "green", "failed": "red"}
    line = Text(f"{clock_time(done.at)} ", style="dim")
    line.append(fit(done.order_status, 9), style=styles.get(done.status, ""))
    line.append(f" {fit(done.side, 4)} {fit(done.product_id, 9 if look.width < WIDE else 11)}")
    line.append(f" {fit(number(done.filled_size, 11), 11, right=True)}")
    if done.average_filled_price:
        line.append(f" at {fit(number(done.average_filled_price, 11), 11)}")
    else:
        line.append(" " * 15)
    latency = "" if done.latency_seconds is None else f"{float(done.latency_seconds) * 1000:.0f} ms"
    line.append(f" {fit(latency, 8, right=True)} {done.source}", style="cyan")
    return line


def _alerts(board: Board, look: Look, room: int) -> list[Text]:
    incidents = sorted(board.incidents, key=lambda i: (i.severity != "critical", -i.last_seen.timestamp()))
    lines = [Text(f"ALERTS {len(incidents)}", style="bold red")]
    for incident in incidents[: room - 1]:
        style = "bold red" if incident.severity == "critical" else "yellow"
        count = f" (x{incident.count})" if incident.count > 1 else ""
        text = f"{clock_time(incident.opened_at)} {incident.rule}{count}: {incident.message}"
        lines.append(Text(fit(text, look.width), style=style))
    return lines


def _foot(board: Board, look: Look) -> list[Text]:
    targets = board.targets
    line = Text("Today ", style="bold")
    if targets.count:
        line.append(f"fill to store p50 {_ms(targets.p50)}  p99 {_ms(targets.p99)}")
        line.append(" (target 1 s)", style="dim")
        if targets.p99 is not None and targets.p99 >= 1:
            line.stylize("yellow")
    else:
        line.append("nothing measured yet", style="dim")
    worst = targets.worst_market_pending
    line.append("  market order pending: " if look.width >= WIDE else "  market pending: ")
    line.append("none" if worst is None else age(worst), style="bold red" if worst and worst > 10 else "green")
    passes = Text("Passes ", style="bold")
    parts = [_pass(board, mode) for mode in ("light", "deep")]
    passes.append("  ".join(parts))
    passes.append(fit("Ctrl-C stops", max(13, look.width - passes.cell_len), right=True), style="dim")
    return [line, passes]


def _pass(board: Board, mode: str) -> str:
    line: PassLine | None = board.passes.get(mode)
    if line is None:
        return f"{mode} not yet"
    return f"{mode} {since(line.at, board.at)} ago {line.result.replace('_', ' ')}"


def _ms(value: Decimal | None) -> str:
    if value is None:
        return "-"
    return f"{float(value) * 1000:.0f} ms" if value < 10 else f"{float(value):.1f} s"
