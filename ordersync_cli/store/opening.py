"""Makes sure that a database has this program's schema before anything else touches it."""

from __future__ import annotations

from ordersync_cli.clock import Clock
from ordersync_cli.store.database import Database
from ordersync_cli.store.schema import SchemaState, refuse, refuse_unmigrated, revision_of, state_of

_FINE = {SchemaState.CURRENT, SchemaState.NEWER_SERVES}


def made_ready(database: Database, clock: Clock) -> None:
    """Compare the schema (under a millisecond) and upgrade a SQLite file where it is older.

    Raises StoreError (exit 9) for a newer schema, or one on Postgres that waits for `db upgrade`;
    SettingsError (exit 3) for a database of another program.
    """
    with database.reading() as sql:
        state, revision = state_of(sql), revision_of(sql)
    if state in _FINE:
        return
    refuse(state, database.at.shown, revision)
    if database.at.postgres:
        raise refuse_unmigrated(database.at.shown, revision)
    from ordersync_cli.store.upkeep import upgrade_location

    upgrade_location(database.at, clock)
