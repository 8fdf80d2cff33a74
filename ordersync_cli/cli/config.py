"""`ordersync config show|init`: what is set and where it comes from, and a file to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ordersync_cli.cli.invocation import Invocation
from ordersync_cli.cli.options import command
from ordersync_cli.config.template import config_template
from ordersync_cli.errors import SettingsError


@command("config show", shape={"config_file": None, "profile": None, "settings": {}}, touches_venue=False)
def show(run: Invocation) -> int:
    """Print every setting with its value and where it comes from; secrets are masked."""
    settings = run.settings
    shown = settings.shown()
    run.document(
        {
            "config_file": str(settings.config_file) if settings.config_file.exists() else None,
            "profile": settings.profile,
            "settings": {name: {"value": value, "origin": str(origin)} for name, (value, origin) in shown.items()},
        }
    )
    run.output.table(
        ("setting", "value", "comes from"),
        [(name, value, origin_text) for name, (value, origin) in shown.items() if (origin_text := str(origin))],
    )
    return 0


@command("config init", shape={"config_file": None}, touches_venue=False)
def init(
    run: Invocation,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if there is one.")] = False,
) -> int:
    """Write a config.toml in which every setting is explained and none is set."""
    file = Path(run.settings.config_file)
    if file.exists() and not force:
        raise SettingsError(f"{file} exists; it was left as it is.", "Use --force to replace it.")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(config_template(), encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"{file} cannot be written: {error.strerror}.", "Name another with --config.") from None
    run.document({"config_file": str(file)})
    run.output.text(str(file))
    return 0
