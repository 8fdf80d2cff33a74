"""Every scenario of the corpus is held by at least one test that carries its number."""

from __future__ import annotations

from tests.support.corpus import holding_tests, numbers


def test_every_number_of_the_corpus_has_a_test() -> None:
    holding = holding_tests()
    missing = [number for number in numbers() if not holding.get(number)]
    assert not missing, f"no test carries {', '.join(missing)}"


def test_no_test_carries_a_number_that_the_corpus_lacks() -> None:
    assert not sorted(set(holding_tests()) - set(numbers()))
