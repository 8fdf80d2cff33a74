"""Kill -9 at every commit and every request of one process: the next pass brings the store to the exchange's truth."""

from __future__ import annotations

import os

import pytest

from tests.simulation.crash import SCENARIOS, Scenario, run

MANY = int(os.environ.get("ORDERSYNC_TEST_SEEDS") or 0) >= 100
AT_MOST = 1_000 if MANY else 12  # boundaries of one scenario, half as many of requests


def chosen(seen: list[str]) -> list[int]:
    """Choose the boundaries to die at, of each kind evenly where there are too many for a test run."""
    commits = [n for n, where in enumerate(seen, 1) if where.startswith("commit")]
    others = [n for n, where in enumerate(seen, 1) if not where.startswith("commit")]
    return sorted({*_spread(commits, AT_MOST), *_spread(others, AT_MOST // 2)})


def _spread(numbers: list[int], most: int) -> list[int]:
    if len(numbers) <= most:
        return numbers
    return [numbers[i * len(numbers) // most] for i in range(most)]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.name.replace(" ", "_"))
def test_whoever_is_killed_at_a_commit_or_a_request_loses_nothing(scenario: Scenario) -> None:
    seen = run(scenario)
    assert any(where == "commit after" for where in seen)
    for at in chosen(seen):
        run(scenario, at)
