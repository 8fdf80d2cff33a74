"""One suite of claims about a venue, held against recordings and against the simulator alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ordersync_cli.simulator.server import SimulatorServer
from tests.support.cassettes import RECORDED, about, playing
from tests.support.venue_claims import CLAIMS, Visit, seed_of
from tests.support.venue_kit import venue_at, write_key
from tests.support.virtual_clock import SeededChance

Claim = Callable[[Visit], None]


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorServer]:
    path = tmp_path_factory.mktemp("simulator") / "exchange.db"
    with SimulatorServer(path, seed=11, rate_limit=None) as server:
        yield server


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.__name__)
def test_the_simulator_keeps_the_claim(simulator: SimulatorServer, claim: Claim) -> None:
    with venue_at(simulator.rest_url, Path(simulator.key_file)) as venue:
        claim(Visit(venue, SeededChance(time.monotonic_ns()), time.sleep))


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.__name__)
def test_the_recording_keeps_the_claim(claim: Claim, tmp_path: Path) -> None:
    cassette = RECORDED / f"{claim.__name__}.yaml"
    with playing(cassette) as played, venue_at("https://venue.example", write_key(tmp_path / "key.json")) as venue:
        claim(Visit(venue, SeededChance(seed_of(claim, about()["seed"])), lambda _: None))
        assert played.all_played, "the client asks less than was recorded"


def test_there_is_a_recording_for_each_claim_and_no_other() -> None:
    assert {path.stem for path in RECORDED.glob("*.yaml")} == {claim.__name__ for claim in CLAIMS}
    assert about()["recorded_from"]
