"""The commented config.toml that `ordersync config init` writes, made from the catalogue."""

from __future__ import annotations

from itertools import groupby

from ordersync_cli.config.catalogue import CATALOGUE, Setting

_HEAD = """\
# ordersync settings. A flag and an environment variable win over this file.
# Remove the leading "# " to set one. `ordersync config show` says what is in force.
"""
_PROFILES = """
# A profile holds settings of its own and is chosen with --profile or ORDERSYNC_PROFILE.
# [profile.live]
# venue = "coinbase"
# key_file = "~/.config/ordersync/coinbase.json"
# database_url = "postgresql+psycopg://ordersync@localhost/ordersync"
"""
_NUMBERS = frozenset({"requests_per_second", "orders_page_size", "fills_page_size", "audit_sample"})


def config_template() -> str:
    """Write the file: every setting that a file may hold, with its default, as a comment."""
    lines = [_HEAD]
    for group, settings in groupby((s for s in CATALOGUE if s.in_file), key=lambda setting: setting.group):
        lines.append(f"\n# --- {group}\n")
        lines.extend(_lines(setting) for setting in settings)
    return "".join([*lines, _PROFILES])


def _lines(setting: Setting) -> str:
    default = setting.default or ""
    value = default if setting.name in _NUMBERS else f'"{default}"'
    return f"# {setting.about} ({setting.variable})\n# {setting.name} = {value}\n"
