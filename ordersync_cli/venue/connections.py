"""HTTP connections that know whether a byte of the request may have left this machine."""

from __future__ import annotations

import threading
from enum import Enum
from typing import Any

from requests.adapters import HTTPAdapter
from requests.models import PreparedRequest, Response
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool


class Progress(Enum):
    """How far a request got."""

    NOTHING_KNOWN = "nothing known"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    DEPARTED = "departed"


class _Watch(threading.local):
    """The progress of this thread's request; a thread has one request at a time."""

    progress = Progress.NOTHING_KNOWN


_watch = _Watch()


def begin_watch() -> None:
    """Forget the last request of this thread."""
    _watch.progress = Progress.NOTHING_KNOWN


def nothing_left() -> bool:
    """Tell whether it is proven that no byte of this thread's request left.

    Proven means: our own connection began to connect and never wrote. Where nothing is known
    (a connection of another kind) it is not proven.
    """
    return _watch.progress in (Progress.CONNECTING, Progress.CONNECTED)


class _Watched:
    """Notes connecting and the first byte of a request. A reused connection only ever departs."""

    _opening = False

    def connect(self) -> None:
        _watch.progress = Progress.CONNECTING
        self._opening = True  # what a proxy is told while the tunnel is dug is not the request
        try:
            super().connect()  # type: ignore[misc] # mixed into urllib3's connections
        finally:
            self._opening = False
        _watch.progress = Progress.CONNECTED

    def send(self, data: Any) -> None:
        if self.sock is None and self.auto_open:  # type: ignore[attr-defined] # as http.client does, but seen
            self.connect()
        if not self._opening:
            _watch.progress = Progress.DEPARTED
        super().send(data)  # type: ignore[misc]


class WatchedHTTPConnection(_Watched, HTTPConnection):
    """A plain connection that is watched."""


class WatchedHTTPSConnection(_Watched, HTTPSConnection):
    """A TLS connection that is watched."""


class WatchedHTTPPool(HTTPConnectionPool):
    """Keeps plain connections."""

    ConnectionCls = WatchedHTTPConnection


class WatchedHTTPSPool(HTTPSConnectionPool):
    """Keeps TLS connections."""

    ConnectionCls = WatchedHTTPSConnection


_POOLS = {"http": WatchedHTTPPool, "https": WatchedHTTPSPool}


class WatchedAdapter(HTTPAdapter):
    """Sends each request once (no retries), over watched connections."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pools keep watched connections."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        """Make the pools behind a proxy keep watched connections too."""
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager

    def drop_connections(self) -> None:
        """Close what is kept open, so that the next request has a connection of its own."""
        self.poolmanager.clear()
        for manager in self.proxy_manager.values():
            manager.clear()


class PlainHTTP(WatchedAdapter):
    """Speaks plain HTTP where the SDK writes https: for a venue on loopback."""

    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        """Send the request over plain HTTP."""
        request.url = "http://" + (request.url or "").removeprefix("https://")
        return super().send(request, *args, **kwargs)
