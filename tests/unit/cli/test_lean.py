"""What `place` imports before it can send, and that words are read as typer reads them."""

from __future__ import annotations

import subprocess
import sys

import pytest
import typer

from ordersync_cli.cli.app import parse
from ordersync_cli.cli.options import Prepared

PLACE = ["place", "buy", "BTC-USD", "--quote-size", "25", "--yes"]
IMPORTS = f"""
import sys
from ordersync_cli.cli.app import parse
parse({PLACE!r})
import ordersync_cli.services.place, ordersync_cli.venue.rest
import ordersync_cli.store.trade_store, ordersync_cli.store.sqlite
print(*sys.modules)
"""
HEAVY = {"pydantic", "rich", "httpx", "alembic", "sqlalchemy", "sqlmodel", "websockets", "stamina"}
NOT_OURS = {
    "ordersync_cli.services.ports.messages",
    "ordersync_cli.services.alerts.incidents",
    "ordersync_cli.services.ports.pass_rows",
    "ordersync_cli.services.ports.account",
    "ordersync_cli.store.findings",
}


def test_place_starts_without_what_other_commands_need() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORTS], capture_output=True, text=True, timeout=60, check=True)
    assert not (HEAVY | NOT_OURS) & set(done.stdout.split())


def test_words_numbers_and_defaults_are_read_as_declared() -> None:
    prepared = parse([*PLACE, "--bot-id", "7", "--wait", "1.5", "--tif", "ioc"])
    assert isinstance(prepared, Prepared)
    said = prepared.arguments
    assert (said["side"], said["bot_id"], said["wait"].total_seconds(), said["tif"]) == ("buy", 7, 1.5, "ioc")
    assert str(said["quote_size"]) == "25"
    assert said["base_size"] is None
    assert said["follow_for"].total_seconds() == 300
    assert said["yes"] is True


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["place", "buy"], "PRODUCT"),
        (["place", "buy", "X", "--quote-size", "much"], "not a decimal number"),
        (["place", "buy", "X", "--wait", "-1"], "--wait"),
        (["place", "buy", "X", "--bot-id", "seven"], "--bot-id"),
    ],
)
def test_mistakes_are_told_in_typers_words(words: list[str], said: str) -> None:
    with pytest.raises(typer.TyperException) as told:
        parse(words)
    assert said in told.value.format_message()


def test_an_end_is_known_by_how_it_was_said() -> None:
    limit = ["place", "buy", "BTC-USD", "--base-size", "1", "--limit", "10", "--tif", "gtd", "--end-time"]
    for words, after in (("1h30m", 5400), ("2099-01-31", None), ("2099-01-31T12:00:00+01:00", None)):
        prepared = parse([*limit, words])
        assert isinstance(prepared, Prepared)
        said = prepared.arguments["end_time"].after
        assert (None if said is None else said.total_seconds()) == after
