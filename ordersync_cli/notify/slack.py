"""Slack's incoming webhooks, and everything that takes their format (Mattermost, Discord's /slack)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ordersync_cli.notify.post import Poster
from ordersync_cli.notify.webhook import body_bytes
from ordersync_cli.services.ports import Delivery

_SIGN = {"opened": "🔴", "repeated": "🔁", "resolved": "✅"}


class Slack:
    """Posts alerts as Slack messages."""

    def __init__(self, url: str) -> None:
        self._poster = Poster(url)

    def send(self, delivery: Delivery) -> None:
        """POST the alert; Slack answers 200 `ok`."""
        self._poster.post(body_bytes({"text": slack_text(delivery.body)}), {})

    def close(self) -> None:
        """Close the connection."""
        self._poster.close()


def slack_text(body: Mapping[str, Any]) -> str:
    """Write an alert as Slack's mrkdwn; the three characters Slack reads are escaped."""
    title, message = alert_words(body)
    sign = _SIGN.get(str(body.get("state")), "")
    return f"{sign} *{_escaped(title)}*\n{_escaped(message)}".strip()


def alert_words(body: Mapping[str, Any]) -> tuple[str, str]:
    """Write an alert as a title and a message for people."""
    mark = "SIMULATED " if body.get("simulated") else ""
    count = body.get("count", 1)
    times = f" (×{count})" if isinstance(count, int) and count > 1 else ""
    title = f"{mark}ordersync: {body.get('rule')} {body.get('state')}{times} [{body.get('severity')}]"
    order = f" (order {body['order_id']})" if body.get("order_id") else ""
    return title, f"{body.get('message')}{order}"


def _escaped(text: str) -> str:
    # Slack docs, "Formatting text for app surfaces": &, < and > are control characters.
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
