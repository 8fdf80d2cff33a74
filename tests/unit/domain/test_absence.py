"""The proof that an order never reached the venue."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from ordersync_cli.domain.absence import Control, Listing, NotYet, look_of, objection, proof_of, window_start
from ordersync_cli.domain.codec import dump_looks, load_looks
from ordersync_cli.domain.observations import AbsenceProven, Look
from tests.unit.domain.builders import s

NOT_AFTER = s(30)
START = s(-3600)
CONTROL = Control(order_id="o-known", created_time=s(-900))
GOOD = Listing(
    started_at=s(61),
    window_start=START,
    rows=2,
    order_ids=frozenset({"o-known", "o-x"}),
    every_page_read=True,
)


def why(listing: Listing, control: Control | None = CONTROL) -> str | None:
    return objection(listing, not_after=NOT_AFTER, needed_start=START, control=control)


def test_a_complete_listing_after_the_tokens_death_counts() -> None:
    assert why(GOOD) is None
    assert look_of(GOOD, CONTROL) == Look(started_at=s(61), window_start=START, rows=2, positive_control="o-known")
    assert look_of(GOOD, None).positive_control is None


@pytest.mark.parametrize(
    ("flaw", "reason"),
    [
        ({"holds_order": True}, "order is in it"),
        ({"own_portfolio": False}, "portfolio"),
        ({"every_page_read": False}, "page"),
        ({"quarantined": 1}, "row"),
        ({"filtered": True}, "filtered"),
        ({"window_start": START + timedelta(seconds=1)}, "far enough"),
        ({"started_at": s(60)}, "alive"),
        ({"unexplained_fill": True}, "fill"),
        ({"order_ids": frozenset({"o-x"})}, "o-known"),
    ],
)
def test_one_flaw_and_a_look_proves_nothing(flaw: dict[str, Any], reason: str) -> None:
    found = why(replace(GOOD, **flaw))
    assert found is not None
    assert reason in found


def test_without_a_control_an_empty_listing_needs_another_proof_that_the_key_can_list() -> None:
    empty = replace(GOOD, rows=0, order_ids=frozenset())
    assert "empty" in (why(empty, None) or "")
    assert why(replace(empty, can_list=True), None) is None
    assert why(GOOD, None) is None


def test_the_window_reaches_an_hour_back_on_either_clock_and_to_the_control() -> None:
    assert window_start(s(10), s(0)) == s(-3600)
    assert window_start(s(-50), s(0)) == s(-3650)
    assert window_start(s(0), s(0), CONTROL) == s(-3600)
    assert window_start(s(0), s(0), Control(order_id="o", created_time=s(-9000))) == s(-9000)


def looks(*seconds: float) -> list[Look]:
    return [Look(started_at=s(at), window_start=START, rows=1, positive_control="o") for at in seconds]


def weigh(*seconds: float, at: float = 61) -> AbsenceProven | NotYet:
    return proof_of(looks(*seconds), attempt=2, not_after=NOT_AFTER, at=s(at))


def test_three_looks_over_sixty_seconds_prove_it() -> None:
    proof = weigh(61, 91, 121, at=122)
    assert proof == AbsenceProven(attempt=2, at=s(122), looks=tuple(looks(61, 91, 121)))


@pytest.mark.parametrize(
    ("seen", "at", "next_at"),
    [
        ((), 40, 60.001),
        ((), 100, 100),
        ((10, 50), 61, 61),
        ((61,), 62, 91),
        ((61,), 95, 95),
        ((61, 91), 92, 121),
        ((61, 62, 63, 64), 65, 121),
        ((61, 61, 121), 122, 122),
        ((61, 150), 151, 151),
    ],
)
def test_else_it_says_when_to_look_again(seen: tuple[float, ...], at: float, next_at: float) -> None:
    answer = weigh(*seen, at=at)
    assert isinstance(answer, NotYet)
    assert answer.next_look_at == s(next_at)
    assert answer.why


def test_the_order_of_the_looks_does_not_matter() -> None:
    assert weigh(121, 61, 91, at=130) == weigh(61, 91, 121, at=130)


def test_looks_survive_being_written() -> None:
    seen = (*looks(61, 91), replace(looks(5)[0], positive_control=None))
    assert load_looks(dump_looks(seen)) == seen
