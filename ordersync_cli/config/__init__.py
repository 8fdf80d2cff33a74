"""Settings: flag, then environment, then config.toml, then default, each with where it came from."""

from ordersync_cli.config.load import load_settings, looks_simulated, unknown_variables
from ordersync_cli.config.settings import Origin, Settings

__all__ = ["Origin", "Settings", "load_settings", "looks_simulated", "unknown_variables"]
