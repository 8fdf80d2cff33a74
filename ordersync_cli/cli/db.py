"""`ordersync db ...`: the trade store itself: where it is, its schema, copies, and what may be dropped."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from ordersync_cli.bootstrap import make_data_dir
from ordersync_cli.cli.invocation import Invocation
from ordersync_cli.cli.options import command, read_past
from ordersync_cli.errors import UsageError


@command("db path", shape={"database_url": None, "path": None})
def path(run: Invocation) -> int:
    """Print where the trade store is: a file, or an address without its password."""
    settings = run.settings
    file = settings.store_path
    run.document({"database_url": settings.shown_database, "path": None if file is None else str(file)})
    run.output.text(str(file) if file is not None else settings.shown_database)
    return 0


@command(
    "db current", shape={"database_url": None, "revision": None, "needed": None, "state": None}, touches_venue=False
)
def current(run: Invocation) -> int:
    """Tell which schema the store has and which this version needs; nothing is changed.

    Exit codes: 0 this version can work on it, or makes it at its first use; 9 it needs `db upgrade`,
    or a newer version.
    """
    from ordersync_cli.store import maintenance
    from ordersync_cli.store.schema import SchemaState

    found = maintenance.current(run.settings.database_url, run.clock)
    shown = asdict(found)
    run.document({"database_url": shown.pop("shown"), **shown})
    run.output.text(
        f"{found.shown}: schema {found.revision or 'none'} ({found.state}), this version's is {found.needed}"
    )
    on_sqlite = run.settings.store_path is not None
    fine = {SchemaState.CURRENT.value, SchemaState.NEWER_SERVES.value}
    made_at_first_use = {SchemaState.EMPTY.value, SchemaState.OLDER.value} if on_sqlite else set()
    if found.state in fine | made_at_first_use:
        return 0
    run.output.note(f"Next: ordersync db upgrade --database {found.shown}")
    return 9


@command("db upgrade", shape={"database_url": None, "before": None, "after": None, "backup": None}, touches_venue=False)
def upgrade(run: Invocation) -> int:
    """Bring the store to this version's schema; on SQLite a copy of before is written first."""
    from ordersync_cli.store import maintenance

    settings = run.settings
    if settings.origins["database_url"].kind == "default":
        make_data_dir(settings)
    done = maintenance.upgrade(settings.database_url, run.clock)
    backed_up = None if done.backup is None else str(done.backup)
    run.document(
        {"database_url": settings.shown_database, "before": done.before, "after": done.after, "backup": backed_up}
    )
    if not done.changed:
        run.output.text(f"{settings.shown_database} has schema {done.after} already; nothing was changed")
        return 0
    run.output.text(f"{settings.shown_database}: schema {done.before or 'none'} → {done.after}")
    if backed_up is not None:
        run.output.text(f"a copy of before: {backed_up}")
    return 0


@command("db backup", shape={"database_url": None, "file": None}, touches_venue=False)
def backup(
    run: Invocation, file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that is not there yet.")]
) -> int:
    """Copy a SQLite store into a new file, consistent while others write (Postgres: pg_dump)."""
    from ordersync_cli.store import maintenance

    written = maintenance.backup(run.settings.database_url, file)
    run.document({"database_url": run.settings.shown_database, "file": str(written)})
    run.output.text(str(written))
    return 0


@command("db copy", shape={"source": None, "target": None, "rows": {}}, touches_venue=False)
def copy(
    run: Invocation,
    source: Annotated[str, typer.Argument(metavar="FROM", help="The store to read: sqlite:///FILE or postgresql://…")],
    target: Annotated[str, typer.Argument(metavar="TO", help="An empty database.")],
) -> int:
    """Copy a whole store into an empty database, between SQLite and Postgres in any direction."""
    from ordersync_cli.store.copying import copy as copy_store
    from ordersync_cli.store.urls import locate

    rows = copy_store(source, target, run.clock)
    told = locate(source).shown, locate(target).shown
    run.document({"source": told[0], "target": told[1], "rows": rows})
    run.output.text(
        f"{rows.get('trades', 0)} trades and {rows.get('fills', 0)} fills copied from {told[0]} to {told[1]}"
    )
    run.output.note("Whoever goes on with the copy must stop writing to the first: they know nothing of each other.")
    return 0


@command("db prune", shape={"database_url": None, "before": None, "dry_run": False, "rows": {}}, touches_venue=False)
def prune(
    run: Invocation,
    *,
    older_than: Annotated[
        datetime, typer.Option("--older-than", parser=read_past, metavar="T", help="90d, or a time (UTC).")
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count what would go; drop nothing.")] = False,
) -> int:
    """Drop settled events, runs, breaks, incidents and deliveries of before T; trades and fills stay for ever."""
    from ordersync_cli.store import maintenance, open_store

    if older_than > run.clock.now():
        raise UsageError(
            f"--older-than {older_than:%Y-%m-%d %H:%M:%S} UTC is still to come. Nothing was dropped.",
            "Give a time that is past, or an age: 90d.",
        )
    settings = run.settings
    with closing(open_store(settings.database_url, clock=run.clock, chance=run.chance)) as store:
        rows = maintenance.prune(store, older_than, dry_run=dry_run)
    run.document({"database_url": settings.shown_database, "before": older_than, "dry_run": dry_run, "rows": rows})
    run.output.text(
        f"{'would drop' if dry_run else 'dropped'}: {', '.join(f'{count} {table}' for table, count in rows.items())}"
    )
    return 0
