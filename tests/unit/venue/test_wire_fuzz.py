"""Whatever comes over the wire, reading it raises the wire's own error or nothing."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ordersync_cli.domain.observations import AnswerKind
from ordersync_cli.venue import wire_account, wire_answers
from ordersync_cli.venue.feed_reader import FeedReader, Receipt
from ordersync_cli.venue.http_errors import error_of
from ordersync_cli.venue.placing import outcome_of
from ordersync_cli.venue.redact import redacted
from ordersync_cli.venue.transport import Reply
from ordersync_cli.venue.wire_fills import fill
from ordersync_cli.venue.wire_orders import Stamp, frame_order, rest_order
from ordersync_cli.venue.wire_pages import page
from ordersync_cli.venue.wire_values import WireError, parse_json

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
_NAMES = """order_id client_order_id status side order_side filled_size cumulative_quantity number_of_fills filled_value
    total_fees average_filled_price avg_price order_configuration limit_limit_gtc base_size limit_price edit_history
    replace_accept_timestamp created_time creation_time last_fill_time orders fills cursor has_next success
    success_response error_response error message error_details failure_reason results events type channel
    sequence_num timestamp subscriptions heartbeat_counter entry_id price size commission trade_time
    sequence_timestamp size_in_quote iso epochMillis available_balance hold value currency errors id errs
    product_id quote_increment alias_to completion_percentage reject_reason"""
_WORDS = """0 1 FILLED CANCELLED snapshot update user heartbeats subscriptions error 0001-01-01T00:00:00Z
    2026-03-01T12:00:00Z 9999-12-31T23:59:59-23:59 NaN 1e99 true"""
NAMES = st.sampled_from(_NAMES.split())
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.text(max_size=12),
    st.text(st.characters(), max_size=4),  # with what JSON can say and no store holds
    st.sampled_from(["", *_WORDS.split()]),
)  # fmt: skip
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=8), max_leaves=25
)
READERS: list[Callable[[Any], object]] = [
    lambda body: rest_order(body, Stamp(AT)),
    lambda body: frame_order(body, Stamp(AT), 1),
    fill,
    lambda body: page(body, "orders", "x", lambda row: rest_order(row, Stamp(AT)), None),
    lambda body: page(body, "fills", "x", fill, "1"),
    wire_answers.created,
    wire_answers.trouble,
    wire_answers.cancel_answers,
    wire_answers.preview,
    wire_account.product,
    wire_account.key_permissions,
    wire_account.balance,
    wire_account.server_time,
]


def as_json(value: Any) -> str:
    return json.dumps(value, default=lambda number: float(number) if isinstance(number, Decimal) else str(number))


def texts(read: object) -> Iterator[str]:
    """List every text in what was read; the names of a product are held against each other only."""
    if isinstance(read, str):
        yield read
    elif isinstance(read, list | tuple):
        for one in read:
            yield from texts(one)
    elif dataclasses.is_dataclass(read) and not isinstance(read, type):
        for field in dataclasses.fields(read):
            yield from texts(getattr(read, field.name))


@given(TREES, st.sampled_from(range(len(READERS))))
def test_reading_a_body_raises_the_wires_error_or_nothing(tree: Any, reader: int) -> None:
    try:
        read = READERS[reader](tree)
    except WireError as error:
        read = redacted(str(error))
    for text in texts(read):
        assert "\0" not in text
        text.encode()  # no lone surrogate


@given(TREES | st.text() | st.binary())
def test_the_feed_reads_on_whatever_comes(tree: Any) -> None:
    raw = tree if isinstance(tree, str | bytes) else as_json(tree)
    FeedReader().read(raw, Receipt(AT, 1.0))


@given(TREES)
def test_the_feed_reads_on_through_any_event(tree: Any) -> None:
    raw = as_json({"channel": "user", "events": [{"type": "update", "orders": [tree]}, tree], "sequence_num": tree})
    FeedReader().read(raw, Receipt(AT, 1.0))


@given(st.integers(100, 599), st.binary() | TREES.map(lambda tree: as_json(tree).encode()))
def test_T16_no_answer_to_an_order_is_ever_proof_that_nothing_was_sent(status: int, body: bytes) -> None:
    outcome = outcome_of(Reply(status, {}, body))
    assert outcome.kind is not AnswerKind.NOT_SENT
    if status >= 500 or status in (408, 409, 429):
        assert outcome.kind is AnswerKind.UNKNOWN
    if outcome.kind is AnswerKind.ACCEPTED:
        assert outcome.order_id


@given(
    st.integers(100, 599),
    st.binary(),
    st.dictionaries(st.sampled_from(["retry-after", "x-ratelimit-reset"]), st.text()),
)
def test_every_status_of_a_lookup_is_an_error_or_a_success(status: int, body: bytes, headers: dict[str, str]) -> None:
    assert (error_of(Reply(status, headers, body), "x") is None) == (200 <= status < 300)


@given(st.text() | st.binary())
def test_json_is_read_or_refused(raw: str | bytes) -> None:
    try:
        parse_json(raw)
    except WireError:
        return
