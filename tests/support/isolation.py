"""Keeps a test from the user's files and settings, every network but loopback, and what the test before left."""

from __future__ import annotations

import ipaddress
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

KEPT = ("ORDERSYNC_TEST_", "ORDERSYNC_SAMPLES")  # settings of the tests themselves
_STRIPPED = ("ORDERSYNC_", "COINBASE_")
_STRIPPED_NAMES = (
    "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "CLICOLOR", "CLICOLOR_FORCE", "NETRC",
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy",
)  # fmt: skip
_HOMES = {
    "HOME": "home",
    "XDG_CONFIG_HOME": "home/.config",
    "XDG_DATA_HOME": "home/.local/share",
    "XDG_STATE_HOME": "home/.local/state",
    "XDG_CACHE_HOME": "home/.cache",
}
_connect = socket.socket.connect
_connect_ex = socket.socket.connect_ex
_getaddrinfo = socket.getaddrinfo


class NetworkBlocked(RuntimeError):
    """A test tried to leave this machine."""


def clean_environment() -> None:
    """Strip settings and proxies from this process, and put its local time somewhere odd."""
    for name in list(os.environ):
        if (name.startswith(_STRIPPED) and not name.startswith(KEPT)) or name in _STRIPPED_NAMES:
            del os.environ[name]
    os.environ["TZ"] = "Asia/Kathmandu"  # UTC+05:45: whoever takes local time for UTC is seen
    time.tzset()


def _is_local(address: object) -> bool:
    if not isinstance(address, tuple):
        return True  # a unix socket's path
    host = str(address[0])
    if host in {"", "localhost"}:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _guarded_connect(self: socket.socket, address: object) -> None:
    if not _is_local(address):
        raise NetworkBlocked(f"connect to {address!r}")
    _connect(self, address)  # type: ignore[arg-type]


def _guarded_connect_ex(self: socket.socket, address: object) -> int:
    if not _is_local(address):
        raise NetworkBlocked(f"connect to {address!r}")
    return _connect_ex(self, address)  # type: ignore[arg-type]


def _guarded_getaddrinfo(host: object, *args: object, **kwargs: object) -> object:
    name = host.decode() if isinstance(host, bytes) else host
    if name is not None and not _is_local((name,)):
        try:
            ipaddress.ip_address(str(name))
        except ValueError:  # a name: answered as a resolver without a network would
            raise socket.gaierror(socket.EAI_NONAME, f"no network in tests: {name}") from None
    return _getaddrinfo(host, *args, **kwargs)  # type: ignore[arg-type]


def block_network() -> None:
    """Let sockets of this process connect to loopback and unix sockets only."""
    socket.socket.connect = _guarded_connect  # type: ignore[method-assign,assignment]
    socket.socket.connect_ex = _guarded_connect_ex  # type: ignore[method-assign,assignment]
    socket.getaddrinfo = _guarded_getaddrinfo  # type: ignore[assignment]


def pytest_configure() -> None:
    """Do it before any test module is imported."""
    clean_environment()
    block_network()


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give every test a home directory of its own."""
    base = tmp_path_factory.getbasetemp() / "homes"
    base.mkdir(exist_ok=True)
    own = Path(base, f"{next(_numbers)}")
    for name, place in _HOMES.items():
        monkeypatch.setenv(name, str(own / place))


_numbers = iter(range(1_000_000_000))


@pytest.fixture(autouse=True)
def _own_signals() -> Iterator[None]:
    """Start every test as a terminal starts a process: a command run in here leaves signals ignored at its end.

    Without it the commands that a later test starts inherit that, and Ctrl-C does not reach them.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


@pytest.fixture(autouse=True, scope="session")
def _nothing_left_running() -> Iterator[None]:
    """Fail the run when it leaves a child process behind."""
    yield
    children = psutil.Process().children(recursive=True)
    _, alive = psutil.wait_procs(children, timeout=5)
    left = [f"{child.pid} {' '.join(child.cmdline())[:200]}" for child in alive if child.is_running()]
    assert not left, f"processes left running: {left}"
