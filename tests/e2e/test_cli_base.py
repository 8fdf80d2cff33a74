"""The installed command, as a process: exit codes, both streams, pipes, signals, a terminal."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from itertools import pairwise
from pathlib import Path

import pexpect
import pytest

ORDERSYNC = [sys.executable, "-m", "ordersync_cli"]


def ordersync(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*ORDERSYNC, *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **environ},
    )


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["config", "--help"], ["simulator", "--help"]])
def test_help_imports_nothing_heavy(words) -> None:
    program = (
        "import sys\nfrom ordersync_cli.__main__ import main\n"
        f"code = main({words!r})\n"
        "heavy = {'sqlalchemy', 'sqlmodel', 'coinbase', 'httpx', 'alembic', 'websockets', 'starlette', 'uvicorn'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\nsys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "[]"


def test_the_installed_script_tells_its_version() -> None:
    script = Path(sys.executable).with_name("ordersync")
    done = subprocess.run([str(script), "--version"], capture_output=True, text=True, timeout=60, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"ordersync \d+\.\d+\.\d+\n", done.stdout)


@pytest.mark.parametrize(
    "words", [[], ["nonsense"], ["config"], ["config", "show", "--nonsense"], ["db", "path", "extra"]]
)
def test_wrong_usage_is_2(words) -> None:
    done = ordersync(*words)

    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_wrong_usage_with_json_prints_the_command_s_own_shape() -> None:
    done = ordersync("db", "path", "--json", "--nonsense")

    document = json.loads(done.stdout)
    assert done.returncode == 2
    assert document["path"] is None
    assert document["error"]["code"] == 2
    assert document["error"]["kind"] == "usage"


@pytest.mark.parametrize(
    "words", [["config", "show"], ["config", "init"], ["db", "path"], ["simulator", "--port", "0"]]
)
def test_T49_credentials_without_a_venue_are_3_on_every_command(words) -> None:
    done = ordersync(*words, COINBASE_API_KEY="k", COINBASE_API_SECRET="never-shown")

    assert done.returncode == 3
    assert len(done.stderr.splitlines()) == 1
    assert "never-shown" not in done.stdout + done.stderr


def test_config_show_names_each_source_and_masks_secrets(tmp_path) -> None:
    file = tmp_path / "c.toml"
    file.write_text('[profile.live]\nvenue = "coinbase"\n')

    done = ordersync(
        "config", "show", "--json", "--config", str(file), "--profile", "live", "--log-format", "json",
        ORDERSYNC_DATABASE_URL="postgresql://u:never-shown@h/d", ORDERSYNC_WEBHOOK_SECRET="never-shown",
    )  # fmt: skip

    settings = json.loads(done.stdout)["settings"]
    assert done.returncode == 0, done.stderr
    assert settings["venue"] == {"value": "coinbase", "origin": f"file {file} [profile.live]"}
    assert settings["log_format"]["origin"] == "flag --log-format"
    assert settings["database_url"]["origin"] == "environment ORDERSYNC_DATABASE_URL"
    assert settings["light_every"] == {"value": "30s", "origin": "default"}
    assert "never-shown" not in done.stdout + done.stderr


def test_config_init_writes_a_private_file_once() -> None:
    first = ordersync("config", "init")
    file = Path(first.stdout.strip())
    content = file.read_text()
    second = ordersync("config", "init")

    assert first.returncode == 0
    assert file == Path(os.environ["XDG_CONFIG_HOME"], "ordersync", "config.toml")
    assert file.stat().st_mode & 0o777 == 0o600
    assert second.returncode == 3
    assert file.read_text() == content
    assert ordersync("config", "show").returncode == 0
    assert ordersync("config", "init", "--force").returncode == 0


def test_db_path_follows_the_settings(tmp_path) -> None:
    assert ordersync("db", "path").stdout.endswith("/ordersync/simulated.db\n")
    assert ordersync("db", "path", "--venue", "coinbase").stdout.endswith("/ordersync/ordersync.db\n")
    assert ordersync("db", "path", "--database", f"sqlite:///{tmp_path}/x.db").stdout == f"{tmp_path}/x.db\n"


def test_a_run_without_any_environment_works() -> None:
    done = subprocess.run(
        ["env", "-i", *ORDERSYNC, "db", "path"], capture_output=True, text=True, timeout=60, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip

    assert done.returncode == 0
    assert done.stdout.endswith("/ordersync/simulated.db\n")


@pytest.mark.parametrize("word", ["place", "reconcile", "sync"])
def test_help_breaks_its_lines_at_the_edge_only(word: str) -> None:
    said = ordersync(word, "--help", COLUMNS="80").stdout.split("\n\u256d")[0].splitlines()
    lines = [line.strip() for line in said]
    early = [line for line, after in pairwise(lines) if line and after and len(line) + 1 + len(after.split()[0]) <= 78]
    assert early == []


def test_every_option_of_every_command_is_in_the_help_with_its_variable() -> None:
    text = " ".join(ordersync("db", "path", "--help", COLUMNS="200").stdout.split())

    for option in (
        "--database", "--venue", "--profile", "--key-file", "--rest-url", "--ws-url", "--config", "--json", "--quiet",
        "--verbose", "--log-file", "--log-format", "--help",
    ):  # fmt: skip
        assert option in text
    for variable in (
        "ORDERSYNC_DATABASE_URL", "ORDERSYNC_VENUE", "ORDERSYNC_PROFILE", "ORDERSYNC_KEY_FILE", "ORDERSYNC_REST_URL",
        "ORDERSYNC_WS_URL", "ORDERSYNC_CONFIG", "ORDERSYNC_LOG_FILE", "ORDERSYNC_LOG_FORMAT",
    ):  # fmt: skip
        assert variable in text


def test_a_closed_pipe_ends_it_quietly() -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            [*ORDERSYNC, "config", "show"], stdout=write, stderr=subprocess.PIPE, text=True, timeout=60, check=False
        )
    finally:
        os.close(write)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_said() -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123  (a device, not a file)
        done = subprocess.run(
            [*ORDERSYNC, "config", "show"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False
        )

    assert done.returncode == 1
    assert "No space left on device" in done.stderr


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_another_encoding_than_utf_8_loses_no_line(encoding: str) -> None:
    told = ordersync("freeze", "--reason", "→ \N{GRINNING FACE}", PYTHONIOENCODING=encoding)
    shown = ordersync("freeze", "--json", PYTHONIOENCODING=encoding)

    assert (told.returncode, told.stdout) == (0, "Placing is frozen: \\u2192 \\U0001f600.\n")
    assert json.loads(shown.stdout)["reason"] == "→ \N{GRINNING FACE}."


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_nobody_on_stderr_changes_no_exit_code() -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123  (a device, not a file)
        done = subprocess.run(
            [*ORDERSYNC, "show", "nothing", "--json"], stdout=subprocess.PIPE, stderr=full, text=True, timeout=60,
            check=False,
        )  # fmt: skip

    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (11, 11)


def test_on_a_terminal_a_table_is_drawn_without_colour_when_asked() -> None:
    screen = pexpect.spawn(
        ORDERSYNC[0], [*ORDERSYNC[1:], "config", "show"], timeout=60, encoding="utf-8", dimensions=(60, 120),
        env={**os.environ, "NO_COLOR": "1", "TERM": "xterm"},
    )  # fmt: skip
    text = screen.read()
    screen.close()

    assert screen.exitstatus == 0
    assert "simulator" in text
    assert "─" in text or "━" in text
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", text)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_simulator_prints_one_line_of_json_serves_and_stops_cleanly(tmp_path, number, code) -> None:
    with subprocess.Popen(
        [*ORDERSYNC, "simulator", "--json", "--state", "exchange.db"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
    ) as server:  # fmt: skip
        assert server.stdout is not None
        assert server.stderr is not None
        where = json.loads(server.stdout.readline())
        with urllib.request.urlopen(f"{where['rest_url']}/api/v3/brokerage/time", timeout=10) as answer:
            now = json.load(answer)
        server.send_signal(number)
        ended = server.wait(20)
        errors = server.stderr.read()

    assert "epochSeconds" in now
    assert where["ws_url"].startswith("ws://127.0.0.1:")
    key = Path(where["key_file"])
    assert (key.parent, key.suffix) == (tmp_path, ".json")
    assert key.stat().st_mode & 0o777 == 0o600
    assert set(json.loads(key.read_text())) >= {"name", "privateKey"}
    assert ended == code
    assert "Traceback" not in errors
    assert sorted(path.name for path in tmp_path.iterdir()) == ["exchange.db", key.name]


def test_a_port_in_use_is_a_settings_error(tmp_path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = ordersync("simulator", "--port", str(taken.getsockname()[1]), "--state", str(tmp_path / "x.db"))

    assert done.returncode == 3
    (said,) = [line for line in done.stderr.splitlines() if "SIMULATED" not in line]
    assert "port" in said
    assert "state" not in said
