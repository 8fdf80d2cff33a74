"""The fault plan: what goes wrong, when and how often, by request or by frame, seeded.

A plan is a list of objects, from a TOML or JSON file (`[[faults]]`, {"faults": [...]}), or a control route:

- target: "rest" (default) or "ws"; kind: see REST_KINDS and WS_KINDS
- method, path (with * and ?), client_order_id, product_id, channel: which requests or frames are meant
- skip: let so many pass first; count: how often at most; probability: 0 to 1 (seeded)
- seconds, status, retry_after, body, code, message, ids, number, fields: details of the kind
"""

from __future__ import annotations

import json
import threading
import tomllib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from ordersync_cli.simulator.draws import Draws

BEFORE_KINDS = frozenset({"delay", "rate_limit", "status", "html", "cut_before", "hang_before"})
AFTER_KINDS = frozenset(
    {"cut_after", "hang_after", "status_after", "rate_limit_after", "garbage_after", "html_after", "delay_after"}
)
LOOKUP_KINDS = frozenset(
    {
        "stale",
        "hide_new",
        "ignore_ids",
        "omit_ids",
        "extra_ids",
        "repeat_cursor",
        "unreadable",
        "odd_fields",
        "late_fills",
    }
)
REST_KINDS = BEFORE_KINDS | AFTER_KINDS | LOOKUP_KINDS
WS_KINDS = frozenset(
    {
        "drop",
        "duplicate",
        "reorder",
        "delay",
        "close",
        "cut",
        "refuse",
        "silence",
        "no_user",
        "no_heartbeats",
        "error",
        "odd_fields",
    }
)


@dataclass(slots=True)
class Fault:
    """One line of the plan."""

    kind: str
    target: str = "rest"
    method: str = "*"
    path: str = "*"
    client_order_id: str = ""
    product_id: str = ""
    channel: str = "*"
    skip: int = 0
    count: int | None = None
    probability: float = 1.0
    seconds: float = 0.0
    status: int = 503
    retry_after: float | None = None
    body: str | None = None
    code: int = 1011
    message: str = "authentication failure"
    ids: list[str] = field(default_factory=list)
    number: int = 1
    fields: dict[str, Any] = field(default_factory=dict)
    seen: int = 0  # matches so far
    used: int = 0  # of which so many went wrong

    def __post_init__(self) -> None:
        kinds = {"rest": REST_KINDS, "ws": WS_KINDS}.get(self.target)
        if kinds is None:
            raise ValueError(f"fault target {self.target!r}: rest or ws")
        if self.kind not in kinds:
            raise ValueError(f"fault kind {self.kind!r} of target {self.target}: one of {', '.join(sorted(kinds))}")
        if not 0 <= self.probability <= 1:
            raise ValueError("fault probability: 0 to 1")


_NAMES = {f.name for f in fields(Fault)} - {"seen", "used"}
_KINDS_OF_VALUE: dict[str, type | tuple[type, ...]] = {
    "str": str,
    "int": int,
    "float": (int, float),
    "int | None": (int, type(None)),
    "float | None": (int, float, type(None)),
    "str | None": (str, type(None)),
    "list[str]": list,
    "dict[str, Any]": dict,
}
_TYPES = {f.name: _KINDS_OF_VALUE[str(f.type)] for f in fields(Fault)}


def read_fault(entry: dict[str, Any]) -> Fault:
    """Read one line of a plan; raises ValueError for what it does not know."""
    if not isinstance(entry, dict):
        raise ValueError(f"a fault is an object, not {entry!r}")  # noqa: TRY004 - one error for whoever reads a plan
    unknown = set(entry) - _NAMES
    if unknown or "kind" not in entry:
        raise ValueError(
            f"fault with unknown keys: {', '.join(sorted(unknown))}" if unknown else "fault without a kind"
        )
    for name, value in entry.items():
        if not isinstance(value, _TYPES[name]) or isinstance(value, bool):
            raise ValueError(f"fault {name}: {value!r} is not what it has to be")  # noqa: TRY004 - the same
    return Fault(**entry)


def load_faults(path: Path | str) -> list[dict[str, Any]]:
    """Read a fault plan from a .toml or .json file; raises ValueError (or OSError) when it cannot be used."""
    path = Path(path)
    content = path.read_text(encoding="utf-8")
    document = tomllib.loads(content) if path.suffix == ".toml" else json.loads(content)
    entries = document.get("faults") if isinstance(document, dict) else document
    if not isinstance(entries, list):
        raise ValueError("a fault plan is a list, or an object with the list `faults`")  # noqa: TRY004 - one error for the CLI
    for entry in entries:
        read_fault(entry)
    return entries


class Faults:
    """The plan in force; safe between the server's thread and a test's."""

    def __init__(self, seed: int, entries: Iterable[dict[str, Any]] = ()) -> None:
        self._lock = threading.Lock()
        self._draws = Draws(seed, "faults")
        self._plan = [read_fault(entry) for entry in entries]

    def __bool__(self) -> bool:
        """Tell whether anything can go wrong at all."""
        return bool(self._plan)

    def add(self, **entry: Any) -> None:
        """Add one line to the plan."""
        fault = read_fault(entry)
        with self._lock:
            self._plan = [*self._plan, fault]

    def replace(self, entries: Iterable[dict[str, Any]]) -> None:
        """Put another plan in force; an empty one heals everything."""
        plan = [read_fault(entry) for entry in entries]
        with self._lock:
            self._plan = plan

    def shown(self) -> list[dict[str, Any]]:
        """Return the plan with its counts."""
        with self._lock:
            return [asdict(fault) for fault in self._plan]

    def rest(self, method: str, path: str, client_order_id: str = "", product_id: str = "") -> list[Fault]:
        """Return what goes wrong with this request, and count it."""
        if not self._plan:
            return []

        def meant(fault: Fault) -> bool:
            return (
                fault.target == "rest"
                and fnmatchcase(method, fault.method)
                and fnmatchcase(path, fault.path)
                and fault.client_order_id in ("", client_order_id)
                and fault.product_id in ("", product_id)
            )

        with self._lock:
            return [fault for fault in self._plan if meant(fault) and self._strikes(fault)]

    def ws(self, kinds: frozenset[str] | set[str], channel: str = "") -> list[Fault]:
        """Return what goes wrong with this frame (or handshake) among these kinds, and count it."""
        if not self._plan:
            return []
        with self._lock:
            return [
                fault
                for fault in self._plan
                if fault.target == "ws"
                and fault.kind in kinds
                and fnmatchcase(channel, fault.channel)
                and self._strikes(fault)
            ]

    def _strikes(self, fault: Fault) -> bool:
        if fault.count is not None and fault.used >= fault.count:
            return False
        fault.seen += 1
        if fault.seen <= fault.skip:
            return False
        if fault.probability < 1 and self._draws.below(1_000_000) >= fault.probability * 1_000_000:
            return False
        fault.used += 1
        return True
