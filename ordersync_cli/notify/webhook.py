"""JSON webhooks: signed notifications of trades, and alerts."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from ordersync_cli.notify.post import Poster
from ordersync_cli.services.ports import Delivery


class Webhook:
    """Gets each message's body as JSON, with its event id and (given a secret) its signature.

    The signature is the hex HMAC-SHA256 of the exact bytes of the body.
    """

    def __init__(self, url: str, secret: str | None = None) -> None:
        self._poster = Poster(url)
        self._secret = secret.encode() if secret else None

    def send(self, delivery: Delivery) -> None:
        """POST the body; any 2xx is delivered."""
        content = body_bytes(delivery.body)
        headers = {"X-Ordersync-Event-Id": delivery.event_id}
        if self._secret is not None:
            digest = hmac.new(self._secret, content, hashlib.sha256).hexdigest()
            headers["X-Ordersync-Signature"] = f"sha256={digest}"
        self._poster.post(content, headers)

    def close(self) -> None:
        """Close the connection."""
        self._poster.close()


def body_bytes(body: Mapping[str, Any]) -> bytes:
    """Write a body as the bytes that are sent and signed."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
