"""No cassette holds a secret, and the filter that keeps them out works."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from ordersync_cli.services.ports import Lane
from tests.support.cassettes import CASSETTES, LEAKS, recording
from tests.support.raw_http import raw_server, reply
from tests.support.venue_kit import venue_at, write_key

FILES = sorted(path for path in CASSETTES.rglob("*") if path.is_file())
_UUIDS_OF_PEOPLE = re.compile(r'"(?:user_id|retail_portfolio_id|portfolio_uuid|uuid)"\s*:\s*"(?!0{8}-|")[^"]+"')


def test_there_are_cassettes_to_look_into() -> None:
    assert len(FILES) > 40


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_cassette_holds_no_secret_and_nobody(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert LEAKS.search(text) is None
    assert _UUIDS_OF_PEOPLE.search(text) is None
    assert not re.search(r"(?im)^\s*(authorization|cookie|set-cookie|user-agent)\s*:", text)


@pytest.mark.parametrize(
    "leak", ["Bearer abc", "eyJhbGciOiJFUzI1NiJ9", "-----BEGIN EC PRIVATE KEY-----", "x/apiKeys/y"]
)
def test_the_search_for_leaks_finds_them(leak: str) -> None:
    assert LEAKS.search(f"some {leak} here")


def test_what_is_recorded_is_anonymous(tmp_path: Path) -> None:
    told = {
        "can_view": True,
        "can_trade": True,
        "portfolio_uuid": "8bfc20d7-f7c6-4422-bf07-8243ca4169fe",
        "user_id": "dbcb91e7-2bc9-5152-bb6f-72d6677e6727",
    }
    answer = reply(200, told, headers={"Set-Cookie": "__cf_bm=secret", "set-cookie": "b=secret", "X-Request-Id": "me"})
    path = tmp_path / "recorded.yaml"
    key = write_key(tmp_path / "key.json")
    with raw_server(lambda _: answer) as server, recording(path), venue_at(server.url, key) as venue:
        assert venue.key_permissions(Lane.SYNC).portfolio_id == told["portfolio_uuid"]
    text = path.read_text(encoding="utf-8")
    for secret in ("secret", "dbcb91e7", "8bfc20d7", "Bearer", "eyJ", "127.0.0.1", "X-Request-Id"):
        assert secret not in text
    answers = [json.loads(one["response"]["body"]["string"]) for one in yaml.safe_load(text)["interactions"]]
    assert answers[-1]["can_trade"] is True
