"""Takes secrets out of everything that is logged or said, by key and by value."""

from __future__ import annotations

import re
from collections.abc import Iterable

HIDDEN = "[redacted]"
_SHORTEST = 6  # a shorter "secret" would take ordinary words out of the log

_SECRET_KEY = re.compile(
    r"authorization|cookie|secret|token|jwt|passw|private_?key|privatekey|api_?key|signature|webhook_url|alert_urls",
    re.IGNORECASE,
)
_VALUES = re.compile(
    r"-----BEGIN[^-]{0,60}-----.*?(?:-----END[^-]{0,60}-----|\Z)"  # a PEM block, whole or cut
    r"|\bBearer\s+[^\s\"',;]+"
    r"|\beyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){0,2}"  # a JSON web token
    r"|\borganizations/[^\s\"',;)]+"  # the name of a key, organizations/.../apiKeys/...
    r"|(?<=hooks\.slack\.com/)[^\s\"']+"
    r"|(?<=://)[^\s/@\"':]*:[^\s/\"']+(?=@)",  # user:password@host
    re.DOTALL,
)
_PAIRS = re.compile(
    r"(?P<key>[\"']?\b(?:authorization|cookie|set-cookie|jwt|private_?key|privateKey|api_secret|webhook_secret|secret"
    r"|password|passwd|token)\b[\"']?\s*[:=]\s*)(?P<value>\"[^\"]*\"?|'[^']*'?|[^\s,;}\]]+)",
    re.IGNORECASE,
)


class Redactor:
    """Knows what secrets look like, and the very secrets of this run's settings."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known: list[str] = []
        self.learn(secrets)

    def learn(self, secrets: Iterable[str]) -> None:
        """Remember values that must never be shown; those too short to be secrets are left out."""
        parts = {form for secret in secrets for form in (secret, secret.replace("\n", "\\n"), *secret.splitlines())}
        self._known = sorted({*self._known, *(p for p in parts if len(p) >= _SHORTEST)}, key=len, reverse=True)

    def text(self, text: str) -> str:
        """Give the text without secrets."""
        for secret in self._known:
            text = text.replace(secret, HIDDEN)
        return _VALUES.sub(HIDDEN, _PAIRS.sub(_hide_pair, text))

    def value(self, key: str, value: object) -> object:
        """Give a named value without secrets."""
        if _SECRET_KEY.search(key) and value is not None:
            return HIDDEN
        return self.text(value) if isinstance(value, str) else value


def _hide_pair(found: re.Match[str]) -> str:
    value = found["value"]
    quote = value[0] if value[:1] in {'"', "'"} else ""
    return f"{found['key']}{quote}{HIDDEN}{quote}"
