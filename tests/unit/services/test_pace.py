"""When the next turn is: what came late is made up for, where one request does not hold every order."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordersync_cli.services.watch.pace import MADE_UP, SOONEST, Pace
from ordersync_cli.services.watch.watching import Roster


def pace_of(count: int) -> Pace:
    orders = [SimpleNamespace(order_id=str(number)) for number in range(count)]
    return Pace(cast("Roster", SimpleNamespace(pending=lambda: orders)))


@given(st.lists(st.floats(0.0, 0.3), min_size=1, max_size=40))
def test_turns_that_come_late_keep_the_time_of_all(lateness: list[float]) -> None:
    pace, began = pace_of(500), 100.0
    pace.looked(began, live=False)
    pace._late = 0.0
    for late in lateness:
        pace.looked(max(pace.turn(live=False), pace.soonest(live=False)) + late, live=False)
    assert pace.turn(live=False) == pytest.approx(began + (len(lateness) + 1) * pace.interval(live=False))


def test_no_more_is_made_up_for_than_a_few_turns() -> None:
    pace = pace_of(500)
    pace.looked(100.0, live=False)
    pace.looked(200.0, live=False)
    assert pace.turn(live=False) == pytest.approx(200.0 + pace.interval(live=False) - MADE_UP)


@pytest.mark.parametrize(("count", "live"), [(1, False), (100, False), (500, True)])
def test_where_every_look_up_holds_all_or_only_audits_nothing_is_made_up_for(count: int, live: bool) -> None:
    pace = pace_of(count)
    pace.looked(100.0, live=live)
    pace.looked(110.0, live=live)
    assert pace.turn(live=live) == 110.0 + pace.interval(live=live)
    assert pace.soonest(live=live) == 110.0 + SOONEST
