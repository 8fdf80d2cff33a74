"""Finds the value of each setting and checks what must hold between them.

Read with tomllib and the catalogue's own readers: pydantic-settings would add 0.10 s of import to
every `place` (measured beside typer and pydantic already loaded) and cannot tell where a value is
from; this takes 5 ms and does.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ordersync_cli.config import parse
from ordersync_cli.config.catalogue import BY_NAME, CATALOGUE, Setting
from ordersync_cli.config.settings import Origin, Settings
from ordersync_cli.errors import SettingsError

_SHOW = "See `ordersync config show` for each value and where it comes from."


def load_settings(
    flags: Mapping[str, Any], environ: Mapping[str, str], *, config: str | None = None, profile: str | None = None
) -> Settings:
    """Read every setting: flag, then environment, then file, then default.

    ``flags`` holds what was given on the command line by setting name (None: not given).
    Raises SettingsError (exit 3) with one line that names the setting and holds no secret.
    """
    file, in_file, profile = _read_file(config, profile, environ)
    values: dict[str, Any] = {}
    origins: dict[str, Origin] = {}
    for setting in CATALOGUE:
        values[setting.name], origins[setting.name] = _value(setting, flags, environ, in_file)
    data_dir = _data_dir()
    if values["database_url"] is None:
        name = "simulated.db" if values["venue"] == "simulator" else "ordersync.db"
        values["database_url"] = f"sqlite:///{data_dir / name}"
    settings = Settings(**values, origins=origins, config_file=file, profile=profile, data_dir=data_dir)
    _check_together(settings)
    return settings


def looks_simulated(flags: Mapping[str, Any], environ: Mapping[str, str]) -> bool:
    """Guess whether the venue is the simulator, for an error that struck before the settings were read."""
    said = flags.get("venue") or environ.get("ORDERSYNC_VENUE") or "simulator"
    return bool(said == "simulator")


def unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """List ORDERSYNC_* variables that no setting reads: a misspelt one would be silent (`doctor` says them)."""
    read = {setting.variable for setting in CATALOGUE} | {"ORDERSYNC_CONFIG", "ORDERSYNC_PROFILE"}
    return sorted(name for name in environ if name.startswith("ORDERSYNC_") and name not in read)


def default_config_file() -> Path:
    """Where the settings file lies when nobody says otherwise."""
    import platformdirs

    return platformdirs.user_config_path("ordersync") / "config.toml"


def _data_dir() -> Path:
    import platformdirs

    return platformdirs.user_data_path("ordersync")


def _value(
    setting: Setting, flags: Mapping[str, Any], environ: Mapping[str, str], in_file: Mapping[str, tuple[Any, Origin]]
) -> tuple[Any, Origin]:
    given = flags.get(setting.name)
    if given is not None:
        origin = Origin("flag", setting.flag or "--" + setting.name.replace("_", "-"))
        return (_read(setting, given, origin) if isinstance(given, str) else given), origin
    if text := environ.get(setting.variable, "").strip():
        origin = Origin("environment", setting.variable)
        return _read(setting, text, origin), origin
    if setting.name in in_file:
        raw, origin = in_file[setting.name]
        return _read(setting, _as_written(setting, raw, origin), origin), origin
    origin = Origin("default")
    return (None if setting.default is None else _read(setting, setting.default, origin)), origin


def _read(setting: Setting, text: str, origin: Origin) -> Any:
    try:
        return setting.read(text)
    except ValueError as error:
        raise SettingsError(f"Setting {setting.name} ({origin}) is wrong: {error}.", _SHOW) from None


def _as_written(setting: Setting, raw: object, origin: Origin) -> str:
    """Turn a TOML value into the text that a flag or variable would hold."""
    if isinstance(raw, str):
        return raw
    if isinstance(raw, list) and all(isinstance(part, str) for part in raw):
        return ",".join(raw)
    if isinstance(raw, int | Decimal) and not isinstance(raw, bool):
        return str(raw)
    raise SettingsError(f"Setting {setting.name} ({origin}) must be text or a number.", _SHOW)


def _read_file(
    config: str | None, profile: str | None, environ: Mapping[str, str]
) -> tuple[Path, dict[str, tuple[Any, Origin]], str | None]:
    named = config or environ.get("ORDERSYNC_CONFIG", "").strip()
    profile = profile or environ.get("ORDERSYNC_PROFILE", "").strip() or None
    file = Path(named).expanduser() if named else default_config_file()
    document = _parse_file(file, must_exist=bool(named))
    profiles = document.pop("profile", {})
    if not isinstance(profiles, dict) or not all(isinstance(table, dict) for table in profiles.values()):
        raise SettingsError(f"In {file}, profiles are tables: [profile.NAME].", "Correct the file.")
    found = _known(document, str(file))
    if profile is not None:
        if profile not in profiles:
            known = ", ".join(sorted(profiles)) or "none"
            raise SettingsError(
                f"Profile {profile} is not in {file} (there: {known}).", "Name another with --profile, or add it."
            )
        found |= _known(profiles[profile], f"{file} [profile.{profile}]")
    return file, found, profile


def _parse_file(file: Path, *, must_exist: bool) -> dict[str, Any]:
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        if must_exist:
            raise SettingsError(
                f"The settings file {file} does not exist.", "Make one: `ordersync config init`."
            ) from None
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"The settings file {file} cannot be read: {_reason(error)}.", "Correct it.") from None
    try:
        return tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        where = getattr(error, "lineno", None)
        at_line = f" (line {where})" if where else _place(str(error))
        raise SettingsError(f"The settings file {file} is not valid TOML{at_line}.", "Correct it.") from None


def _reason(error: OSError | UnicodeDecodeError) -> str:
    return (error.strerror or "it cannot be opened") if isinstance(error, OSError) else "it is not UTF-8 text"


def _place(message: str) -> str:
    """Keep only where the mistake is: the message itself may quote a value."""
    start = message.rfind("(at ")
    return f" {message[start:]}" if start >= 0 else ""


def _known(table: Mapping[str, Any], where: str) -> dict[str, tuple[Any, Origin]]:
    for key in table:
        if key not in BY_NAME:
            raise SettingsError(
                f"{where} has an unknown setting {key!r}.", "`ordersync config show` lists all there are."
            )
        if not BY_NAME[key].in_file:
            raise SettingsError(
                f"{where} has {key!r}, which is not taken from a file.", f"Use {BY_NAME[key].variable} or key_file."
            )
    return {key: (value, Origin("file", where)) for key, value in table.items() if value != ""}


def _check_together(settings: Settings) -> None:
    keys = settings.api_key, settings.api_secret
    if settings.key_file is not None and any(keys):
        raise SettingsError(
            f"Both a key file ({settings.origins['key_file']}) and COINBASE_API_* are set; only one can be meant.",
            "Unset one of them.",
        )
    if any(keys) and not all(keys):
        missing = "COINBASE_API_SECRET" if settings.api_key else "COINBASE_API_KEY"
        raise SettingsError(f"{missing} is not set, but its twin is.", "Set both, or use a key file.")
    if (settings.rest_url is None) != (settings.ws_url is None):
        missing = "ws_url (ORDERSYNC_WS_URL)" if settings.rest_url else "rest_url (ORDERSYNC_REST_URL)"
        raise SettingsError(
            f"Only one of the venue's two addresses is set; {missing} is missing.", "Set both, or none."
        )
    if not settings.venue_is_explicit:
        _check_nothing_real(settings)
    if settings.simulated:
        _check_simulator_is_local(settings)


def _check_nothing_real(settings: Settings) -> None:
    """Refuse credentials or addresses beside a venue that nobody named: it could be either."""
    name = "a key" if settings.has_credentials else "an address of the venue"
    if settings.has_credentials or settings.rest_url is not None:
        raise SettingsError(
            f"There is {name}, but no venue was named; ordersync does not guess between real and simulated.",
            "Set ORDERSYNC_VENUE=coinbase (or simulator), or use --venue.",
        )


def _check_simulator_is_local(settings: Settings) -> None:
    """A simulator elsewhere could be the real venue with a SIMULATED mark on it."""
    for name in ("rest_url", "ws_url"):
        url = getattr(settings, name)
        if url is not None and not parse.is_loopback(urlsplit(url).hostname or ""):
            raise SettingsError(
                f"Venue simulator runs on this machine only, but {name} ({settings.origins[name]}) points elsewhere.",
                "Use a loopback address, or ORDERSYNC_VENUE=coinbase.",
            )
