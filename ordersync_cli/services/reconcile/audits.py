"""Random audits: trades held against the venue before any repair, so that accuracy can be stated.

Kept as one note a run (``audit:RUN_ID``), beside the run's row; the report reads them back.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from ordersync_cli.services.ports import Run, Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What one run audited: ids of distinct trades drawn at random, and which of them differed."""

    at: datetime
    audited: frozenset[int]
    differed: frozenset[int]


def save_audit(transaction: Transaction, run_id: str, audit: Audit) -> None:
    """Write an audit down, in the transaction that ends the drawing."""
    body = {
        "at": audit.at.isoformat(),
        "audited": sorted(audit.audited),
        "differed": sorted(audit.differed),
    }
    transaction.notes.set(_note(run_id), json.dumps(body, separators=(",", ":")))


def audits_of(transaction: Transaction, runs: Iterable[Run]) -> list[Audit]:
    """Read the audits of these runs, in their order; runs that audited nothing are left out."""
    found = []
    for run in runs:
        noted = transaction.notes.get(_note(run.run_id))
        if noted is None:
            continue
        body = json.loads(noted)
        found.append(
            Audit(
                at=datetime.fromisoformat(body["at"]),
                audited=frozenset(body["audited"]),
                differed=frozenset(body["differed"]),
            )
        )
    return found


def _note(run_id: str) -> str:
    return f"audit:{run_id}"
