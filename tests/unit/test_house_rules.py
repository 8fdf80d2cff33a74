"""The habits of this project, checked: sizes, names, purity, words, pins."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "ordersync_cli"
MODULES = sorted(PACKAGE.rglob("*.py"))

LONGEST_MODULE = 299
LONGEST_FUNCTION = 60
LONGEST_CLASS = 149
MOST_METHODS = 12

FORBIDDEN_NAMES = re.compile(r"Manager|Handler|Helper|(?:^|_)(?:utils?|helpers?|manager|handler|misc)(?:_|$)")
OTHERS_NAMES = {"proxy_manager_for"}  # requests' adapters are extended by overriding it
PURE = frozenset(
    """__future__ abc bisect collections contextlib copy dataclasses datetime decimal enum fractions functools hashlib
    heapq itertools json math numbers operator re statistics string types typing""".split()  # noqa: SIM905  (a list of words)
)
# Texts that are not part of the project, and places on somebody's machine.
FORBIDDEN_WORDS = re.compile(
    r"\.\./shared|\b(?:coinbase|core|traps|libraries|origin|contract|architecture)\.md\b"
    r"|/opt/(?:pypi|wheels)|file:///|/work/|/tmp/(?:plan|probe)|\bsub-?agents?\b|\bAI agents?\b|\bissue #?\d+\b"
)
# What looks for these words has to write them.
MAY_NAME_THEM = {
    Path("tests/unit/test_house_rules.py"): "it lists them",
    Path(".ci/run"): "it demands the samples where there are some",
    Path("tests/support/samples.py"): "it reads the samples where there are some",
}


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def lines_of(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> int:
    """Count the lines of a class, or of a function's body: a command's options are its signature."""
    first = node.lineno if isinstance(node, ast.ClassDef) else node.body[0].lineno
    return (node.end_lineno or first) - first + 1


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def tracked() -> Iterator[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode == 0 and listed.stdout:
        yield from (Path(name) for name in listed.stdout.split("\0") if name and (ROOT / name).is_file())
        return
    for top in ("ordersync_cli", "tests", "cassettes", ".ci"):  # a source archive
        yield from (
            p.relative_to(ROOT) for p in (ROOT / top).rglob("*") if p.is_file() and "__pycache__" not in p.parts
        )
    yield from (Path(name) for name in ("README.md", "CHANGELOG.md", "pyproject.toml", "constraints.txt"))


def is_protocol(node: ast.ClassDef) -> bool:
    return any("Protocol" in ast.unparse(base) for base in node.bases)


def oversized(path: Path) -> Iterator[str]:
    """Tell what in a module is larger than the habits of this project allow; migrations are lists."""
    if "versions" in path.parts:
        return
    length = len(path.read_text(encoding="utf-8").splitlines())
    if length > LONGEST_MODULE:
        yield f"{name_of(path)}: {length} lines"
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and lines_of(node) > LONGEST_FUNCTION:
            yield f"{name_of(path)}: function {node.name}: {lines_of(node)} lines"
        if not isinstance(node, ast.ClassDef):
            continue
        methods = [m for m in node.body if isinstance(m, ast.FunctionDef | ast.AsyncFunctionDef)]
        public = [m for m in methods if not m.name.startswith("_")]
        if lines_of(node) > LONGEST_CLASS:
            yield f"{name_of(path)}: class {node.name}: {lines_of(node)} lines"
        # A port lists what is needed from outside; it has no code that could grow.
        if len(public) > MOST_METHODS and not is_protocol(node):
            yield f"{name_of(path)}: class {node.name}: {len(public)} public methods"


def test_modules_functions_and_classes_are_small() -> None:
    found = [problem for path in MODULES for problem in oversized(path)]

    assert not found, "\n".join(found)


def test_names_say_what_a_thing_is() -> None:
    found = []
    for path in MODULES:
        nodes = ast.walk(parsed(path))
        kinds = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
        named = [path.stem, *(node.name for node in nodes if isinstance(node, kinds))]
        found += [f"{name_of(path)}: {name}" for name in named if FORBIDDEN_NAMES.search(name)]

    assert [problem for problem in found if problem.rpartition(" ")[2] not in OTHERS_NAMES] == []


def test_the_rules_can_fail(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    big = tmp_path / "big.py"
    big.write_text("class A:\n" + "    x = 1\n" * 150 + "def f():\n" + "    y = 2\n" * 200)

    assert len(list(oversized(big))) == 3
    assert FORBIDDEN_NAMES.search("OrderManager")
    assert FORBIDDEN_NAMES.search("json_utils")
    assert not FORBIDDEN_NAMES.search("handle")


def imports_of(path: Path) -> Iterator[str]:
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def test_the_domain_is_pure() -> None:
    own = ("ordersync_cli.errors", "ordersync_cli.domain")
    found = [
        f"{name_of(path)}: {name}"
        for path in sorted((PACKAGE / "domain").rglob("*.py"))
        for name in imports_of(path)
        if not name.startswith(own) and name.partition(".")[0] not in PURE
    ]

    assert found == []


def test_what_is_called_pure_is_in_the_standard_library() -> None:
    assert set(sys.stdlib_module_names) >= PURE


def test_every_module_says_what_it_is_for() -> None:
    silent = [name_of(path) for path in MODULES if not ast.get_docstring(parsed(path))]

    assert silent == []


def test_nothing_refers_to_what_is_not_part_of_the_project() -> None:
    found = []
    for path in tracked():
        if path in MAY_NAME_THEM:
            continue
        try:
            text = (ROOT / path).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if word := FORBIDDEN_WORDS.search(line):
                found.append(f"{path}:{number}: {word.group()}")
    assert found == []


def test_every_exception_to_that_is_still_needed() -> None:
    for path in MAY_NAME_THEM:
        file = ROOT / path
        assert not file.exists() or FORBIDDEN_WORDS.search(file.read_text(encoding="utf-8")), path


def test_the_top_level_is_as_agreed() -> None:
    allowed = {
        "ordersync_cli",
        "tests",
        "cassettes",
        "pyproject.toml",
        "README.md",
        "CHANGELOG.md",
        "constraints.txt",
        "LICENSE",
    }
    tops = {path.parts[0] for path in tracked()}

    assert {name for name in tops if not name.startswith(".")} <= allowed


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_dependency_is_pinned_and_nothing_else_is_said() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!+]+", line)] == []
    pinned = {normal(line.partition("==")[0]) for line in lines}

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    for extra in project["project"]["optional-dependencies"].values():
        wanted += extra
    names = {normal(re.match(r"[A-Za-z0-9._-]+", need)[0]) for need in wanted} - {"ordersync"}  # type: ignore[index]

    assert names - pinned == set()
    assert set(project["build-system"]["requires"]) <= set(lines)


def test_every_ignored_rule_has_a_reason_beside_it() -> None:
    table = (ROOT / "pyproject.toml").read_text().partition("\nignore = [")[2].partition("\n]")[0]
    silent = [line for line in table.splitlines() if line.strip() and "#" not in line]

    assert silent == []


def test_the_readme_holds_the_two_commands() -> None:
    text = (ROOT / "README.md").read_text()
    start = "python3 -m venv .venv && .venv/bin/pip install -q -c constraints.txt -e "

    assert f"{start}. && .venv/bin/ordersync demo" in text
    assert re.search(re.escape(f"{start}'.[dev]' && .venv/bin/pytest") + r"\b", text)
