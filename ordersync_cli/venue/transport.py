"""Sends requests through the official SDK's REST client: our token, our time-outs, its wire."""

from __future__ import annotations

import contextlib
import http
import logging
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import requests
from coinbase.constants import USER_AGENT
from coinbase.rest import RESTClient

from ordersync_cli.clock import Clock
from ordersync_cli.venue.addresses import Address
from ordersync_cli.venue.connections import PlainHTTP, WatchedAdapter, begin_watch, nothing_left
from ordersync_cli.venue.failures import in_words
from ordersync_cli.venue.redact import redacted

Params = Mapping[str, str | Sequence[str]]

_log = logging.getLogger(__name__)

# A connection that lay idle longer may have been closed by the venue without our seeing it: an order
# sent into it would end with an unknown outcome.
IDLE_LIMIT = 10.0  # seconds


class NotSent(Exception):
    """It is proven that nothing of the request left this machine."""


class Lost(Exception):
    """The request may have left, and no answer came back."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer of any status, unread; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def is_success(self) -> bool:
        """Tell whether the status is 2xx."""
        return http.HTTPStatus.OK <= self.status < http.HTTPStatus.MULTIPLE_CHOICES

    @property
    def is_client_error(self) -> bool:
        """Tell whether the status is 4xx."""
        return http.HTTPStatus.BAD_REQUEST <= self.status < http.HTTPStatus.INTERNAL_SERVER_ERROR

    @property
    def is_server_error(self) -> bool:
        """Tell whether the status is 5xx or above."""
        return self.status >= http.HTTPStatus.INTERNAL_SERVER_ERROR

    @property
    def asks_for_less(self) -> bool:
        """Tell whether the status is 429."""
        return self.status == http.HTTPStatus.TOO_MANY_REQUESTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long to wait for a connection and for each part of an answer, in seconds."""

    connect: float = 3.0
    read: float = 5.0

    def pair(self, within: float | None) -> tuple[float, float]:
        """Give both to requests, neither longer than ``within`` seconds."""
        bound = float("inf") if within is None else within
        return min(self.connect, bound), min(self.read, bound)


class _Client(RESTClient):  # type: ignore[misc] # the SDK ships no types
    """The SDK's client with our token in place of its own, giving raw answers."""

    def __init__(self, address: Address, timeouts: Timeouts, ca_file: str | None) -> None:
        # The key itself never reaches the SDK: it would sign on this machine's clock, for 120 s.
        super().__init__(api_key="-", api_secret="", base_url=address.netloc, timeout=timeouts.pair(None))
        self.token: str | None = None
        self.used_mono = 0.0
        self.adapter = WatchedAdapter() if address.secure else PlainHTTP()
        self.session.mount("https://", self.adapter)
        self.session.auth = _as_it_is  # else ~/.netrc takes the token's place (trap T39)
        self.session.trust_env = not address.is_loopback  # else a proxy catches what is on this machine
        self.session.verify = ca_file or True

    def set_headers(self, method: str, path: str) -> dict[str, str]:  # noqa: ARG002 (the SDK's hook for signing)
        headers = {"User-Agent": f"ordersync {USER_AGENT}", "Content-Type": "application/json"}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        return headers

    def send_request(
        self,
        http_method: str,
        url_path: str,
        params: dict[str, Any] | None,
        headers: dict[str, str],
        data: dict[str, Any] | None = None,
    ) -> Reply:
        response = self.session.request(
            http_method,
            f"https://{self.base_url}{url_path}",
            params=params,
            json=data,
            headers=headers,
            timeout=self.timeout,
            allow_redirects=False,  # a redirected POST would be sent twice
        )
        names = {name.lower(): value for name, value in response.headers.items()}
        return Reply(response.status_code, names, response.content)


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _quiet(name: str) -> None:
    """Take away the handler that the SDK installs for itself; it would print bodies to stderr."""
    logger = logging.getLogger(name)
    logger.handlers.clear()
    logger.setLevel(logging.CRITICAL)


class Transport:
    """One session a thread, each request sent exactly once; safe to share between threads."""

    def __init__(self, address: Address, clock: Clock, timeouts: Timeouts, ca_file: str | None = None) -> None:
        _quiet("coinbase.RESTClient")
        self._address = address
        self._clock = clock
        self._timeouts = timeouts
        self._ca_file = ca_file
        self._lock = threading.Lock()
        self._mine = threading.local()
        self._clients: dict[threading.Thread, _Client] = {}
        self._requests_made = 0

    @property
    def requests_made(self) -> int:
        """Count the requests that were begun."""
        return self._requests_made

    def get(
        self, path: str, params: Params | None = None, token: str | None = None, within: float | None = None
    ) -> Reply:
        """Send a GET; with ``within`` its time-outs are no longer than so many seconds. Raises NotSent or Lost."""
        if within is not None and within <= 0:
            raise NotSent("no time was left to ask")
        return self._exchange("GET", path, dict(params or {}), token, within)

    def post(self, path: str, data: Mapping[str, Any], token: str) -> Reply:
        """Send a POST, once. Raises NotSent or Lost."""
        return self._exchange("POST", path, dict(data), token)

    def _exchange(
        self, method: str, path: str, content: dict[str, Any], token: str | None, within: float | None = None
    ) -> Reply:
        client = self._client()
        if method == "POST" and self._clock.monotonic() - client.used_mono > IDLE_LIMIT:
            client.adapter.drop_connections()
        with self._lock:
            self._requests_made += 1
        self._close_forsaken()
        client.token, client.timeout = token, self._timeouts.pair(within)
        started = self._clock.monotonic()
        begin_watch()
        try:
            reply: Reply
            if method == "GET":
                reply = client.get(path, params=content, public=token is None)
            else:
                reply = client.post(path, data=content)
        except Exception as error:
            text = redacted(in_words(error, self._address.netloc), 160)
            _log.debug("%s %s: no answer (%s)", method, path, text)
            if nothing_left():
                raise NotSent(text) from error
            raise Lost(text) from error
        finally:
            client.token = None
            client.used_mono = self._clock.monotonic()
        _log.debug("%s %s: %s in %.0f ms", method, path, reply.status, (client.used_mono - started) * 1000)
        return reply

    def _client(self) -> _Client:
        client: _Client | None = getattr(self._mine, "client", None)
        if client is None:
            client = _Client(self._address, self._timeouts, self._ca_file)
            self._mine.client = client
            with self._lock:
                self._clients[threading.current_thread()] = client
        return client

    def _close_forsaken(self) -> None:
        """Close the clients of threads that have ended; nobody else ever uses one."""
        with self._lock:
            ended = [thread for thread in self._clients if not thread.is_alive()]
            forsaken = [self._clients.pop(thread) for thread in ended]
        _close(forsaken)

    def close(self) -> None:
        """Close every connection of every thread."""
        with self._lock:
            clients, self._clients = self._clients, {}
            self._mine = threading.local()
        _close(clients.values())


def _close(clients: Iterable[_Client]) -> None:
    for client in clients:
        with contextlib.suppress(Exception):
            client.session.close()
