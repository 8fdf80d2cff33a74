"""Reads the scenario corpus, and finds the tests that carry its numbers."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
_ROW = re.compile(r"^\| ([TP]\d\d) \| ([^|]*)", re.MULTILINE)
_NAME = re.compile(r"^test_((?:[TP]\d\d_)+)")


def scenarios() -> dict[str, str]:
    """Give each number with its first cell."""
    return {number: cell.strip() for number, cell in _ROW.findall((TESTS / "corpus.md").read_text())}


def numbers() -> list[str]:
    """List the numbers in the corpus' own order."""
    return list(scenarios())


def holding_tests() -> dict[str, list[str]]:
    """Find, for each number, the tests that carry it, as `file::name`."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted(TESTS.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and (carried := _NAME.match(node.name)):
                for number in carried.group(1).rstrip("_").split("_"):
                    found[number].append(f"{path.relative_to(TESTS)}::{node.name}")
    return dict(found)
