"""ARCHITECTURE.md says what the code says."""

from __future__ import annotations

from tests.support.architecture import DOCUMENT, printed


def test_the_generated_parts_are_what_the_code_prints() -> None:
    text = DOCUMENT.read_text()
    assert text == printed(text), "stale: python -m tests.support.architecture"
