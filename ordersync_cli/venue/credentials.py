"""Reads an API key from Coinbase's key file or from the environment's two values, never showing it."""

from __future__ import annotations

import base64
import binascii
import json
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ordersync_cli.errors import SettingsError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    PrivateKey = EllipticCurvePrivateKey | Ed25519PrivateKey

_LARGEST_FILE = 64 * 1024
_TAKE_NEW = "Create a key in the Coinbase Developer Platform (ECDSA or Ed25519) and download its JSON file."


@dataclass(frozen=True, slots=True)
class Credentials:
    """A key's name and its private half; only the name's tail is ever shown."""

    name: str = field(repr=False)
    private_key: PrivateKey = field(repr=False)
    algorithm: str  # ES256 or EdDSA


class CredentialSource(Protocol):
    """Where the key is read from, at the start and once more after the venue refused it."""

    def load(self) -> Credentials:
        """Read the key. Raises SettingsError (exit 3)."""
        ...


@dataclass(frozen=True, slots=True)
class KeyFile:
    """Coinbase's key file: refused when others can read it (trap T38)."""

    path: Path

    def load(self) -> Credentials:
        """Read the file. Raises SettingsError (exit 3) with one line and no secret in it."""
        content = _read_private(self.path)
        try:
            parsed = json.loads(content.decode("utf-8-sig"))
        except (ValueError, RecursionError):
            raise SettingsError(f"The key file {self.path} is not JSON.", _TAKE_NEW) from None
        if not isinstance(parsed, dict):
            raise SettingsError(f"The key file {self.path} does not hold a JSON object.", _TAKE_NEW)
        name, secret = parsed.get("name") or parsed.get("id"), parsed.get("privateKey")
        if not isinstance(name, str) or not name.strip():
            raise SettingsError(f"The key file {self.path} has no name (or id).", _TAKE_NEW)
        if not isinstance(secret, str) or not secret.strip():
            raise SettingsError(f"The key file {self.path} has no privateKey.", _TAKE_NEW)
        return credentials(name, secret, f"the key file {self.path}")


@dataclass(frozen=True, slots=True)
class KeyPair:
    """The values of COINBASE_API_KEY and COINBASE_API_SECRET."""

    name: str = field(repr=False)
    secret: str = field(repr=False)

    def load(self) -> Credentials:
        """Read the two values. Raises SettingsError (exit 3) with one line and no secret in it."""
        if not self.name.strip():
            raise SettingsError("COINBASE_API_KEY is empty.", "Set it to the key's name.")
        if not self.secret.strip():
            raise SettingsError("COINBASE_API_SECRET is empty.", "Set it to the private key.")
        return credentials(self.name, self.secret, "COINBASE_API_SECRET")


def _read_private(path: Path) -> bytes:
    """Read a file that nobody else may read; checked on the open file, so that it cannot be swapped."""
    try:
        with path.open("rb") as opened:
            status = os.fstat(opened.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise SettingsError(f"The key file {path} is not a file.", _TAKE_NEW)
            if status.st_mode & 0o077:
                raise SettingsError(
                    f"The key file {path} can be read by others (mode {stat.S_IMODE(status.st_mode):o}).",
                    f"chmod 600 {path}",
                )
            content = opened.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise SettingsError(
            f"The key file {path} cannot be read: {error.strerror}.", "Check ORDERSYNC_KEY_FILE (--key-file)."
        ) from None
    if not content.strip():
        raise SettingsError(f"The key file {path} is empty.", _TAKE_NEW)
    if len(content) > _LARGEST_FILE:
        raise SettingsError(f"The key file {path} is far too large to be a key.", _TAKE_NEW)
    return content


def credentials(name: str, secret: str, where: str) -> Credentials:
    r"""Build credentials from a key's name and its private half: PEM (ECDSA P-256, Ed25519) or base64 of Ed25519.

    Literal ``\n`` in a PEM, as environment files have it, is read as a line end.
    Raises SettingsError (exit 3) that names ``where`` and shows nothing of the key.
    """
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    unescaped = secret.replace("\\r", "").replace("\\n", "\n").strip().strip("\"'").strip()
    key = _pem(unescaped, where) if unescaped.startswith("-----BEGIN") else _raw_ed25519(unescaped, where)
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return Credentials(name.strip(), key, "EdDSA")
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        return Credentials(name.strip(), key, "ES256")
    raise SettingsError(f"The private key in {where} is of a kind that Coinbase does not use.", _TAKE_NEW)


def _pem(secret: str, where: str) -> object:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        return load_pem_private_key(secret.encode("utf-8") + b"\n", password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise SettingsError(f"The private key in {where} is not a readable PEM key.", _TAKE_NEW) from None


def _raw_ed25519(secret: str, where: str) -> object:
    from cryptography.hazmat.primitives.asymmetric import ed25519

    try:
        raw = base64.b64decode("".join(secret.split()), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) not in (32, 64):  # a seed, or a seed and its public half
        raise SettingsError(f"The private key in {where} is neither a PEM key nor 32 or 64 bytes in base64.", _TAKE_NEW)
    return ed25519.Ed25519PrivateKey.from_private_bytes(raw[:32])
