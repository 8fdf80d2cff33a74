"""Data goes to stdout as JSON, as a table or tab-separated; everything else to stderr."""

from __future__ import annotations

import io
import json
import sys
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from ordersync_cli.cli.output import Output, cell, harmless, to_json


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class GoneReader(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError(32, "Broken pipe")


class FullDisk(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")


def test_a_document_has_exact_decimals_utc_times_and_its_marks(capsys) -> None:
    when = datetime(2026, 3, 1, 14, 0, 0, 5, tzinfo=timezone(timedelta(hours=2)))

    Output(as_json=True, simulated=False).document({"size": Decimal("1E-8"), "at": when, "none": None})

    out, err = capsys.readouterr()
    assert json.loads(out) == {
        "size": "0.00000001",
        "at": "2026-03-01T12:00:00.000005Z",
        "none": None,
        "simulated": False,
        "error": None,
    }
    assert out.count("\n") == 1
    assert err == ""


def test_json_refuses_what_is_not_json() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        to_json({"x": float("nan")})


def test_a_table_in_a_pipe_is_tab_separated_with_a_heading(capsys) -> None:
    Output(as_json=False).table(("id", "note"), [(1, "a\tb\nc"), (2, None)])

    assert capsys.readouterr().out == "id\tnote\n1\ta b c\n2\t\n"


def test_a_table_on_a_terminal_is_drawn_and_steers_nothing(monkeypatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("NO_COLOR", "1")

    Output(as_json=False).table(("id", "note"), [(1, "evil\x1b[2J [red]not markup[/red]")])

    assert "id" in screen.getvalue()
    assert "\x1b[2J" not in screen.getvalue()
    assert "[red]not markup[/red]" in screen.getvalue()


@pytest.mark.parametrize(("width", "gone"), [("76", ["fees", "bot"]), ("95", ["fees"]), ("120", [])])
def test_a_table_too_wide_for_the_terminal_goes_without_its_spare_columns(monkeypatch, capsys, width, gone) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("COLUMNS", width)
    monkeypatch.setenv("TERM", "dumb")  # no escape codes, which have a length and no width
    columns, row = ("order", "fees", "status", "bot"), ("o" * 36, "f" * 20, "s" * 20, "b" * 15)

    Output(as_json=False).table(columns, [row], spare=("fees", "bot", "status"))

    assert [name for name in columns if name not in screen.getvalue()] == gone
    assert max(len(line) for line in screen.getvalue().splitlines()) <= int(width)
    said = capsys.readouterr().err
    assert all(name in said for name in gone)


def test_with_json_tables_and_texts_are_silent(capsys) -> None:
    output = Output(as_json=True)

    output.table(("a",), [(1,)])
    output.text("x")

    assert capsys.readouterr().out == ""


def test_quiet_silences_notes_but_neither_words_nor_the_simulated_mark(capsys) -> None:
    output = Output(as_json=False, quiet=True, simulated=True)

    output.note("a note")
    output.say("a word")
    output.mark_simulated()

    err = capsys.readouterr().err
    assert "a note" not in err
    assert "a word" in err
    assert "SIMULATED" in err


def test_the_real_venue_is_not_marked(capsys) -> None:
    Output(as_json=False, simulated=False).mark_simulated()

    assert capsys.readouterr().err == ""


def test_a_reader_that_went_away_raises_nothing(monkeypatch) -> None:
    monkeypatch.setattr(sys, "stdout", GoneReader())
    output = Output(as_json=True)

    output.line({"type": "feed"})
    output.line({"type": "feed"})

    assert not output.is_open
    assert output.problem is None


def test_a_full_disk_is_remembered(monkeypatch) -> None:
    monkeypatch.setattr(sys, "stdout", FullDisk())
    output = Output(as_json=True)

    output.document({})

    assert output.problem == "stdout cannot be written: No space left on device"


def test_missing_streams_raise_nothing(monkeypatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    output = Output(as_json=False)

    output.text("x")
    output.say("y")
    output.flush()


def test_a_pipe_gets_no_escape_codes_though_colour_is_forced(monkeypatch, capsys) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")

    Output(as_json=False).console().print("[bold red]hot[/]")

    assert capsys.readouterr().out == "hot\n"


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (True, "yes"), (Decimal("1E+2"), "100"), (3, "3"), (0.5, "0.5"), ("x", "x"),
     (datetime(2026, 1, 1, tzinfo=UTC), "2026-01-01T00:00:00.000000Z")],
)  # fmt: skip
def test_cells_are_written_plainly(value, text) -> None:
    assert cell(value) == text


def test_control_characters_are_shown_as_such() -> None:
    assert harmless("a\x07b\x9bc\u202e") == "a\ufffdb\ufffdc\ufffd"
