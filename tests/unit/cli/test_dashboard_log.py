"""While the dashboard owns the terminal, the log waits; afterwards it is said."""

from __future__ import annotations

import logging
import sys

import pytest

from ordersync_cli.cli.held_log import KEPT, held_log


def test_the_log_is_said_after_the_dashboard_and_only_its_newest_lines(capsys: pytest.CaptureFixture[str]) -> None:
    handler = logging.StreamHandler(sys.stderr)
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        with held_log():
            for number in range(3 * KEPT):
                root.warning("line %d", number)
            assert capsys.readouterr().err == ""
        said = capsys.readouterr().err
        root.warning("later")
        assert capsys.readouterr().err == "later\n"
    finally:
        root.removeHandler(handler)
    assert f"line {3 * KEPT - 1}" in said
    assert "line 0\n" not in said
