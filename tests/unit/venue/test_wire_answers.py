"""Answers to writes: what is accepted, what is refused, and what says nothing that can be relied on."""

from __future__ import annotations

from typing import Any

import pytest

from ordersync_cli.domain.observations import AnswerKind
from ordersync_cli.venue.placing import outcome_of
from ordersync_cli.venue.transport import Reply
from ordersync_cli.venue.wire_answers import cancel_answers, created, preview
from ordersync_cli.venue.wire_values import WireError


def refused(**error: Any) -> dict[str, Any]:
    return {"success": False, "error_response": error}


@pytest.mark.parametrize("configuration", [None, {}, {"market_market_ioc": {"quote_size": "1", "rfq_enabled": False}}])
def test_T18_a_success_is_read_whatever_its_configuration(configuration: Any) -> None:
    answer = {"success": True, "success_response": {"order_id": "o-1"}, "order_configuration": configuration}
    assert created(answer).kind is AnswerKind.ACCEPTED
    assert created(answer).order_id == "o-1"


def test_a_success_of_before_september_2024_is_read() -> None:
    answer = {
        "success": True,
        "failure_reason": "UNKNOWN_FAILURE_REASON",
        "order_id": "o-1",
        "order_configuration": None,
    }
    assert (created(answer).kind, created(answer).order_id) == (AnswerKind.ACCEPTED, "o-1")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ({"new_order_failure_reason": "INVALID_SIDE", "error": "OTHER"}, "INVALID_SIDE"),
        (
            {
                "error": "UNKNOWN_FAILURE_REASON",
                "message": "",
                "error_details": "",
                "preview_failure_reason": "PREVIEW_STOP_PRICE_ABOVE_LAST_TRADE_PRICE",
            },
            "PREVIEW_STOP_PRICE_ABOVE_LAST_TRADE_PRICE",
        ),
        (
            {
                "new_order_failure_reason": "UNKNOWN_FAILURE_REASON",
                "preview_failure_reason": "UNKNOWN_PREVIEW_FAILURE_REASON",
                "error": "INSUFFICIENT_FUND",
            },
            "INSUFFICIENT_FUND",
        ),
        (
            {"error": "UNKNOWN_FAILURE_REASON", "error_details": "preview_bracket_order_size_exceeds_position"},
            "preview_bracket_order_size_exceeds_position",
        ),
        ({"error": "", "message": "source is not enabled for trading"}, "source is not enabled for trading"),
    ],
)
def test_the_first_specific_reason_counts(error: Any, reason: str) -> None:
    assert (created(refused(**error)).kind, created(refused(**error)).reason) == (AnswerKind.REJECTED, reason)


@pytest.mark.parametrize(
    "error",
    [
        {},
        {"error": "UNKNOWN_FAILURE_REASON"},
        {"error": "UNKNOWN_FAILURE_REASON", "preview_failure_reason": "UNKNOWN_PREVIEW_FAILURE_REASON", "message": ""},
        {"error": "INTERNAL", "message": "internal error, try again"},
        {"error": "UNKNOWN_FAILURE_REASON", "message": "Request timed out"},
    ],
)
def test_T16_a_failure_without_a_specific_reason_is_unknown(error: Any) -> None:
    assert created(refused(**error)).kind is AnswerKind.UNKNOWN


@pytest.mark.parametrize(
    "field", ["new_order_failure_reason", "preview_failure_reason", "error", "error_details", "message"]
)
def test_T14_a_duplicate_client_order_id_is_resolved_by_lookup(field: str) -> None:
    outcome = created(refused(**{"error": "INVALID_REQUEST", field: "DUPLICATE_CLIENT_ORDER_ID"}))
    assert (outcome.kind, outcome.reason) == (AnswerKind.UNKNOWN, "DUPLICATE_CLIENT_ORDER_ID")


@pytest.mark.parametrize(
    "unclear",
    [
        {},
        [],
        None,
        {"success": True},
        {"success": True, "success_response": {}},
        {"success": True, "success_response": "o-1"},
        {"success": False, "order_id": "o-1", "error_response": {"error": "INVALID_SIDE"}},
        {"success": "perhaps"},
        {"order_id": "o-1"},
    ],
)
def test_T16_an_answer_that_says_neither_is_unreadable(unclear: Any) -> None:
    with pytest.raises(WireError):
        created(unclear)


@pytest.mark.parametrize("odd", ["\ud800", "\0"])
def test_T16_a_success_whose_id_cannot_be_stored_is_unreadable(odd: str) -> None:
    with pytest.raises(WireError, match="order_id"):
        created({"success": True, "success_response": {"order_id": f"o{odd}"}})


