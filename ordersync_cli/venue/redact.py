"""Takes tokens and keys out of texts that are shown, logged or stored."""

from __future__ import annotations

import re

from ordersync_cli.venue.wire_values import storable

_SECRETS = re.compile(
    r"-----BEGIN[^-]*-----.*?(?:-----END[^-]*-----|\Z)"  # a PEM block, cut or whole
    r"|eyJ[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*){0,2}"  # a JSON web token
    r"|Bearer\s+\S+"
    r"|organizations/[^\s\"',;]+",  # the name of a key
    re.DOTALL,
)
_FIELDS = re.compile(r'("(?:jwt|privateKey|api_secret|secret|authorization)"\s*:\s*)"[^"]*"?', re.IGNORECASE)


def redacted(text: str, limit: int = 300) -> str:
    """Give the text without secrets and what no store holds, on one line, cut to ``limit`` characters."""
    cleaned = _SECRETS.sub("[redacted]", _FIELDS.sub(r'\1"[redacted]"', text))
    line = storable(" ".join(cleaned.split()))
    return line if len(line) <= limit else line[: limit - 1] + "…"
