"""Opens the feed's WebSocket: verified TLS, bounded times, no token in any log."""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection, connect

from ordersync_cli.venue.addresses import Address
from ordersync_cli.venue.failures import plain
from ordersync_cli.venue.redact import redacted

LARGEST_MESSAGE = 16 * 1024 * 1024  # bytes; the official SDK allows 10 MiB
ROOT_FAILURES = (OSError, WebSocketException, TimeoutError)
SENT_FOR = {1002: "broke the protocol", 1007: "sent what is no text", 1009: "sent a message that is too large"}

_logger = logging.getLogger("ordersync.feed.socket")
_logger.setLevel(logging.CRITICAL)  # below it would print every message, subscriptions with their tokens too


class NotUnderstood(WebSocketException):
    """What the peer sent is something that the library for WebSockets does not know how to take."""


@contextlib.contextmanager
def by_the_peer() -> Iterator[None]:
    """Make whatever the library raises an end of the connection; nothing of ours belongs in the block.

    For a peer that does not speak HTTP or WebSocket (a proxy, a port of something else, a server
    that closes at once) it raises what its parser came upon: EOFError, ValueError, UnicodeError.
    """
    try:
        yield
    except ROOT_FAILURES:
        raise
    except Exception as failure:
        raise NotUnderstood(f"{type(failure).__name__}: {failure}") from failure


@dataclass(frozen=True, slots=True)
class Door:
    """Where to connect, and how long each step may take, in seconds."""

    address: Address
    open_timeout: float
    close_timeout: float
    ca_file: str | None = None

    def dial(self) -> socket.socket:
        """Open the TCP connection. Raises OSError."""
        host = self.address.host
        dialled = socket.create_connection((host, self.address.port), timeout=self.open_timeout)
        dialled.settimeout(None)
        return dialled

    def enter(self, dialled: socket.socket) -> ClientConnection:
        """Speak TLS and the opening handshake over a TCP connection; closes it on failure."""
        context = _verifying(self.ca_file) if self.address.secure else None
        try:
            with by_the_peer():
                return connect(
                    self.address.url,
                    sock=dialled,
                    ssl=context,
                    compression=None,
                    user_agent_header="ordersync",
                    open_timeout=self.open_timeout,
                    close_timeout=self.close_timeout,
                    max_size=LARGEST_MESSAGE,
                    logger=_logger,
                )
        except BaseException:
            with contextlib.suppress(OSError):
                dialled.close()
            raise


def _verifying(ca_file: str | None) -> ssl.SSLContext:
    """Make a context that checks certificate and host name; without a system store, by certifi's."""
    context = ssl.create_default_context(cafile=ca_file)
    if not context.cert_store_stats()["x509_ca"]:
        from requests.utils import DEFAULT_CA_BUNDLE_PATH

        context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
    return context


def end_of(failure: BaseException) -> str:
    """Say in words why a connection ended or could not be opened."""
    if isinstance(failure, ConnectionClosed):
        if failure.rcvd is None:
            what = SENT_FOR.get(failure.sent.code) if failure.sent is not None else None
            return "the connection was lost" if what is None else f"the connection was ended: the venue {what}"
        reason = redacted(failure.rcvd.reason, 80) if failure.rcvd.reason else ""
        return f"the venue closed with {failure.rcvd.code}" + (f" ({reason})" if reason else "")
    if isinstance(failure, InvalidStatus):
        return f"the venue refused the handshake with {failure.response.status_code}"
    if isinstance(failure, ssl.SSLCertVerificationError):
        return f"the venue's certificate is refused ({redacted(failure.verify_message, 80)})"
    if isinstance(failure, NotUnderstood):
        return f"what answers there does not speak the protocol ({redacted(str(failure), 80)})"
    if isinstance(failure, InvalidHandshake | ssl.SSLError):
        return f"the handshake failed ({redacted(str(failure), 80)})"
    if isinstance(failure, TimeoutError):
        return "the venue did not answer in time"
    return f"the venue cannot be reached ({plain(failure) or redacted(str(failure) or type(failure).__name__, 80)})"
