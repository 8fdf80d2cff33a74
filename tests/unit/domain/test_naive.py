"""Every trap test of the domain is red on the flow that ordersync replaces: no check that cannot fail."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.naive import Naive
from tests.unit.domain import test_traps
from tests.unit.domain.subjects import Core, Subject

TRAPS = {name: function for name, function in vars(test_traps).items() if name.startswith(("test_T", "test_P"))}


@pytest.mark.parametrize("trap", list(TRAPS.values()), ids=list(TRAPS))
def test_the_replaced_flow_fails_it(trap: Callable[[Subject], None]) -> None:
    with pytest.raises(AssertionError):
        trap(Naive())


@pytest.mark.parametrize("trap", list(TRAPS.values()), ids=list(TRAPS))
def test_the_core_passes_it(trap: Callable[[Subject], None]) -> None:
    trap(Core())


def test_the_numbers_of_the_domain_are_all_there() -> None:
    wanted = {f"T{n:02}" for n in [*range(1, 18), 25, 31, 32, 33, 43, 44, 46, 47]}
    wanted |= {f"P{n:02}" for n in [*range(1, 9), 16]}
    assert wanted <= {name.split("_")[1] for name in TRAPS}


def test_the_replaced_flow_is_short() -> None:
    text = (Path(__file__).parents[2] / "naive.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) < 100
