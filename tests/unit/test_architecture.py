"""ARCHITECTURE.md says what the code says, and what is broken on purpose can still be broken."""

from __future__ import annotations

import pytest

from tests.mutations.catalogue import MUTATIONS, Edit
from tests.mutations.run import ROOT
from tests.support.architecture import DOCUMENT, printed


def test_the_generated_parts_are_what_the_code_prints() -> None:
    text = DOCUMENT.read_text()
    assert text == printed(text), "stale: python -m tests.support.architecture"


@pytest.mark.parametrize("edit", [edit for mutation in MUTATIONS for edit in mutation.edits])
def test_what_is_broken_on_purpose_stands_there_once(edit: Edit) -> None:
    assert (ROOT / edit.path).read_text().count(edit.old) == 1
