"""Plays and records what was said between the client and a venue, without a secret in it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import vcr
from vcr.stubs.requests_stubs import VCRRequestsHTTPConnection, VCRRequestsHTTPSConnection

from ordersync_cli.venue import connections

CASSETTES = Path(__file__).resolve().parents[2] / "cassettes"
RECORDED = CASSETTES / "recorded"
COMPOSED = CASSETTES / "composed"
ABOUT = RECORDED / "RECORDED.json"  # from which venue and when, and the seed of the ids in them
LEAKS = re.compile(r"Bearer|eyJ|PRIVATE KEY|apiKeys/|organizations/", re.IGNORECASE)
_PEOPLE = re.compile(r'("(?:user_id|retail_portfolio_id|portfolio_uuid|uuid)"\s*:\s*")[^"]*(")')
_NOBODY = "00000000-0000-0000-0000-000000000000"
_KEPT_ANSWER_HEADERS = {"content-type", "date", "retry-after", "x-ratelimit-reset", "location"}
_KEPT_REQUEST_HEADERS = {"content-type"}


def _anonymous_request(request: Any) -> Any:
    """Drop the host and every header that could name somebody."""
    parts = urlsplit(request.uri)
    request.uri = urlunsplit(("https", "venue.example", parts.path, parts.query, ""))
    for name in list(request.headers):
        if name.lower() not in _KEPT_REQUEST_HEADERS:
            del request.headers[name]
    return request


def _anonymous_response(response: dict[str, Any]) -> dict[str, Any]:
    body = response["body"]["string"]
    text = body.decode("utf-8", "surrogateescape") if isinstance(body, bytes) else body
    text = _PEOPLE.sub(rf"\g<1>{_NOBODY}\g<2>", text)
    headers = {name: value for name, value in response["headers"].items() if name.lower() in _KEPT_ANSWER_HEADERS}
    return {**response, "headers": headers, "body": {"string": text.encode("utf-8", "surrogateescape")}}


def recorder(mode: str) -> vcr.VCR:
    """Configure vcrpy: matched by method, path and query; our own connection classes patched too."""
    return vcr.VCR(
        record_mode=mode,
        match_on=["method", "path", "query"],
        decode_compressed_response=True,
        before_record_request=_anonymous_request,
        before_record_response=_anonymous_response,
        custom_patches=(
            (connections.WatchedHTTPPool, "ConnectionCls", VCRRequestsHTTPConnection),
            (connections.WatchedHTTPSPool, "ConnectionCls", VCRRequestsHTTPSConnection),
        ),
    )


@contextmanager
def playing(path: Path) -> Iterator[Any]:
    """Answer every request from a cassette, in its order; a request that it does not hold is an error."""
    with recorder("none").use_cassette(str(path)) as cassette:
        yield cassette


@contextmanager
def recording(path: Path) -> Iterator[Any]:
    """Record every request of the block anew."""
    path.unlink(missing_ok=True)
    with recorder("all").use_cassette(str(path)) as cassette:
        yield cassette


def about() -> dict[str, Any]:
    """Tell from which venue the cassettes were recorded, and with which seed."""
    told = json.loads(ABOUT.read_text(encoding="utf-8"))
    assert isinstance(told, dict)
    return told
