"""The simulator's manual and its code say the same."""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields
from pathlib import Path

from ordersync_cli.simulator import control_routes, faults

MANUAL = (Path(control_routes.__file__).parents[1] / "docs" / "SIMULATOR.md").read_text()


def test_it_names_every_fault_and_every_control_route() -> None:
    named = set(re.findall(r"`([^`\n]+)`", MANUAL))
    routes = {f"GET {name}" for name in control_routes._READS} | {f"POST {name}" for name in control_routes._WRITES}
    details = {field.name for field in fields(faults.Fault)} - {"kind", "target", "seen", "used"}
    assert (faults.REST_KINDS | faults.WS_KINDS | routes | {"POST feed/close"} | details) - named == set()


def test_its_fault_plan_can_be_read() -> None:
    plan = re.search(r"```toml\n(.*?)```", MANUAL, re.DOTALL)
    assert plan is not None
    assert [faults.read_fault(entry).kind for entry in tomllib.loads(plan[1])["faults"]] == ["cut_after", "drop"]
