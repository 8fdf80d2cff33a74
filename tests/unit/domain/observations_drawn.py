"""Observation sequences drawn by Hypothesis: every source, stale, repeated, torn and hostile."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from hypothesis import strategies as st

from ordersync_cli.domain.observations import (
    AbsenceProven,
    AnswerKind,
    CancelSeen,
    CancelStep,
    Channel,
    Edit,
    FillsSeen,
    Look,
    Observation,
    OrderSeen,
    PlaceAnswer,
    SettledByHand,
)
from ordersync_cli.domain.orders import Figures, Fill, Side
from tests.unit.domain.builders import ORDER, OURS, fill, s

OPEN_WORDS = ["PENDING", "QUEUED", "OPEN", "EDIT_QUEUED", "CANCEL_QUEUED"]
TERMINAL_WORDS = ["FILLED", "CANCELLED", "EXPIRED", "FAILED"]
STRANGE_WORDS = ["UNKNOWN_ORDER_STATUS", "SHINY_NEW_WORD", ""]

moments = st.integers(0, 90).map(s)
sizes = st.sampled_from([Decimal(x) for x in ("0", "1", "2.5", "2.50", "40", "100")])
fees = st.sampled_from([Decimal(x) for x in ("0", "0.1", "0.10", "-0.02", "3")])
attempts = st.integers(1, 2)


@st.composite
def groups(draw: st.DrawFn) -> Figures:
    size = draw(sizes)
    return Figures(
        filled_size=size,
        number_of_fills=draw(st.integers(1, 3)) if size else 0,
        filled_value=size * 2,
        total_fees=draw(fees) if size else Decimal(0),
        average_filled_price=Decimal(2) if size else Decimal(0),
    )


@st.composite
def sights(draw: st.DrawFn, *, own_only: bool = False) -> OrderSeen:
    """One sight; ``own_only``: always of our one order, with nothing against it."""
    words = st.sampled_from(OPEN_WORDS + TERMINAL_WORDS + STRANGE_WORDS)
    seen = OrderSeen(
        order_id=ORDER,
        as_of=draw(moments),
        channel=draw(st.sampled_from(Channel)),
        word=draw(words),
        position=draw(st.integers(0, 2)),
        figures=draw(st.none() | groups()),
        client_order_id=OURS,
        product_id=draw(st.sampled_from(["BTC-USD", "BTC-USDC", None])),
        side=draw(st.sampled_from([Side.BUY, None])),
        order_type=draw(st.sampled_from(["LIMIT", "STOP_LIMIT", "OTHER", "SHINY_NEW_TYPE", None])),
        created_time=draw(st.sampled_from([s(0.2), None])),
        last_fill_time=draw(st.none() | moments),
        reason=draw(st.sampled_from([None, "", "Internal error", "expired"])),
        edit=draw(st.none() | edits()),
        clamped=draw(st.booleans()),
    )
    if own_only:
        return seen
    return replace(
        seen,
        order_id=draw(st.sampled_from([ORDER, ORDER, "o-2", "o-3"])),
        client_order_id=draw(st.sampled_from([OURS, OURS, OURS, "c-other", None])),
        product_id=draw(st.sampled_from([seen.product_id, seen.product_id, "ETH-USD"])),
        side=draw(st.sampled_from([seen.side, seen.side, Side.SELL])),
        base_size=draw(st.sampled_from([None, Decimal(100), Decimal(5)])),
        limit_price=draw(st.sampled_from([None, Decimal(2), Decimal("2.1")])),
        created_time=draw(st.sampled_from([s(0.2), s(1), s(-86400), None])),
    )


@st.composite
def edits(draw: st.DrawFn) -> Edit:
    return Edit(
        accepted_at=draw(moments),
        size=draw(st.none() | st.sampled_from([Decimal(90), Decimal("95.0")])),
        price=draw(st.none() | st.sampled_from([Decimal("1.9"), Decimal("1.90")])),
    )


@st.composite
def fill_rows(draw: st.DrawFn) -> Fill:
    number = draw(st.integers(1, 4))
    return fill(
        f"e{number}",
        draw(st.sampled_from(["1", "2.5", "2.50", "-2.5"])),
        at=draw(st.integers(0, 5)),
        trade_type=draw(st.sampled_from(["FILL", "FILL", "REVERSAL", "CORRECTION", "SYNTHETIC"])),
        size_in_quote=draw(st.booleans()),
        venue_trade_id=draw(st.sampled_from(["t-1", "t-2"])),
        order_id=draw(st.sampled_from([ORDER, ORDER, "o-9"])),
    )


@st.composite
def listings(draw: st.DrawFn, *, own_only: bool = False) -> FillsSeen:
    ids = [ORDER] if own_only else [ORDER, "o-2"]
    return FillsSeen(
        order_id=draw(st.sampled_from(ids)),
        as_of=draw(moments),
        fills=tuple(draw(st.lists(fill_rows(), max_size=3))),
        complete=draw(st.booleans()),
    )


@st.composite
def answers(draw: st.DrawFn) -> PlaceAnswer:
    return PlaceAnswer(
        kind=draw(st.sampled_from(AnswerKind)),
        attempt=draw(attempts),
        at=draw(moments),
        order_id=draw(st.sampled_from([None, ORDER, "o-2"])),
        reason=draw(st.sampled_from([None, "INSUFFICIENT_FUND", "DUPLICATE_CLIENT_ORDER_ID", "UNKNOWN_X"])),
        message=draw(st.sampled_from(["", "no"])),
        credentials=draw(st.booleans()),
    )


@st.composite
def cancels(draw: st.DrawFn) -> CancelSeen:
    step = draw(st.sampled_from(CancelStep))
    return CancelSeen(
        requested_at=draw(moments),
        step=step,
        answered_at=draw(st.none() | moments),
        reason=draw(st.sampled_from([None, "no"])),
    )


@st.composite
def absences(draw: st.DrawFn) -> AbsenceProven:
    looks = tuple(
        Look(started_at=draw(moments), window_start=s(-3600), rows=3, positive_control=None)
        for _ in range(draw(st.integers(0, 2)))
    )
    return AbsenceProven(attempt=draw(attempts), at=draw(moments), looks=looks)


settlements = st.builds(
    SettledByHand,
    word=st.sampled_from(["completed", "cancelled", "not_placed", "failed"]),
    reason=st.sampled_from(["seen in the app", "lost"]),
    at=moments,
)


def anything() -> st.SearchStrategy[Observation]:
    return st.one_of(sights(), sights(), sights(), listings(), answers(), cancels(), absences(), settlements)


def about_one_order() -> st.SearchStrategy[Observation]:
    """Everything that can be said of one order that is really ours."""
    accepted = st.builds(
        PlaceAnswer,
        kind=st.just(AnswerKind.ACCEPTED),
        attempt=st.just(1),
        at=moments,
        order_id=st.just(ORDER),
    )
    return st.one_of(sights(own_only=True), sights(own_only=True), listings(own_only=True), cancels(), accepted)
