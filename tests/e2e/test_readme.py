"""What README.md shows works as it stands."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ordersync_cli.cli.app import MODULES

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)


def shell_blocks() -> list[str]:
    return [text for language, text in BLOCKS if language == "sh"]


def test_both_commands_set_everything_up_in_one_line() -> None:
    demo, tests = (next(b.strip() for b in shell_blocks() if word in b) for word in ("ordersync demo", "pytest"))
    for line in (demo, tests):
        assert "\n" not in line
        assert line.startswith("python3 -m venv .venv && .venv/bin/pip install -q -c constraints.txt -e ")
    assert demo.endswith(".venv/bin/ordersync demo")


def test_every_command_that_is_shown_exists() -> None:
    shown = set(re.findall(r"\bordersync ([a-z]+)\b", README)) - {"speaks", "keeps"}
    assert shown
    assert shown <= set(MODULES), shown - set(MODULES)


def test_every_command_is_mentioned() -> None:
    missing = [word for word in MODULES if f"`{word}" not in README and f"ordersync {word}" not in README]
    assert missing == []


@pytest.mark.slow
def test_the_smoke_test_for_ci_is_green(tmp_path: Path) -> None:
    script = next(block for block in shell_blocks() if "smoke.db" in block)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads((tmp_path / "place.json").read_text())["outcome"] == "filled"
    assert json.loads((tmp_path / "report.json").read_text())["trades"]["completed"] == 1
