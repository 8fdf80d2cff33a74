"""Flag beats environment beats file beats default, and what cannot be meant together is refused."""

from __future__ import annotations

import os
import tomllib
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from ordersync_cli.config import Settings, load_settings, unknown_variables
from ordersync_cli.config.catalogue import BY_NAME, CATALOGUE
from ordersync_cli.config.settings import span_text
from ordersync_cli.config.template import config_template
from ordersync_cli.errors import SettingsError

SECRET = "s3cr3t-never-shown"


def load(flags=None, *, config=None, profile=None, **environ) -> Settings:
    return load_settings(flags or {}, environ, config=config, profile=profile)


def refused(*args, **kwargs) -> str:
    with pytest.raises(SettingsError) as error:
        load(*args, **kwargs)
    text = f"{error.value.message} {error.value.remedy}"
    assert "\n" not in text
    assert SECRET not in text
    return text


@pytest.fixture
def file(tmp_path) -> Path:
    return tmp_path / "config.toml"


def test_without_settings_the_venue_is_the_embedded_simulator_with_its_own_store() -> None:
    settings = load()

    assert settings.venue == "simulator"
    assert not settings.venue_is_explicit
    assert settings.is_embedded
    home = Path(os.environ["XDG_DATA_HOME"])
    assert settings.store_path == home / "ordersync" / "simulated.db"
    assert settings.simulator_state == home / "ordersync" / "simulated-exchange.db"
    assert settings.requests_per_second == Decimal("2.5")


def test_the_real_venue_has_a_store_of_its_own() -> None:
    settings = load(ORDERSYNC_VENUE="coinbase")

    assert settings.store_path is not None
    assert settings.store_path.name == "ordersync.db"
    assert settings.rest_endpoint == "https://api.coinbase.com"
    assert settings.ws_endpoint.startswith("wss://")


def test_each_source_beats_the_next(file) -> None:
    file.write_text('venue = "coinbase"\nlight_every = "1m"\ndeep_every = "2m"\naudit_sample = 5\n')

    settings = load({"light_every": "7s"}, config=str(file), ORDERSYNC_LIGHT_EVERY="8s", ORDERSYNC_DEEP_EVERY="9s")

    assert settings.light_every == timedelta(seconds=7)
    assert settings.deep_every == timedelta(seconds=9)
    assert settings.audit_sample == 5
    assert settings.poll_every == timedelta(seconds=1)
    kinds = {name: settings.origins[name].kind for name in ("light_every", "deep_every", "audit_sample", "poll_every")}
    assert kinds == {
        "light_every": "flag",
        "deep_every": "environment",
        "audit_sample": "file",
        "poll_every": "default",
    }
    assert str(settings.origins["deep_every"]) == "environment ORDERSYNC_DEEP_EVERY"
    assert str(settings.origins["light_every"]) == "flag --light-every"


def test_a_value_that_is_read_already_is_taken_as_it_is() -> None:
    assert load({"light_every": timedelta(0)}).light_every == timedelta(0)


def test_a_profile_overrides_the_file_and_says_so(file) -> None:
    file.write_text('light_every = "1m"\n[profile.live]\nvenue = "coinbase"\nlight_every = "2m"\n')

    settings = load(config=str(file), ORDERSYNC_PROFILE="live")

    assert settings.light_every == timedelta(minutes=2)
    assert settings.venue_is_explicit
    assert str(settings.origins["venue"]).endswith("[profile.live]")
    assert load(config=str(file)).light_every == timedelta(minutes=1)


def test_an_unknown_profile_is_refused_with_those_there_are(file) -> None:
    file.write_text("[profile.live]\n[profile.paper]\n")

    assert "live, paper" in refused(config=str(file), profile="lvie")


def test_an_unknown_setting_in_the_file_is_refused(file) -> None:
    file.write_text('venu = "coinbase"\n')

    assert "'venu'" in refused(config=str(file))


@pytest.mark.parametrize(
    "content", [f'api_secret = "{SECRET}"', f'venue = "{SECRET}', f'[profile.x]\napi_key = "{SECRET}"']
)
def test_secrets_in_the_file_are_refused_unquoted(file, content) -> None:
    file.write_text(content)

    assert str(file) in refused(config=str(file), profile="x" if "profile" in content else None)


@pytest.mark.parametrize(
    "content", ["light_every = true", "light_every = 2026-01-01", "venue = {a = 1}", "profile = 3"]
)
def test_values_of_another_kind_are_refused(file, content) -> None:
    file.write_text(content)

    refused(config=str(file))


def test_a_named_file_must_exist(tmp_path) -> None:
    assert "does not exist" in refused(config=str(tmp_path / "none.toml"))
    assert "does not exist" in refused(ORDERSYNC_CONFIG=str(tmp_path / "none.toml"))


def test_a_file_that_is_not_text_or_a_folder_is_refused(file, tmp_path) -> None:
    file.write_bytes(b"\xff\xfe\x00")

    assert "UTF-8" in refused(config=str(file))
    assert "cannot be read" in refused(config=str(tmp_path))


def test_the_default_file_lies_in_the_user_s_configuration_folder() -> None:
    place = Path(os.environ["XDG_CONFIG_HOME"]) / "ordersync" / "config.toml"
    place.parent.mkdir(parents=True)
    place.write_text('venue = "coinbase"\n')

    assert load().venue == "coinbase"


