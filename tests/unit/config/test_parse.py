"""What a person writes for a setting is read exactly, or refused in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordersync_cli.config import parse

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("5m", 300), ("24h", 86400), ("7d", 604800), ("0", 0), ("5", 5), ("0.25", 0.25), ("1h30m", 5400),
     ("250ms", 0.25), (" 5M ", 300), ("1.5h", 5400), ("2w", 1209600)],
)  # fmt: skip
def test_durations_are_read(text: str, seconds: float) -> None:
    assert parse.duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["", "s", "-5s", "5 minutes", "5x", "1e3", "nan", "5m30", "inf", "٣s x", "9" * 30 + "d"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"duration|hundred years"):
        parse.duration(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-01-31T12:30:00", datetime(2026, 1, 31, 12, 30, tzinfo=UTC)),
        ("2026-01-31T12:30:00Z", datetime(2026, 1, 31, 12, 30, tzinfo=UTC)),
        ("2026-01-31 12:30:00+02:00", datetime(2026, 1, 31, 10, 30, tzinfo=UTC)),
        ("24h", NOW - timedelta(hours=24)),
    ],
)
def test_times_are_utc_where_no_zone_is_given(text: str, expected: datetime) -> None:
    read = parse.moment(text, now=NOW)

    assert read == expected
    assert read.utcoffset() == timedelta(0)


def test_a_duration_can_mean_the_future() -> None:
    assert parse.moment("1h", now=NOW, ahead=True) == NOW + timedelta(hours=1)


@pytest.mark.parametrize("text", ["yesterday", "", "2026-13-01", "2026-02-30"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="neither a time"):
        parse.moment(text, now=NOW)


@pytest.mark.parametrize("text", ["nan", "NaN", "inf", "-1", "0", "", "1,5", "abc", "-Infinity", "sNaN"])
def test_an_amount_is_a_finite_number_above_zero(text: str) -> None:
    with pytest.raises(ValueError, match="not a"):
        parse.amount(text)


@given(st.decimals(min_value=Decimal("1e-18"), max_value=Decimal("1e18"), allow_nan=False, allow_infinity=False))
def test_an_amount_keeps_every_digit(number: Decimal) -> None:
    assert parse.amount(str(number)) == number


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("postgres://u@h/d", "postgresql+psycopg://u@h/d"),
        ("postgresql://u:p@h:5432/d?sslmode=require", "postgresql+psycopg://u:p@h:5432/d?sslmode=require"),
        ("postgresql+psycopg:///t?host=/tmp/x", "postgresql+psycopg:///t?host=/tmp/x"),
        ("sqlite:////var/lib/trades.db", "sqlite:////var/lib/trades.db"),
    ],
)
def test_database_urls_are_brought_to_one_form(text: str, url: str) -> None:
    assert parse.database_url(text) == url


def test_an_sqlite_file_is_made_absolute(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert parse.database_url("sqlite:///trades.db") == f"sqlite:///{tmp_path}/trades.db"


@pytest.mark.parametrize("text", ["trades.db", "mysql://u:hunter22@h/d", "sqlite://", "sqlite:///:memory:", "", "x"])
def test_other_databases_are_refused_without_quoting_a_password(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w") as refused:
        parse.database_url(text)

    assert "hunter22" not in str(refused.value)


@pytest.mark.parametrize(
    "text", ["http://127.0.0.1:8080", "http://localhost:1", "http://[::1]:1", "https://api.coinbase.com"]
)
def test_plain_http_is_for_loopback(text: str) -> None:
    assert parse.rest_endpoint(text + "/") == text


@pytest.mark.parametrize(
    "text",
    ["http://api.coinbase.com", "http://127.0.0.1.evil.com", "http://10.0.0.1", "ftp://127.0.0.1", "https://", "ws://127.0.0.1",
     "https://user:pw@host", "127.0.0.1:80", "http://localhost:port", "https://h/?q=1"],
)  # fmt: skip
def test_other_rest_addresses_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w") as refused:
        parse.rest_endpoint(text)

    assert "pw" not in str(refused.value)


@pytest.mark.parametrize("text", ["ws://example.com", "http://127.0.0.1", "wss://"])
def test_other_ws_addresses_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse.ws_endpoint(text)


def test_alert_urls_are_split_where_a_new_url_begins() -> None:
    read = parse.url_list("https://h/a, slack+https://hooks/x,mailto://u:p@h?to=a,b")

    assert read == ("https://h/a", "slack+https://hooks/x", "mailto://u:p@h?to=a,b")


def test_quiet_hours_are_utc() -> None:
    start, end = parse.quiet_hours("22:00-07:30")

    assert (start.hour, end.hour, end.minute, start.tzinfo) == (22, 7, 30, UTC)


@pytest.mark.parametrize("text", ["22-7", "25:00-07:00", "", "22:00"])
def test_what_are_no_quiet_hours_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="span of hours"):
        parse.quiet_hours(text)
