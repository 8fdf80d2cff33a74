"""Every seed is a world of its own: orders, processes, faults, kills; the end is as the exchange has it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.play import play

CORPUS = Path(__file__).with_name("seeds.txt")
ROOT = Path(__file__).parents[2]
COUNT = int(os.environ.get("ORDERSYNC_TEST_SEEDS") or 12)
FIRST = 1_000  # of the seeds that no corpus names
TOLD = "from tests.simulation.play import play; print(play({}).digest)"


def corpus() -> list[int]:
    lines = CORPUS.read_text(encoding="utf-8").splitlines()
    return [int(line.split()[0]) for line in lines if line.strip() and not line.startswith("#")]


@pytest.mark.parametrize("seed", corpus())
def test_a_world_that_once_broke_something_ends_as_the_exchange_has_it(seed: int) -> None:
    play(seed)


@pytest.mark.parametrize("seed", range(FIRST, FIRST + COUNT))
def test_every_world_ends_as_the_exchange_has_it(seed: int) -> None:
    play(seed)


def test_one_seed_gives_one_trace_whatever_the_process_hashes_by() -> None:
    here = play(FIRST).digest
    assert play(FIRST).digest == here
    for hashing in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hashing}
        told = subprocess.run(
            [sys.executable, "-c", TOLD.format(FIRST)],
            cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
        assert told.stdout.strip() == here


def test_two_seeds_give_two_traces() -> None:
    assert play(FIRST).digest != play(FIRST + 1).digest
