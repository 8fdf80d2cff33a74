"""POST a body to a URL that may hold a secret: one place for time-outs, retry hints and masking."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ordersync_cli.services.alerts.deliver import DeliveryFailed

if TYPE_CHECKING:
    import httpx

_READ_SECONDS = 3.0
_CONNECT_SECONDS = 2.0
_OUR_FAULT = range(400, 500)
_TRY_LATER = frozenset({408, 425, 429})
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class Poster:
    """POSTs to one URL, keeping its connection until `close`; never shows the URL's path or query."""

    def __init__(self, url: str) -> None:
        self._url = url
        host = urlsplit(url).hostname or ""
        self.where = f"{urlsplit(url).scheme}://{host}/…"
        # A proxy of the environment must not catch what is meant for this machine (T39).
        self._trust_env = host not in _LOOPBACK
        self._client: httpx.Client | None = None

    def post(self, content: bytes, headers: Mapping[str, str]) -> None:
        """POST JSON bytes; raises DeliveryFailed unless the answer is 2xx.

        httpx is imported here: a tenth of a second that no `place` should wait for.
        """
        import httpx

        if self._client is None:
            timeout = httpx.Timeout(_READ_SECONDS, connect=_CONNECT_SECONDS)
            self._client = httpx.Client(timeout=timeout, trust_env=self._trust_env, follow_redirects=False)
        try:
            answer = self._client.post(
                self._url, content=content, headers={"Content-Type": "application/json", **headers}
            )
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as problem:
            # The message of an httpx error may quote the URL: its type says enough.
            raise DeliveryFailed(f"{self.where}: {type(problem).__name__}", sink_down=True) from None
        if answer.is_success:
            return
        status = answer.status_code
        down = status not in _OUR_FAULT or status in _TRY_LATER
        raise DeliveryFailed(
            f"{self.where} answered {status}", sink_down=down, retry_after=_seconds(answer.headers.get("Retry-After"))
        )

    def close(self) -> None:
        """Close the connection; the next post opens a new one."""
        if self._client is not None:
            self._client.close()
            self._client = None


def _seconds(header: str | None) -> float | None:
    return float(header) if header and header.strip().isdigit() else None
