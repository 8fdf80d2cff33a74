"""Record the cassettes of the venue contract again: `python -m tests.record_cassettes [CLAIM...]`.

Without settings the simulator is recorded. With ORDERSYNC_REST_URL and ORDERSYNC_KEY_FILE (or
COINBASE_API_KEY and COINBASE_API_SECRET) that venue is; on the real one this places real orders
of about 25 USD, so it asks for `--real-money` there. What is recorded holds no secret: see
tests/support/cassettes.py, and `tests/contract/test_venue_cassettes.py`, which looks for leaks.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from ordersync_cli.clock import SystemChance, SystemClock
from ordersync_cli.simulator.server import SimulatorServer
from ordersync_cli.venue import COINBASE_REST_URL, key_source, open_venue
from ordersync_cli.venue.credentials import CredentialSource
from tests.support.cassettes import ABOUT, LEAKS, RECORDED, recording
from tests.support.venue_claims import CLAIMS, Visit, seed_of
from tests.support.venue_kit import FreeBudget
from tests.support.virtual_clock import SeededChance


@contextmanager
def venue_of_the_environment() -> Iterator[tuple[str, str, CredentialSource]]:
    key_file, name = os.environ.get("ORDERSYNC_KEY_FILE"), os.environ.get("COINBASE_API_KEY")
    if not key_file and not name:
        with (
            tempfile.TemporaryDirectory() as folder,
            SimulatorServer(Path(folder) / "exchange.db", seed=23, rate_limit=None) as server,
        ):
            yield "the ordersync simulator", server.rest_url, key_source(key_file=Path(server.key_file))
        return
    url = os.environ.get("ORDERSYNC_REST_URL", COINBASE_REST_URL)
    if "coinbase.com" in url and "--real-money" not in sys.argv:
        raise SystemExit("This places real orders: add --real-money.")
    if key_file:
        yield url, url, key_source(key_file=Path(key_file))
    else:
        yield url, url, key_source(key_name=name or "", key_secret=os.environ.get("COINBASE_API_SECRET", ""))


def main() -> None:
    wanted = [name for name in sys.argv[1:] if not name.startswith("--")]
    seed = json.loads(ABOUT.read_text())["seed"] if wanted else time.time_ns() % 1_000_000_007
    RECORDED.mkdir(parents=True, exist_ok=True)
    with venue_of_the_environment() as (shown, url, source):
        for claim in CLAIMS:
            if wanted and claim.__name__ not in wanted:
                continue
            venue = open_venue(
                rest_url=url, source=source, budget=FreeBudget(), clock=SystemClock(), chance=SystemChance()
            )
            path = RECORDED / f"{claim.__name__}.yaml"
            with recording(path):
                claim(Visit(venue, SeededChance(seed_of(claim, seed)), time.sleep))
            venue.close()
            if LEAKS.search(path.read_text(encoding="utf-8")):
                path.unlink()
                raise SystemExit(f"{path.name} held a secret and was deleted")
            print(f"{path.name} recorded from {shown}")
        told = {"recorded_from": shown, "at": datetime.now(UTC).isoformat(timespec="seconds"), "seed": seed}
    ABOUT.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
