"""Shows values without the secrets in them."""

from __future__ import annotations

HIDDEN = "***"


def mask_secret(value: str) -> str:
    """Hide all of a secret, its length too."""
    return HIDDEN if value else ""


def mask_password(url: str) -> str:
    """Hide the password in a database URL, in its authority and in its query; keep the rest."""
    scheme, separator, rest = url.partition("://")
    before, question, query = rest.partition("?")
    user, at, host = before.rpartition("@")
    if at and ":" in user:
        user = f"{user.partition(':')[0]}:{HIDDEN}"
    shown = "&".join(_mask_pair(pair) for pair in query.split("&"))
    return f"{scheme}{separator}{user}{at}{host}{question}{shown}"


def _mask_pair(pair: str) -> str:
    name, equals, _ = pair.partition("=")
    return f"{name}{equals}{HIDDEN}" if "pass" in name.lower() or "secret" in name.lower() else pair


def mask_url(url: str) -> str:
    """Keep scheme and host of an address whose path, user or query may be a secret (webhooks, apprise)."""
    scheme, _, rest = url.partition("://")
    if scheme not in {"http", "https", "slack+https"}:
        return f"{scheme}://{HIDDEN}"
    host = rest.partition("/")[0].rpartition("@")[2]
    return f"{scheme}://{host}/{HIDDEN}"
