"""What `ordersync db` does with a whole store: tell its schema, upgrade, back up, prune."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ordersync_cli.clock import Clock
from ordersync_cli.errors import StoreError, UsageError
from ordersync_cli.store.database import connected
from ordersync_cli.store.measures import micros_of
from ordersync_cli.store.schema import HEAD, SchemaState, revision_of, state_of
from ordersync_cli.store.trade_store import TradeStore
from ordersync_cli.store.upkeep import Upgraded, upgrade_location, write_copy
from ordersync_cli.store.urls import locate

_PRUNED = {
    # the last one stays, so that the numbers of events never begin again
    "trade_events": "committed_at < ? AND id < (SELECT MAX(id) FROM trade_events) AND NOT EXISTS "
    "(SELECT 1 FROM trades t WHERE t.id = trade_events.trade_id AND t.awaits_look)",
    "outbox": "delivered_at < ?",
    "runs": "finished_at < ? AND EXISTS "
    "(SELECT 1 FROM runs later WHERE later.mode = runs.mode AND later.started_at > runs.started_at)",
    "breaks": "resolved_at < ?",
    "incidents": "resolved_at < ?",
    "watchers": "beat_at < ?",
    "measures": "at_us < ? AND NOT EXISTS (SELECT 1 FROM trades t WHERE t.id = measures.trade_id AND t.awaits_look)",
}
# what a pruned run had audited (services/reconcile/audits.py names the note after its run)
_ORPHANED_AUDITS = (
    "DELETE FROM notes WHERE SUBSTR(name, 1, 6) = 'audit:' "
    "AND NOT EXISTS (SELECT 1 FROM runs WHERE 'audit:' || runs.run_id = notes.name)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """Which schema a database has, which this program needs, and how they compare."""

    shown: str
    revision: str | None
    needed: str
    state: str


def current(url: str, clock: Clock) -> Schema:
    """Tell a database's schema without changing anything."""
    at = locate(url)
    if at.path is not None and not at.path.exists():
        return Schema(shown=at.shown, revision=None, needed=HEAD, state=SchemaState.EMPTY.value)
    database = connected(at, clock, "ordersync db")
    try:
        with database.reading() as sql:
            revision, state = revision_of(sql), state_of(sql)
    finally:
        database.close()
    return Schema(shown=at.shown, revision=revision, needed=HEAD, state=state.value)


def upgrade(url: str, clock: Clock) -> Upgraded:
    """Bring a database to this program's schema; an empty one gets all tables."""
    return upgrade_location(locate(url), clock)


def backup(url: str, target: Path) -> Path:
    """Copy a SQLite store into a new file while others go on writing.

    Raises UsageError on Postgres, which has a tool of its own for that, and for a target that is
    there already.
    """
    at = locate(url)
    if at.path is None:
        raise UsageError(
            f"{at.shown} is a Postgres database: it is backed up by its own tools.",
            f"pg_dump --format=custom --file={target} {at.shown}",
        )
    if not at.path.exists():
        raise StoreError(f"There is no store at {at.path}. Nothing was written.", "See `ordersync db path`.")
    try:
        return write_copy(at, target)
    except FileExistsError:
        raise UsageError(f"{target} is there already. Nothing was written.", "Give a new file.") from None
    except OSError as problem:
        raise StoreError(
            f"{target} cannot be written: {problem.strerror}. Nothing was written.", "Give another file."
        ) from problem


def prune(store: TradeStore, before: datetime, *, dry_run: bool = False) -> dict[str, int]:
    """Drop what is settled and older than that (or only count it); returns how many rows of each table.

    Trades, fills and venue orders stay for ever (they are what taxes and audits need), and so do
    the events of trades that are still followed, and all that is undelivered or unresolved.
    """
    dropped: dict[str, int] = {}
    verb = "SELECT COUNT(*)" if dry_run else "DELETE"
    with store.transaction() as sql:
        # the trigger that keeps the audit lets go while this note is there: in this transaction only
        sql.run("INSERT INTO notes (name, value) VALUES ('pruning', 'now')")
        for table, condition in _PRUNED.items():
            value = micros_of(before) if table == "measures" else sql.values.time(before)
            text = f"{verb} FROM {table} WHERE {condition}"
            dropped[table] = int(sql.rows(text, (value,))[0][0]) if dry_run else sql.run(text, (value,))
        if not dry_run:
            sql.run(_ORPHANED_AUDITS)
        sql.run("DELETE FROM notes WHERE name = 'pruning'")
    return dropped
