"""A test sees neither the user's settings and files nor what the test before left, and cannot leave this machine."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.isolation import NetworkBlocked, clean_environment


def test_other_machines_cannot_be_reached() -> None:
    with socket.socket() as connection, pytest.raises(NetworkBlocked):
        connection.connect(("192.0.2.1", 80))
    with socket.socket() as connection, pytest.raises(NetworkBlocked):
        connection.connect_ex(("192.0.2.1", 80))


def test_names_of_other_machines_are_not_found() -> None:
    with pytest.raises(socket.gaierror):
        socket.create_connection(("api.coinbase.com", 443), timeout=1)


def test_loopback_and_unix_sockets_can_be_reached(tmp_path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname(), timeout=5):
        pass
    place = f"/proc/self/fd/{os.open(tmp_path, os.O_RDONLY)}/s"
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(place)
        server.listen()
        client.connect(place)
    os.close(int(place.split("/")[4]))


def test_settings_of_the_user_are_stripped(monkeypatch) -> None:
    monkeypatch.setenv("ORDERSYNC_VENUE", "coinbase")
    monkeypatch.setenv("COINBASE_API_KEY", "k")
    monkeypatch.setenv("ORDERSYNC_TEST_SEEDS", "7")

    clean_environment()

    assert "ORDERSYNC_VENUE" not in os.environ
    assert "COINBASE_API_KEY" not in os.environ
    assert os.environ["ORDERSYNC_TEST_SEEDS"] == "7"


def test_home_is_the_test_s_own(tmp_path_factory) -> None:
    base = tmp_path_factory.getbasetemp()

    assert Path.home().is_relative_to(base)
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        assert Path(os.environ[name]).is_relative_to(base)


def test_local_time_is_not_utc() -> None:
    assert time.localtime(0).tm_gmtoff == 5.5 * 3600  # in 1970; +05:45 since 1986


@pytest.mark.parametrize("time_round", [1, 2])
def test_a_command_that_a_test_starts_hears_ctrl_c_whatever_an_earlier_test_ignored(time_round) -> None:
    code = (
        "import signal as s; print(s.getsignal(s.SIGINT) is s.default_int_handler, s.getsignal(s.SIGTERM) is s.SIG_DFL)"
    )
    started = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # as a command run in this process leaves them

    assert started.stdout.split() == ["True", "True"]