def of(status: int, body: str) -> Any:
    return outcome_of(Reply(status, {}, body.encode()))


NOT_FOUND = '{"error":"NOT_FOUND","error_details":"x","message":"x"}'


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, '{"success":true,"success_response":{"order_id":"o"}}', AnswerKind.ACCEPTED),
        (201, '{"success":true,"success_response":{"order_id":"o"}}', AnswerKind.ACCEPTED),
        (200, '{"success":false,"error_response":{"error":"INVALID_SIDE"}}', AnswerKind.REJECTED),
        (200, '{"success":true,"success_resp', AnswerKind.UNKNOWN),
        (200, "<html>maintenance</html>", AnswerKind.UNKNOWN),
        (200, "", AnswerKind.UNKNOWN),
        (204, "", AnswerKind.UNKNOWN),
        (400, '{"error":"INVALID_ARGUMENT","message":"account is not available"}', AnswerKind.REJECTED),
        (400, '{"error":"UNKNOWN","message":""}', AnswerKind.REJECTED),
        (400, '{"success":false,"error_response":{"error":"INSUFFICIENT_FUND"}}', AnswerKind.REJECTED),
        (400, '{"success":false,"error_response":{"error":"UNKNOWN_FAILURE_REASON"}}', AnswerKind.UNKNOWN),
        (400, '{"success":false,"failure_reason":"UNKNOWN_FAILURE_REASON"}', AnswerKind.UNKNOWN),
        (404, NOT_FOUND, AnswerKind.REJECTED),
        (422, NOT_FOUND, AnswerKind.REJECTED),
        (400, '{"error":"DUPLICATE_CLIENT_ORDER_ID","message":"x"}', AnswerKind.UNKNOWN),
        (400, '{"detail":"of somebody else"}', AnswerKind.UNKNOWN),
        (400, '{"success":true,"error":"x"}', AnswerKind.UNKNOWN),
        (400, "<html>bad request</html>", AnswerKind.UNKNOWN),
        (404, "<html>nginx</html>", AnswerKind.UNKNOWN),
        (408, NOT_FOUND, AnswerKind.UNKNOWN),
        (409, NOT_FOUND, AnswerKind.UNKNOWN),
        (410, NOT_FOUND, AnswerKind.UNKNOWN),
        (429, '{"errors":[{"id":"rate_limit_exceeded","message":"Too many requests"}]}', AnswerKind.UNKNOWN),
        (400, '{"errors":[{"id":"rate_limit_exceeded","message":"Too many requests"}]}', AnswerKind.UNKNOWN),
        (500, NOT_FOUND, AnswerKind.UNKNOWN),
        (502, "go/sg/f00", AnswerKind.UNKNOWN),
        (503, "", AnswerKind.UNKNOWN),
        (301, "", AnswerKind.UNKNOWN),
        (307, NOT_FOUND, AnswerKind.UNKNOWN),
        (401, "Unauthorized", AnswerKind.REJECTED),
        (401, "<html>login</html>", AnswerKind.UNKNOWN),
        (403, '{"error":"PERMISSION_DENIED","message":"Missing required scopes"}', AnswerKind.REJECTED),
        (403, "<html>blocked by a firewall</html>", AnswerKind.UNKNOWN),
        (403, "", AnswerKind.UNKNOWN),
    ],
)
def test_T16_each_status_proves_what_it_can_and_no_more(status: int, body: str, kind: AnswerKind) -> None:
    assert of(status, body).kind is kind


def test_T31_an_accepted_cancel_has_no_reason_whatever_the_field_says() -> None:
    answers = cancel_answers(
        {
            "results": [
                {"success": True, "failure_reason": "UNKNOWN_CANCEL_FAILURE_REASON", "order_id": "a"},
                {"success": False, "failure_reason": "ORDER_IS_FULLY_FILLED", "order_id": "b"},
            ]
        }
    )
    assert [(one.order_id, one.accepted, one.reason) for one in answers] == [
        ("a", True, None),
        ("b", False, "ORDER_IS_FULLY_FILLED"),
    ]


@pytest.mark.parametrize("bad", [{}, {"results": [{"success": True}]}, {"results": ["x"]}, []])
def test_a_cancel_answer_without_its_orders_is_unreadable(bad: Any) -> None:
    with pytest.raises(WireError):
        cancel_answers(bad)


def test_a_preview_tells_what_would_be_refused() -> None:
    told = preview({"errs": ["PREVIEW_INSUFFICIENT_FUND"], "warning": [], "order_total": "5.1", "base_size": ""})
    assert told.errors == ("PREVIEW_INSUFFICIENT_FUND",)
    assert told.warnings == ()
    assert str(told.order_total) == "5.1"
    assert told.base_size is None
