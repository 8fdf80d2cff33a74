"""Checks the JSON Web Tokens that Coinbase's keys sign, on the exchange's clock, without leeway."""

from __future__ import annotations

import base64
import json
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from ordersync_cli.simulator.state import State
from ordersync_cli.simulator.times import SECOND

_ISSUERS = frozenset({"cdp", "coinbase-cloud"})  # the SDK's and ccxt's
_HOSTS = ("api.coinbase.com",)


class NotAuthorized(Exception):
    """The token is not good; the text is for the control routes, the wire says only Unauthorized."""


class Tokens:
    """Verifies tokens against the public keys in the state."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._keys: dict[str, tuple[str, Any, frozenset[str]]] = {}

    def forget(self) -> None:
        """Read the keys again at the next use."""
        self._keys.clear()

    def _key(self, name: str) -> tuple[str, Any, frozenset[str]]:
        if name not in self._keys:
            row = self._state.sql.execute("SELECT public_pem, scopes FROM keys WHERE name = ?", (name,)).fetchone()
            if row is None:
                raise NotAuthorized(f"unknown key {name}")
            public = load_pem_public_key(row[0].encode())
            algorithm = "ES256" if isinstance(public, ec.EllipticCurvePublicKey) else "EdDSA"
            self._keys[name] = (algorithm, public, frozenset(json.loads(row[1])))
        return self._keys[name]

    def scopes(self, token: str, now: int, *, method: str = "", host: str = "", path: str = "") -> frozenset[str]:
        """Return the scopes of the key that signed this token; raises NotAuthorized.

        With a method the token is for one REST request and must name it; without, it is for a subscribe message and
        must not name any. `now` is the exchange's clock in microseconds.
        """
        try:
            head, body, signature = token.split(".")
            header, claims = json.loads(_bytes(head)), json.loads(_bytes(body))
            algorithm, key, scopes = self._key(str(header["kid"]))
            signed = jwt.get_algorithm_by_name(algorithm).verify(f"{head}.{body}".encode(), key, _bytes(signature))
        except (ValueError, KeyError, TypeError, jwt.PyJWTError) as error:
            raise NotAuthorized(f"not a token: {error}") from error
        if not signed or header.get("alg") != algorithm or not isinstance(claims, dict):
            raise NotAuthorized("the signature is wrong")
        if not header.get("nonce"):
            raise NotAuthorized("no nonce in the header")
        if claims.get("sub") != header["kid"] or claims.get("iss") not in _ISSUERS:
            raise NotAuthorized("sub or iss is wrong")
        _check_life(claims, now)
        _check_uri(claims, method, host, path)
        return scopes

    def check_view(self, token: str, now: int) -> None:
        """Check the token of a subscribe message; raises NotAuthorized."""
        if "view" not in self.scopes(token, now):
            raise NotAuthorized("view is missing")


def _bytes(segment: str) -> bytes:
    """Decode one part of a token.

    jwt.decode looks at every letter of it in Python, which would cost more than checking the signature; the exp and
    nbf that it would check by this machine's clock are checked by the exchange's below.
    """
    return base64.b64decode(segment + "=" * (-len(segment) % 4), altchars=b"-_", validate=True)


def _check_life(claims: dict[str, Any], now: int) -> None:
    begins, ends = claims.get("nbf", claims.get("iat")), claims.get("exp")
    if not isinstance(begins, int | float) or not isinstance(ends, int | float):
        raise NotAuthorized("nbf or exp is missing")
    if now >= ends * SECOND:
        raise NotAuthorized("the token has expired")
    if now < begins * SECOND:
        raise NotAuthorized("the token is not valid yet")


def _check_uri(claims: dict[str, Any], method: str, host: str, path: str) -> None:
    named = claims.get("uris") if "uris" in claims else claims.get("uri")
    uris = [named] if isinstance(named, str) else list(named or [])
    if not method:
        if uris:
            raise NotAuthorized("a subscribe token names no request")
        return
    for uri in uris:
        verb, _, rest = str(uri).partition(" ")
        where = rest.removeprefix("http://").removeprefix("https://")
        if verb == method and where in {f"{known}{path}" for known in (host, *_HOSTS)}:
            return
    raise NotAuthorized("uri is of another request")
