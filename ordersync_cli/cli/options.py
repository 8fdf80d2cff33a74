"""The options that every command has, defined once, and how a function becomes a command.

A command is registered with its words and the shape of its JSON::

    @command("breaks accept", shape={"break": None})
    def accept(run: Invocation, break_id: Annotated[int, typer.Argument(metavar="ID")]) -> int: ...

Typer only parses: calling a registered command returns a ``Prepared`` call, which ``__main__`` carries out.
An own option that is named like a setting (``max_notional``) overrides that setting.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_type_hints

import typer

from ordersync_cli.clock import SystemClock
from ordersync_cli.config import parse
from ordersync_cli.config.catalogue import BY_NAME

if TYPE_CHECKING:
    from ordersync_cli.cli.invocation import Invocation

Read = TypeVar("Read")
LARGEST = 2**63 - 1  # what a store's whole number holds
_PANEL = "Options of every command"


def _common(*names: str, metavar: str | None = None, text: str) -> Any:
    return typer.Option(*names, metavar=metavar, help=text, rich_help_panel=_PANEL, show_default=False)


def _setting(name: str, *, metavar: str) -> Any:
    setting = BY_NAME[name]
    return _common(str(setting.flag), metavar=metavar, text=f"{setting.about} (env {setting.variable})")


@dataclass(frozen=True, slots=True, kw_only=True)
class CommonOptions:
    """What every command accepts; each field is one option."""

    database: Annotated[str | None, _setting("database_url", metavar="URL")] = None
    venue: Annotated[str | None, _setting("venue", metavar="NAME")] = None
    profile: Annotated[
        str | None, _common("--profile", metavar="NAME", text="table of config.toml to use (env ORDERSYNC_PROFILE)")
    ] = None
    key_file: Annotated[str | None, _setting("key_file", metavar="FILE")] = None
    rest_url: Annotated[str | None, _setting("rest_url", metavar="URL")] = None
    ws_url: Annotated[str | None, _setting("ws_url", metavar="URL")] = None
    config: Annotated[str | None, _common("--config", metavar="FILE", text="settings file (env ORDERSYNC_CONFIG)")] = (
        None
    )
    as_json: Annotated[bool, _common("--json", text="print JSON on stdout and nothing else")] = False
    quiet: Annotated[bool, _common("--quiet", text="say only what is wrong")] = False
    verbose: Annotated[bool, _common("--verbose", text="log every step")] = False
    log_file: Annotated[str | None, _setting("log_file", metavar="FILE")] = None
    log_format: Annotated[str | None, _setting("log_format", metavar="text|json")] = None

    def flags(self) -> dict[str, Any]:
        """Give what was said about settings, by the setting's name."""
        names = ("venue", "key_file", "rest_url", "ws_url", "log_file", "log_format")
        return {"database_url": self.database, **{name: getattr(self, name) for name in names}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A registered command: its words, its function, and the shape of its JSON with nothing in it."""

    words: str
    function: Callable[..., int | None]
    shape: Mapping[str, Any]
    touches_venue: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A command with its arguments, parsed and not yet carried out."""

    command: Command
    options: CommonOptions
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def flags(self) -> dict[str, Any]:
        """Give every setting that was set on the command line; own options override too."""
        own = {name: value for name, value in self.arguments.items() if name in BY_NAME}
        return self.options.flags() | own

    def carry_out(self, run: Invocation) -> int:
        """Call the function; returns its exit code."""
        return self.command.function(run, **self.arguments) or 0


REGISTRY: dict[str, Command] = {}


def command(
    words: str, *, shape: Mapping[str, Any], touches_venue: bool = True
) -> Callable[[Callable[..., int | None]], Callable[..., int | None]]:
    """Register a function as a command.

    ``shape`` holds every key of the command's JSON with an empty value: it is what an error is
    printed in. ``touches_venue``: mark the run SIMULATED on stderr when the venue is the simulator.
    """

    def register(function: Callable[..., int | None]) -> Callable[..., int | None]:
        REGISTRY[words] = Command(words=words, function=function, shape=shape, touches_venue=touches_venue)
        return function

    return register


def parser_of(registered: Command) -> Callable[..., Prepared]:
    """Make the function that typer reads: the command's own parameters and the common ones."""
    own = _own_parameters(registered.function)
    common = _common_parameters()
    names = {parameter.name for parameter in common}

    def prepare(**given: Any) -> Prepared:
        options = CommonOptions(**{name: value for name, value in given.items() if name in names})
        arguments = {name: value for name, value in given.items() if name not in names}
        return Prepared(command=registered, options=options, arguments=arguments)

    # typer keeps the line breaks of all but the first paragraph, as the source code happens to have them
    paragraphs = (inspect.getdoc(registered.function) or "").split("\n\n")
    prepare.__doc__ = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
    prepare.__name__ = registered.function.__name__
    parameters = [*own, *common]
    prepare.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    prepare.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return prepare


def _own_parameters(function: Callable[..., int | None]) -> list[inspect.Parameter]:
    hints = get_type_hints(function, localns={"Invocation": object}, include_extras=True)
    _run, *own = inspect.signature(function).parameters.values()
    return [p.replace(annotation=hints[p.name], kind=inspect.Parameter.KEYWORD_ONLY) for p in own]


def _common_parameters() -> list[inspect.Parameter]:
    hints = get_type_hints(CommonOptions, include_extras=True)
    kind = inspect.Parameter.KEYWORD_ONLY
    return [inspect.Parameter(f.name, kind, default=f.default, annotation=hints[f.name]) for f in fields(CommonOptions)]


def read_duration(text: str | timedelta) -> timedelta:
    """Read a duration for ``typer.Option(parser=...)``; a wrong one is a usage error."""
    return text if isinstance(text, timedelta) else read_with(parse.duration, text)


def read_past(text: str | datetime) -> datetime:
    """Read a time, or a duration ago (`--since 24h`), for ``typer.Option(parser=...)``."""
    now = SystemClock().now()
    return text if isinstance(text, datetime) else read_with(lambda t: parse.moment(t, now=now), text)


def read_with(reader: Callable[[str], Read], text: str) -> Read:
    """Read a word of the command line; what the reader refuses is a usage error."""
    try:
        return reader(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
