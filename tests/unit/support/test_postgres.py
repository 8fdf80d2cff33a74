"""The Postgres of the tests is real, fresh for each test, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import sqlalchemy as sa

from tests.support.postgres import PostgresServer

ROOT = Path(__file__).parents[3]


def _answer(url: str, statement: str) -> object:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        result = connection.execute(sa.text(statement))
        return result.scalar() if result.returns_rows else None


def test_each_test_gets_an_empty_database(postgres_url: str) -> None:
    _answer(postgres_url, "CREATE TABLE mark (n int)")

    assert _answer(postgres_url, "SELECT count(*) FROM mark") == 0


def test_another_test_does_not_see_its_tables(postgres_url: str) -> None:
    _answer(postgres_url, "CREATE TABLE mark (n int)")  # would fail if it were there


def test_a_template_is_filled_once_and_copied(postgres_server: PostgresServer) -> None:
    filled: list[str] = []

    def prepare(url: str) -> None:
        filled.append(url)
        _answer(url, "CREATE TABLE ready (n int)")

    copies = [postgres_server.database(postgres_server.template("ready", prepare)) for _ in range(2)]

    assert len(filled) == 1
    assert [_answer(url, "SELECT count(*) FROM ready") for url in copies] == [0, 0]
    for url in copies:
        postgres_server.drop(url)


def test_a_killed_test_run_leaves_no_server() -> None:
    program = textwrap.dedent("""
        import time
        from tests.support.postgres import running_postgres
        with running_postgres() as server:
            print(server.database(), flush=True)
            time.sleep(60)
    """)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("ORDERSYNC_TEST_POSTGRES")}
    run = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment
    )
    assert run.stdout is not None
    url = run.stdout.readline().strip()
    folder = Path(url.partition("host=")[2].partition("&")[0])
    servers = [p for p in psutil.Process(run.pid).children(recursive=True) if "postgres" in p.name()]
    assert servers

    run.send_signal(signal.SIGKILL)
    run.wait(10)
    run.stdout.close()

    _, alive = psutil.wait_procs(servers, timeout=20)
    assert alive == []
    for _ in range(100):
        if not (folder / "postmaster.pid").exists():
            break
        time.sleep(0.05)
    subprocess.run(["rm", "-rf", str(folder.parent)], check=True)
