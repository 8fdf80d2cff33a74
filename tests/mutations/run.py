"""Apply each mutation of `catalogue.py` to a copy of the program and demand that its test fails.

Run it as `python -m tests.mutations.run [NAME...]`. A mutation whose text is not found any more
is an error: the catalogue must follow the code. Exit code 0 only when every test was green
before and red after.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.mutations.catalogue import MUTATIONS, Mutation

ROOT = Path(__file__).resolve().parents[2]
LIMIT_SECONDS = 180


def main(names: list[str]) -> int:
    """Run the named mutations (all, without names); print a line each."""
    wanted = [m for m in MUTATIONS if not names or m.name in names]
    unknown = set(names) - {m.name for m in MUTATIONS}
    if unknown:
        print(f"no such mutation: {', '.join(sorted(unknown))}")
        return 2
    survived = [m.name for m in wanted if not noticed(m)]
    print(f"{len(wanted) - len(survived)} noticed, {len(survived)} survived")
    return 1 if survived else 0


def noticed(mutation: Mutation) -> bool:
    """Tell whether the mutation's test is green without it and red with it."""
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        copy = Path(folder)
        for part in ("ordersync_cli", "tests", "cassettes"):
            ignored = shutil.ignore_patterns("__pycache__")
            if (ROOT / part).is_dir():
                shutil.copytree(ROOT / part, copy / part, ignore=ignored)
        for name in ("pyproject.toml", "README.md", "CHANGELOG.md", "constraints.txt"):
            if (ROOT / name).exists():
                shutil.copy(ROOT / name, copy / name)
        before = passes(copy, mutation.test)
        for edit in mutation.edits:
            target = copy / edit.path
            text = target.read_text()
            if text.count(edit.old) != 1:
                print(f"BROKEN   {mutation.name}: the text is not in {edit.path} exactly once")
                return False
            target.write_text(text.replace(edit.old, edit.new))
        after = passes(copy, mutation.test)
    good = before and not after
    word = "noticed " if good else ("RED BEFORE" if not before else "SURVIVED")
    print(f"{word} {mutation.name}: {mutation.test}")
    return good


def passes(copy: Path, test: str) -> bool:
    """Run one test in the copy; True when it is green."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:randomly", "-p", "no:cacheprovider"]
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [*command, test],
        cwd=copy,
        env=environment,
        capture_output=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )
    if done.returncode not in {0, 1}:
        print(done.stdout.decode()[-2000:])
        raise SystemExit(f"could not run {test} (pytest's exit code {done.returncode})")
    return done.returncode == 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
