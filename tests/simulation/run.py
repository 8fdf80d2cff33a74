"""Runs many seeds: python -m tests.simulation.run --seeds A:B; prints those that fail, with the end of their traces."""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ProcessPoolExecutor

from tests.simulation.play import Failed, play


def one(seed: int) -> tuple[int, str | None, float, str]:
    began = time.monotonic()
    try:
        done = play(seed)
    except Failed as failure:
        return seed, str(failure), time.monotonic() - began, ""
    told = f"{done.seconds:.0f} s, {done.steps} steps, {done.requests} requests, {done.commits} commits"
    return seed, None, time.monotonic() - began, f"{told}, {done.trades} trades, {done.digest[:12]}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="0:50", metavar="A:B", help="from A up to B, without B; or one seed")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--quiet", action="store_true", help="print failing seeds only, one line each")
    chosen = parser.parse_args()
    first, _, last = chosen.seeds.partition(":")
    seeds = range(int(first), int(last) if last else int(first) + 1)
    failed: list[int] = []
    began = time.monotonic()
    with ProcessPoolExecutor(max_workers=chosen.workers) as pool:
        for seed, failure, seconds, told in pool.map(one, seeds):
            if failure is None:
                if not chosen.quiet:
                    print(f"{seed}: {seconds:.1f} s real; {told}")
                continue
            failed.append(seed)
            print(failure.splitlines()[-1] if chosen.quiet else failure, flush=True)
    print(f"{len(seeds) - len(failed)} of {len(seeds)} seeds passed in {time.monotonic() - began:.0f} s")
    if failed:
        print("failed:", *failed)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
