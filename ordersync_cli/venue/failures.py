"""Says in a few plain words why a request got no answer, for a person who has to act on it."""

from __future__ import annotations

import errno
import http.client
import os
import socket
import ssl
from collections.abc import Iterator

import requests
import urllib3.exceptions

_DEEPEST = 12  # exceptions wrapped in one another; a bound, should they form a ring
_PLAIN: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str], ...] = (
    (socket.gaierror, "no such host, or no name service"),
    ((requests.ConnectTimeout, urllib3.exceptions.ConnectTimeoutError), "no connection in time"),
    ((requests.ReadTimeout, urllib3.exceptions.ReadTimeoutError, TimeoutError), "no answer in time"),
    (http.client.IncompleteRead, "the answer broke off"),
    (
        (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError, ConnectionAbortedError),
        "the connection was closed without an answer",
    ),
)


def in_words(error: BaseException, where: str) -> str:
    """Name the cause underneath, and the address (host, or host:port) it happened at."""
    causes = list(_causes(error))
    said = (plain(cause) for cause in reversed(causes))
    return f"{where}: {next((words for words in said if words), None) or _innermost(causes[-1])}"


def plain(cause: BaseException) -> str | None:
    """Say what one exception means, where it is one of those that every network makes."""
    for kinds, words in _PLAIN:
        if isinstance(cause, kinds):
            return words
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is refused ({cause.verify_message})"
    if isinstance(cause, ssl.SSLError):
        return f"TLS failed ({getattr(cause, 'reason', None) or cause.strerror or cause})"
    if isinstance(cause, OSError) and cause.errno is not None and cause.errno in errno.errorcode:
        return os.strerror(cause.errno).lower()
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """List an exception and what it was raised from, the innermost last."""
    cause: BaseException | None = error
    for _ in range(_DEEPEST):
        if cause is None:
            return
        yield cause
        inner = [getattr(cause, "reason", None), cause.__cause__, cause.__context__, *cause.args]
        cause = next((one for one in inner if isinstance(one, BaseException) and one is not cause), None)


def _innermost(cause: BaseException) -> str:
    said = str(cause).strip()
    return f"{type(cause).__name__}: {said}" if said else type(cause).__name__
