"""What `ordersync demo` says while its story happens."""

from __future__ import annotations

import shutil
import sys
import textwrap
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from ordersync_cli.cli.demo_fates import FATES
from ordersync_cli.cli.invocation import Invocation
from ordersync_cli.cli.terminal import is_terminal

_NAMES = {fate.client_order_id: fate.name for fate in FATES}
_INDENT = " " * 10


@dataclass(slots=True)
class Teller:
    """Tells the story on stdout as it happens, from any thread."""

    run: Invocation
    began: float
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def say(self, text: str) -> None:
        """Print one line with the seconds since the start; on a terminal it breaks between words."""
        self.run.go_on()
        with self._lock:
            line = f"{self.run.clock.monotonic() - self.began:5.1f}s  {text}"
            if is_terminal(sys.stdout):
                width = shutil.get_terminal_size().columns
                line = textwrap.fill(line, max(width, 40), subsequent_indent=_INDENT, break_on_hyphens=False)
            self.run.output.text(line)

    def heading(self, text: str) -> None:
        """Print a heading."""
        self.run.go_on()
        with self._lock:
            self.run.output.text(f"\n== {text}")

    def hear(self, told: dict[str, Any]) -> None:
        """Tell what `watch` said."""
        if told["type"] == "feed":
            reason = f" ({told['reason']})" if told.get("reason") else ""
            self.say(f"  watch  the feed is {told['state']}{reason}")
        elif told["type"] == "trade_status_update":
            filled = f", filled {told['filled_size']}" if Decimal(told["filled_size"] or 0) else ""
            latency = f", {Decimal(told['latency_seconds']) * 1000:.0f} ms behind" if told["latency_seconds"] else ""
            self.say(
                f"  watch  {_name(told['client_order_id'])}: {told['status']} ({told['order_status']})"
                f"{filled} by {told['source']}{latency}"
            )
        elif told["type"] == "alert":
            self.say(f"  watch  alert {told['rule']}: {told['message']}")

    def settled(self, told: Mapping[str, Any], client_order_ids: Mapping[str, str]) -> None:
        """Tell what a pass of `reconcile` changed, and which differences it found and repaired."""
        for key, change in (told.get("details") or {}).items():
            self.say(f"  {_name(client_order_ids.get(key, key))}: {change['old_status']} → {change['new_status']}")
        found: dict[tuple[str, str], list[str]] = {}
        for broken in told.get("breaks") or []:
            found.setdefault((broken["order_id"], broken["severity"]), []).append(broken["kind"])
        for (order_id, severity), kinds in found.items():
            self.say(f"  {_name(client_order_ids.get(order_id, order_id))}: breaks {severity}: {', '.join(kinds)}")

    def figures(self, report: Mapping[str, Any]) -> None:
        """Tell what the report counts and measures."""
        trades, latency = report.get("trades") or {}, report.get("sync_latency_seconds") or {}
        self.say(f"{trades.get('total')} trades: " + ", ".join(f"{trades.get(word)} {word}" for word in _WORDS))
        self.say(f"sync latency: mean {latency.get('mean')} s, p99 {latency.get('p99')} s of {latency.get('count')}")
        for target in report.get("targets") or []:
            met = {True: "met", False: "MISSED", None: "nothing measured"}[target["met"]]
            self.say(f"  {target['name']}: {target['actual']} (target {target['target']}) {met}")


_WORDS = ("completed", "failed", "pending")


def _name(client_order_id: str) -> str:
    return _NAMES.get(client_order_id, client_order_id)
