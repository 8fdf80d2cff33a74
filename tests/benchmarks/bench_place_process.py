"""How long `ordersync place` takes as a process, beside a minimal script of the SDK alone.

Run it as `python -m tests.benchmarks.bench_place_process [RUNS] [--strict]`. Both place one market order on the same
simulated exchange, which fills it after 10 ms, and end when it is filled; ordersync also validates it, commits it
before and after, and fetches its fills. The two take turns, so that a busy machine is busy for both.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from time import perf_counter

from tests.support.benching import Report, exchange

TARGET = 1.5
RUNS = next((int(word) for word in sys.argv[1:] if word.isdigit()), 15)
FILLED = [
    {"after_seconds": "0", "status": "OPEN"},
    {"after_seconds": "0.01", "filled_fraction": "1", "status": "FILLED"},
]
PLACE = [sys.executable, "-m", "ordersync_cli", "place", "buy", "BTC-USD", "--quote-size", "25", "--yes"]
SDK = [sys.executable, str(Path(__file__).with_name("sdk_alone.py"))]


def timed(command: list[str], environment: Mapping[str, str]) -> tuple[float, float]:
    """Run a process; return its seconds and the seconds of processor that it took."""
    started = perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stderr.close()
    assert process.returncode == 0, said
    return seconds, usage.ru_utime + usage.ru_stime


def main() -> int:
    report = Report(f"ordersync place as a process, {RUNS} runs each")
    with tempfile.TemporaryDirectory() as name, exchange(Path(name) / "exchange.db", FILLED) as venue:
        environment = venue.environment(Path(name))
        sdk = [*SDK, venue.rest_url.removeprefix("http://"), venue.key_file]
        for command in (PLACE, sdk):  # the store is made, the bytecode compiled, the files cached
            timed(command, environment)
        both = [(timed(PLACE, environment), timed(sdk, environment)) for _ in range(RUNS)]
    ours, raw = ([pair[side][0] for pair in both] for side in (0, 1))
    cpu, raw_cpu = ([pair[side][1] for pair in both] for side in (0, 1))
    report.say(f"fastest: {min(ours):.3f} s, the script {min(raw):.3f} s, {min(ours) / min(raw):.2f}x")
    report.say(
        f"processor: median {median(cpu):.3f} s, the script {median(raw_cpu):.3f} s, "
        f"{median(cpu) / median(raw_cpu):.2f}x; least {min(cpu):.3f} s and {min(raw_cpu):.3f} s, "
        f"{min(cpu) / min(raw_cpu):.2f}x"
    )
    ratio = median(ours) / median(raw)
    report.judge(
        "place as a process",
        f"median {median(ours):.3f} s, {ratio:.2f}x",
        f"the SDK alone, median {median(raw):.3f} s",
        target=f"within {TARGET}x",
        good=ratio <= TARGET,
    )
    return report.code()


if __name__ == "__main__":
    sys.exit(main())
