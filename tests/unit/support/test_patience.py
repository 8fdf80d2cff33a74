"""Only a claim in seconds gets another chance."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

TRIED_AGAIN = """
from tests.support.patience import eventually
tries = []
def test_slow_once():
    tries.append(1)
    eventually(lambda: len(tries) > 1, 0)
def test_slow_for_ever():
    eventually(lambda: False, 0)
def test_wrong_once():
    tries.append(1)
    assert len(tries) > 100
"""


def test_what_was_too_slow_is_tried_again_and_what_was_wrong_is_not(pytester: pytest.Pytester) -> None:
    settings = Path(__file__, "../../../../pyproject.toml").resolve().read_text(encoding="utf-8")
    reruns = [word for word in ("--reruns=2", "--only-rerun=^TooSlow") if f'"{word}"' in settings]
    pytester.makepyfile(TRIED_AGAIN)
    pytester.makeini(f"[pytest]\npythonpath = {Path(__file__).parents[3]}\n")

    done = pytester.runpytest_subprocess("-p", "no:randomly", "-p", "no:xdist", *reruns)

    done.stdout.fnmatch_lines(["*2 failed, 1 passed, 3 rerun*"])
