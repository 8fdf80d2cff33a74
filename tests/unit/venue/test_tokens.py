"""Tokens are signed on the venue's clock, for one address, with a fresh nonce and a short life."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from ordersync_cli.venue.credentials import Credentials, KeyPair
from ordersync_cli.venue.tokens import ORDER_LIFE, Signer
from ordersync_cli.venue.venue_clock import VenueClock
from ordersync_cli.venue.wire_account import Told
from tests.support.venue_kit import KEY_NAME, ecdsa_pem, ed25519_base64
from tests.support.virtual_clock import SeededChance, VirtualClock

PEM = ecdsa_pem()


def signer(clock: VirtualClock, source: Any = None, skew: float = 0.0) -> Signer:
    venue_clock = VenueClock(clock)
    if skew:
        shown = clock.now() + timedelta(seconds=skew)
        venue_clock.note(Told(shown, shown), clock.monotonic(), clock.monotonic())
    return Signer(source or KeyPair(KEY_NAME, PEM), venue_clock, SeededChance(), "api.coinbase.com")


def claims(text: str, secret: str = PEM) -> dict[str, Any]:
    public = load_pem_private_key(secret.encode(), None).public_key()
    options = {"verify_exp": False, "verify_nbf": False}
    return jwt.decode(text, public, algorithms=["ES256"], options=options)  # type: ignore[arg-type]


def test_a_rest_token_names_its_request_and_nothing_else() -> None:
    clock = VirtualClock()
    token = signer(clock).rest("GET", "/api/v3/brokerage/accounts")
    told = claims(token.text)
    assert told["uri"] == "GET api.coinbase.com/api/v3/brokerage/accounts"
    assert (told["sub"], told["iss"]) == (KEY_NAME, "cdp")
    header = jwt.get_unverified_header(token.text)
    assert (header["alg"], header["kid"], header["typ"]) == ("ES256", KEY_NAME, "JWT")
    assert len(header["nonce"]) == 64
    assert int(header["nonce"], 16)


def test_an_order_is_signed_for_thirty_seconds_and_says_until_when() -> None:
    clock = VirtualClock(datetime(2026, 3, 1, 12, 0, 0, 700_000, UTC))
    token = signer(clock).rest("POST", "/api/v3/brokerage/orders", ORDER_LIFE)
    told = claims(token.text)
    assert token.not_after == datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)
    assert told["exp"] == int(token.not_after.timestamp())
    assert told["nbf"] <= clock.now().timestamp()
    assert token.signed_at == clock.now()


@pytest.mark.parametrize("skew", [-3600.0, -7.5, 7.5, 86400.0])
def test_T26_tokens_are_signed_on_the_venues_clock(skew: float) -> None:
    clock = VirtualClock()
    token = signer(clock, skew=skew).rest("GET", "/x")
    there = clock.now() + timedelta(seconds=skew)
    told = claims(token.text)
    assert told["nbf"] <= there.timestamp() < told["exp"]
    assert abs((token.signed_at - there).total_seconds()) < 0.001


def test_T26_each_token_is_fresh_and_a_subscription_names_no_address() -> None:
    signing = signer(VirtualClock())
    first, second = signing.feed(), signing.feed()
    assert first.text != second.text
    assert "uri" not in claims(first.text)


def test_an_ed25519_key_signs_with_eddsa() -> None:
    token = signer(VirtualClock(), KeyPair("key-1", ed25519_base64())).rest("GET", "/x")
    assert jwt.get_unverified_header(token.text)["alg"] == "EdDSA"


class RotatedKey:
    """A key file that was replaced between two reads."""

    def __init__(self) -> None:
        self.pems = [ecdsa_pem(), ecdsa_pem()]
        self.reads = 0

    def load(self) -> Credentials:
        pem = self.pems[min(self.reads, 1)]
        self.reads += 1
        return KeyPair(KEY_NAME, pem).load()


def test_a_reloaded_key_signs_from_then_on() -> None:
    rotated = RotatedKey()
    signing = signer(VirtualClock(), rotated)
    assert claims(signing.rest("GET", "/x").text, rotated.pems[0])
    signing.reload()
    assert claims(signing.rest("GET", "/x").text, rotated.pems[1])


def test_no_repr_shows_a_token() -> None:
    token = signer(VirtualClock()).rest("GET", "/x")
    assert "eyJ" not in repr(token)
