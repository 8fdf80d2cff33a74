"""What tests of the venue adapter need: throwaway keys, a free budget, an inbox to look into."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from ordersync_cli.clock import Chance, Clock, SystemChance, SystemClock
from ordersync_cli.services.ports import Lane
from ordersync_cli.services.ports.messages import Message
from ordersync_cli.venue import key_source, open_venue
from ordersync_cli.venue.rest import RestVenue, Tuning
from ordersync_cli.venue.retries import Retries
from ordersync_cli.venue.transport import Timeouts
from tests.support.patience import TooSlow

KEY_NAME = "organizations/11111111-2222-3333-4444-555555555555/apiKeys/66666666-7777-8888-9999-000000000000"


class FreeBudget:
    """Grants everything at once and remembers what was asked."""

    def __init__(self) -> None:
        self.taken: list[Lane] = []
        self.within: list[float | None] = []
        self.penalties: list[float] = []
        self.spent = 0

    def take(self, lane: Lane, within: float | None = None) -> None:
        self.taken.append(lane)
        self.within.append(within)

    def penalise(self, seconds: float) -> None:
        self.penalties.append(seconds)

    def spend(self) -> None:
        self.spent += 1


class OpenInbox:
    """An inbox whose messages a test may look at while they come."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._came = threading.Condition()

    def put(self, message: Message) -> None:
        with self._came:
            self.messages.append(message)
            self._came.notify_all()

    def receive(self, timeout: float) -> list[Message]:
        with self._came:
            self._came.wait_for(lambda: bool(self.messages), timeout)
            taken, self.messages = self.messages, []
            return taken

    def wait_for(self, found: Callable[[Message], bool], seconds: float = 10.0, count: int = 1) -> Message:
        """Wait until so many messages fit, and give the last of them."""
        fitting: list[Message] = []

        def enough() -> bool:
            fitting[:] = [message for message in self.messages if found(message)]
            return len(fitting) >= count

        with self._came:
            if not self._came.wait_for(enough, seconds):
                raise TooSlow(f"only {len(fitting)} came: {self.messages[-5:]}")
            return fitting[count - 1]

    def of(self, kind: type) -> list[Any]:
        return [message for message in list(self.messages) if isinstance(message, kind)]


def ecdsa_pem() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    ).decode()


def ed25519_base64(*, with_public: bool = True) -> str:
    key = ed25519.Ed25519PrivateKey.generate()
    seed = key.private_bytes(serialization.Encoding.Raw, serialization.PrivateFormat.Raw, serialization.NoEncryption())
    public = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return base64.b64encode(seed + public if with_public else seed).decode()


def write_key(path: Path, content: Any = None, mode: int = 0o600) -> Path:
    """Write a key file; without content a fresh ECDSA key of Coinbase's older format."""
    if content is None:
        content = {"name": KEY_NAME, "privateKey": ecdsa_pem(), "scopes": ["rat#view", "rat#trade"]}
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    path.chmod(mode)
    return path


QUICK = Tuning(
    timeouts=Timeouts(connect=1.0, read=1.0),
    retries=Retries(attempts=3, within=3.0, first_wait=0.01, longest_wait=0.02),
)
ONCE = Tuning(timeouts=Timeouts(connect=1.0, read=1.0), retries=Retries(attempts=1))


@contextmanager
def venue_at(
    rest_url: str,
    key_file: Path,
    *,
    budget: FreeBudget | None = None,
    tuning: Tuning = QUICK,
    clock: Clock | None = None,
    chance: Chance | None = None,
) -> Iterator[RestVenue]:
    venue = open_venue(
        rest_url=rest_url,
        source=key_source(key_file=key_file),
        budget=budget or FreeBudget(),
        clock=clock or SystemClock(),
        chance=chance or SystemChance(),
        name="test venue",
        simulated=True,
        tuning=tuning,
    )
    try:
        yield venue
    finally:
        venue.close()


def threads_named(prefix: str) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith(prefix)]


def settled(check: Callable[[], bool], seconds: float = 3.0) -> bool:
    """Wait until something is so; tells whether it became so."""
    deadline = time.monotonic() + seconds
    while not check():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
