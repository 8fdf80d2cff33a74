"""Whatever happens in a command becomes one exit code, one line, and the command's own JSON."""

from __future__ import annotations

import functools
import json
import os
import signal
import sys
from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Annotated

import pytest
import typer

from ordersync_cli import errors
from ordersync_cli.__main__ import main
from ordersync_cli.cli import app, logs, options
from ordersync_cli.cli.invocation import Invocation
from ordersync_cli.cli.options import command, read_duration

Run = Callable[[Invocation], int | None]


@pytest.fixture(autouse=True)
def _as_it_was():
    """Let each test register commands of its own, and put the process back as it was."""
    before = dict(options.REGISTRY)
    yield
    ours = {
        words: one for words, one in options.REGISTRY.items() if one.function.__module__.startswith("ordersync_cli.")
    }
    options.REGISTRY.clear()
    options.REGISTRY.update(before | ours)  # a module that was loaded here registers itself only once
    logs.stop_log()


@pytest.fixture
def call(capsys, monkeypatch):
    """Register a command `try` that runs the given function; returns its exit code, stdout and stderr."""
    monkeypatch.setattr(app, "MODULES", {})

    def calling(body: Run, *words: str) -> tuple[int, str, str]:
        @command("try", shape={"trade": None, "outcome": "unknown"})
        def _try(
            run: Invocation,
            max_notional: Annotated[str | None, typer.Option("--max-notional")] = None,
            wait: Annotated[str | None, typer.Option("--wait", parser=read_duration)] = None,
        ) -> int | None:
            """Try something."""
            return body(run)

        code = main(["try", *words])
        out, err = capsys.readouterr()
        return code, out, err

    return calling


def raising(error: BaseException) -> Run:
    def body(run: Invocation) -> int:
        raise error

    return body


CODES = [
    (errors.UsageError, 2),
    (errors.Declined, 2),
    (errors.PlacingFrozen, 2),
    (errors.SettingsError, 3),
    (errors.CredentialsRefused, 4),
    (errors.OrderRefused, 5),
    (errors.VenueUnavailable, 6),
    (errors.UnreadableAnswer, 7),
    (errors.OutcomeUnknown, 8),
    (errors.StoreError, 9),
    (errors.BreaksRemain, 10),
    (errors.UnknownOrder, 11),
    (errors.LeaseHeld, 12),
    (errors.NotFilled, 13),
]


@pytest.mark.parametrize(("kind", "code"), CODES)
def test_each_error_has_its_exit_code_and_one_document(call, kind, code) -> None:
    got, out, err = call(raising(kind("It went wrong.", "Do this.")), "--json")

    assert got == code
    assert json.loads(out) == {
        "trade": None,
        "outcome": "unknown",
        "simulated": True,
        "error": {"code": code, "kind": kind.kind, "message": "It went wrong.", "remedy": "Do this."},
    }
    said = [line for line in err.splitlines() if "SIMULATED" not in line]
    assert said == ([] if code == 12 else ["ordersync: It went wrong. Do this."])


def test_success_prints_no_error_document(call) -> None:
    def body(run: Invocation) -> None:
        run.document({"outcome": "filled"})

    code, out, _ = call(body, "--json")

    assert code == 0
    assert json.loads(out) == {"trade": None, "outcome": "filled", "simulated": True, "error": None}


def test_a_command_s_own_document_is_the_only_one(call) -> None:
    def body(run: Invocation) -> int:
        run.document({"outcome": "rejected"})
        raise errors.OrderRefused("No.")

    code, out, _ = call(body, "--json")

    assert code == 5
    assert json.loads(out)["outcome"] == "rejected"


def test_a_bug_is_one_line_and_its_traceback_is_kept_without_secrets(call) -> None:
    code, out, err = call(raising(ValueError("odd\nBearer abc.def")))

    assert code == 1
    assert out == ""
    said = [line for line in err.splitlines() if "SIMULATED" not in line]
    assert len(said) == 1
    assert "ValueError" in said[0]
    assert "abc.def" not in err
    kept = Path(os.environ["XDG_STATE_HOME"], "ordersync", "log", "crash.log").read_text()
    assert "Traceback" in kept
    assert "abc.def" not in kept


