"""Typer commands that read plain words themselves, so that only a number brings pydantic in.

Typer makes a pydantic adapter for each option of a command, given or not: a sixth of the time that
`ordersync place` takes as a process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Any

from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption


class LeanCommand(TyperCommand):
    """Reads what was not given, words, and values with a parser of their own; typer reads the rest."""

    def get_params(self, ctx: Any) -> list[Any]:
        """List the parameters, --help among them."""
        return _lean(super().get_params(ctx))


class LeanGroup(TyperGroup):
    """The same for the options before the command's name."""

    def get_params(self, ctx: Any) -> list[Any]:
        """List the parameters, --help among them."""
        return _lean(super().get_params(ctx))


def _lean(parameters: Iterable[Any]) -> list[Any]:
    """Let each parameter that holds one value be read by us first."""
    listed = list(parameters)
    for parameter in listed:
        own = "process_value" in vars(parameter)
        if not own and isinstance(parameter, TyperOption | TyperArgument) and parameter.nargs == 1:
            parameter.process_value = partial(_read, parameter, parameter.process_value)  # type: ignore[method-assign]
    return listed


def _read(parameter: TyperOption | TyperArgument, by_typer: Callable[[Any, Any], Any], context: Any, value: Any) -> Any:
    """Read one value, as typer would, where that is plain; the others, and mistakes, are typer's."""
    if value is None and not parameter.required and not parameter.multiple:
        return None if parameter.callback is None else parameter.callback(context, parameter, None)
    if value is None or parameter.callback is not None or parameter.multiple:
        return by_typer(context, value)
    if not isinstance(value, str):
        source = context.get_parameter_source(parameter.name)
        is_default = source is not None and source.name == "DEFAULT"  # of the parameter's type already
        return value if is_default else by_typer(context, value)
    kind = parameter.type_descriptor
    if kind.parameter_info.parser is not None:
        with suppress(ValueError):
            return kind.parameter_info.parser(value)
    elif kind.annotation is str:
        return value
    return by_typer(context, value)
