"""No secret appears in what is logged or said, however it is written there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordersync_cli.cli.redact import HIDDEN, Redactor

JWT = "eyJhbGciOiJFUzI1NiIsImtpZCI6Im9yZ2FuIn0.eyJzdWIiOiJvcmciLCJuYmYiOjE3fQ.c2lnbmF0dXJl-_x"
PEM = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIPn0\n-----END EC PRIVATE KEY-----"
KEY = "organizations/0a1b/apiKeys/77-88"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"Authorization: Bearer {JWT}", JWT[:20]),
        (f"sent {JWT} to", "c2lnbmF0dXJl"),
        (f'{{"jwt": "{JWT}", "type": "subscribe"}}', "eyJ"),
        (f"key is {PEM} indeed", "MHcCAQEEIPn0"),
        ('{"privateKey": "-----BEGIN EC PRIVATE KEY-----\\nMHcCAQ', "MHcCAQ"),
        (f'{{"name": "{KEY}"}}', "77-88"),
        ("https://hooks.slack.com/services/T0/B0/xyzzy", "xyzzy"),
        ("postgresql+psycopg://bot:hunter22@db/t", "hunter22"),
        ("api_secret='abc def'", "abc def"),
        ("password=hunter22&x=1", "hunter22"),
    ],
)
def test_secrets_are_taken_out_by_what_they_look_like(text, secret) -> None:
    cleaned = Redactor().text(text)

    assert secret not in cleaned
    assert HIDDEN in cleaned


def test_what_is_no_secret_stays() -> None:
    text = "order 5f1d… of BTC-USD at https://api.coinbase.com/api/v3/brokerage/orders is open (eyJ is a prefix)"

    assert Redactor().text(text) == text


@pytest.mark.parametrize(
    "key", ["authorization", "Cookie", "api_key", "webhook_secret", "jwt", "privateKey", "password"]
)
def test_secrets_are_taken_out_by_key(key) -> None:
    assert Redactor().value(key, "plain") == HIDDEN
    assert Redactor().value(key, 17) == HIDDEN


def test_other_keys_stay() -> None:
    assert Redactor().value("client_order_id", "abc") == "abc"
    assert Redactor().value("attempt", 3) == 3


@given(st.text(min_size=6).filter(lambda t: t.strip()), st.text(), st.text())
def test_a_known_secret_never_comes_through(secret, before, after) -> None:
    cleaned = Redactor([secret]).text(before + secret + after)

    assert secret not in cleaned.replace(HIDDEN, "\0") or secret in HIDDEN


def test_a_known_pem_is_found_with_its_line_ends_escaped() -> None:
    redactor = Redactor([PEM.replace("PRIVATE KEY", "THING")])

    assert "MHcCAQEEIPn0" not in redactor.text('{"k": "MHcCAQEEIPn0"}')
