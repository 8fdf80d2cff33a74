"""Another exchange of Coinbase's wire format, written from its documents alone, to check ordersync from outside."""

from __future__ import annotations

import json
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from tests.support.other_books import ENDED, Fate, OtherOrder
from tests.support.other_http import USER, Fault, OtherRequest, OtherServer, OtherState
from tests.support.other_wire import Manners, dump, moment, user_order

KEY_NAME = "organizations/00000000-0000-4000-8000-00000000abcd/apiKeys/00000000-0000-4000-8000-000000000001"


class OtherExchange:
    """Serves REST and the user channel on two loopback ports until stopped."""

    def __init__(self, folder: Path, manners: Manners | None = None) -> None:
        private = ec.generate_private_key(ec.SECP256R1())
        self.key_file = _write_key(folder / "other-key.json", private)
        self.state = OtherState(manners or Manners(), KEY_NAME, private.public_key())
        self.books = self.state.books
        self.connections: list[float] = []
        self.together = self.most_together = 0
        bound = type("Bound", (OtherRequest,), {"state": self.state})
        self._http = OtherServer(("127.0.0.1", 0), bound)
        self._feed = serve(self._speak, "127.0.0.1", 0, compression=None)
        self.rest_url = f"http://127.0.0.1:{self._http.server_port}"
        self.ws_url = f"ws://127.0.0.1:{self._feed.socket.getsockname()[1]}"
        for work in (self._http.serve_forever, self._feed.serve_forever):
            threading.Thread(target=work, daemon=True).start()

    def stop(self) -> None:
        """Stop serving."""
        self.state.stopped.set()
        self._http.shutdown()
        self._http.server_close()
        self._feed.shutdown()

    def fates(self, *fates: Fate) -> None:
        """Script the next orders, in the order they are accepted."""
        self.books.fates.extend(list(fate) for fate in fates)

    def lose_answer(self, kind: str, **changes: Any) -> None:
        """Let the answer to the next order get lost."""
        self.state.faults.append(Fault("POST /orders", kind, **changes))

    @contextmanager
    def away(self, how: str = "cut") -> Iterator[None]:
        """Be in an outage: cut every request, or answer 503."""
        self.state.outage = how
        try:
            yield
        finally:
            self.state.outage = None

    def _speak(self, connection: ServerConnection) -> None:
        with self.books.lock:
            self.connections.append(time.monotonic())
            self.together += 1
            self.most_together = max(self.together, self.most_together)
        try:
            if self.state.outage is None:
                _Talk(self.state, connection).go_on()
        except (ConnectionClosed, TimeoutError):
            pass
        finally:
            with self.books.lock:
                self.together -= 1


class _Talk:
    """One connection to the user channel."""

    def __init__(self, state: OtherState, connection: ServerConnection) -> None:
        self.state, self.manners = state, state.manners
        self.connection = connection
        self.sequences: dict[str, int] = defaultdict(int)
        self.channels: set[str] = set()
        self.told: dict[str, int] = {}
        self.beats = 0

    def go_on(self) -> None:
        """Take subscriptions, tell what changes, beat each second; the first subscription must come within 5 s."""
        self._subscribe(self.connection.recv(timeout=5))
        beat = time.monotonic()
        while not self.state.stopped.is_set() and self.state.outage is None:
            with suppress(TimeoutError):
                self._subscribe(self.connection.recv(timeout=0.01))
            if "user" in self.channels and self.manners.user_channel:
                self._tell_changes()
            if "heartbeats" in self.channels and time.monotonic() >= beat:
                beat += 1
                self._beat()

    def _subscribe(self, raw: str | bytes) -> None:
        asked = json.loads(raw)
        if not self._known(asked.get("jwt", "")):
            self.connection.send(dump({"type": "error", "message": "authentication failure"}))
            self.connection.close()
            return
        channel = asked["channel"]
        self.channels.add(channel)
        if channel == "user":
            self._snapshot()
        if self.manners.acks:
            names = {"user": [USER], "heartbeats": ["heartbeats"]}
            self._say("subscriptions", [{"subscriptions": {c: names.get(c, []) for c in sorted(self.channels)}}])

    def _known(self, token: str) -> bool:
        if not self.manners.check_jwt:
            return bool(token)
        try:
            read = jwt.decode(token, self.state.public_key, algorithms=["ES256"], issuer="cdp")
        except jwt.PyJWTError as wrong:
            self.state.complaints.append(f"subscribe: {wrong}")
            return False
        good = "uri" not in read and read["sub"] == self.state.key_name and token not in self.state.tokens
        self.state.tokens.add(token)
        if not good:
            self.state.complaints.append(f"subscribe: token {read}")
        return good

    def _snapshot(self) -> None:
        """Tell the open orders in batches; one that is full is followed by another, be it empty."""
        with self.state.books.lock:
            known = {o.order_id: (o, o.step_now()) for o in self.state.books.orders}
        self.told = {i: step for i, (_, step) in known.items()}
        rows = [user_order(o, s, self.manners) for o, s in known.values() if o.steps[s][1] == "OPEN"]
        size, kind = self.manners.snapshot_batch, "snapshot"
        for begin in range(0, len(rows) + 1, size):
            self._say("user", [self._event(kind, rows[begin : begin + size])])
            kind = "update"

    def _event(self, kind: str, rows: list[Any]) -> dict[str, Any]:
        event: dict[str, Any] = {"type": kind, "orders": rows}
        if self.manners.positions != "absent":
            event["positions"] = self.manners.positions
        return event

    def _tell_changes(self) -> None:
        with self.state.books.lock:
            known = list(self.state.books.orders)
        for order in known:
            self._tell_order(order, order.step_now())

    def _tell_order(self, order: OtherOrder, now: int) -> None:
        for step in range(self.told.get(order.order_id, -1) + 1, now + 1):
            again = self.manners.repeats if order.steps[step][1] in ENDED else 1
            for _ in range(again):
                self._say("user", [self._event("update", [user_order(order, step, self.manners)])])
        self.told[order.order_id] = now

    def _beat(self) -> None:
        self.beats += 1
        counter: Any = str(self.beats) if self.manners.string_counters else self.beats
        now = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S.%f}000 +0000 UTC m=+66987.628148662"
        self._say("heartbeats", [{"current_time": now, "heartbeat_counter": counter}])

    def _say(self, channel: str, events: list[Any]) -> None:
        counted = channel if self.manners.sequence == "channel" else "all"
        told = {"channel": channel, "timestamp": moment(datetime.now(UTC), self.manners.digits)}
        if self.manners.client_id:
            told["client_id"] = ""
        told["sequence_num"] = self.sequences[counted]  # type: ignore[assignment]
        self.sequences[counted] += 1
        self.connection.send(dump({**told, "events": events}))


def _write_key(path: Path, private: ec.EllipticCurvePrivateKey) -> Path:
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    told = {"name": KEY_NAME, "privateKey": pem.decode(), "nickname": "other", "scopes": ["rat#view", "rat#trade"]}
    path.write_text(json.dumps({**told, "keyType": "TRADING_KEY", "enabled": True}), encoding="utf-8")
    path.chmod(0o600)
    return path
