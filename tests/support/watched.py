"""A simulated exchange, the books of a store beside it, and a live watcher over both."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ordersync_cli.simulator.server import SimulatorServer
from tests.support.live_watch import Books, LiveWatch, live_watch
from tests.support.patience import within


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SimulatorServer]:
    """An exchange that limits nobody."""
    with SimulatorServer(tmp_path / "exchange.db", seed=7, rate_limit=None) as made:
        yield made


@pytest.fixture
def books(server: SimulatorServer, tmp_path: Path) -> Iterator[Books]:
    """A store whose orders are placed at that exchange."""
    made = Books(server, tmp_path / "store.db")
    yield made
    made.close()


@pytest.fixture
def watch(books: Books) -> Iterator[LiveWatch]:
    """A watcher in this process, its feed live."""
    with live_watch(books) as made:
        within(5.0, lambda: made.feed_is("live"), "a live feed")
        yield made