def test_a_bug_s_traceback_goes_to_the_log_file_where_there_is_one(call, tmp_path) -> None:
    file = tmp_path / "log"

    code, _, err = call(raising(KeyError("x")), "--log-file", str(file))

    assert code == 1
    assert str(file) in err
    assert "Traceback" in file.read_text()


def test_ctrl_c_is_130(call) -> None:
    assert call(raising(KeyboardInterrupt()))[0] == 130


def test_sigterm_is_143(call) -> None:
    def body(run: Invocation) -> int:
        os.kill(os.getpid(), signal.SIGTERM)
        signal.pause()
        return 0

    assert call(body)[0] == 143


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_that_tears_a_lock_is_no_bug(call, number, code) -> None:
    """It arrived inside `Event.wait`, whose lock was then released twice."""

    def body(run: Invocation) -> None:
        try:
            os.kill(os.getpid(), number)
        finally:
            raise RuntimeError("release unlocked lock")

    got, _, err = call(body)
    assert (got, "bug" in err) == (code, False), err


def test_a_signal_that_python_dropped_is_heard_at_the_next_step(call) -> None:
    """Its exception is thrown away where it arrives in a callback of the import system."""

    def body(run: Invocation) -> None:
        run.go_on()
        with suppress(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        run.go_on()

    assert call(body)[0] == 130


def raise_at_parse(monkeypatch, number: signal.Signals, *, dropped: bool = False) -> None:
    """Let a signal arrive while the line is read; ``dropped``: where Python throws its exception away."""
    real = options.parser_of

    def parser_of(registered):
        prepare = real(registered)

        @functools.wraps(prepare)
        def arriving(**given):
            with suppress(KeyboardInterrupt) if dropped else nullcontext():
                os.kill(os.getpid(), number)
            return prepare(**given)

        return arriving

    monkeypatch.setattr(app, "parser_of", parser_of)


@pytest.mark.parametrize("dropped", [False, True])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_while_the_line_is_read_decides_the_end(call, monkeypatch, number, code, dropped) -> None:
    raise_at_parse(monkeypatch, number, dropped=dropped)
    ran: list[int] = []

    got, out, err = call(lambda run: ran.append(1), "--json")

    told = json.loads(out)
    assert (got, told["error"]["code"], told["outcome"], ran) == (code, code, "unknown", [])
    assert ("Terminated." in err) is (code == 143)


def test_a_signal_before_the_command_was_imported_answers_in_its_shape_all_the_same(call, monkeypatch, capsys) -> None:
    monkeypatch.setattr(app, "MODULES", {"cancel": "cancel"})
    real = app.import_module

    def arriving(name: str):
        monkeypatch.setattr(app, "import_module", real)
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(app, "import_module", arriving)
    options.REGISTRY.pop("cancel", None)
    monkeypatch.delitem(sys.modules, "ordersync_cli.cli.cancel", raising=False)

    assert main(["cancel", "1", "--json"]) == 143
    told = json.loads(capsys.readouterr().out)
    assert (told["results"], told["error"]["code"]) == ([], 143)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_dropped_while_the_run_is_opened_keeps_the_command_from_its_work(call, monkeypatch, number) -> None:
    def opened(run: Invocation) -> None:
        with suppress(KeyboardInterrupt):
            os.kill(os.getpid(), number)

    monkeypatch.setattr(Invocation, "open", opened)
    ran: list[int] = []

    assert (call(lambda run: ran.append(1))[0], ran) == (130 if number == signal.SIGINT else 143, [])


@pytest.mark.parametrize(
    "line",
    [
        ["watch", "--no-feed", "--for", "20s", "--venue", "simulator"],
        ["watch", "--once", "--venue", "simulator"],
        ["reconcile", "--venue", "simulator"],
        ["sync", "1"],
        ["cancel", "1"],
        ["report"],
    ],
    ids=" ".join,
)
def test_a_signal_that_python_dropped_in_a_command_ends_it_at_its_next_step(monkeypatch, capsys, line) -> None:
    """Dropped while its first modules were imported, say: it must not run on to its end."""
    monkeypatch.delitem(sys.modules, f"ordersync_cli.cli.{line[0]}", raising=False)  # so that it is registered
    real = Invocation.wiring.func

    def wiring(run: Invocation):
        made = real(run)
        with suppress(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
        return made

    late = functools.cached_property(wiring)
    late.__set_name__(Invocation, "wiring")
    monkeypatch.setattr(Invocation, "wiring", late)

    assert main([*line, "--json"]) == 143
    assert json.loads(capsys.readouterr().out)["error"]["code"] == 143


def test_P10_once_an_order_may_exist_only_the_first_signal_interrupts(call) -> None:
    def body(run: Invocation) -> int:
        run.at_stake = "ids"
        with suppress(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
            signal.pause()
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(os.getpid(), number)
        return 5

    assert call(body)[0] == 5


def test_a_reader_that_went_away_is_no_failure(call, monkeypatch) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as pipe, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", pipe)
        assert call(raising(BrokenPipeError()))[0] == 0


def test_another_broken_pipe_is_a_bug(call) -> None:
    assert call(raising(BrokenPipeError()))[0] == 1


def test_exits_keep_their_code(call) -> None:
    assert call(raising(SystemExit(10)))[0] == 10
    assert call(raising(typer.Exit(13)))[0] == 13
    assert call(lambda run: 10)[0] == 10


@pytest.mark.parametrize(
    "error",
    [
        ValueError("bug"),
        KeyboardInterrupt(),
        errors.StoreError("Disk full."),
        errors.VenueUnavailable("Down."),
        BrokenPipeError(),
        errors.UnreadableAnswer("What?"),
        errors.OrderRefused("The venue refused something."),
        errors.CredentialsRefused("No."),
        SystemExit(1),
        SystemExit(0),
    ],
)
def test_T16_once_a_request_may_have_left_unknown_wins(call, error) -> None:
    def body(run: Invocation) -> int:
        run.at_stake = "c-42"
        raise error

    code, out, err = call(body, "--json")

    told = json.loads(out)
    assert (code, told["error"]["code"]) == (8, 8)
    assert told["requires_monitoring"] is True
    assert "ordersync sync c-42" in err


def test_wrong_usage_is_2_in_the_command_s_shape(call) -> None:
    code, out, err = call(lambda run: 0, "--wait", "soon", "--json")

    assert code == 2
    assert json.loads(out)["error"]["kind"] == "usage"
    assert json.loads(out)["outcome"] == "unknown"
    assert "ordersync try --help" in err


def test_an_own_option_named_like_a_setting_overrides_it(call, monkeypatch) -> None:
    monkeypatch.setenv("ORDERSYNC_MAX_NOTIONAL", "5")
    seen: list[str] = []

    call(lambda run: seen.append(str(run.settings.max_notional)))
    call(lambda run: seen.append(str(run.settings.max_notional)), "--max-notional", "7")

    assert seen == ["5", "7"]


def test_wrong_settings_are_3_and_the_command_does_not_run(call, monkeypatch) -> None:
    monkeypatch.setenv("ORDERSYNC_KEY_FILE", "k.json")
    ran: list[int] = []

    code, out, _ = call(lambda run: ran.append(1), "--json")

    assert (code, ran) == (3, [])
    assert json.loads(out)["error"]["kind"] == "settings"


def test_T49_without_a_terminal_a_named_venue_is_required(call, monkeypatch) -> None:
    def body(run: Invocation) -> None:
        run.require_named_venue("ordersync reconcile")

    class Terminal:
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", None)
    assert call(body)[0] == 3
    assert call(body, "--venue", "simulator")[0] == 0
    monkeypatch.setattr(sys, "stdin", Terminal())
    assert call(body)[0] == 0


def test_the_simulated_mark_is_on_stderr_though_quiet(call) -> None:
    assert "SIMULATED" in call(lambda run: 0, "--quiet")[2]
    assert "SIMULATED" not in call(lambda run: 0, "--venue", "coinbase")[2]


def test_a_full_disk_on_stdout_is_no_success_unless_an_order_is_the_outcome(call, monkeypatch) -> None:
    class FullDisk:
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

        def flush(self) -> None: ...

        def isatty(self) -> bool:
            return False

        def fileno(self) -> int:
            raise ValueError

    def body(run: Invocation) -> None:
        run.output.text("x")

    def placed(run: Invocation) -> None:
        run.at_stake = "c-1"
        body(run)

    monkeypatch.setattr(sys, "stdout", FullDisk())
    assert call(body)[0] == 1
    monkeypatch.setattr(sys, "stdout", FullDisk())
    assert call(placed)[0] == 0