def test_empty_variables_count_as_unset(file) -> None:
    file.write_text('rest_url = ""\n')

    settings = load(ORDERSYNC_VENUE="", ORDERSYNC_KEY_FILE=" ", config=str(file))

    assert not settings.venue_is_explicit
    assert settings.key_file is None
    assert settings.rest_url is None


def test_a_key_file_and_a_key_in_the_environment_are_refused() -> None:
    text = refused(
        ORDERSYNC_VENUE="coinbase", ORDERSYNC_KEY_FILE="k.json", COINBASE_API_KEY="k", COINBASE_API_SECRET=SECRET
    )

    assert "Both" in text


@pytest.mark.parametrize("only", ["COINBASE_API_KEY", "COINBASE_API_SECRET"])
def test_half_a_key_is_refused(only) -> None:
    assert "is not set" in refused(ORDERSYNC_VENUE="coinbase", **{only: SECRET})


@pytest.mark.parametrize("given", [{"ORDERSYNC_REST_URL": "https://h"}, {"ORDERSYNC_WS_URL": "wss://h"}])
def test_one_address_without_the_other_is_refused(given) -> None:
    assert "Only one" in refused(ORDERSYNC_VENUE="coinbase", **given)


@pytest.mark.parametrize(
    "given",
    [
        {"ORDERSYNC_KEY_FILE": "key.json"},
        {"COINBASE_API_KEY": "k", "COINBASE_API_SECRET": SECRET},
        {"ORDERSYNC_REST_URL": "http://127.0.0.1:1", "ORDERSYNC_WS_URL": "ws://127.0.0.1:1"},
    ],
)
def test_T49_credentials_without_a_named_venue_are_refused(given) -> None:
    assert "no venue was named" in refused(**given)
    assert load(ORDERSYNC_VENUE="coinbase", **given).venue == "coinbase"
    assert load({"venue": "coinbase"}, **given).venue == "coinbase"


def test_the_simulator_never_leaves_this_machine() -> None:
    text = refused(
        ORDERSYNC_VENUE="simulator", ORDERSYNC_REST_URL="https://api.coinbase.com", ORDERSYNC_WS_URL="wss://h"
    )

    assert "points elsewhere" in text


def test_a_key_is_required_only_where_the_venue_needs_one() -> None:
    load().require_credentials()
    load(ORDERSYNC_VENUE="coinbase", ORDERSYNC_KEY_FILE="k").require_credentials()
    with pytest.raises(SettingsError, match="needs a key"):
        load(ORDERSYNC_VENUE="coinbase").require_credentials()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("venue", "coinbse"),
        ("requests_per_second", "0"),
        ("light_every", "soon"),
        ("log_format", "xml"),
        ("orders_page_size", "0"),
        ("database_url", f"mysql://u:{SECRET}@h/d"),
        ("webhook_url", f"ftp://{SECRET}"),
        ("target_status_accuracy", "1.5"),
    ],
)
def test_a_wrong_value_names_its_setting_and_its_source(name, text) -> None:
    said = refused(**{BY_NAME[name].variable: text})

    assert name in said
    assert BY_NAME[name].variable in said


def test_secrets_are_masked_and_never_in_repr() -> None:
    settings = load(
        ORDERSYNC_VENUE="coinbase",
        COINBASE_API_KEY=f"organizations/{SECRET}",
        COINBASE_API_SECRET=SECRET,
        ORDERSYNC_DATABASE_URL=f"postgresql://bot:{SECRET}@db/trades",
        ORDERSYNC_WEBHOOK_URL=f"https://example.com/{SECRET}",
        ORDERSYNC_WEBHOOK_SECRET=SECRET,
        ORDERSYNC_ALERT_URLS=f"https://hooks.slack.com/services/{SECRET},mailto://u:{SECRET}@h",
    )

    shown = settings.shown()
    assert SECRET not in repr(settings)
    assert SECRET not in str(shown)
    assert shown["database_url"][0] == "postgresql+psycopg://bot:***@db/trades"
    assert shown["alert_urls"][0] == "https://hooks.slack.com/***,mailto://***"
    assert SECRET in settings.secrets
    assert settings.simulator_state.name.endswith("-exchange.db")


def test_every_setting_is_shown_and_has_a_typed_field() -> None:
    assert list(load().shown()) == [setting.name for setting in CATALOGUE]


def test_the_template_sets_nothing_and_each_line_in_it_is_accepted(file) -> None:
    assert tomllib.loads(config_template()) == {}

    meant = [
        line.removeprefix("# ")
        for line in config_template().partition("# A profile")[0].splitlines()
        if line.startswith("# ") and " = " in line and line.split()[1] in BY_NAME
    ]
    assert len(meant) == sum(setting.in_file for setting in CATALOGUE)
    file.write_text("\n".join(meant))

    assert load(config=str(file)).light_every == timedelta(seconds=30)


@pytest.mark.parametrize(
    ("seconds", "text"), [(30, "30s"), (60, "1m"), (90, "90s"), (86400, "1d"), (0.5, "0.5s"), (0, "0s")]
)
def test_durations_are_shown_as_they_are_written(seconds, text) -> None:
    assert span_text(timedelta(seconds=seconds)) == text


def test_misspelt_variables_are_found() -> None:
    environ = {"ORDERSYNC_VENU": "coinbase", "ORDERSYNC_VENUE": "x", "ORDERSYNC_PROFILE": "x", "HOME": "/"}

    assert unknown_variables(environ) == ["ORDERSYNC_VENU"]
