"""The dashboard as lines of text: legible at two sizes, and plain about what is wrong."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from ordersync_cli.cli.cells import age, bar, fit, number
from ordersync_cli.cli.pending_rows import Look
from ordersync_cli.cli.screen import draw
from ordersync_cli.cli.trouble import words
from ordersync_cli.domain.view import TradeView
from ordersync_cli.services.ports import Incident
from ordersync_cli.services.ports.messages import FeedState
from ordersync_cli.services.watch.board import Board, Completion, PassLine, Row, Targets

NOW = datetime(2026, 3, 1, 3, 0, 0, tzinfo=UTC)


def a_view(number_: int = 1, **changes: object) -> TradeView:
    base = {
        "trade_id": number_, "bot_id": None, "product_id": "BTC-USD", "side": "BUY", "order_type": "LIMIT",
        "client_order_id": f"c{number_}", "order_id": f"93668510-0f29-42cd-bb59-{number_:012d}", "status": "pending",
        "order_status": "open", "venue_status": "OPEN", "size": Decimal("0.5"), "price": Decimal(60000),
        "size_usd": None, "filled_size": Decimal("0.125"), "average_filled_price": Decimal("59999.995"),
        "filled_value": Decimal(7500), "total_fees": Decimal(1), "number_of_fills": 1, "fills_verified": False,
        "reason": None, "created_at": NOW - timedelta(seconds=90), "submitted_at": NOW - timedelta(seconds=90),
        "accepted_at": None, "filled_at": None, "closed_at": None, "confirmed_at": None, "updated_at": None,
        "sync_latency_seconds": None, "source": "websocket",
    }  # fmt: skip
    return TradeView(**{**base, **changes})  # type: ignore[arg-type]


def a_row(number_: int = 1, *, snapshot_age: float | None = 0.4, **changes: object) -> Row:
    return Row(
        view=a_view(number_, **changes), age=90.0, snapshot_age=snapshot_age, next_look_in=1.2, stale_after=60.0,
        asked_base=Decimal("0.5"), asked_quote=None,
    )  # fmt: skip


def a_board(**changes: object) -> Board:
    base = {
        "at": NOW, "mono": 100.0, "driving": True, "driver": "", "feed_wanted": True, "feed_state": FeedState.LIVE,
        "feed_since": NOW - timedelta(minutes=3), "feed_reason": "", "last_heartbeat_at": NOW - timedelta(seconds=0.4),
        "last_frame_at": NOW - timedelta(seconds=12), "poll_every": 2.0, "clock_offset": 0.012, "requests": 10,
        "pending": (a_row(),), "targets": Targets(count=3, p50=Decimal("0.004"), p99=Decimal("0.021")),
        "completions": (
            Completion(
                at=NOW, trade_id=7, product_id="ETH-USD", side="SELL", status="completed", order_status="filled",
                filled_size=Decimal("1.25"), average_filled_price=Decimal("3000.5"),
                latency_seconds=Decimal("0.0031"), source="websocket",
            ),
        ),
    }  # fmt: skip
    return Board(**{**base, **changes})  # type: ignore[arg-type]


def a_look(width: int = 80, height: int = 24, **changes: object) -> Look:
    base = Look(width=width, height=height, venue="coinbase", simulated=False, requests_per_second=2.5)
    return replace(base, **changes)  # type: ignore[arg-type]


def screen(board: Board, look: Look | None = None, mono: float = 100.0) -> list[str]:
    return [line.plain for line in draw(board, look or a_look(), mono, 0.5)]


@pytest.mark.parametrize(("width", "height"), [(80, 24), (200, 60), (60, 15), (120, 30)])
@pytest.mark.parametrize("pending", [0, 1, 500])
def test_a_screen_fills_its_terminal_and_not_a_cell_more(width: int, height: int, pending: int) -> None:
    board = a_board(
        pending=tuple(a_row(n) for n in range(pending)), unreachable_since=NOW, unreachable_reason="x" * 300
    )
    lines = draw(board, a_look(width, height), 100.0, 0.5)
    assert len(lines) == height
    assert max(line.cell_len for line in lines) <= width


def test_everything_that_matters_stands_on_80_by_24() -> None:
    text = "\n".join(screen(a_board(), a_look(simulated=True)))
    for wanted in (
        "SIMULATED", "coinbase", "live for 3m00", "heartbeat 0.4s ago", "frame 12s ago", "+0.012 s", "0.5/s of 2.5",
        "PENDING 1", "BTC-USD", "25%", "open", "0.4s", "1.2s", "ETH-USD", "3 ms", "websocket", "p50 4 ms", "p99 21 ms",
        "All is well",
    ):  # fmt: skip
        assert wanted in text, wanted


def test_a_bad_day_still_fits_on_80_columns() -> None:
    """The seconds of a blocked bot were cut off at the edge, and a long outage named no feed."""
    slow = Targets(count=900, p50=Decimal("0.104"), p99=Decimal("1.963"), worst_market_pending=12.0)
    shown = screen(
        a_board(
            targets=slow, feed_state=FeedState.DOWN, feed_reason="the venue cannot be reached (connection refused)",
            unreachable_since=NOW, next_try_in=1.5, unreachable_reason="List Orders: the venue cannot be reached "
            "(127.0.0.1:7301: the connection was closed without an answer).",
        )
    )  # fmt: skip
    assert any(line.rstrip().endswith("market pending: 12s") for line in shown)
    assert any(line.startswith("✖ The feed is down") for line in shown)
    assert not any("……" in line for line in shown)


def test_a_wide_screen_shows_the_order_id_and_the_average_price() -> None:
    text = "\n".join(screen(a_board(), a_look(200, 60)))
    assert "93668510-0f29-42cd-bb59-000000000001" in text
    assert "59999.995" in text


def test_ages_go_on_between_two_pictures() -> None:
    text = "\n".join(screen(a_board(), mono=101.5))
    assert "1.9s" in text  # the snapshot that was 0.4 s old


@pytest.mark.parametrize(
    ("changes", "said", "tone"),
    [
        ({"feed_state": FeedState.DOWN, "feed_reason": "closed with 1006", "poll_every": 0.92},
         "down since 02:57:00; connecting again by itself. Asking by REST every 0.9s instead. Said: closed with 1006",
         "bad"),
        ({"feed_state": FeedState.STALE, "feed_reason": "REST knew first"}, "it cannot be relied on", "warn"),
        ({"unreachable_since": NOW - timedelta(seconds=41), "unreachable_reason": "refused", "next_try_in": 1.2},
         "unreachable since 02:59:19 (41s). No order changes its status meanwhile. Asking again in 1.2s", "bad"),
        ({"store_problem": "database is locked"}, "The store takes nothing: database is locked", "bad"),
        ({"frozen": True}, "Placing is frozen", "warn"),
        ({"driving": False, "driver": "host (process 12)"}, "host (process 12) drives; this watcher", "info"),
        ({"flapping": True, "feed_state": FeedState.DOWN, "feed_reason": "use --no-feed"}, "flaps", "bad"),
        ({"targets": Targets(worst_market_pending=12.0)}, "pending for 12s: its bot is blocked", "warn"),
        ({"pending": (a_row(order_status="submitting"),)}, "1 order has no answer yet: unknown, never guessed", "warn"),
        ({"pending": (a_row(snapshot_age=75.0),)}, "1 order was not confirmed by the venue for too long", "warn"),
        ({"passes": {"light": PassLine(mode="light", at=NOW, result="failed", message="No.")}},
         "The last light pass failed: No.", "warn"),
    ],
)  # fmt: skip
def test_trouble_is_said_in_words_with_what_is_done_about_it(changes: dict[str, object], said: str, tone: str) -> None:
    found = [w for w in words(a_board(**changes), 100.0) if said in w.text]
    assert [w.tone for w in found] == [tone]
    if tone in {"bad", "warn"}:
        assert "All is well" not in "".join(w.text for w in words(a_board(**changes), 100.0))


def test_a_loop_that_stands_still_is_said() -> None:
    assert "This screen is 8.0s old" in "\n".join(screen(a_board(), mono=108.0))


def test_the_worst_alert_comes_first_and_names_its_rule() -> None:
    def incident(rule: str, severity: str) -> Incident:
        return Incident(
            incident_id=rule, rule=rule, key="", severity=severity, message="look here", order_id=None, count=3,
            opened_at=NOW, last_seen=NOW,
        )  # fmt: skip

    board = a_board(incidents=(incident("drift_found", "warning"), incident("failed_but_filled", "critical")))
    lines = screen(board)
    at = next(n for n, line in enumerate(lines) if line.startswith("ALERTS 2"))
    assert "failed_but_filled (x3): look here" in lines[at + 1]


def test_many_pending_orders_say_how_many_more_there_are_and_show_trouble_first() -> None:
    rows = [a_row(n) for n in range(499)]
    rows.append(a_row(999, order_status="submitting", product_id="LOST-USD"))
    lines = screen(a_board(pending=tuple(rows)))
    first = lines[next(n for n, line in enumerate(lines) if line.lstrip().startswith("AGE")) + 1]
    assert "LOST-USD" in first
    assert any("… and 4" in line and "snapshots at most 0.4s old" in line for line in lines)


def test_a_terminal_without_utf8_gets_plain_characters() -> None:
    lines = screen(a_board(), a_look(plain=True))
    assert any("##....." in line or "#......" in line for line in lines)
    assert not any(char in "".join(lines) for char in "█░✔✖")


def test_quote_sized_orders_show_the_money_asked_for() -> None:
    row = replace(a_row(filled_value=Decimal("12.5")), asked_base=None, asked_quote=Decimal(25))
    text = "\n".join(screen(a_board(pending=(row,))))
    assert "25 USD" in text
    assert "50%" in text


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "never"),
        (0.0, "0.0s"),
        (9.94, "9.9s"),
        (12, "12s"),
        (99, "99s"),
        (250, "4m10"),
        (7200, "2h00"),
        (864000, "10d"),
    ],
)
def test_ages_are_short(seconds: float | None, said: str) -> None:
    assert age(seconds) == said


def test_numbers_are_cut_and_never_rounded_up() -> None:
    assert number(Decimal("21220.6399999973697697"), 11) == "21220.6399…"
    assert number(Decimal("1.500"), 11) == "1.5"
    assert number(Decimal("123456789012"), 8) == "1234567…"


def test_a_bar_is_full_only_when_everything_is_filled() -> None:
    assert bar(0.9999, 12).endswith(" 99%")
    assert bar(1.0, 12) == "█" * 7 + " 100%"
    assert bar(0.0001, 12).startswith("█░")


def test_a_text_is_fitted_to_its_width() -> None:
    assert fit("abcdef", 4) == "abc…"
    assert fit("ab", 4, right=True) == "  ab"
