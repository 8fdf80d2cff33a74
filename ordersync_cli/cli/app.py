"""The tree of commands; only the module of the command that was asked for is imported."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated

import typer

from ordersync_cli import __version__
from ordersync_cli.cli.lean import LeanCommand, LeanGroup
from ordersync_cli.cli.options import REGISTRY, Command, Prepared, parser_of
from ordersync_cli.config.catalogue import BY_NAME
from ordersync_cli.errors import UsageError

MODULES = {  # the word the user types -> the module in this package, in the order of the help
    "place": "place",
    "watch": "watch",
    "reconcile": "reconcile",
    "sync": "sync",
    "report": "report",
    "list": "list",
    "show": "list",
    "cancel": "cancel",
    "resolve": "resolve",
    "freeze": "freeze",
    "unfreeze": "freeze",
    "breaks": "breaks",
    "alerts": "alerts",
    "import": "import_command",
    "doctor": "doctor",
    "config": "config",
    "db": "db",
    "simulator": "simulator",
    "demo": "demo",
}
_GROUPS = {
    "config": "Show the settings, or write a file to start from.",
    "db": "The trade store itself: where it is, its schema, copies.",
    "breaks": "Differences that reconcile found and could not close.",
    "alerts": "Incidents: list, test the addresses, acknowledge.",
}
_COMPLETION = "_ORDERSYNC_COMPLETE"


def parse(words: Sequence[str]) -> Prepared | int:
    """Read the command line: a call to carry out, or the exit code of what is done already (--help).

    Raises typer.TyperException or UsageError (exit 2).
    """
    load(words)
    if any("\ud800" <= char <= "\udfff" for word in words for char in word):  # as Python hands on other bytes
        raise UsageError("An argument is not UTF-8 text. Nothing was done.")
    done = build()(args=list(words), prog_name="ordersync", standalone_mode=False)
    return done if isinstance(done, Prepared) else int(done or 0)


def load(words: Sequence[str]) -> None:
    """Import the module of the command that is asked for; all of them for help and completion."""
    first = words[0] if words else ""
    wanted = [MODULES[first]] if first in MODULES and _COMPLETION not in os.environ else MODULES.values()
    for name in wanted:
        import_module(f"ordersync_cli.cli.{name}")


def named(words: Sequence[str]) -> Command | None:
    """Find the command that a line of words means, though it cannot be parsed."""
    plain = [word for word in words[:2] if not word.startswith("-")]
    return REGISTRY.get(" ".join(plain)) or (REGISTRY.get(plain[0]) if plain else None)


def build() -> typer.Typer:
    """Build the tree of what is registered."""
    app = typer.Typer(
        name="ordersync",
        cls=LeanGroup,
        help="Places Coinbase orders, keeps their stored status true, and proves it.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    groups: dict[str, typer.Typer] = {}
    for registered in REGISTRY.values():
        group, _, word = registered.words.rpartition(" ")
        if group and group not in groups:
            groups[group] = typer.Typer(cls=LeanGroup, help=_GROUPS[group], no_args_is_help=True)
            app.add_typer(groups[group], name=group)
        (groups[group] if group else app).command(word, cls=LeanCommand, epilog=_without_option())(
            parser_of(registered)
        )
    return app


def _without_option() -> str:
    """Name the environment variables of what people set most and no option sets."""
    names = ("requests_per_second", "webhook_url", "webhook_secret", "alert_urls", "api_key", "api_secret")
    variables = ", ".join(BY_NAME[name].variable for name in names)
    return f"Set without an option: {variables}. All settings: `ordersync config show`."


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"ordersync {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Places Coinbase orders, keeps their stored status true, and proves it."""
