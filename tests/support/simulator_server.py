"""A running simulator for tests, and a raw WebSocket client that keeps every message."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect


def token(key_file: Path | str, now: float, *, seconds: int = 120, **changes: Any) -> str:
    """Sign a token as Coinbase's SDK does; `changes` replace claims (None removes one)."""
    key = json.loads(Path(key_file).read_text(encoding="utf-8"))
    name = key.get("name") or key["id"]
    secret, algorithm = _secret(key["privateKey"])
    claims = {"sub": name, "iss": "cdp", "nbf": int(now), "exp": int(now) + seconds, **changes}
    claims = {claim: value for claim, value in claims.items() if value is not None}
    return jwt.encode(claims, secret, algorithm=algorithm, headers={"kid": name, "nonce": "0" * 64})


def _secret(text: str) -> tuple[Any, str]:
    if "BEGIN" in text:
        return load_pem_private_key(text.encode(), password=None), "ES256"
    import base64

    return ed25519.Ed25519PrivateKey.from_private_bytes(base64.b64decode(text)[:32]), "EdDSA"


class Listener:
    """One WebSocket connection that keeps what it is sent; `closed` is the close code once it is over."""

    def __init__(self, ws_url: str) -> None:
        self.messages: list[dict[str, Any]] = []
        self.closed: int | None = None
        self._socket = connect(ws_url, open_timeout=5, max_size=None)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            for message in self._socket:
                self.messages.append(json.loads(message))
            self.closed = 1000
        except ConnectionClosed as closed:
            self.closed = 1006 if closed.rcvd is None else closed.rcvd.code
        if self._socket.protocol.close_code is not None:
            self.closed = self._socket.protocol.close_code

    def say(self, message: dict[str, Any]) -> None:
        self._socket.send(json.dumps(message))

    def close(self) -> None:
        self._socket.close()
        self._thread.join(5)

    def of(self, channel: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message.get("channel") == channel]

    def orders(self) -> list[dict[str, Any]]:
        """Return every order object of every update, in the order of arrival."""
        return [
            order
            for message in self.of("user")
            for event in message["events"]
            if event["type"] == "update"
            for order in event["orders"]
        ]


@contextmanager
def listening(ws_url: str) -> Iterator[Listener]:
    listener = Listener(ws_url)
    try:
        yield listener
    finally:
        listener.close()
