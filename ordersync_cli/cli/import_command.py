"""`ordersync import URL`: takes an existing bot's trades in, or its very table over."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Annotated

import typer

from ordersync_cli.cli.invocation import Invocation
from ordersync_cli.cli.options import command
from ordersync_cli.cli.terminal import ask, can_ask, is_terminal
from ordersync_cli.errors import Declined, UsageError
from ordersync_cli.services.importing import ImportResult

if TYPE_CHECKING:
    from ordersync_cli.services.importing import Progress
    from ordersync_cli.store.foreign_table import ForeignTable

_SHAPE = {f.name: None for f in fields(ImportResult)}
_MOST_SHOWN = 20


@command("import", shape=_SHAPE)
def import_(
    run: Invocation,
    url: Annotated[str, typer.Argument(metavar="URL", help="The bot's database: sqlite:///FILE or postgresql://…")],
    in_place: Annotated[
        bool, typer.Option("--in-place", help="Make that database the store: add columns to its very table.")
    ] = False,
    mapping: Annotated[
        list[str] | None, typer.Option("--map", metavar="OLD=NEW", help="Read the bot's column OLD as NEW.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what would be done, and change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before a table is changed in place.")] = False,
) -> int:
    """Take in an existing bot's table `trades`; the next reconcile unblocks what was stuck."""
    if in_place:
        if mapping:
            raise UsageError(
                "--map cannot be used with --in-place: the table keeps its own column names.",
                "Import it into a store of its own: leave --in-place out.",
            )
        result = _take_over(run, url, dry_run=dry_run, yes=yes)
    else:
        result = _copy(run, url, mapping or [], dry_run=dry_run)
    run.document(asdict(result))
    _say(run, result)
    return 0


def _copy(run: Invocation, url: str, pairs: list[str], *, dry_run: bool) -> ImportResult:
    from ordersync_cli.services.importing import Importer, check_columns, read_mapping
    from ordersync_cli.store.foreign_table import ForeignTable, identity_of
    from ordersync_cli.store.urls import locate

    if identity_of(locate(url)) == identity_of(locate(run.settings.database_url)):
        raise UsageError(
            "The bot's database is the store itself; nothing was imported.",
            "Use --in-place to take its table over, or give another --database.",
        )
    with closing(ForeignTable(url)) as source, _progress(run, "Importing") as progress:
        mapping = read_mapping(pairs, source.columns)
        check_columns(source.columns, mapping, source.shown)
        importer = Importer(run.wiring.store, run.clock)
        return importer.run(source, mapping, dry_run=dry_run, progress=progress)


def _take_over(run: Invocation, url: str, *, dry_run: bool, yes: bool) -> ImportResult:
    from ordersync_cli.services.importing import Overtaker
    from ordersync_cli.store import open_store
    from ordersync_cli.store.adopt import adopt_table
    from ordersync_cli.store.urls import locate

    planned = adopt_table(url, run.clock, dry_run=True)
    if dry_run:
        result = _look(run, url)
        result.columns_added = list(planned.columns_added)
        return result
    if planned.columns_added:
        _confirm(locate(url).shown, len(planned.columns_added), yes=yes)
    adopted = adopt_table(url, run.clock)
    with closing(open_store(url, clock=run.clock, chance=run.chance)) as store, _progress(run, "Reading") as progress:
        result = Overtaker(store, run.clock).run(locate(url).shown, adopted.rows, progress)
    result.columns_added = list(adopted.columns_added)
    result.backup = None if adopted.backup is None else str(adopted.backup)
    return result


def _look(run: Invocation, url: str) -> ImportResult:
    from ordersync_cli.services.importing import look_in_place
    from ordersync_cli.store.foreign_table import ForeignTable

    source: ForeignTable
    with closing(ForeignTable(url)) as source, _progress(run, "Reading") as progress:
        return look_in_place(source, progress)


def _confirm(shown: str, columns: int, *, yes: bool) -> None:
    if yes:
        return
    if not can_ask():
        raise Declined(
            f"{columns} columns would be added to the table `trades` in {shown}, and nobody can be asked. "
            "Nothing was changed.",
            "Say --yes, or look first with --dry-run.",
        )
    if not ask(f"Add {columns} columns to the table `trades` in {shown}, and make it the store?"):
        raise Declined("Declined; nothing was changed.")


@contextmanager
def _progress(run: Invocation, what: str) -> Iterator[Progress]:
    """Show a bar on a terminal, and nothing elsewhere."""
    if run.output.quiet or not is_terminal(sys.stderr):
        yield _silent
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=run.output.console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        moved: Callable[[int, int], None] = lambda done, total: bar.update(task, completed=done, total=total)  # noqa: E731
        yield moved


def _silent(_done: int, _total: int) -> None:
    return


def _say(run: Invocation, result: ImportResult) -> None:
    """Say what was done, what was odd, and the next command."""
    output = run.output
    would = "would be " if result.dry_run else ""
    verb = "taken over" if result.in_place else "imported"
    output.text(
        f"{result.imported} of {result.rows} rows {would}{verb} from {result.source}: {result.pending} pending, "
        f"{result.completed} completed, {result.failed} failed; {result.already_there} were there already"
    )
    if result.order_ids_added:
        output.text(f"{result.order_ids_added} rows {would}given the order id that the bot wrote meanwhile")
    if result.columns_added:
        output.text(f"{len(result.columns_added)} columns {would}added to the table; every other one stays as it is")
    if result.backup:
        output.text(f"a copy of before: {result.backup}")
    if result.kept_aside and not result.in_place:
        output.text(f"kept aside: {', '.join(result.kept_aside)}")
    if result.without_order_id:
        output.note(
            f"{len(result.without_order_id)} pending rows have no order id and stay as they are: "
            f"{_some(result.without_order_id)}. Settle each by hand: ordersync resolve TRADE --as WORD --reason TEXT."
        )
    for problem in result.problems[:_MOST_SHOWN]:
        output.note(f"row {problem['source_id'] or problem['order_id'] or '?'}: {problem['problem']}")
    if result.problem_count > _MOST_SHOWN:
        output.note(f"… and {result.problem_count - _MOST_SHOWN} more; --json lists them.")
    if not result.dry_run:
        named = run.settings.origins["database_url"].kind == "flag"
        store = result.source if result.in_place else run.settings.shown_database if named else ""
        database = f" --database {store}" if store else ""
        output.note(f"Next: ordersync reconcile{database}")


def _some(names: list[str]) -> str:
    more = f", … ({len(names)} in all)" if len(names) > _MOST_SHOWN else ""
    return f"{', '.join(names[:_MOST_SHOWN])}{more}"
