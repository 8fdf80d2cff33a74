"""Log records carry the run's id and what was bound, as text or JSON, without secrets."""

from __future__ import annotations

import json
import logging
import threading

import pytest

from ordersync_cli.cli.logs import ROOT, bound, log_level, start_log, stop_log
from ordersync_cli.cli.redact import Redactor
from ordersync_cli.errors import SettingsError


@pytest.fixture(autouse=True)
def _log_as_it_was():
    hook = threading.excepthook
    yield
    stop_log()
    threading.excepthook = hook
    logging.getLogger(ROOT).setLevel(logging.NOTSET)
    logging.raiseExceptions = True


def started(file, style="text", level=logging.INFO) -> logging.Logger:
    start_log(file=file, style=style, level=level, run_id="run-1", redactor=Redactor(["known-secret"]))
    return logging.getLogger(f"{ROOT}.services.x")


def test_a_text_line_says_when_how_bad_and_which_run(tmp_path) -> None:
    log = started(tmp_path / "log")

    with bound(client_order_id="c-1"):
        log.info("sent %s", "known-secret", extra={"attempt": 2})

    line = (tmp_path / "log").read_text()
    assert line.endswith(" info sent [redacted] run_id=run-1 client_order_id=c-1 attempt=2\n")
    assert line[:4].isdigit()
    assert line.split()[0].endswith("Z")


def test_a_json_line_holds_the_traceback_without_secrets(tmp_path) -> None:
    log = started(tmp_path / "log", "json")

    try:
        raise RuntimeError("Bearer abcdef.ghi")
    except RuntimeError:
        log.exception("it broke", extra={"authorization": "Basic xyz"})

    entry = json.loads((tmp_path / "log").read_text())
    assert entry["run_id"] == "run-1"
    assert entry["level"] == "error"
    assert entry["authorization"] == "[redacted]"
    assert "RuntimeError" in entry["traceback"]
    assert "abcdef" not in json.dumps(entry)


def test_what_is_bound_ends_with_its_block(tmp_path) -> None:
    log = started(tmp_path / "log")

    with bound(client_order_id="c-1"):
        pass
    log.info("after")

    assert "c-1" not in (tmp_path / "log").read_text()


def test_the_death_of_a_thread_is_logged(tmp_path) -> None:
    started(tmp_path / "log")

    def die() -> None:
        raise ValueError("no more")

    thread = threading.Thread(target=die, name="feed")
    thread.start()
    thread.join()

    text = (tmp_path / "log").read_text()
    assert "thread feed died" in text
    assert "ValueError: no more" in text


def test_without_a_file_the_log_goes_to_stderr(capsys) -> None:
    started(None, level=logging.WARNING).warning("look")

    assert "warning look" in capsys.readouterr().err


def test_a_log_file_that_cannot_be_opened_is_a_settings_error(tmp_path) -> None:
    with pytest.raises(SettingsError, match="cannot be written"):
        started(tmp_path)


def test_how_much_is_logged() -> None:
    assert log_level(verbose=True, quiet=False, to_file=False) == logging.DEBUG
    assert log_level(verbose=False, quiet=False, to_file=True) == logging.INFO
    assert log_level(verbose=False, quiet=False, to_file=False) == logging.WARNING
    assert log_level(verbose=False, quiet=True, to_file=False) == logging.ERROR
